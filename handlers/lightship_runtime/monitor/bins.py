"""Bin codes: every value of a row becomes one character, and counts of characters are all that monitoring needs.

Standard library only and cheap for each row, because it runs in the predicting function. A row's code string has one
character for each track of each column, in the baseline's order.
"""

import math
import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, assert_never
from zlib import crc32

from lightship_runtime.monitor.baseline import Baseline, ColumnBaseline, Track

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUV"
"""Codes of bins and of top values, in order."""
OTHER = "+"
"""A value seen at training, but not one of the top values."""
UNSEEN = "?"
"""A value not seen at training."""
MISSING = "-"
INVALID = "!"
"""A value of the wrong type, or not finite."""
BELOW, FAR_BELOW, ABOVE, FAR_ABOVE = "b", "f", "a", "z"
"""Outside the range seen; far is more than 0.35 standard deviations outside it."""

FAR_DEVIATIONS = 0.35
LONGEST_KEY = 32
_TOKEN = re.compile(r"\w+")

type Coder = Callable[[Any], str]


def encode_row(coders: Sequence[tuple[str, Coder]], row: Mapping[str, Any]) -> str:
    """The code string of one row, given `column_coders` of its baseline. Absent columns count as missing."""
    return "".join([coder(row.get(name)) for name, coder in coders])


def column_coders(baseline: Baseline) -> tuple[tuple[str, Coder], ...]:
    """Each column's name and the function that codes one of its values."""
    return tuple((column.name, column_coder(column)) for column in baseline.columns)


def column_coder(column: ColumnBaseline) -> Coder:
    """The function from a value of the column to its code: one character for each of the column's tracks."""
    tracks = column.tracks
    match column.kind:
        case "numeric" | "category" | "boolean":
            return track_coder(tracks[0])
        case "text":
            return _text_coder(tracks, frozenset(column.tokens))
        case "datetime":
            return _datetime_coder(tracks)
        case _:
            assert_never(column.kind)


def track_coder(track: Track) -> Coder:
    """The function from a value, as the track sees it, to its one-character code."""
    match track.kind:
        case "numeric":
            return _numeric_coder(track)
        case "category":
            return _category_coder(track)
        case "boolean":
            return _boolean_code
        case "clock":
            return _clock_code
        case _:
            assert_never(track.kind)


def is_missing(value: Any) -> bool:
    """Whether a value is None or NaN."""
    return value is None or value != value  # noqa: PLR0124 - only NaN differs from itself, whatever its type


def _numeric_coder(track: Track) -> Coder:
    edges, minimum, maximum = track.edges, track.minimum, track.maximum
    margin = FAR_DEVIATIONS * track.deviation

    def code(value: Any) -> str:
        if is_missing(value):
            return MISSING
        if not isinstance(value, int | float):
            return INVALID
        if minimum <= value <= maximum:
            return DIGITS[bisect_right(edges, value)]
        if value < minimum:
            return INVALID if value == -math.inf else FAR_BELOW if value < minimum - margin else BELOW
        return INVALID if value == math.inf else FAR_ABOVE if value > maximum + margin else ABOVE

    return code


def category_key(value: Any) -> str:
    """How a category is written: integral numbers without a fraction, so that 1, 1.0 and pandas' float with gaps agree.

    A long one is cut and told apart by a digest, so that a baseline stays small.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    text = str(value)
    return text if len(text) <= LONGEST_KEY else f"{text[: LONGEST_KEY - 7]}~{digest(text)}"


def digest(text: str) -> str:
    """Six hexadecimal characters that tell values apart without keeping them."""
    return f"{crc32(text.encode(errors='surrogatepass')) & 0xFFFFFF:06x}"


def _category_coder(track: Track) -> Coder:
    codes = {value: DIGITS[index] for index, value in enumerate(track.values)}
    known = frozenset(track.known)
    further = OTHER if track.open else UNSEEN

    def code(value: Any) -> str:
        if is_missing(value):
            return MISSING
        key = category_key(value)
        found = codes.get(key)
        if found is not None:
            return found
        return OTHER if digest(key) in known else further

    return code


_BOOLEANS: Mapping[Any, str] = {False: "0", True: "1", "false": "0", "true": "1", "False": "0", "True": "1"}


def _boolean_code(value: Any) -> str:
    if is_missing(value):
        return MISSING
    try:
        return _BOOLEANS.get(value, INVALID)
    except TypeError:
        return INVALID


def _clock_code(value: Any) -> str:
    """`value` is an hour of the day in 0..23; eight bins of three hours."""
    return MISSING if value is None else DIGITS[value // 3]


def epoch_and_hour(value: Any) -> tuple[float, int] | None:
    """Seconds since 1970 (naive times read as UTC) and hour of the day as written; None when it isn't a time."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    if not isinstance(value, datetime):
        return None
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return aware.timestamp(), value.hour


def _datetime_coder(tracks: Sequence[Track]) -> Coder:
    position = track_coder(tracks[0])

    def code(value: Any) -> str:
        if is_missing(value):
            return MISSING * 2
        found = epoch_and_hour(value)
        return INVALID * 2 if found is None else position(found[0]) + _clock_code(found[1])

    return code


def text_features(text: str, tokens: frozenset[str]) -> tuple[int, float | None]:
    """Length in characters, and the share of its words that are among the baseline's commonest; None without words."""
    words = words_of(text)
    return len(text), sum(digest(word) in tokens for word in words) / len(words) if words else None


def words_of(text: str) -> list[str]:
    """The runs of letters, digits and underscores, in lower case."""
    return _TOKEN.findall(text.lower())


def _text_coder(tracks: Sequence[Track], tokens: frozenset[str]) -> Coder:
    length, known = (track_coder(track) for track in tracks)

    def code(value: Any) -> str:
        if is_missing(value):
            return MISSING * 2
        if not isinstance(value, str):
            return INVALID * 2
        characters, share = text_features(value, tokens)
        return length(characters) + known(share)

    return code
