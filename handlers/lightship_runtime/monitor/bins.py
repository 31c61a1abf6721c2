"""Bin codes: every value of a row becomes one character, and counts of characters are all that monitoring needs.

Standard library only, cheap to import and cheap for each row, because it runs in the predicting function. A row's code
string has one character for each track of each column, in the baseline's order.

`bins.json` is what coding takes of a baseline: edges, ranges and digests, and no counts. `read_bins` and
`coders_of` make the functions that code; `vector.column_codes` gives the same codes for arrays.
"""

import math
import re
from binascii import crc32
from bisect import bisect_right
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, assert_never

from lightship_runtime.documents import load_document
from lightship_runtime.errors import InvalidDocumentError

if TYPE_CHECKING:
    from lightship_runtime.monitor.baseline import Baseline, ColumnBaseline, ColumnKind, Track, TrackKind

SCHEMA = 1
BINS = "bins.json"

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

GAPS = "cdeghijklmnopqrstuvwxy"
"""A value about halfway between two bins of a column of evenly spaced values, by the lower bin. See `gap_reach`."""

FAR_DEVIATIONS = 0.35
LONGEST_KEY = 32

type Coder = Callable[[Any], str]


class TrackBins:
    """The part of a baseline's track that coding takes. `digests` are those of the top values, in their order.

    A plain class, as all of `bins.json` is read into: at a cold start a named tuple takes a quarter of a millisecond.
    """

    __slots__ = ("deviation", "digests", "edges", "kind", "known", "maximum", "minimum", "open", "step")

    def __init__(self, document: Mapping[str, Any]) -> None:
        get = document.get
        self.kind: TrackKind = document["kind"]
        self.edges: Sequence[float] = get("edges", ())
        self.minimum: float = get("minimum", 0.0)
        self.maximum: float = get("maximum", 0.0)
        self.deviation: float = get("deviation", 0.0)
        self.step: float = get("step", 0.0)
        self.digests: Sequence[str] = get("digests", ())
        self.known: Sequence[str] = get("known", ())
        self.open: bool = get("open", False)


class ColumnBins:
    """The part of a column's baseline that coding takes."""

    __slots__ = ("kind", "name", "tokens", "tracks")

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.name: str = document["name"]
        self.kind: ColumnKind = document["kind"]
        self.tracks: Sequence[TrackBins] = [TrackBins(track) for track in document["tracks"]]
        self.tokens: Sequence[str] = document.get("tokens", ())


class Bins:
    """`bins.json`: the columns in the order of a code string, and how many `scores` a record has."""

    __slots__ = ("columns", "scores")

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.columns: Sequence[ColumnBins] = [ColumnBins(column) for column in document["columns"]]
        self.scores: int = document["scores"]


def read_bins(data: bytes | str) -> Bins:
    """Read `bins.json`. Raises InvalidDocumentError or UnknownSchemaError."""
    document = load_document(data, what=BINS, schema=SCHEMA)
    try:
        return Bins(document)
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidDocumentError(f"{BINS} lacks or misnames a key ({error!r}). Package the model again.") from error


def coders_of(columns: "Sequence[ColumnBins | ColumnBaseline]") -> tuple[Coder, ...]:
    """The function that codes a value, for each column."""
    return tuple([column_coder(column) for column in columns])


def encode_columns(coders: Sequence[Coder], columns: Sequence[Collection[Any]]) -> list[str]:
    """The code string of each row, given whole columns in the order of the coders."""
    coded = [map(coder, values) for coder, values in zip(coders, columns, strict=True)]
    return ["".join(codes) for codes in zip(*coded, strict=True)]


def encode_row(coders: Sequence[tuple[str, Coder]], row: Mapping[str, Any]) -> str:
    """The code string of one row, given `column_coders` of its baseline. Absent columns count as missing."""
    return "".join([coder(row.get(name)) for name, coder in coders])


def column_coders(baseline: "Baseline") -> tuple[tuple[str, Coder], ...]:
    """Each column's name and the function that codes one of its values."""
    return tuple((column.name, column_coder(column)) for column in baseline.columns)


