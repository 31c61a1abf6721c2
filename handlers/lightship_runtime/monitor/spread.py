"""Items spread over partition files by a key, so that equal keys meet however many items there are."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self
from zlib import crc32

_BLOCK = 100


class Spread:
    """Files in `folder` that hold items, a block of them to a line; removed at the end. Context manager.

    The disk taken is about the size of the items as JSON; the memory, that of one block a file.
    """

    def __init__(self, folder: Path, partitions: int) -> None:
        self._paths = [folder / f"{part:04d}" for part in range(partitions)]
        self._blocks: list[list[Any]] = [[] for _ in self._paths]
        self._stack = ExitStack()
        self._files: list[IO[str]] = []

    def __enter__(self) -> Self:
        self._files = [self._stack.enter_context(path.open("w+", encoding="ascii")) for path in self._paths]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        for path in self._paths:
            path.unlink()

    def put(self, key: str, item: list[Any]) -> None:
        part = crc32(key.encode(errors="surrogatepass")) % len(self._files)
        block = self._blocks[part]
        block.append(item)
        if len(block) >= _BLOCK:
            self._write(part)

    def _write(self, part: int) -> None:
        self._files[part].write(json.dumps(self._blocks[part], separators=(",", ":")) + "\n")
        self._blocks[part] = []

    def partitions(self) -> Iterator[Iterator[list[Any]]]:
        """The items of each partition, once everything was put."""
        for part, file in enumerate(self._files):
            self._write(part)
            file.seek(0)
            yield (item for line in file for item in json.loads(line))
