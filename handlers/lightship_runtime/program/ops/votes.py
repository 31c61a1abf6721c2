"""What several predictions come to together."""

from collections.abc import Sequence
from operator import itemgetter

from lightship_runtime.program.format import Node
from lightship_runtime.program.numerics import Floats, np
from lightship_runtime.program.operations import Operation, Step


def _weights(node: Node) -> list[float]:
    return node.block("weights", shape=(len(node.inputs),)).items()


def count_pure(node: Node) -> Step:
    """Several dense of width 1, positions -> dense: for each position, the `weights` of those that gave it."""
    weights, width = _weights(node), node.width

    def step(*votes: Sequence[float]) -> list[float]:
        counts = [0.0] * width
        for vote, weight in zip(votes, weights, strict=True):
            counts[int(vote[0])] += weight
        return counts

    return step


def count_array(node: Node) -> Step:
    weights, positions = _weights(node), np.arange(node.width)

    def step(*votes: Floats) -> Floats:
        counts = np.zeros((len(votes[0]), node.width))
        for vote, weight in zip(votes, weights, strict=True):
            counts += weight * (vote == positions)
        return counts

    return step


def median_pure(node: Node) -> Step:
    """Several dense of width 1 -> dense of width 1: the least value that half of the `weights` are not above."""
    weights = _weights(node)

    def step(*values: Sequence[float]) -> list[float]:
        ranked = sorted(zip([value[0] for value in values], weights, strict=True), key=itemgetter(0))
        sums = []
        total = 0.0
        for _, weight in ranked:
            total += weight
            sums.append(total)
        return [next(value for (value, _), reached in zip(ranked, sums, strict=True) if reached >= 0.5 * total)]

    return step


def median_array(node: Node) -> Step:
    weights = np.array(_weights(node))

    def step(*values: Floats) -> Floats:
        table = np.concatenate(values, axis=1)
        order = table.argsort(axis=1)
        sums = np.cumsum(weights[order], axis=1)
        place = (sums >= 0.5 * sums[:, -1:]).argmax(axis=1)
        rows = np.arange(len(table))
        median: Floats = table[rows, order[rows, place]][:, None]
        return median

    return step


OPERATIONS = {"count": Operation(count_array, count_pure), "median": Operation(median_array, median_pure)}
