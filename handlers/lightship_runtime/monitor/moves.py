"""Small moves of a whole numeric column: what the baseline's bin counts would be had its values been a bit larger."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from math import exp, inf

from lightship_runtime.monitor.baseline import Track

COARSE = 1.5
"""Values this many standard deviations apart are more like categories."""

type Explain = Callable[[float], tuple[float, list[float]]]
"""From a size in standard deviations to the column's move, in standard deviations of the baseline, and the counts."""


def is_continuous(track: Track) -> bool:
    """Whether a numeric track has values enough to be moved by a part of its standard deviation."""
    sketch = track.sketch
    return track.deviation > 0 and len(set(sketch)) > 0.8 * len(sketch) > 0


def is_fine(track: Track) -> bool:
    """Whether the bins of a numeric track hide little of a move: it is continuous, or its values lie close."""
    return is_continuous(track) or 0 < track.step < COARSE * track.deviation


def can_move(track: Track) -> bool:
    """Whether a move of the whole column is an explanation. Of two values one can only be more frequent."""
    return is_continuous(track) or (track.step > 0 and track.deviation > 0 and len(track.edges) > 1)


def explanations(track: Track, then: Sequence[float]) -> list[Explain]:
    """The ways in which a column may have moved, given the counts of its bins at training.

    All values larger by a distance; and in a column of evenly spaced values, all larger ones more frequent (an
    exponential tilt, which is what becomes of a count, such as a Poisson's, when its mean moves).
    """
    return [_shifted(track, then), _tilted(track, then)] if track.step else [_shifted(track, then)]


def _shifted(track: Track, then: Sequence[float]) -> Explain:
    total = sum(then)
    bounds = [-inf, *track.edges, inf]
    places, shares = _spread_out(track, then) if track.step else _quantiles(track)

    def explain(size: float) -> tuple[float, list[float]]:
        distance = size * track.deviation
        gained = [_below(places, shares, edge - distance) - _below(places, shares, edge) for edge in bounds]
        return size, [max(0.0, count + total * (gained[i + 1] - gained[i])) for i, count in enumerate(then)]

    return explain


def _tilted(track: Track, then: Sequence[float]) -> Explain:
    total = sum(then)
    centres = _centres(track)
    mean = sum(count * centre for count, centre in zip(then, centres, strict=True)) / total

    def explain(size: float) -> tuple[float, list[float]]:
        weights = [
            count * exp(size * (centre - mean) / track.deviation) for count, centre in zip(then, centres, strict=True)
        ]
        weight = sum(weights)
        tilted = sum(each * centre for each, centre in zip(weights, centres, strict=True)) / weight
        return (tilted - mean) / track.deviation, [each * total / weight for each in weights]

    return explain


def _centres(track: Track) -> list[float]:
    """The mean value of each bin by the sketch, or its middle where the sketch has none there."""
    bounds = [track.minimum - track.step / 2, *track.edges, track.maximum + track.step / 2]
    centres = []
    for low, high in pairwise(bounds):
        inside = track.sketch[bisect_left(track.sketch, low) : bisect_left(track.sketch, high)]
        centres.append(sum(inside) / len(inside) if inside else (low + high) / 2)
    return centres


def _quantiles(track: Track) -> tuple[Sequence[float], Sequence[float]]:
    last = max(1, len(track.sketch) - 1)
    return track.sketch, [place / last for place in range(len(track.sketch))]


def _spread_out(track: Track, then: Sequence[float]) -> tuple[list[float], list[float]]:
    """The distribution of evenly spaced values, each spread over its step: places, and the shares below them.

    At the edges of bins the shares are exact; inside a bin of several values they follow the sketch.
    """
    total, half = sum(then), track.step / 2
    reached = [0.0, *accumulate(count / total for count in then)]
    bounds = [track.minimum - half, *track.edges, track.maximum + half]
    places, shares = [bounds[0]], [0.0]
    for i, count in enumerate(then):
        first, last = bisect_left(track.sketch, bounds[i]), bisect_left(track.sketch, bounds[i + 1])
        for value in sorted(set(track.sketch[first:last])):
            if value + half < bounds[i + 1] - half:
                part = (bisect_right(track.sketch, value) - first) / (last - first)
                places.append(value + half)
                shares.append(reached[i] + part * count / total)
        places.append(bounds[i + 1])
        shares.append(reached[i + 1])
    return places, shares


def _below(places: Sequence[float], shares: Sequence[float], value: float) -> float:
    """The share below a value, linear between the places."""
    right = bisect_right(places, value)
    if right == 0:
        return 0.0
    if right == len(places):
        return 1.0
    low, high = places[right - 1], places[right]
    return shares[right - 1] + (shares[right] - shares[right - 1]) * (value - low) / (high - low)
