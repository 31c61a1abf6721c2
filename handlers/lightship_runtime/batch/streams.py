"""From an object's bytes to blocks of whole records in UTF-8, in bounded memory."""

import codecs
import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from typing import IO, cast

from lightship_runtime.batch.boundaries import ends_inside_quotes, last_boundary
from lightship_runtime.batch.errors import UnreadableError

BLOCK = 2 << 20
"""Bytes of text parsed at once."""
MAX_RECORD = 64 << 20
"""The longest record. A longer one is an unclosed quote or no text at all."""

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
GZIP = b"\x1f\x8b"
WIDE = ("utf-16", "utf-32")


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
        self._decoder = None if encoding == "utf-8" else codecs.getincrementaldecoder(encoding)()
        self._encoding = encoding

    def read(self, size: int) -> bytes:
        """At most about `size` bytes; empty at the end. Raises UnreadableError."""
        while True:
            data, self._start = self._start, b""
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

    def _read_raw(self, size: int) -> bytes:
        try:
            return self._raw.read(size)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise UnreadableError(
                self._file, f"it is gzipped and damaged or cut short ({error}). Write it again."
            ) from error


def _unzipped(raw: IO[bytes]) -> IO[bytes]:
    buffered = raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(_Readable(raw), 1 << 20)
    if buffered.peek(2)[:2] == GZIP:
        return cast("IO[bytes]", gzip.GzipFile(fileobj=buffered))
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


def blocks(read: Callable[[int], bytes], file: str, delimiter: str | None, *, size: int = BLOCK) -> Iterator[bytes]:
    """Blocks of about `size` bytes that end where a record ends. Raises UnreadableError for a record without end."""
    carry = b""
    while True:
        piece = read(size)
        if not piece:
            break
        data = carry + piece
        cut = last_boundary(data, delimiter)
        if cut:
            yield data[:cut]
        elif len(data) > MAX_RECORD:
            raise UnreadableError(
                file, f"a record is longer than {MAX_RECORD >> 20} MB. Look for a quote that isn't closed."
            )
        carry = data[cut:]
    if not carry:
        return
    if delimiter is not None and ends_inside_quotes(carry, delimiter):
        raise UnreadableError(
            file, f"its last record has a quote that isn't closed, near {carry[:60].decode(errors='replace')!r}."
        )
    yield carry
