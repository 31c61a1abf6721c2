"""Names the release: the same input has the same version, and whatever can change an answer changes it."""

import hashlib
from dataclasses import asdict
from pathlib import Path

from lightship.assembly import LAYOUT, runtime_digest
from lightship.steps.build import Build
from lightship_runtime.documents import dump_document
from lightship_runtime.manifest import BASELINE, CONTRACT, GOLDEN, file_digest


def identify(build: Build) -> None:
    """The digest of all inputs, 16 hexadecimal digits of it."""
    plan, studied = build.plan, build.studied
    uses = (("request", "realtime", studied.request), ("batch", "batch", studied.batch))
    build.inputs.update(
        name=plan.name,
        target=asdict(plan.target),
        contract=build.files[CONTRACT],
        golden=build.files[GOLDEN],
        baseline=build.files[BASELINE],
        engines={use: _folder_digests(each.folder) for use, _, each in uses},
        runtime={use: runtime_digest(each.engine, parts) for use, parts, each in uses},
        requirements=build.locks,
        layout=LAYOUT,
        include=[_folder_digests(path) for path in plan.code],
    )
    if studied.inner is not None:
        build.inputs["inner"] = hashlib.sha256(studied.inner.to_json()).hexdigest()
    build.version = hashlib.sha256(dump_document(build.inputs)).hexdigest()[:16]


def _folder_digests(path: Path) -> dict[str, str]:
    if path.is_file():
        return {path.name: file_digest(path)}
    files = sorted(each for each in path.rglob("*") if each.is_file() and "__pycache__" not in each.parts)
    return {each.relative_to(path).as_posix(): file_digest(each) for each in files}
