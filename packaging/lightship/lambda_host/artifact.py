"""An artifact's folder: unzipped as Lambda unzips it, and the digest that shows nothing in it changed."""

import io
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from lightship_runtime.errors import LightshipError

COPY_BYTES = 1 << 20


class BadZipError(LightshipError):
    """A zip that Lambda wouldn't take, or that reaches outside of its folder."""


def unpack(archive: Path | bytes, folder: Path) -> Path:
    """Unzip `archive` into `folder`, new or empty, with the permissions it records, and make all of it read-only.

    Raises BadZipError for anything but plain files and folders at relative paths below it that everyone may read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(io.BytesIO(archive) if isinstance(archive, bytes) else archive) as opened:
            for member in opened.infolist():
                _extract(opened, member, folder)
    except zipfile.BadZipFile as error:
        name = "the archive" if isinstance(archive, bytes) else archive
        raise BadZipError(f"{name} isn't a zip file ({error}). Package the model again.") from error
    for path in folder.rglob("*"):
        path.chmod(path.stat().st_mode & ~0o222)
    return folder


@contextmanager
def unpacked(archive: Path) -> Iterator[Path]:
    """A folder of an archive's files, read-only, that goes away at the end. Raises BadZipError."""
    with tempfile.TemporaryDirectory(prefix="lightship-") as folder:
        root = unpack(archive, Path(folder) / "task")
        try:
            yield root
        finally:
            remove_tree(root)


def remove_tree(folder: Path) -> None:
    """Delete a folder that `unpack` made read-only; nothing happens when it isn't there."""
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    shutil.rmtree(folder, ignore_errors=True)


def tree_digest(root: Path) -> str:
    """SHA-256 over every path, kind, permission and content below `root`: equal before and after, nothing changed."""
    whole = sha256()
    for path in sorted(root.rglob("*")):
        mode = path.lstat().st_mode
        content = path.readlink().as_posix().encode() if path.is_symlink() else b""
        digest = _file_digest(path) if stat.S_ISREG(mode) else sha256(content).hexdigest()
        whole.update(f"{path.relative_to(root).as_posix()}\0{mode:o}\0{digest}\n".encode())
    return whole.hexdigest()


def _extract(opened: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    mode = member.external_attr >> 16
    target = folder / member.filename
    parts = Path(member.filename).parts
    if member.filename.startswith(("/", "\\")) or ".." in parts or not target.is_relative_to(folder):
        raise BadZipError(f"The zip holds {member.filename!r}, which lies outside of its folder. Package again.")
    if mode and stat.S_IFMT(mode) not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise BadZipError(f"The zip holds {member.filename!r}, which is neither file nor folder. Package again.")
    if mode and not mode & stat.S_IROTH:
        raise BadZipError(
            f"The zip holds {member.filename!r} with permissions {mode & 0o777:o}, which Lambda's user can't read. "
            "Zip it with 644, or 755 for folders and programs."
        )
    if member.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with opened.open(member) as source, target.open("wb") as sink:
        shutil.copyfileobj(source, sink, COPY_BYTES)
    target.chmod(stat.S_IMODE(mode) or 0o644)


def _file_digest(path: Path) -> str:
    digest = sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(COPY_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
