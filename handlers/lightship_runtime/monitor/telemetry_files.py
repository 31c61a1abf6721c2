"""The files of the monitoring store as lines, whatever state they are in."""

import gzip
import zlib
from collections.abc import Iterator
from typing import IO, cast

from lightship_runtime.batch.errors import InputChangedError
from lightship_runtime.batch.stores import Store, Stored

LONGEST_LINE = 4 << 20
"""Bytes of a line that is read; telemetry is split at 200 KB."""
_GZIP = b"\x1f\x8b"
_BROKEN = b"{"
# Firehose may set the lines of one record beside each other. Inside JSON the quote of a text would be escaped.
_TOUCHING, _APART = b'}{"', b'}\n{"'


class Reading:
    """Reads a stored file's lines, once. Afterwards `changed` says that it was rewritten or removed meanwhile, and
    `damaged` that its compression ended early. What was read before that counts."""

    def __init__(self, store: Store, stored: Stored) -> None:
        self._store = store
        self._stored = stored
        self.changed = False
        self.damaged = False

    def lines(self) -> Iterator[bytes]:
        """Lines without their ends; empty ones are left out, and those over 4 MB are given as one broken byte."""
        try:
            with self._store.open(self._stored) as file:
                try:
                    yield from _lines(_unpacked(file))
                except (gzip.BadGzipFile, EOFError, zlib.error):
                    self.damaged = True
        except (InputChangedError, FileNotFoundError):
            self.changed = True


def _unpacked(file: IO[bytes]) -> IO[bytes]:
    packed = file.read(2) == _GZIP
    file.seek(0)
    return cast("IO[bytes]", gzip.open(file)) if packed else file


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    while line := file.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            while line and not line.endswith(b"\n"):
                line = file.readline(LONGEST_LINE)
            yield _BROKEN
        elif line := line.strip():
            yield from line.replace(_TOUCHING, _APART).split(b"\n")
