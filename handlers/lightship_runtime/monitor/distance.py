"""How far two sets of counts lie apart: effect sizes freed of the bias of small samples, and p-values."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import asin, inf, log, sqrt

from lightship_runtime.monitor.baseline import Track
from lightship_runtime.monitor.special import chi2_sf, predictive_cdf

WIDEST_MOVE = 0.33
"""The largest move of a whole numeric column, in standard deviations, that is tried as an explanation."""
_STEPS = (0.03, 0.006, 0.0012)
_LEAST_EFFECT = 0.05
"""Smaller effects are far from any gate, and no explanation is looked for."""
_LEAST_SHARE = 0.03
_CAUTION = 1.5
_SMOOTHING = 0.5


@dataclass(frozen=True, slots=True)
class Distance:
    """`effect` is a squared distance freed of what sampling adds to it."""

    effect: float
    p_value: float


def sampling_bias(bins: int, now: float, then: float) -> float:
    """The population stability index that equal distributions have on average (arXiv 2307.11878)."""
    return (bins - 1) * (1 / now + 1 / then)


def stability_index(now: Sequence[float], then: Sequence[float]) -> float:
    """The population stability index (Jeffreys' divergence) of two sets of counts, each count plus one half."""
    now_total = sum(now) + _SMOOTHING * len(now)
    then_total = sum(then) + _SMOOTHING * len(then)
    total = 0.0
    for a, b in zip(now, then, strict=True):
        p, q = (a + _SMOOTHING) / now_total, (b + _SMOOTHING) / then_total
        total += (p - q) * log(p / q)
    return total


def chi_square(now: Sequence[float], then: Sequence[float]) -> float:
    """The p-value of Pearson's test that two sets of counts come from one distribution."""
    now_total, then_total = sum(now), sum(then)
    scale = sqrt(then_total / now_total)
    statistic, filled = 0.0, 0
    for a, b in zip(now, then, strict=True):
        if a + b:
            filled += 1
            statistic += (a * scale - b / scale) ** 2 / (a + b)
    return chi2_sf(statistic, filled - 1)


def compare_bins(track: Track, now: Sequence[int], then: Sequence[int]) -> Distance:
    """Compare the bins of a track, both sides with at least one row.

    A whole column that moved by s standard deviations has (|s| + sqrt(index after moving the baseline by s))**2 as an
    upper bound of its effect, and the smallest bound over small moves counts. For a normal column that is the plain
    index again; where a range has a hard border or a sharp peak it keeps a small, harmless move from looking large.
    """
    kept = [(a, b) for a, b in zip(now, then, strict=True) if a or b]
    now_kept, then_kept = [a for a, _ in kept], [b for _, b in kept]
    effect = max(0.0, stability_index(now_kept, then_kept) - sampling_bias(len(kept), sum(now), sum(then)))
    if effect >= _LEAST_EFFECT and is_continuous(track):
        effect = min(effect, _smallest_bound(track, now, then))
    return Distance(effect, chi_square(now, then))


def _smallest_bound(track: Track, now: Sequence[int], then: Sequence[int]) -> float:
    """Over moves on a coarse grid, then on finer ones around the best."""
    middle = middle_of_best = 0.0
    reach, best = WIDEST_MOVE, inf
    for step in _STEPS:
        count = round(reach / step)
        for move in [middle + step * place for place in range(-count, count + 1)]:
            bound = _bound(track, now, then, move)
            if bound < best:
                best, middle_of_best = bound, move
        middle, reach = middle_of_best, step
    return best


def is_continuous(track: Track) -> bool:
    """Whether a numeric track has values enough to be moved by a part of its standard deviation."""
    sketch = track.sketch
    return track.deviation > 0 and len(set(sketch)) > 0.8 * len(sketch) > 0


def _bound(track: Track, now: Sequence[int], then: Sequence[int], move: float) -> float:
    """The bound for one move. As the smallest of many is too small by chance, 1.5 sampling errors are added."""
    a, b = _without_thin_bins(now, _moved_counts(track, then, move * track.deviation))
    rest = stability_index(a, b) - sampling_bias(len(a), sum(now), sum(then))
    caution = _CAUTION * sqrt(1 / sum(now) + 1 / sum(then))
    return (abs(move) + sqrt(max(0.0, rest)) + caution) ** 2


def _without_thin_bins(now: Sequence[int], moved: Sequence[float]) -> tuple[list[float], list[float]]:
    """Bins with under 3% of the moved baseline joined to their neighbours: there the sketch isn't fine enough."""
    least = _LEAST_SHARE * sum(moved)
    a, b = [0.0], [0.0]
    for count, share in zip(now, moved, strict=True):
        if b[-1] >= least:
            a.append(0.0)
            b.append(0.0)
        a[-1] += count
        b[-1] += share
    if len(b) > 1 and b[-1] < least:
        a[-2:], b[-2:] = [a[-2] + a[-1]], [b[-2] + b[-1]]
    return a, b


def _moved_counts(track: Track, then: Sequence[int], distance: float) -> list[float]:
    """The baseline's bin counts had every value been larger by `distance`."""
    total = sum(then)
    bounds = [-inf, *track.edges, inf]
    gained = [_share_below(track.sketch, edge - distance) - _share_below(track.sketch, edge) for edge in bounds]
    return [max(0.0, count + total * (gained[i + 1] - gained[i])) for i, count in enumerate(then)]


def _share_below(sketch: Sequence[float], value: float) -> float:
    place = bisect_right(sketch, value)
    if place == 0:
        return 0.0
    if place == len(sketch):
        return 1.0
    left, right = sketch[place - 1], sketch[place]
    return (place - 1 + (value - left) / (right - left)) / (len(sketch) - 1)


def compare_shares(now: int, now_rows: int, then: int, then_rows: int) -> Distance:
    """Compare the share of rows with some property. The effect is Cohen's h squared, less its sampling bias."""
    p, q = now / now_rows, then / then_rows
    squared = (2 * asin(sqrt(p)) - 2 * asin(sqrt(q))) ** 2
    if p >= q:
        tail = 1 - predictive_cdf(now - 1, now_rows, then, then_rows)
    else:
        tail = predictive_cdf(now, now_rows, then, then_rows)
    effect = max(0.0, squared - sampling_bias(2, now_rows, then_rows))
    return Distance(effect, min(1.0, 2 * tail))
