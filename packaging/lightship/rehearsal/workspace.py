"""A copy of a project to rehearse in, made of links: other releases are locked there, the project stays as it is."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lightship.lockfile import FILE as LOCK
from lightship.lockfile import Lock
from lightship_runtime.errors import LightshipError
from lightship_runtime.manifest import Release

RELEASES = "dist"
CDK_JSON = "cdk.json"
OWN = frozenset({LOCK, RELEASES, "cdk.out"})


@dataclass(frozen=True)
class Workspace:
    """`folder` looks like the project, with a lock and releases of its own."""

    folder: Path

    def lock(self, release_folder: Path) -> Release:
        """Make a release the locked one, where the project's app looks for it."""
        release = Release.read(release_folder)
        place = self.folder / RELEASES / release.name / release.version
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            place.symlink_to(release_folder.absolute(), target_is_directory=True)
        Lock.of(release, {}).write(self.folder / LOCK)
        return release


@contextmanager
def workspace_of(project: Path) -> Iterator[Workspace]:
    """Raises LightshipError when the folder has no cdk.json."""
    if not (project / CDK_JSON).is_file():
        raise LightshipError(f"There is no {CDK_JSON} in {project}. `lightship init` writes one.")
    folder = Path(tempfile.mkdtemp(prefix="lightship-rehearse-"))
    try:
        for entry in project.absolute().iterdir():
            if entry.name not in OWN:
                (folder / entry.name).symlink_to(entry, target_is_directory=entry.is_dir())
        (folder / RELEASES).mkdir()
        yield Workspace(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def locked_folder(project: Path) -> Path:
    """The folder of the release that the project's lock names. Raises LightshipError when nothing is locked."""
    lock = Lock.read(project / LOCK)
    if lock is None:
        raise LightshipError(f"There is no {LOCK} in {project}. Run `lightship package` first.")
    return project / RELEASES / lock.name / lock.version
