"""Ranks among the quantiles of a column, uniform or turned into a normal distribution's values."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from statistics import NormalDist

from lightship_runtime.program.format import Node
from lightship_runtime.program.numerics import Array, Floats, np
from lightship_runtime.program.operations import Operation, Step

_BOUND = 1e-7


def _normal(limits: Sequence[float]) -> Callable[[float], float]:
    """A rank between 0 and 1 -> the normal distribution's quantile within `limits`; NaN stays."""
    low, high = limits
    quantile = NormalDist().inv_cdf

    def at(rank: float) -> float:
        if rank != rank:  # noqa: PLR0124 - NaN
            return rank
        if rank <= 0:
            return low
        return high if rank >= 1 else min(max(quantile(rank), low), high)

    return at


def _between(x: float, xs: Sequence[float], ys: Sequence[float]) -> float:
    """As `numpy.interp`: of equal xs the last counts."""
    i = bisect_right(xs, x) - 1
    if i < 0:
        return ys[0]
    if i == len(xs) - 1 or xs[i] == x:
        return ys[i]
    return (ys[i + 1] - ys[i]) / (xs[i + 1] - xs[i]) * (x - xs[i]) + ys[i]


def rank_pure(node: Node) -> Step:
    """dense -> dense: the mean of the ranks from below and from above among `quantiles` (width, k) with the ranks
    `references` (k). With `limits` (2), that rank as a normal distribution's quantile between them."""
    ys = node.block("references", shape=(None,)).items()
    columns = node.block("quantiles", shape=(node.width, len(ys))).rows()
    falling = [-y for y in reversed(ys)]
    pairs = [(xs, [-x for x in reversed(xs)]) for xs in columns]
    limits = node.block("limits", shape=(2,)).items() if "limits" in node.blocks else None
    after = _normal(limits) if limits else None

    def rank(x: float, xs: Sequence[float], reversed_xs: Sequence[float]) -> float:
        if x != x:  # noqa: PLR0124 - NaN
            return x
        if (x - _BOUND < xs[0]) if after else x == xs[0]:
            return 0.0
        if (x + _BOUND > xs[-1]) if after else x == xs[-1]:
            return 1.0
        return 0.5 * (_between(x, xs, ys) - _between(-x, reversed_xs, falling))

    def step(row: list[float]) -> list[float]:
        ranks = [rank(x, *pair) for x, pair in zip(row, pairs, strict=True)]
        return list(map(after, ranks)) if after else ranks

    return step


def rank_array(node: Node) -> Step:
    ys = node.block("references", shape=(None,)).numpy()
    columns = node.block("quantiles", shape=(node.width, len(ys))).numpy()
    limits = node.block("limits", shape=(2,)).items() if "limits" in node.blocks else None
    after = np.vectorize(_normal(limits), otypes=[float]) if limits else None

    def rank(x: Array, xs: Array) -> Array:
        ranks: Array = 0.5 * (np.interp(x, xs, ys) - np.interp(-x, -xs[::-1], -ys[::-1]))
        ranks[(x + _BOUND > xs[-1]) if after else x == xs[-1]] = 1.0
        ranks[(x - _BOUND < xs[0]) if after else x == xs[0]] = 0.0
        ranks[np.isnan(x)] = np.nan
        return ranks

    def step(dense: Floats) -> Floats:
        ranks: Floats = np.stack([rank(dense[:, i], xs) for i, xs in enumerate(columns)], axis=1)
        return after(ranks) if after and ranks.size else ranks

    return step


OPERATIONS = {"rank": Operation(rank_array, rank_pure)}
