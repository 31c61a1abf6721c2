"""Where objects lie: a small protocol, and folders on this machine behind it."""

import contextlib
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol, cast

from lightship_runtime.batch.errors import BatchError, InputChangedError

DRAFT = ".lightship-"


@dataclass(frozen=True, slots=True)
class Stored:
    """One object: its name in the store, its bytes, and a tag that changes with its content."""

    name: str
    size: int
    etag: str


class Store(Protocol):
    """Objects by name.

    What is written appears whole or not at all. `open` and `read` raise InputChangedError when the object isn't the one
    with that tag; the stream that `open` gives can seek.
    """

    def list(self, prefix: str = "") -> Iterator[Stored]: ...
    def open(self, stored: Stored, start: int = 0, end: int | None = None) -> AbstractContextManager[IO[bytes]]: ...
    def read(self, name: str) -> tuple[bytes, str] | None:
        """(content, tag), or None where there is no such object."""

    def write(self, name: str, data: bytes) -> None: ...
    def create(self, name: str, data: bytes) -> bool:
        """Write only where there is no such object; whether it was written."""

    def replace(self, name: str, data: bytes, tag: str | None) -> bool:
        """Write only over the object with this tag (None: over none); whether it was written."""

    def writer(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """A stream whose content becomes the object when the context ends without an error."""


class LocalStore:
    """A folder. Names are relative, with slashes. A file's tag is its size and time of change."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def list(self, prefix: str = "") -> Iterator[Stored]:
        for path in sorted((self.root / prefix.rpartition("/")[0]).rglob("*")):
            name = path.relative_to(self.root).as_posix()
            if name.startswith(prefix) and DRAFT not in name and path.is_file():
                yield self.stored(name)

    def stored(self, name: str) -> Stored:
        found = (self.root / name).stat()
        return Stored(name, found.st_size, f"{found.st_size:x}-{found.st_mtime_ns:x}")

    @contextmanager
    def open(self, stored: Stored, start: int = 0, end: int | None = None) -> Iterator[IO[bytes]]:
        self._check(stored)
        with (self.root / stored.name).open("rb") as file:
            if start or end is not None:
                file.seek(start)
                yield cast("IO[bytes]", _Limited(file, (stored.size if end is None else end) - start))
            else:
                yield file
        self._check(stored)

    def _check(self, stored: Stored) -> None:
        try:
            changed = self.stored(stored.name) != stored
        except FileNotFoundError:
            changed = True
        if changed:
            raise InputChangedError(stored.name)

    def read(self, name: str) -> tuple[bytes, str] | None:
        try:
            data = (self.root / name).read_bytes()
            return data, self.stored(name).etag
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write(self, name: str, data: bytes) -> None:
        with self.writer(name) as sink:
            sink.write(data)

    def create(self, name: str, data: bytes) -> bool:
        draft = self._draft(name)
        draft.write_bytes(data)
        try:
            os.link(draft, self.root / name)
        except FileExistsError:
            return False
        finally:
            draft.unlink()
        return True

    def replace(self, name: str, data: bytes, tag: str | None) -> bool:
        """Between processes of one machine this is as safe as its file system's rename: two runs that commit to one
        folder in the same moment aren't told apart."""
        if tag is None:
            return self.create(name, data)
        found = self.read(name)
        if found is None or found[1] != tag:
            return False
        self.write(name, data)
        return True

    @contextmanager
    def writer(self, name: str) -> Iterator[IO[bytes]]:
        draft = self._draft(name)
        try:
            with draft.open("wb") as sink:
                yield sink
            draft.replace(self.root / name)
        finally:
            with contextlib.suppress(FileNotFoundError):
                draft.unlink()

    def _draft(self, name: str) -> Path:
        path = self.root / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise BatchError(f"{path.parent} is a file where a folder belongs. Choose another destination.") from error
        return path.with_name(f"{DRAFT}{os.getpid()}-{path.name}")


class _Limited:
    """The next `size` bytes of a file."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._left = size

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(data)
        return data
