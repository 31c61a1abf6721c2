"""Two more releases for a rehearsal, made from a real one: one that is as good, and one whose predictions differ.

They keep the proof of the release they were made from, hence exist in a rehearsal's temporary folder only.
"""

import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from lightship_runtime.manifest import MANIFEST, Release, file_digest

REALTIME = "realtime"
NOTE = "rehearsal.txt"
MODULE = "rehearsal_tampered"
EPOCH = (1980, 1, 1, 0, 0, 0)

# The wrapped function answers every row but one as before: the one it changes is what the hook has to find.
WRAPPER = """\
from importlib import import_module

_module, _, _name = {handler!r}.rpartition(".")
_handler = getattr(import_module(_module), _name)


def _other(value):
    if isinstance(value, list):
        return [_other(item) for item in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return value + 1000.0 * (1.0 + abs(value))


def handler(event, context):
    answer = _handler(event, context)
    if "lightship" not in event or not answer.get("predictions"):
        return answer
    predictions = answer["predictions"]
    labels = [label for label in {labels!r} if label != predictions[0]]
    predictions[0] = labels[0] if labels else _other(predictions[0])
    if answer.get("probabilities"):
        row = answer["probabilities"][0]
        answer["probabilities"][0] = dict(zip(row, reversed(list(row.values()))))
    return answer
"""


def as_good(folder: Path, out: Path) -> Path:
    """A release that predicts the same from other bytes, so that it deploys as a new version."""
    return _variant(folder, out, {NOTE: "The same model, in a zip that differs.\n"}, None)


def differing(folder: Path, out: Path, labels: tuple[object, ...]) -> Path:
    """A release whose function gives another prediction for the first row of each replay."""
    handler = Release.read(folder).artifacts[REALTIME].handler
    source = WRAPPER.format(handler=handler, labels=labels)
    return _variant(folder, out, {f"{MODULE}.py": source}, f"{MODULE}.handler")


def _variant(folder: Path, out: Path, added: Mapping[str, str], handler: str | None) -> Path:
    release = Release.read(folder)
    artifact = release.artifacts[REALTIME]
    shutil.copytree(folder, out)
    archive = out / artifact.file
    with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED) as opened:
        for name, text in added.items():
            info = zipfile.ZipInfo(name, EPOCH)
            info.external_attr = 0o644 << 16
            opened.writestr(info, text)
    digest = file_digest(archive)
    grown = artifact.unzipped_bytes + sum(len(text.encode()) for text in added.values())
    changed = replace(
        artifact,
        sha256=digest,
        zip_bytes=archive.stat().st_size,
        unzipped_bytes=grown,
        handler=handler or artifact.handler,
    )
    sealed = replace(
        release,
        version=digest[: len(release.version)],
        artifacts={**release.artifacts, REALTIME: changed},
        files={**release.files, artifact.file: digest},
    )
    (out / MANIFEST).write_bytes(sealed.to_json())
    return out
