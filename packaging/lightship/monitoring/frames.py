"""Reading DataFrames: what kind a column is, and its values as bin codes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lightship.monitoring.errors import MonitoringError
from lightship.monitoring.tracks import category_track, numeric_track, with_counts
from lightship_runtime.monitor.baseline import COLUMN_KINDS, Baseline, ColumnBaseline, ColumnKind, Track
from lightship_runtime.monitor.bins import (
    DIGITS,
    INVALID,
    MISSING,
    column_coder,
    digest,
    epoch_and_hour,
    text_features,
    words_of,
)
from lightship_runtime.monitor.vector import Codes, Floats, numeric_codes, object_codes

TOKENS = 96
_TEXT_WORDS = 3
_EPOCH = pd.Timestamp("1970-01-01")


def column_kind(series: "pd.Series[Any]", override: str | None = None) -> ColumnKind:
    """What a column is, by its dtype, and for objects and strings by its values.

    Strings are times when all of them parse as ISO 8601, texts when they have three words or more on average and most
    are unique, and categories otherwise. Raises MonitoringError for an unknown override.
    """
    if override is not None:
        for kind in COLUMN_KINDS:
            if kind == override:
                return kind  # type: ignore[return-value]
        raise MonitoringError(f"The kind {override!r} of column {series.name!r} is unknown. Use one of {COLUMN_KINDS}.")
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return "category"
    if pd.api.types.is_bool_dtype(dtype):
        return "boolean"
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return "datetime"
    if pd.api.types.is_complex_dtype(dtype):
        return "category"
    if pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_timedelta64_dtype(dtype):
        return "numeric"
    return _object_kind(present_values(series))


def _object_kind(values: Sequence[Any]) -> ColumnKind:
    sample = values[:: max(1, len(values) // 1000)]
    if not sample:
        return "category"
    if all(isinstance(value, bool) for value in sample):
        return "boolean"
    if all(isinstance(value, int | float) for value in sample):
        return "numeric"
    if all(epoch_and_hour(value) is not None and not str(value).isdigit() for value in sample):
        return "datetime"
    if all(isinstance(value, str) for value in sample):
        words = sum(len(words_of(value)) for value in sample) / len(sample)
        if words >= _TEXT_WORDS and len(set(sample)) > 0.5 * len(sample):
            return "text"
    return "category"


def plain_values(series: "pd.Series[Any]") -> list[Any]:
    """The values as Python objects, None where missing."""
    values: list[Any] = series.astype(object).tolist()
    gaps = series.isna().to_numpy()
    return [None if gap else value for value, gap in zip(values, gaps, strict=True)] if gaps.any() else values


def present_values(series: "pd.Series[Any]") -> list[Any]:
    """The values that aren't missing, as Python objects."""
    return plain_values(series.dropna())


def floats(series: "pd.Series[Any]") -> Floats:
    """Numbers as floats, NaN where missing; time differences in seconds."""
    if pd.api.types.is_timedelta64_dtype(series.dtype):
        return np.asarray(series.dt.total_seconds(), np.float64)
    return np.asarray(series.to_numpy(np.float64, na_value=np.nan))


def make_column(series: "pd.Series[Any]", kind: ColumnKind) -> ColumnBaseline:
    """The baseline of one column."""
    name = str(series.name)
    if kind == "datetime":
        seconds, hours = _times(series)
        clock = Track("hour", "clock", {})
        tracks = (numeric_track("value", seconds), with_counts(clock, _clock_codes(hours)))
        return ColumnBaseline(name, kind, tracks)
    if kind == "text":
        return _make_text(series, name)
    if kind == "numeric":
        return ColumnBaseline(name, kind, (numeric_track("value", _lenient_floats(series)),))
    if kind == "boolean":
        track = Track("value", "boolean", {})
        return ColumnBaseline(name, kind, (with_counts(track, _coded(track, series)),))
    places, uniques = pd.factorize(series.astype(object), use_na_sentinel=True)
    values = [*uniques.tolist(), None]
    whole = [values[place] for place in places]
    return ColumnBaseline(name, kind, (category_track("value", whole, places >= 0),))


