"""The first two records of a text file: what names its columns, and what its values look like."""

from collections.abc import Callable
from dataclasses import dataclass

from lightship_runtime.batch.errors import UnreadableError
from lightship_runtime.batch.streams import MAX_RECORD

PIECE = 1 << 16


@dataclass(frozen=True, slots=True)
class Head:
    """The first record and the second, with their line ends; empty where there is none."""

    names_record: bytes
    first_record: bytes


def read_head(read: Callable[[int], bytes], file: str, delimiter: str | None) -> Head:
    """Read as little as it takes. Raises UnreadableError when no record ends within the longest that is taken."""
    data, ends = b"", [0]
    while len(ends) < 3:
        piece = read(PIECE)
        data += piece
        found = _record_end(data, ends[-1], delimiter)
        while found and len(ends) < 3:
            ends.append(found)
            found = _record_end(data, found, delimiter)
        if not piece:
            ends += [len(data)] * (3 - len(ends))
        elif len(data) > MAX_RECORD:
            raise UnreadableError(file, f"its first records are longer than {MAX_RECORD >> 20} MB; it isn't text.")
    return Head(data[: ends[1]], data[ends[1] : ends[2]])


def skip(read: Callable[[int], bytes], size: int) -> None:
    """Read past `size` bytes."""
    while size > 0:
        piece = read(size)
        if not piece:
            return
        size -= len(piece)


def _record_end(data: bytes, start: int, delimiter: str | None) -> int:
    """The position after the record that begins at `start`, or 0 where its end isn't there yet."""
    end, quotes, counted = start, 0, start
    while (end := data.find(b"\n", end)) >= 0:
        if delimiter is None:
            return end + 1
        quotes += data.count(b'"', counted, end)
        counted = end
        if quotes % 2 == 0:
            return end + 1
        end += 1
    return 0
