"""The bin codes of `bins.py` and the maps of a baseline, for arrays of values at once."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightship_runtime.engine import Distinct
from lightship_runtime.monitor.baseline import Calibration, ColumnBaseline, Track
from lightship_runtime.monitor.bins import (
    ABOVE,
    BELOW,
    DIGITS,
    FAR_ABOVE,
    FAR_BELOW,
    FAR_DEVIATIONS,
    GAPS,
    INVALID,
    MISSING,
    Coder,
    category_key,
    column_coder,
    gap_reach,
    is_missing,
    track_coder,
)

type Floats = NDArray[np.float64]
type Codes = NDArray[np.uint8]

_GAPS = np.frombuffer(GAPS.encode(), np.uint8)
_DIGITS = np.frombuffer(DIGITS.encode(), np.uint8)


def numeric_codes(track: Track, values: Floats) -> Codes:
    """The codes of an array of numbers; NaN is missing."""
    edges = np.asarray(track.edges, np.float64)
    places = np.searchsorted(edges, values, side="right")
    codes = _DIGITS[places]
    if (reach := gap_reach(track)) and len(edges):
        below, above = np.maximum(places - 1, 0), np.minimum(places, len(edges) - 1)
        near_above = (places < len(edges)) & (edges[above] - values < reach)
        near_below = (places > 0) & (values - edges[below] < reach)
        codes = np.where(near_below, _GAPS[below], np.where(near_above, _GAPS[above], codes))
    margin = FAR_DEVIATIONS * track.deviation
    codes[values < track.minimum] = ord(BELOW)
    codes[values < track.minimum - margin] = ord(FAR_BELOW)
    codes[values > track.maximum] = ord(ABOVE)
    codes[values > track.maximum + margin] = ord(FAR_ABOVE)
    codes[np.isinf(values)] = ord(INVALID)
    codes[np.isnan(values)] = ord(MISSING)
    return codes


def object_codes(track: Track, values: Sequence[Any] | Distinct) -> Codes:
    """The codes of any values, each as the per-row coder gives it; equal values of one type are coded once."""
    if isinstance(values, Distinct):
        return values.spread(object_codes(track, values.values))
    return _each_once(track_coder(track), values)


def column_codes(column: ColumnBaseline, values: "Sequence[Any] | NDArray[Any] | Distinct") -> Codes:
    """The codes (n, tracks) of a column's values as the per-row coder gives them.

    `values` are what a contract accepts: an array of floats (NaN for missing), integers or booleans, or objects with
    None for missing.
    """
    tracks = len(column.tracks)
    if isinstance(values, Distinct):
        return values.spread(column_codes(column, values.values))
    if isinstance(values, np.ndarray) and values.dtype.kind in "fiu" and column.kind == "numeric":
        return numeric_codes(column.tracks[0], values.astype(np.float64))[:, None]
    if isinstance(values, np.ndarray) and values.dtype.kind in "fiub":
        return column_codes(column, Distinct.of(values))
    items: Sequence[Any] = values.tolist() if isinstance(values, np.ndarray) else values
    return _each_once(column_coder(column), items).reshape(len(items), tracks)


def _each_once(coder: Coder, values: Sequence[Any]) -> Codes:
    known: dict[Any, str] = {}
    codes = []
    for value in values:
        try:
            code = known.get((type(value), value))
            if code is None:
                code = known[type(value), value] = coder(value)
        except TypeError:
            code = coder(value)
        codes.append(code)
    return np.frombuffer("".join(codes).encode(), np.uint8)


def class_positions(classes: Sequence[str], values: Sequence[Any] | Distinct, missing: int = -1) -> NDArray[np.int64]:
    """Each value's place among the classes; len(classes) for an unknown one, `missing` for None and NaN."""
    if isinstance(values, Distinct):
        return values.spread(class_positions(classes, values.values, missing))
    places = {key: place for place, key in enumerate(classes)}
    for alias, key in (("true", "1"), ("false", "0")):
        if key in places and alias not in places:
            places[alias] = places[key]
        elif alias in places and key not in places:
            places[key] = places[alias]
    unknown = len(classes)
    found: dict[Any, int] = {}
    out = np.empty(len(values), np.int64)
    for index, value in enumerate(values):
        if is_missing(value):
            out[index] = missing
            continue
        cached = (type(value), value)
        place = found.get(cached)
        if place is None:
            place = found[cached] = places.get(category_key(value), unknown)
        out[index] = place
    return out


def calibrate(calibration: Calibration, scores: Floats) -> Floats:
    """Scores as probabilities: the baseline's map, or the scores themselves cut to 0..1 where it has none."""
    if not calibration.scores:
        return np.clip(scores, 0.0, 1.0)
    return np.interp(scores, calibration.scores, calibration.probabilities)


def probabilities(calibrations: Sequence[Calibration], scores: Floats) -> Floats:
    """Calibrated probabilities of scores (n, K); rows of several classes are scaled to sum to one."""
    columns = [calibrate(calibration, scores[:, k]) for k, calibration in enumerate(calibrations)]
    matrix = np.column_stack(columns)
    if matrix.shape[1] > 1:
        totals = matrix.sum(axis=1, keepdims=True)
        matrix = np.divide(matrix, totals, out=np.full_like(matrix, 1 / matrix.shape[1]), where=totals > 0)
    return matrix
