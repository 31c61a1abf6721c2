"""Making tracks: where the bins of a column lie, decided from the baseline's values."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightship_runtime.monitor.baseline import Track
from lightship_runtime.monitor.bins import category_key, digest
from lightship_runtime.monitor.vector import Codes, Floats, numeric_codes, object_codes

BINS = 10
TOP_VALUES = 20
LEAST_TOP_ROWS = 25
KNOWN_VALUES = 96
SKETCH_POINTS = 65
ROWS_PER_BIN = 50
STEPPED_VALUES = 200
_STEP_TOLERANCE = 1e-6
_MOST_BINS = 20


def numeric_track(name: str, values: Floats) -> Track:
    """A numeric track with its counts. `values` may hold NaN (missing) and infinities (invalid)."""
    finite = np.sort(values[np.isfinite(values)])
    if not len(finite):
        track = Track(name, "numeric", {}, minimum=0.0, maximum=0.0)
    else:
        points = np.linspace(0, len(finite) - 1, min(SKETCH_POINTS, len(finite))).round().astype(np.int64)
        track = Track(
            name,
            "numeric",
            {},
            edges=tuple(float(edge) for edge in bin_edges(finite)),
            minimum=float(finite[0]),
            maximum=float(finite[-1]),
            deviation=_rounded(_deviation(finite)),
            step=_step(finite),
            sketch=tuple(_rounded(value) for value in finite[points]),
        )
    return with_counts(track, numeric_codes(track, values))


def _step(ordered: Floats) -> float:
    """What all differences between sorted values are multiples of; 0 where there is none or the values are many."""
    differences = np.diff(np.unique(ordered))
    if not 0 < len(differences) < STEPPED_VALUES:
        return 0.0
    step = float(differences.min())
    multiples = differences / step
    return _rounded(step) if np.abs(multiples - multiples.round()).max() < _STEP_TOLERANCE else 0.0


def _deviation(values: Floats) -> float:
    """The standard deviation, without overflow for huge values."""
    scale = float(np.abs(values).max()) or 1.0
    return float((values / scale).std()) * scale


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def bin_edges(ordered: Floats) -> NDArray[np.float64]:
    """Interior edges for sorted values: bins of about equal counts, and a bin of its own for every heavy value.

    A value is heavy with a tenth of the rows or more. Edges lie halfway between neighbouring values, so that a
    rounding on the way doesn't move a row to another bin.
    """
    distinct, counts = np.unique(ordered, return_counts=True)
    if len(distinct) < 2:
        return np.empty(0)
    bins = int(np.clip(len(ordered) // ROWS_PER_BIN, 2, BINS))
    heavy = counts >= len(ordered) / bins
    cuts: set[int] = set()
    for first, last in _segments(heavy):
        cuts |= {first - 1, last}
        if not heavy[first]:
            share = counts[first : last + 1].sum() / len(ordered)
            wanted = max(round(share * bins), min(3, int(counts[first : last + 1].sum()) // ROWS_PER_BIN))
            cuts |= {first + cut for cut in _even_cuts(counts[first : last + 1], wanted)}
    places = np.array(sorted(cut for cut in cuts if 0 <= cut < len(distinct) - 1), np.int64)
    if len(places) >= _MOST_BINS:
        places = places[np.linspace(0, len(places) - 1, _MOST_BINS - 1).astype(np.int64)]
    edges = distinct[places] / 2 + distinct[places + 1] / 2
    return np.unique(np.where(edges > distinct[places], edges, distinct[places + 1]))


def _segments(heavy: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """The distinct values in runs, first and last inclusive: each heavy one alone, the others between them together."""
    found = []
    start = 0
    for place in np.flatnonzero(heavy):
        if place > start:
            found.append((start, int(place) - 1))
        found.append((int(place), int(place)))
        start = int(place) + 1
    if start < len(heavy):
        found.append((start, len(heavy) - 1))
    return found


def _even_cuts(counts: NDArray[np.int64], bins: int) -> set[int]:
    """The places after which to cut so that about equal counts lie between."""
    if bins < 2:
        return set()
    reached = np.cumsum(counts)
    targets = np.arange(1, bins) * reached[-1] / bins
    return {int(np.abs(reached - target).argmin()) for target in targets}


def category_track(name: str, values: Sequence[Any], present: NDArray[np.bool_]) -> Track:
    """A category track with its counts: the top twenty values (ties by name), and digests of up to 96 more.

    Of more than twenty values only those with 25 rows are top ones: the commonest of many rare values are so by chance,
    and would seem to become rarer in every later sample.
    """
    tally = Counter(category_key(value) for value, there in zip(values, present, strict=True) if there)
    ranked = sorted(tally, key=lambda key: (-tally[key], key))
    top = ranked[:TOP_VALUES]
    if len(ranked) > TOP_VALUES:
        top = [key for key in top if tally[key] >= LEAST_TOP_ROWS]
    further = [digest(key) for key in ranked[len(top) :]]
    track = Track(
        name,
        "category",
        {},
        values=tuple(top),
        known=tuple(sorted(further)) if len(further) <= KNOWN_VALUES else (),
        open=len(further) > KNOWN_VALUES,
        singles=sum(count == 1 for count in tally.values()),
    )
    return with_counts(track, object_codes(track, values))


def with_counts(track: Track, codes: Codes) -> Track:
    """The track with the counts of these codes."""
    numbers, counts = np.unique(codes, return_counts=True)
    return replace(track, counts={chr(n): int(c) for n, c in zip(numbers, counts, strict=True)})
