"""Functions given by points and straight lines between them."""

from bisect import bisect_right
from itertools import pairwise

from lightship_runtime.program.format import InvalidProgramError, Node
from lightship_runtime.program.numerics import Floats, np
from lightship_runtime.program.operations import Operation, Step

_NAN = float("nan")


def linear_pure(node: Node) -> Step:
    """dense -> dense: the line through (`x`, `y`), x ascending; outside of x the nearest y, or NaN with `bounded`."""
    xs, ys = _points(node)
    bounded = node.param("bounded", bool, False)
    low, high = xs[0], xs[-1]

    def at(x: float) -> float:
        if x <= low or x >= high or x != x:  # noqa: PLR0124 - NaN
            if x != x or (bounded and not low <= x <= high):  # noqa: PLR0124 - NaN
                return _NAN
            return ys[0] if x <= low else ys[-1]
        i = bisect_right(xs, x)
        slope = (ys[i] - ys[i - 1]) / (xs[i] - xs[i - 1])
        return slope * (x - xs[i - 1]) + ys[i - 1]

    return lambda row: [at(x) for x in row]


def linear_array(node: Node) -> Step:
    points = _points(node)
    xs, ys = np.array(points[0]), np.array(points[1])
    bounded = node.param("bounded", bool, False)

    def step(dense: Floats) -> Floats:
        values: Floats = np.interp(dense, xs, ys)
        if bounded:
            values = np.where((dense < xs[0]) | (dense > xs[-1]), np.nan, values)
        return np.where(np.isnan(dense), np.nan, values)

    return step


def _points(node: Node) -> tuple[list[float], list[float]]:
    xs = node.block("x", shape=(None,)).items()
    ys = node.block("y", shape=(len(xs),)).items()
    if not xs or any(after <= before for before, after in pairwise(xs)):
        raise InvalidProgramError("a piecewise function has no points, or points that don't ascend")
    return xs, ys


OPERATIONS = {"linear": Operation(linear_array, linear_pure)}
