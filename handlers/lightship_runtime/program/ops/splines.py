"""B-spline bases, evaluated by the recurrence of de Boor and Cox (de Boor, A Practical Guide to Splines, chapter X)."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from lightship_runtime.engine import RefusedRowsError
from lightship_runtime.program.format import InvalidProgramError, Node
from lightship_runtime.program.numerics import Array, Floats, np
from lightship_runtime.program.operations import Operation, Step

_LIMITS = ("continue", "constant", "linear", "periodic", "refuse")
_OUTSIDE = "a value lies beyond the knots of its splines"


class _Basis(NamedTuple):
    """`knots` (m) of one column, `size` basis functions of `degree`, and how it goes on outside of the knots."""

    knots: Sequence[float]
    degree: int
    size: int
    limits: str

    @property
    def low(self) -> float:
        return self.knots[self.degree]

    @property
    def high(self) -> float:
        return self.knots[-self.degree - 1]

    def interval(self, x: float) -> int:
        """The last i with knots[i] <= x that has a whole basis around it."""
        last = len(self.knots) - self.degree - 2
        return min(max(bisect_right(self.knots, x) - 1, self.degree), last)


def _bases(node: Node) -> list[_Basis]:
    degree, limits = node.param("degree", int), node.param("limits", str)
    width = node.inputs[0].width
    knots = node.block("knots", shape=(width, None)).rows()
    if limits not in _LIMITS or not width or node.width % width or len(knots[0]) < 2 * degree + 2 or degree < 0:
        raise InvalidProgramError(f"splines of degree {degree} over {len(knots[0])} knots, limits {limits!r}")
    return [_Basis(each, degree, node.width // width, limits) for each in knots]


def _values(knots: Sequence[float], degree: int, i: int, x: float) -> list[float]:
    """The degree + 1 basis functions that aren't zero between knots[i] and knots[i + 1]."""
    values = [1.0]
    for size in range(1, degree + 1):
        grown = [0.0] * (size + 1)
        for n, value in enumerate(values):
            right, left = knots[i + n + 1], knots[i + n + 1 - size]
            if right == left:
                grown[n + 1] = 0.0
                continue
            share = value / (right - left)
            grown[n] += share * (right - x)
            grown[n + 1] = share * (x - left)
        values = grown
    return values


def _row(basis: _Basis, x: float) -> list[float]:
    row = [0.0] * basis.size
    i = basis.interval(x)
    for n, value in enumerate(_values(basis.knots, basis.degree, i, x)):
        row[(i - basis.degree + n) % basis.size] += value
    return row


def _slopes(basis: _Basis, x: float) -> list[float]:
    """The derivatives of the basis functions, of degree 1 at least, at x, from the bases of one degree less."""
    row = [0.0] * basis.size
    i = basis.interval(x)
    lower = _values(basis.knots, basis.degree - 1, i, x)
    for n, value in enumerate(lower):
        left = i - basis.degree + 1 + n
        span = basis.knots[left + basis.degree] - basis.knots[left]
        if span:
            row[left - 1] -= basis.degree * value / span
            row[left] += basis.degree * value / span
    return row


def _edges(basis: _Basis) -> tuple[list[float], list[float], list[float], list[float]]:
    """Values and slopes at the low end, then at the high end."""
    low, high = _row(basis, basis.low), _row(basis, basis.high)
    if basis.limits == "linear":
        return low, _slopes(basis, basis.low), high, _slopes(basis, basis.high)
    flat = [0.0] * basis.size
    return low, flat, high, flat


def basis_pure(node: Node) -> Step:
    """dense -> dense of `width`: the basis functions of every column, side by side. `knots` (columns, m), `degree`;
    `limits` is continue, constant, linear, periodic or refuse. NaN gives zeros."""
    bases = [(basis, _edges(basis)) for basis in _bases(node)]

    def step(row: list[float]) -> list[float]:
        return [value for x, (basis, edges) in zip(row, bases, strict=True) for value in _at(basis, edges, x)]

    return step


def _at(basis: _Basis, edges: tuple[list[float], ...], x: float) -> list[float]:
    if x != x:  # noqa: PLR0124 - NaN
        return [0.0] * basis.size
    low, high = basis.low, basis.high
    if basis.limits == "periodic":
        x = low + (x - low) % (high - low) if high > low else 0.0
    elif basis.limits == "refuse" and not low <= x <= high:
        raise RefusedRowsError(_OUTSIDE)
    elif basis.limits != "continue" and not low <= x <= high:
        value, slope, end = (edges[0], edges[1], low) if x < low else (edges[2], edges[3], high)
        return [v + (x - end) * s for v, s in zip(value, slope, strict=True)]
    return _row(basis, x)


def basis_array(node: Node) -> Step:
    bases = [(basis, [np.array(edge) for edge in _edges(basis)]) for basis in _bases(node)]

    def step(dense: Floats) -> Floats:
        parts = [_column(basis, edges, dense[:, i].astype(np.float64)) for i, (basis, edges) in enumerate(bases)]
        return np.concatenate(parts, axis=1)

    return step


def _column(basis: _Basis, edges: list[Array], x: Array) -> Array:
    low, high = basis.low, basis.high
    if basis.limits == "refuse" and ((x < low) | (x > high)).any():
        raise RefusedRowsError(_OUTSIDE, np.flatnonzero((x < low) | (x > high)).tolist())
    if basis.limits == "periodic":
        x = low + np.mod(x - low, high - low) if high > low else np.where(np.isnan(x), x, 0.0)
    result = _rows(basis, x)
    if basis.limits in {"constant", "linear"}:
        for outside, (value, slope), end in ((x < low, edges[:2], low), (x > high, edges[2:], high)):
            result[outside] = value + (x[outside][:, None] - end) * slope
    result[np.isnan(x)] = 0.0
    return result


def _rows(basis: _Basis, x: Array) -> Array:
    knots, degree = np.array(basis.knots), basis.degree
    last = len(knots) - degree - 2
    i = np.clip(np.searchsorted(knots, x, side="right") - 1, degree, last)
    values = np.ones((degree + 1, len(x)))
    for size in range(1, degree + 1):
        grown = np.zeros_like(values)
        for n in range(size):
            right, left = knots[i + n + 1], knots[i + n + 1 - size]
            share = np.where(right == left, 0.0, values[n] / np.where(right == left, 1.0, right - left))
            grown[n] += share * (right - x)
            grown[n + 1] = share * (x - left)
        values = grown
    result = np.zeros((len(x), basis.size))
    rows = np.arange(len(x))
    for n, value in enumerate(values):
        result[rows, (i - degree + n) % basis.size] += value
    return result


OPERATIONS = {"basis": Operation(basis_array, basis_pure)}
