"""Searches for the nearest points in the order of the original, which decides between points equally far."""

from collections.abc import Sequence
from math import inf
from typing import NamedTuple, Protocol

from lightship_runtime.program.format import InvalidProgramError, Node
from lightship_runtime.program.numerics import Array, np


class Search(Protocol):
    """Finds the nearest points of one row."""

    def nearest(self, row: Array, reduced: Array, count: int) -> list[int]:
        """Positions of the `count` points that the original keeps; `reduced` ranks as their distances do."""
        ...


def read_search(node: Node, width: int, points: int) -> Search | None:
    """The search of a node: `scan`, `kd_tree`, `ball_tree`, or none where NumPy's own partition decides."""
    match node.param("search", str):
        case "partition":
            return None
        case "scan":
            return _Scan()
        case "kd_tree" | "ball_tree" as kind:
            return _Tree(_Nodes.read(node, width, points), kind == "kd_tree", _power(node))
        case other:
            raise InvalidProgramError(f"it has the unknown search {other!r}")


def _power(node: Node) -> float:
    powers = {"euclidean": 2.0, "manhattan": 1.0, "chebyshev": inf}
    metric = node.param("metric", str)
    return powers[metric] if metric in powers else node.param("p", float)


class _Kept:
    """The nearest so far, in a binary heap with the farthest on top. A point as far as the top one isn't taken."""

    def __init__(self, count: int) -> None:
        self.values = [inf] * count
        self.places = [0] * count

    def offer(self, value: float, place: int) -> None:
        values, places = self.values, self.places
        if value >= values[0]:
            return
        size, at = len(values), 0
        while True:
            child = 2 * at + 1
            if child >= size:
                break
            if child + 1 < size and values[child] < values[child + 1]:
                child += 1
            if values[child] <= value:
                break
            values[at], places[at] = values[child], places[child]
            at = child
        values[at], places[at] = value, place


class _Scan:
    """All points, in their order."""

    def nearest(self, row: Array, reduced: Array, count: int) -> list[int]:  # noqa: ARG002 - the interface
        kept = _Kept(count)
        for place, value in enumerate(reduced.tolist()):
            kept.offer(value, place)
        return kept.places


class _Nodes(NamedTuple):
    """A binary tree of t nodes: node i has the children 2i + 1 and 2i + 2; a leaf holds `order[start:end]`.

    `low` and `high` (t, inputs) bound a node's points; of a ball `low` is the center, with its `radius` (t).
    """

    order: Sequence[int]
    start: Sequence[int]
    end: Sequence[int]
    leaf: Sequence[int]
    low: Array
    high: Array
    radius: Array

    @classmethod
    def read(cls, node: Node, width: int, points: int) -> "_Nodes":
        order = node.block("order", formats="i", shape=(points,)).items()
        start, end = (node.block(name, formats="i", shape=(None,)).items() for name in ("start", "end"))
        count = len(start)
        leaf = node.block("leaf", formats="B", shape=(count,)).items()
        radius = node.block("radius", shape=(count,)).numpy()
        low, high = (node.block(name, shape=(count, width)).numpy() for name in ("low", "high"))
        inner = [i for i in range(count) if not leaf[i]]
        spans = all(0 <= a <= b <= points for a, b in zip(start, end, strict=True))
        if len(end) != count or not count or not spans or any(2 * i + 2 >= count for i in inner):
            raise InvalidProgramError("a search tree points outside itself")
        if sorted(order) != list(range(points)):
            raise InvalidProgramError("a search tree doesn't hold every point once")
        return cls(order, start, end, leaf, low, high, radius)


class _Tree:
    """Depth first, the nearer child before the other, leaving out nodes that are farther than all that is kept."""

    def __init__(self, nodes: _Nodes, is_kd: bool, power: float) -> None:
        self._nodes = nodes
        self._bounds = self._box_bounds if is_kd else self._ball_bounds
        self._power = power

    def nearest(self, row: Array, reduced: Array, count: int) -> list[int]:
        nodes, kept, values = self._nodes, _Kept(count), reduced.tolist()
        bounds = self._bounds(row).tolist()
        waiting = [0]
        while waiting:
            at = waiting.pop()
            if bounds[at] > kept.values[0]:
                continue
            if nodes.leaf[at]:
                for i in range(nodes.start[at], nodes.end[at]):
                    place = nodes.order[i]
                    kept.offer(values[place], place)
                continue
            first, second = 2 * at + 1, 2 * at + 2
            waiting += [second, first] if bounds[first] <= bounds[second] else [first, second]
        return kept.places

    def _box_bounds(self, row: Array) -> Array:
        """The least that a point of each node can be away, in the terms of the ranks."""
        below, above = self._nodes.low - row, row - self._nodes.high
        apart = 0.5 * ((below + np.abs(below)) + (above + np.abs(above)))
        return self._total(apart)

    def _ball_bounds(self, row: Array) -> Array:
        total = self._total(np.abs(row - self._nodes.low))
        if self._power == inf:
            apart: Array = np.maximum(0, total - self._nodes.radius)
            return apart
        distance = np.sqrt(total) if self._power == 2 else total ** (1 / self._power)
        least: Array = np.maximum(0, distance - self._nodes.radius)
        return least * least if self._power == 2 else least**self._power

    def _total(self, apart: Array) -> Array:
        total = np.zeros(len(apart))
        for i in range(apart.shape[1]):
            each = apart[:, i]
            if self._power == inf:
                total = np.maximum(total, each)
            elif self._power == 2:
                total = total + each * each
            else:
                total = total + (each if self._power == 1 else each**self._power)
        return total
