"""Finds the release to deploy, and refuses one that isn't what lightship.lock says or wasn't proven."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from lightship_runtime.documents import load_document
from lightship_runtime.errors import LightshipError
from lightship_runtime.manifest import Artifact, Release

LOCK = "lightship.lock"
LOCK_SCHEMA = 1
RELEASES = "dist"


class NoReleaseError(LightshipError):
    """There is nothing to deploy yet."""


class RefusedReleaseError(LightshipError):
    """A release is there, but must not be deployed."""


@dataclass(frozen=True, slots=True)
class PackagedRelease:
    """A release folder whose every sealed file was checked against its digest."""

    folder: Path
    manifest: Release

    @classmethod
    def open(cls, folder: Path | str) -> Self:
        """Raises what `Release.read` raises."""
        path = Path(folder)
        return cls(path, Release.read(path))

    def artifact(self, use: str) -> Artifact:
        try:
            return self.manifest.artifacts[use]
        except KeyError:
            held = ", ".join(self.manifest.artifacts) or "none"
            raise RefusedReleaseError(
                f"{self.folder} has no {use!r} artifact; it has {held}. Package the model again."
            ) from None

    def zip_path(self, use: str) -> str:
        """Where the zip lies, as the CDK wants to hear it."""
        return str(self.folder / self.artifact(use).file)

    def refuse_unproven(self) -> None:
        """Raises RefusedReleaseError unless booting this zip showed that it predicts what the model predicts."""
        if self.manifest.grade == "unproven":
            raise RefusedReleaseError(
                f"{self.manifest.name} {self.manifest.version} is unproven. Run `lightship prove {self.folder}` where "
                "its target can run, or write allow_unproven = true in lightship.toml."
            )


def locked_release(project: Path, *, folder: str | None = None, lock: str | None = None) -> PackagedRelease:
    """The release that the project's lightship.lock names, from `folder` or else from dist/<name>/<version>.

    `lock` is another lock file, such as an earlier one, for going back.

    Raises NoReleaseError when there is no lock or no folder, RefusedReleaseError when the folder holds another
    release than the locked one.
    """
    lock_file = project / (lock or LOCK)
    if not lock_file.is_file():
        raise NoReleaseError(
            f"There is no {lock_file.name} in {lock_file.parent}, so nothing was packaged here yet. "
            "Run `lightship package` (or `make demo` in Lightship's own repository), then try again."
        )
    document = load_document(lock_file.read_bytes(), what=LOCK, schema=LOCK_SCHEMA)
    try:
        name, version, digest = str(document["name"]), str(document["version"]), str(document["digest"])
    except KeyError as error:
        raise RefusedReleaseError(f"{LOCK} lacks {error}. Run `lightship package` to write it anew.") from error
    place = project / folder if folder else project / RELEASES / name / version
    if not place.is_dir():
        raise NoReleaseError(
            f"{LOCK} names {name} {version}, but {place} isn't there. Run `lightship package` to build it, "
            "or name another folder with `-c release=FOLDER`."
        )
    release = PackagedRelease.open(place)
    if release.manifest.digest != digest:
        raise RefusedReleaseError(
            f"The digest of {place} is {release.manifest.digest}, but {LOCK} has {digest}. If you packaged it on "
            "purpose, commit the lock that `lightship package` wrote; if not, the release was tampered with."
        )
    return release
