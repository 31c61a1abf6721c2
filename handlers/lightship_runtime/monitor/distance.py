"""How far two sets of counts lie apart: effect sizes freed of the bias of small samples, and p-values."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import asin, inf, log, sqrt

from lightship_runtime.monitor.baseline import Track
from lightship_runtime.monitor.moves import can_move, explanations
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


def compare_bins(track: Track, now: Sequence[float], then: Sequence[float]) -> Distance:
    """Compare the bins of a track, both sides with at least one row.

    A whole column that moved by s standard deviations has (|s| + sqrt(index after moving the baseline by s))**2 as an
    upper bound of its effect, and the smallest bound over small moves counts. For a normal column that is the plain
    index again; where a range has a hard border or a sharp peak it keeps a small, harmless move from looking large.
    """
    kept = [(a, b) for a, b in zip(now, then, strict=True) if a or b]
    now_kept, then_kept = [a for a, _ in kept], [b for _, b in kept]
    effect = max(0.0, stability_index(now_kept, then_kept) - sampling_bias(len(kept), sum(now), sum(then)))
    if effect >= _LEAST_EFFECT and can_move(track):
        effect = min(effect, _smallest_bound(track, now, then))
    return Distance(effect, chi_square(now, then))


def _smallest_bound(track: Track, now: Sequence[float], then: Sequence[float]) -> float:
    """The smallest over the explanations of `moves.explanations` and their sizes: a coarse grid, then finer ones."""
    best = inf
    for explain in explanations(track, then):
        middle = middle_of_best = 0.0
        reach = WIDEST_MOVE
        for step in _STEPS:
            count = round(reach / step)
            for size in [middle + step * place for place in range(-count, count + 1)]:
                move, explained = explain(size)
                bound = _bound(now, sum(then), explained, move)
                if bound < best:
                    best, middle_of_best = bound, size
            middle, reach = middle_of_best, step
    return best


def _bound(now: Sequence[float], then_rows: float, moved: Sequence[float], move: float) -> float:
    """The bound for one move. As the smallest of many is too small by chance, 1.5 sampling errors are added."""
    a, b = _without_thin_bins(now, moved)
    rest = stability_index(a, b) - sampling_bias(len(a), sum(now), then_rows)
    caution = _CAUTION * sqrt(1 / sum(now) + 1 / then_rows)
    return (abs(move) + sqrt(max(0.0, rest)) + caution) ** 2


def _without_thin_bins(now: Sequence[float], moved: Sequence[float]) -> tuple[list[float], list[float]]:
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
