"""Where records end in CSV and JSON Lines, told from bytes.

A newline ends a CSV record where the number of quotes before it is even. That is exact as long as quotes only open a
field, close it, or are doubled inside one. Text that breaks this rule (a lone quote within an unquoted field) is walked
quote by quote as a CSV parser would, and is never split between machines.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

type Positions = NDArray[np.int64]

QUOTE = ord('"')
NEWLINE = ord("\n")
RETURN = ord("\r")


def last_boundary(data: bytes | bytearray, delimiter: str | None, size: int | None = None) -> int:
    """The position after the last newline that ends a record, or 0. `data` begins at a record's start.

    `delimiter` is CSV's; with None a newline always ends a record. Of `data` the first `size` bytes count.
    """
    if delimiter is None or data.find(b'"', 0, size) < 0:
        return data.rfind(b"\n", 0, size) + 1
    data = bytes(data[:size])
    quotes = positions(data, QUOTE)
    if not regular(data, quotes, delimiter, inside=False):
        return _walked_boundary(data, _quoted_spans(data, quotes, delimiter))
    end, count = len(data), len(quotes)
    while True:
        if count % 2 == 0:
            start = int(quotes[count - 1]) + 1 if count else 0
            found = data.rfind(b"\n", start, end)
            if found >= 0 or not count:
                return found + 1
        count -= 1
        end = int(quotes[count])


def ends_inside_quotes(data: bytes, delimiter: str) -> bool:
    """Whether a CSV field is still open at the end of `data`, which begins at a record's start."""
    if b'"' not in data:
        return False
    quotes = positions(data, QUOTE)
    if regular(data, quotes, delimiter, inside=False):
        return len(quotes) % 2 == 1
    spans = _quoted_spans(data, quotes, delimiter)
    return bool(spans) and spans[-1][1] == len(data)


def positions(data: bytes, byte: int) -> Positions:
    return np.flatnonzero(np.frombuffer(data, np.uint8) == byte)


def regular(data: bytes, quotes: Positions, delimiter: str, *, inside: bool) -> bool:
    """Whether every quote opens a field, closes it or is doubled, given whether `data` begins inside quotes.

    At the ends of `data` nothing is known of the neighbour, and nothing is held against it.
    """
    if not len(quotes):
        return True
    array = np.frombuffer(data, np.uint8)
    opening, closing = (quotes[1::2], quotes[0::2]) if inside else (quotes[0::2], quotes[1::2])
    opening, closing = opening[opening > 0], closing[closing < len(data) - 1]
    before, after = _lookup(delimiter, NEWLINE, QUOTE), _lookup(delimiter, NEWLINE, RETURN, QUOTE)
    return bool(before[array[opening - 1]].all() and after[array[closing + 1]].all())


def _lookup(delimiter: str, *others: int) -> NDArray[np.bool_]:
    table = np.zeros(256, dtype=bool)
    table[[ord(delimiter), *others]] = True
    return table


def _quoted_spans(data: bytes, quotes: Positions, delimiter: str) -> list[tuple[int, int]]:
    """(start, end) of every quoted field, walked as a parser does; the end of an open one is the end of `data`."""
    opens = frozenset((ord(delimiter), NEWLINE, RETURN))
    spans: list[tuple[int, int]] = []
    start, skip = -1, -1
    for place in quotes.tolist():
        if place == skip:
            continue
        if start < 0:
            if place == 0 or data[place - 1] in opens:
                start = place
        elif data[place + 1 : place + 2] == b'"':
            skip = place + 1
        else:
            spans.append((start, place))
            start = -1
    if start >= 0:
        spans.append((start, len(data)))
    return spans


def _walked_boundary(data: bytes, spans: list[tuple[int, int]]) -> int:
    end = len(data)
    for start, close in reversed(spans):
        found = data.rfind(b"\n", close, end)
        if found >= 0:
            return found + 1
        end = start
    return data.rfind(b"\n", 0, end) + 1


@dataclass(frozen=True, slots=True)
class RangeScan:
    """What one byte range of a CSV object holds, for both of its possible beginnings: [outside, inside quotes].

    `quotes` is their number, `records` the newlines that end a record, `first` the position in the object after the
    first of them (-1: none), `exact` whether the quotes obey the rule.
    """

    quotes: int
    records: tuple[int, int]
    first: tuple[int, int]
    exact: tuple[bool, bool]

    def to_list(self) -> list[Any]:
        return [self.quotes, list(self.records), list(self.first), list(self.exact)]

    @classmethod
    def from_list(cls, values: list[Any]) -> "RangeScan":
        quotes, records, first, exact = values
        return cls(quotes, tuple(records), tuple(first), tuple(exact))


class RangeScanner:
    """Scans a range fed piece by piece. `start` is the position of the range's first byte in the object.

    Each piece is judged with the byte before and the byte after it, so pieces are held back until the next comes; feed
    the byte after the range as `finish`'s argument, empty at the object's end.
    """

    def __init__(self, start: int, delimiter: str | None, before: bytes = b"") -> None:
        self._position = start
        self._delimiter = delimiter
        self._before = before
        self._held = b""
        self._quotes = 0
        self._records = [0, 0]
        self._first = [-1, -1]
        self._exact = [True, True]

    def feed(self, piece: bytes) -> None:
        if piece:
            self._count(self._held, piece[:1])
            self._held = piece

    def finish(self, after: bytes = b"") -> RangeScan:
        self._count(self._held, after)
        self._held = b""
        records, first, exact = self._records, self._first, self._exact
        return RangeScan(self._quotes, (records[0], records[1]), (first[0], first[1]), (exact[0], exact[1]))

    def _count(self, piece: bytes, after: bytes) -> None:
        if not piece:
            return
        if self._delimiter is None or b'"' not in piece:
            self._count_plain(piece)
        else:
            self._count_quoted(piece, after, self._delimiter)
        self._position += len(piece)
        self._before = piece[-1:]

    def _count_plain(self, piece: bytes) -> None:
        # Without a quote the whole piece is either outside of quotes or inside, and then has no boundary.
        outside = self._quotes % 2 if self._delimiter is not None else 0
        self._note(outside, piece.count(b"\n"), piece.find(b"\n"))
        if self._delimiter is None:
            self._records[1], self._first[1] = self._records[0], self._first[0]

    def _count_quoted(self, piece: bytes, after: bytes, delimiter: str) -> None:
        quotes, newlines = positions(piece, QUOTE), positions(piece, NEWLINE)
        odd = np.searchsorted(quotes, newlines) % 2
        around = self._before + piece + after
        shifted = quotes + len(self._before)
        for begins in (0, 1):
            now = (self._quotes + begins) % 2
            outside = newlines[(odd + now) % 2 == 0]
            self._note(begins, len(outside), int(outside[0]) if len(outside) else -1)
            self._exact[begins] &= regular(around, shifted, delimiter, inside=bool(now))
        self._quotes += len(quotes)

    def _note(self, begins: int, records: int, found: int) -> None:
        self._records[begins] += records
        if found >= 0 and self._first[begins] < 0:
            self._first[begins] = self._position + found + 1
