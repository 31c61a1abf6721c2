"""What SRC and DST on the command line mean: folders, one file, or prefixes in S3."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from lightship_runtime.batch.errors import BatchError
from lightship_runtime.batch.s3 import S3Store
from lightship_runtime.batch.stores import LocalStore, Store, Stored

S3 = "s3://"


@dataclass(frozen=True)
class Location:
    """A place by its address, which can be handed to another process and opened there. `only` is the one object
    meant, where it isn't everything below."""

    address: str
    only: str | None = None

    def open(self) -> Store:
        if not self.address.startswith(S3):
            return LocalStore(Path(self.address))
        bucket, _, prefix = self.address.removeprefix(S3).partition("/")
        return S3Store(s3_client(), bucket, prefix)


def source_location(text: str) -> Location:
    """Raises BatchError when there is nothing."""
    if text.startswith(S3):
        name = text.rsplit("/", 1)[-1]
        if "." in name and not text.endswith("/"):
            return Location(text[: -len(name)], only=name)
        return Location(_as_prefix(text))
    path = Path(text).absolute()
    if path.is_file():
        return Location(str(path.parent), only=path.name)
    if not path.is_dir():
        raise BatchError(f"There is no file or folder at {text}. Check the path.")
    return Location(str(path))


def sink_location(text: str) -> Location:
    if text.startswith(S3):
        return Location(_as_prefix(text))
    path = Path(text).absolute()
    if path.exists() and not path.is_dir():
        raise BatchError(f"{text} is a file. Name a folder to write into.")
    return Location(str(path))


def refuse_overlap(source: Location, sink: Location) -> None:
    """What is written must not be found as input. Raises BatchError."""
    if source.only is not None and not source.address.startswith(sink.address.rstrip("/") + "/"):
        return
    first, second = (each.address.rstrip("/") + "/" for each in (source, sink))
    if source.only is None and (first.startswith(second) or second.startswith(first)):
        raise BatchError(
            f"The input {source.address} and the output {sink.address} overlap: the next run would score this one's "
            "output. Choose a destination beside the input."
        )


def _as_prefix(text: str) -> str:
    return text if text.endswith("/") else f"{text}/"


def s3_client() -> Any:
    """A client of S3 by the usual AWS settings. Raises BatchError where boto3 isn't installed."""
    try:
        import boto3
    except ImportError as error:
        raise BatchError("S3 needs boto3, which isn't installed here. Run: uv pip install 'lightship[aws]'") from error
    return boto3.client("s3")


@dataclass(frozen=True)
class OneObject:
    """A store that lists one of its objects."""

    store: Store
    name: str

    def list(self, prefix: str = "") -> Iterator[Stored]:
        yield from (each for each in self.store.list(prefix + self.name) if each.name == self.name)

    def open(self, stored: Stored, start: int = 0, end: int | None = None) -> AbstractContextManager[IO[bytes]]:
        return self.store.open(stored, start, end)

    def read(self, name: str) -> tuple[bytes, str] | None:
        return self.store.read(name)

    def write(self, name: str, data: bytes) -> None:
        self.store.write(name, data)

    def create(self, name: str, data: bytes) -> bool:
        return self.store.create(name, data)

    def replace(self, name: str, data: bytes, tag: str | None) -> bool:
        return self.store.replace(name, data, tag)

    def writer(self, name: str) -> AbstractContextManager[IO[bytes]]:
        return self.store.writer(name)


def open_source(location: Location) -> Store:
    store = location.open()
    return store if location.only is None else OneObject(store, location.only)
