"""The nearest of stored points, and what they come to.

Where several points are equally far and not all of them are among the nearest, the original's search decides which it
keeps; `lightship_runtime.program.search` repeats that search.
"""

from collections.abc import Callable

from lightship_runtime.engine import RefusedRowsError
from lightship_runtime.program.format import InvalidProgramError, Node
from lightship_runtime.program.numerics import Array, Floats, np
from lightship_runtime.program.operations import Operation, Step
from lightship_runtime.program.ops.distances import cosine_array, minkowski_array, squared_array
from lightship_runtime.program.search import Search, read_search

_NO_NEIGHBOR = "no stored point is near enough"


def _reduced(node: Node) -> Step:
    """dense -> dense of one value a stored point, which ranks as the distance does."""
    match node.param("metric", str):
        case "euclidean":
            return squared_array(node)
        case "manhattan" | "chebyshev" | "minkowski":
            return minkowski_array(node)
        case "cosine":
            return cosine_array(node)
        case metric:
            raise InvalidProgramError(f"it has the unknown metric {metric!r}")


def _rooted(node: Node) -> Callable[[Array], Array]:
    """From those values to distances."""
    match node.param("metric", str):
        case "euclidean":
            return np.sqrt
        case "minkowski":
            power = 1 / node.param("p", float)
            return lambda values: values**power
        case _:
            return lambda values: values


def nearest_array(node: Node) -> Step:
    """dense of distances' ranks, dense of the row itself -> dense of width 2 `k`: the distances of the `k` nearest,
    ascending, then their positions."""
    count = node.param("k", int)
    ranks, row = node.inputs
    search, rooted = read_search(node, row.width, ranks.width), _rooted(node)
    if node.width != 2 * count or not 0 < count <= ranks.width:
        raise InvalidProgramError(f"{count} of {ranks.width} points in a row of {node.width}")

    def step(reduced: Floats, rows: Floats) -> Floats:
        places = _places(reduced, rows, count, search)
        values = np.take_along_axis(reduced, places, axis=1)
        order = np.argsort(values, axis=1, kind="stable")
        places = np.take_along_axis(places, order, axis=1)
        return np.concatenate([rooted(np.take_along_axis(values, order, axis=1)), places], axis=1)

    return step


def _places(reduced: Array, rows: Array, count: int, search: Search | None) -> Array:
    """(n, count) positions of the nearest."""
    if search is None or count == reduced.shape[1]:
        return np.argpartition(reduced, count - 1, axis=1)[:, :count]
    places = np.argpartition(reduced, (count - 1, count), axis=1)
    last, next_one = (np.take_along_axis(reduced, places[:, [i]], axis=1)[:, 0] for i in (count - 1, count))
    places = places[:, :count]
    for i in np.flatnonzero(last == next_one):
        places[i] = search.nearest(rows[i], reduced[i], count)
    return places


def ranks_array(node: Node) -> Step:
    """dense -> dense: for each of `points` a value that ranks as its distance by `metric` (and `p`, `method`) does."""
    return _reduced(node)


def within_array(node: Node) -> Step:
    """dense of distances' ranks -> dense of the same width: the weight of every point within `radius`, else 0.
    `weights` as for `vote`."""
    radius, rooted = node.param("radius", float), _rooted(node)
    limit = {"euclidean": radius * radius, "minkowski": radius ** float(node.params.get("p") or 1)}.get(
        node.param("metric", str), radius
    )
    weigh = _weigher(node)

    def step(reduced: Floats) -> Floats:
        inside = reduced <= limit
        return np.where(inside, weigh(np.where(inside, rooted(reduced), np.inf)), 0.0)

    return step


def _weigher(node: Node) -> Callable[[Array], Array]:
    """Distances -> weights: 1 for `uniform`; their inverse for `distance`, or in a row with zeros 1 for those alone;
    themselves for `own`."""
    match node.param("weights", str):
        case "uniform":
            return np.ones_like
        case "distance":
            return _inverse
        case "own":
            return lambda distances: distances
        case weights:
            raise InvalidProgramError(f"it has the unknown weights {weights!r}")


