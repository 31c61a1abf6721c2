"""The second artifact of a release, batch.zip: no web framework, the engine for batches, and Arrow."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightship.assembly import BATCH_HANDLER, Included, assemble, surroundings
from lightship.batch.proving import prove_batch
from lightship.binaries import check_binaries
from lightship.lending import Lent
from lightship.plan import Plan
from lightship.study import Study
from lightship.targets import bootable_here
from lightship.wheels import resolve
from lightship.zipping import Packed, TooLargeError, write_zip
from lightship_runtime.manifest import Artifact, file_digest
from lightship_runtime.monitor.bins import BINS

ARCHIVE = "batch.zip"
REQUIREMENTS = "batch-requirements.lock"
LIBRARIES = ("numpy", "pyarrow")


@dataclass(frozen=True)
class BatchBuild:
    """The artifact under its use, its sealed files by name, and what its proof measured; nothing but a reason in the
    notes where it doesn't fit into Lambda."""

    artifacts: dict[str, Artifact]
    files: dict[str, str]
    notes: dict[str, Any]
    lent: tuple[Lent, ...]


def batch_requirements(plan: Plan, studied: Study) -> str:
    """The locked wheels of batch.zip: the versions that Lightship pins, or that the engine demands."""
    return resolve(tuple(dict.fromkeys((*LIBRARIES, *studied.batch.requirements))), plan.target)


def build_batch(
    plan: Plan,
    studied: Study,
    requirements: str,
    version: str,
    include: Sequence[Included],
    folder: Path,
    say: Callable[[str], None],
) -> BatchBuild:
    """Assemble and prove batch.zip in `folder`, or leave it out where it is over Lambda's limit: requests can be
    answered all the same. Raises ProofError, BinaryError and what assembling raises."""
    say("assembling batch.zip")
    archive = folder / ARCHIVE
    root = folder / ".batch"
    try:
        packed, lent = _assembled(plan, studied, requirements, version, include, root, archive, host=False)
    except TooLargeError as error:
        shutil.rmtree(root, ignore_errors=True)
        say("leaving batch.zip out, as it is over Lambda's limit")
        return BatchBuild({}, {}, {"refused": str(error)}, ())
    exact = bootable_here(plan.target)
    proven = archive
    if not exact:
        proven = folder / ".batch-host.zip"
        _assembled(plan, studied, requirements, version, include, folder / ".batch-host", proven, host=True)
    say("replaying the golden rows through batch.zip")
    notes = prove_batch(
        proven, contract=studied.contract, golden=studied.golden, tolerance=studied.tolerance, target=plan.target
    )
    if not exact:
        proven.unlink()
    (folder / REQUIREMENTS).write_text(requirements)
    artifact = Artifact(ARCHIVE, BATCH_HANDLER, file_digest(archive), packed.zip_bytes, packed.unzipped_bytes)
    files = {name: file_digest(folder / name) for name in (ARCHIVE, REQUIREMENTS)}
    return BatchBuild({"batch": artifact}, files, notes, lent)


def _assembled(
    plan: Plan,
    studied: Study,
    requirements: str,
    version: str,
    include: Sequence[Included],
    root: Path,
    archive: Path,
    *,
    host: bool,
) -> tuple[Packed, tuple[Lent, ...]]:
    assembled = assemble(
        root,
        contract=studied.contract,
        candidate=studied.batch,
        lock=requirements,
        target=plan.target,
        name=plan.name,
        version=version,
        include=include,
        around=surroundings(studied, plan.module),
        files={BINS: studied.baseline.to_bins(outputs=True)},
        host=host,
        use="batch",
    )
    if not host:
        check_binaries(root, plan.target)
    packed = write_zip(root, archive, assembled.libraries)
    shutil.rmtree(root)
    return packed, assembled.lent
