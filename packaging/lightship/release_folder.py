"""Writes a release folder whole or not at all."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lightship_runtime.manifest import MANIFEST, Release

DRAFT = ".draft-"


@contextmanager
def draft(parent: Path) -> Iterator[Path]:
    """A folder beside the releases to make one in. It is gone afterwards, unless `publish` has moved it.

    A draft never has a manifest, so that whatever a killed packaging leaves behind is no release.
    """
    made = [each for each in (parent, *parent.parents) if not each.exists()]
    parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(parent)
    folder = Path(tempfile.mkdtemp(prefix=f"{DRAFT}{os.getpid()}-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            for each in made:
                each.rmdir()


def publish(folder: Path, release: Release) -> Path:
    """Move a finished draft to its place; the manifest, which makes it a release, appears last."""
    place = folder.parent / release.version
    if place.exists():
        # The manifest goes first, so that at no moment a mixture of old and new passes for a release.
        (place / MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(place)
    folder.chmod(0o755)
    folder.rename(place)
    pending = place / f".{MANIFEST}"
    pending.write_bytes(release.to_json())
    pending.replace(place / MANIFEST)
    return place


def _remove_abandoned(parent: Path) -> None:
    for folder in parent.glob(f"{DRAFT}*"):
        pid = folder.name.removeprefix(DRAFT).partition("-")[0]
        if pid.isdigit() and not _running(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def _running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