def _inverse(distances: Array) -> Array:
    weights: Array = 1.0 / distances
    infinite = np.isinf(weights)
    exact = infinite.any(axis=1)
    weights[exact] = infinite[exact]
    return weights


def vote_array(node: Node) -> Step:
    """dense of `nearest` -> dense of width classes: the share of the `weights` of each class in `labels` (points)."""
    labels = node.block("labels", formats="i", shape=(None,)).numpy()
    if len(labels) and not 0 <= labels.min() <= labels.max() < node.width:
        raise InvalidProgramError("a label is not the position of a class")
    count, weigh, width = node.inputs[0].width // 2, _weigher(node), node.width

    def step(nearest: Floats) -> Floats:
        weights, found = weigh(nearest[:, :count]), labels[nearest[:, count:].astype(np.int64)]
        sums = np.zeros((len(nearest), width))
        rows = np.arange(len(nearest))
        for i in range(count):
            sums[rows, found[:, i]] += weights[:, i]
        return sums / sums.sum(axis=1, keepdims=True)

    return step


def average_array(node: Node) -> Step:
    """dense of `nearest` -> dense: the mean of `targets` (points, outputs) by their `weights`."""
    targets = node.block("targets", shape=(None, node.width)).numpy()
    count, weigh = node.inputs[0].width // 2, _weigher(node)
    uniform = node.param("weights", str) == "uniform"

    def step(nearest: Floats) -> Array:
        found: Array = targets[nearest[:, count:].astype(np.int64)]
        if uniform:
            total: Array = found.sum(axis=1)
            return total / count
        weights = weigh(nearest[:, :count])
        mean: Array = (found * weights[:, :, None]).sum(axis=1) / weights.sum(axis=1)[:, None]
        return mean

    return step


def settle_array(node: Node) -> Step:
    """dense -> dense: each row divided by its sum; a row of zeros becomes 1 at `label`, or is refused where that is
    null."""
    label = node.params.get("label")
    place = None if label is None else node.param("label", int)
    if place is not None and not 0 <= place < node.width:
        raise InvalidProgramError(f"the label {place} is not the position of a class")

    def step(sums: Floats) -> Floats:
        total = sums.sum(axis=1, keepdims=True)
        empty = np.flatnonzero(total[:, 0] == 0)
        if len(empty) and place is None:
            raise RefusedRowsError(_NO_NEIGHBOR, empty.tolist())
        shares: Floats = sums / np.where(total == 0, 1.0, total)
        if place is not None:
            shares[empty, place] = 1.0
        return shares

    return step


def outlier_factor_array(node: Node) -> Step:
    """dense of `nearest` -> dense of width 1: minus the local outlier factor (Breunig et al. 2000), from the `density`
    and the `reach` (distance of its own last neighbor) of every stored point."""
    density = node.block("density", shape=(None,)).numpy()
    reach = node.block("reach", shape=(len(density),)).numpy()
    count = node.inputs[0].width // 2

    def step(nearest: Floats) -> Floats:
        places = nearest[:, count:].astype(np.int64)
        reached = np.maximum(nearest[:, :count], reach[places])
        own = 1.0 / (reached.mean(axis=1) + 1e-10)
        return -(density[places] / own[:, None]).mean(axis=1, keepdims=True)

    return step


def graph_array(node: Node) -> Step:
    """dense of `nearest` -> dense of width points: the distance, or 1 with `flags`, at each of the nearest, else 0."""
    count, width, flags = node.inputs[0].width // 2, node.width, node.param("flags", bool)

    def step(nearest: Floats) -> Floats:
        graph = np.zeros((len(nearest), width))
        places = nearest[:, count:].astype(np.int64)
        np.put_along_axis(graph, places, 1.0 if flags else nearest[:, :count], axis=1)
        return graph

    return step


OPERATIONS = {
    "ranks": Operation(ranks_array),
    "nearest": Operation(nearest_array),
    "within": Operation(within_array),
    "vote": Operation(vote_array),
    "average": Operation(average_array),
    "settle": Operation(settle_array),
    "outlier_factor": Operation(outlier_factor_array),
    "graph": Operation(graph_array),
}
