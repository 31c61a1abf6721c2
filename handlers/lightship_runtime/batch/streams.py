"""From an object's bytes to blocks of whole records in UTF-8, in bounded memory."""

import codecs
import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from typing import IO

from lightship_runtime.batch.boundaries import ends_inside_quotes, last_boundary
from lightship_runtime.batch.errors import UnreadableError

BLOCK = 4 << 20
"""Bytes of text parsed at once."""
MAX_RECORD = 64 << 20
"""The longest record. A longer one is an unclosed quote or no text at all."""

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
GZIP = b"\x1f\x8b"


class Text:
    """A readable stream of UTF-8 without a mark, from plain or gzipped bytes of any encoding Python knows."""

    def __init__(self, raw: IO[bytes], file: str, encoding: str) -> None:
        self._file = file
        self._raw = _unzipped(raw)
        start = self._read_raw(4)
        encoding = _canonical(encoding, file)
        for mark, name in _MARKS:
            if start.startswith(mark):
                start, encoding = start[len(mark) :], name
                break
        self._start = start
        self._left = b""
        self._decoder = None if encoding == "utf-8" else codecs.getincrementaldecoder(encoding)()
        self._encoding = encoding

    def read(self, size: int) -> bytes:
        """At most about `size` bytes; empty at the end. Raises UnreadableError."""
        while True:
            data, self._start = self._start[:size], self._start[size:]
            data += self._read_raw(size - len(data))
            if self._decoder is None:
                return data
            try:
                text = self._decoder.decode(data, final=not data)
            except UnicodeDecodeError as error:
                raise UnreadableError(
                    self._file,
                    f"{error.object[error.start : error.end]!r} is not {self._encoding}. Name its encoding, "
                    "or save it as UTF-8.",
                ) from error
            if text or not data:
                return text.encode()

    def readinto(self, view: memoryview) -> int:
        """Fill `view` from its beginning: how many bytes there were, 0 at the end. Raises UnreadableError."""
        if self._decoder is None and not self._start:
            return self._taken(self._raw.readinto, view)
        text = self._left or self.read(len(view))
        taken, self._left = text[: len(view)], text[len(view) :]
        view[: len(taken)] = taken
        return len(taken)

    def _read_raw(self, size: int) -> bytes:
        return self._taken(self._raw.read, size)

    def _taken[Given, Taken](self, take: Callable[[Given], Taken], given: Given) -> Taken:
        try:
            return take(given)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise UnreadableError(
                self._file, f"it is gzipped and damaged or cut short ({error}). Write it again."
            ) from error


def _unzipped(raw: IO[bytes]) -> io.BufferedIOBase:
    buffered = raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(_Readable(raw), 1 << 20)
    if buffered.peek(2)[:2] == GZIP:
        return gzip.GzipFile(fileobj=buffered)
    return buffered


class _Readable(io.RawIOBase):
    """Anything with `read` as the raw stream that a buffer wants."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override] # the base takes any buffer
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _canonical(encoding: str, file: str) -> str:
    try:
        return codecs.lookup(encoding).name
    except LookupError as error:
        raise UnreadableError(file, f"the encoding {encoding!r} isn't known. Use one of Python's names.") from error


def blocks(
    readinto: Callable[[memoryview], int], file: str, delimiter: str | None, *, size: int = BLOCK
) -> Iterator[memoryview]:
    """Blocks of about `size` bytes that end where a record ends. A block is there until the next is asked for.

    Raises UnreadableError for a record without end.
    """
    buffer, held = bytearray(2 * size), 0
    while True:
        if len(buffer) < held + size:
            buffer = buffer[:held] + bytearray(held + 2 * size)
        end = held + readinto(memoryview(buffer)[held : held + size])
        if end == held:
            break
        cut = last_boundary(buffer, delimiter, end)
        if cut:
            yield memoryview(buffer)[:cut]
        elif end > MAX_RECORD:
            raise UnreadableError(
                file, f"a record is longer than {MAX_RECORD >> 20} MB. Look for a quote that isn't closed."
            )
        held = end - cut
        buffer[:held] = buffer[cut:end]
    if not held:
        return
    rest = bytes(buffer[:held])
    if delimiter is not None and ends_inside_quotes(rest, delimiter):
        raise UnreadableError(
            file, f"its last record has a quote that isn't closed, near {rest[:60].decode(errors='replace')!r}."
        )
    yield memoryview(rest)