def column_coder(column: "ColumnBins | ColumnBaseline") -> Coder:
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


def track_coder(track: "TrackBins | Track") -> Coder:
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


def _numeric_coder(track: "TrackBins | Track") -> Coder:
    edges, minimum, maximum = track.edges, track.minimum, track.maximum
    margin = FAR_DEVIATIONS * track.deviation
    reach = gap_reach(track)

    def code(value: Any) -> str:
        if value is None:
            return MISSING
        if type(value) is not float:
            if is_missing(value):
                return MISSING
            if not isinstance(value, int | float):
                return INVALID
            value = _as_float(value)
        if minimum <= value <= maximum:
            place = bisect_right(edges, value)
            return _near_edge(edges, place, value, reach) or DIGITS[place] if reach else DIGITS[place]
        if value < minimum:
            return INVALID if value == -math.inf else FAR_BELOW if value < minimum - margin else BELOW
        if value > maximum:
            return INVALID if value == math.inf else FAR_ABOVE if value > maximum + margin else ABOVE
        return MISSING

    return code


def _near_edge(edges: Sequence[float], place: int, value: float, reach: float) -> str | None:
    if place and value - edges[place - 1] < reach:
        return GAPS[place - 1]
    if place < len(edges) and edges[place] - value < reach:
        return GAPS[place]
    return None


def gap_reach(track: "TrackBins | Track") -> float:
    """How far around an edge values count half for either bin, in a column of evenly spaced values; 0 elsewhere.

    Were such a column (whole numbers) moved by a fraction of its step, all of its values would cross an edge at once,
    and a small move would look like one by a whole step. Counted by halves it looks like half a step, which is small
    where the step is; where the step is large a whole one is far beyond small moves, and needs no halves.
    """
    if not track.step or not track.deviation:
        return 0.0
    clear = 0.1 + 2.2 * (track.step / track.deviation - 0.5)
    return max(0.0, 0.5 - max(0.1, clear)) * track.step


def _as_float(value: float) -> float:
    """Integers are compared as floats, as arrays hold them; one beyond all floats stays itself, and is far."""
    try:
        return float(value)
    except OverflowError:
        return value


def category_key(value: Any) -> str:
    """How a category is written: integral numbers without a fraction, so that 1, 1.0 and pandas' float with gaps agree.

    A long one is cut and told apart by a digest, so that a baseline stays small.
    """
    if type(value) is str:
        text = value
    elif isinstance(value, bool):
        return "true" if value else "false"
    else:
        if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
            value = int(value)
        text = str(value)
    return text if len(text) <= LONGEST_KEY else f"{text[: LONGEST_KEY - 7]}~{digest(text)}"


def digest(text: str) -> str:
    """Six hexadecimal characters that tell values apart without keeping them."""
    return f"{_checksum(text):06x}"


def _checksum(text: str) -> int:
    return crc32(text.encode(errors="surrogatepass")) & 0xFFFFFF


def _category_coder(track: "TrackBins | Track") -> Coder:
    further = OTHER if track.open else UNSEEN
    codes = dict.fromkeys([int(known, 16) for known in track.known], OTHER)
    # Of two top values with one digest, the commoner keeps it.
    codes |= {int(top, 16): DIGITS[place] for place, top in reversed([*enumerate(track.digests)])}

    def code(value: Any) -> str:
        return MISSING if is_missing(value) else codes.get(_checksum(category_key(value)), further)

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
    from datetime import UTC, date, datetime

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


def _datetime_coder(tracks: "Sequence[TrackBins | Track]") -> Coder:
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
    # Compiled at the first text, and kept by `re`: a cold start without texts doesn't pay for it.
    return re.findall(r"\w+", text.lower())


def _text_coder(tracks: "Sequence[TrackBins | Track]", tokens: frozenset[str]) -> Coder:
    length, known = (track_coder(track) for track in tracks)

    def code(value: Any) -> str:
        if is_missing(value):
            return MISSING * 2
        if not isinstance(value, str):
            return INVALID * 2
        characters, share = text_features(value, tokens)
        return length(characters) + known(share)

    return code
