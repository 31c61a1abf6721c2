"""Distances from a row to stored points, in the original's arithmetic, because the last bits decide what is nearest.

`direct` adds up the differences coordinate by coordinate. `expanded` multiplies out: -2xy + xx + yy, from one matrix
product, in that order, or with `norms_first` as (xx - 2xy) + yy.
"""

from collections.abc import Callable

from lightship_runtime.program.format import InvalidProgramError, Node
from lightship_runtime.program.numerics import Array, Floats, np
from lightship_runtime.program.operations import Operation, Step

type Accumulate = Callable[[Array, Array], Array]
"""The sum so far and the differences of one coordinate -> the new sum."""


def _points(node: Node) -> Array:
    return node.block("points", shape=(node.width, node.inputs[0].width)).numpy()


def squared_array(node: Node) -> Step:
    """dense -> dense: the squared Euclidean distance to each of `points` (width, inputs); `method` as above."""
    points = _points(node)
    match node.param("method", str):
        case "direct":
            return lambda dense: _accumulated(dense, points, lambda total, apart: total + apart * apart)
        case "expanded":
            return _expanded(points, norms_first=False)
        case "norms_first":
            return _expanded(points, norms_first=True)
        case method:
            raise InvalidProgramError(f"it has the unknown method {method!r}")


def _expanded(points: Array, *, norms_first: bool, norms: Array | None = None) -> Step:
    """`norms`: the points' squared lengths, where the original had them ready."""
    if norms is None:
        norms = np.vecdot(points, points) if norms_first else np.einsum("ij,ij->i", points, points)

    def step(dense: Floats) -> Floats:
        dense = np.ascontiguousarray(dense) if norms_first else dense
        own = (np.vecdot(dense, dense) if norms_first else np.einsum("ij,ij->i", dense, dense))[:, None]
        middle = -2 * (dense @ points.T)
        squares: Floats = (own + middle if norms_first else middle + own) + norms[None, :]
        return np.maximum(squares, 0)

    return step


def partial_array(node: Node) -> Step:
    """dense -> dense: yy - 2xy, which is nearest for the same point."""
    points = _points(node)
    norms = np.einsum("ij,ij->i", points, points)[None, :]
    return lambda dense: -2 * (np.ascontiguousarray(dense) @ points.T) + norms


def _accumulated(dense: Floats, points: Array, accumulate: Accumulate) -> Array:
    total = np.zeros((len(dense), len(points)))
    for i in range(points.shape[1]):
        total = accumulate(total, dense[:, i, None] - points[None, :, i])
    return total


def minkowski_array(node: Node) -> Step:
    """dense -> dense: the sum of `weights` (inputs) times |x - y| to the power `p`, without the root; p = 1 is the
    Manhattan distance, and null the Chebyshev one (largest difference)."""
    points = _points(node)
    power = node.params.get("p")
    if power is None:
        return lambda dense: _accumulated(dense, points, lambda total, apart: np.maximum(total, np.abs(apart)))
    p = node.param("p", float)
    if p == 1:
        return lambda dense: _accumulated(dense, points, lambda total, apart: total + np.abs(apart))
    return lambda dense: _accumulated(dense, points, lambda total, apart: total + np.abs(apart) ** p)


def cosine_array(node: Node) -> Step:
    """dense -> dense: 1 - cosine of the angle to each of `points`, which have length 1."""
    points = _points(node)

    def step(dense: Floats) -> Floats:
        length = np.sqrt(np.einsum("ij,ij->i", dense, dense))
        unit = dense / np.where(length < 10 * 2.0**-52, 1.0, length)[:, None]
        return np.clip(1 - unit @ points.T, 0, 2)

    return step


def nearest_array(node: Node) -> Step:
    """dense -> dense of width 1: the position of the nearest of `points`, as `pairwise_distances_argmin` finds it: for
    rows in one piece of memory by squares with the norms first, else by distances. `norms` (points), if there are any:
    the squared lengths that the original had ready."""
    points = node.block("points", shape=(None, node.inputs[0].width)).numpy()
    norms = node.block("norms", shape=(len(points),)).numpy() if "norms" in node.blocks else None
    of_rows = _expanded(points, norms_first=True, norms=norms)
    of_columns = _expanded(points, norms_first=False, norms=norms)

    def step(dense: Floats) -> Floats:
        apart = of_rows(dense) if dense.flags.c_contiguous else np.sqrt(of_columns(dense))
        nearest: Floats = apart.argmin(axis=1)[:, None].astype(np.float64)
        return nearest

    return step


def argmin_array(_: Node) -> Step:
    """dense -> dense of width 1: the position of the first smallest value."""
    return lambda dense: dense.argmin(axis=1)[:, None].astype(np.float64)


def bisect_array(node: Node) -> Step:
    """dense -> dense of width 1: from node 0 always to the nearer of two `centers` (2 nodes, inputs), then to that one
    of its `children` (nodes, 2), where -1 - label ends the way."""
    children = node.block("children", formats="i", shape=(None, 2)).numpy()
    count = len(children)
    centers = node.block("centers", shape=(2 * count, node.inputs[0].width)).numpy()
    if not count or (children >= count).any() or ((children >= 0) & (children <= np.arange(count)[:, None])).any():
        raise InvalidProgramError("a tree of splits points backwards or outside itself")
    norms = np.einsum("ij,ij->i", centers, centers)

    def step(dense: Floats) -> Floats:
        dense = np.ascontiguousarray(dense)
        place = np.zeros(len(dense), dtype=np.int64)
        for at in range(count):
            rows = np.flatnonzero(place == at)
            if len(rows):
                pair = slice(2 * at, 2 * at + 2)
                apart = -2 * (dense[rows] @ centers[pair].T) + norms[pair]
                place[rows] = children[at, apart.argmin(axis=1)]
        return (-1.0 - place)[:, None]

    return step


OPERATIONS = {
    "squared": Operation(squared_array),
    "partial": Operation(partial_array),
    "minkowski": Operation(minkowski_array),
    "nearest": Operation(nearest_array),
    "argmin": Operation(argmin_array),
    "bisect": Operation(bisect_array),
}