def _lenient_floats(series: "pd.Series[Any]") -> Floats:
    """Floats for making bins; among objects, what isn't a number becomes an infinity, which counts as invalid."""
    if series.dtype != object:
        return floats(series)
    return np.array(
        [
            np.nan if value is None else float(value) if isinstance(value, int | float) else np.inf
            for value in plain_values(series)
        ],
        np.float64,
    )


def _make_text(series: "pd.Series[Any]", name: str) -> ColumnBaseline:
    texts = [value if isinstance(value, str) else None for value in plain_values(series)]
    tally = Counter(word for text in texts if text is not None for word in words_of(text))
    ranked = sorted(tally, key=lambda word: (-tally[word], word))[:TOKENS]
    tokens = tuple(sorted({digest(word) for word in ranked}))
    features = [(np.nan, None) if text is None else text_features(text, frozenset(tokens)) for text in texts]
    lengths = np.array([length for length, _ in features], np.float64)
    shares = np.array([np.nan if share is None else share for _, share in features], np.float64)
    return ColumnBaseline(
        name, "text", (numeric_track("length", lengths), numeric_track("known words", shares)), tokens
    )


def _times(series: "pd.Series[Any]") -> tuple[Floats, NDArray[np.int64]]:
    """Seconds since 1970 (NaN where missing, infinite where not a time) and hours (-1 and -2 likewise)."""
    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        naive = series if series.dt.tz is None else series.dt.tz_convert("UTC").dt.tz_localize(None)
        seconds = np.asarray((naive - _EPOCH) / pd.Timedelta(1, "s"), np.float64)
        return seconds, np.asarray(series.dt.hour.fillna(-1), np.int64)
    found = [(np.nan, -1) if value is None else epoch_and_hour(value) or (np.inf, -2) for value in plain_values(series)]
    return np.array([s for s, _ in found], np.float64), np.array([h for _, h in found], np.int64)


def _clock_codes(hours: NDArray[np.int64]) -> Codes:
    table = np.frombuffer((DIGITS[:8] + INVALID + MISSING).encode(), np.uint8)
    return table[np.where(hours >= 0, hours // 3, hours)]


def _coded(track: Track, series: "pd.Series[Any]") -> Codes:
    """The codes of any column, each distinct value coded once."""
    try:
        places, uniques = pd.factorize(series.astype(object), use_na_sentinel=True)
    except TypeError:
        return object_codes(track, plain_values(series))
    return object_codes(track, [*uniques.tolist(), None])[places]


def column_codes(column: ColumnBaseline, series: "pd.Series[Any]") -> Codes:
    """The codes (n, tracks) of a column, each as the per-row coder gives it."""
    dtype = series.dtype
    if column.kind == "numeric" and (pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_timedelta64_dtype(dtype)):
        return numeric_codes(column.tracks[0], floats(series))[:, None]
    if column.kind == "datetime" and pd.api.types.is_datetime64_any_dtype(dtype):
        seconds, hours = _times(series)
        return np.column_stack([numeric_codes(column.tracks[0], seconds), _clock_codes(hours)])
    if column.kind in ("category", "boolean"):
        return _coded(column.tracks[0], series)[:, None]
    coder = column_coder(column)
    joined = "".join([coder(value) for value in plain_values(series)])
    return np.frombuffer(joined.encode(), np.uint8).reshape(len(series), len(column.tracks))


def frame_codes(baseline: Baseline, frame: pd.DataFrame, present: Mapping[str, "pd.Series[Any]"]) -> Codes:
    """The codes (n, tracks) of all columns of a baseline; a column that isn't there is missing in every row."""
    parts = [
        column_codes(column, present[column.name])
        if column.name in present
        else np.full((len(frame), len(column.tracks)), ord(MISSING), np.uint8)
        for column in baseline.columns
    ]
    return np.concatenate(parts, axis=1) if parts else np.zeros((len(frame), 0), np.uint8)
