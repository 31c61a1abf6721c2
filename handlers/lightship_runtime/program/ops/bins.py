"""Which bin of its column a number falls into."""

from bisect import bisect_right
from itertools import accumulate

from lightship_runtime.program.format import InvalidProgramError, Node
from lightship_runtime.program.numerics import Floats, np
from lightship_runtime.program.operations import Operation, Step


def _edges(node: Node) -> list[list[float]]:
    """The inner edges of every column: `sizes` says how many of `edges` each has."""
    sizes = node.positions("sizes", 1 << 31)
    flat = node.block("edges", shape=(sum(sizes),)).items()
    if len(sizes) != node.inputs[0].width:
        raise InvalidProgramError(f"the operation {node.op!r} has edges for {len(sizes)} columns")
    ends = list(accumulate(sizes))
    return [flat[end - size : end] for size, end in zip(sizes, ends, strict=True)]


def _starts(node: Node, edges: list[list[float]]) -> list[int]:
    starts = list(accumulate((len(each) + 1 for each in edges), initial=0))
    if starts[-1] != node.width:
        raise InvalidProgramError(f"{starts[-1]} bins don't fill a row of {node.width}")
    return starts[:-1]


def position_pure(node: Node) -> Step:
    """dense -> dense: how many inner edges of its column each number has reached."""
    edges = _edges(node)
    return lambda row: [float(bisect_right(each, x)) for each, x in zip(edges, row, strict=True)]


def position_array(node: Node) -> Step:
    edges = [np.array(each) for each in _edges(node)]

    def step(dense: Floats) -> Floats:
        places = [np.searchsorted(each, dense[:, i], side="right") for i, each in enumerate(edges)]
        return np.stack(places, axis=1).astype(np.float64)

    return step


def flag_pure(node: Node) -> Step:
    """dense -> dense of `width`: 1 in the place of the bin of each column, all bins side by side."""
    edges = _edges(node)
    pairs = list(zip(edges, _starts(node, edges), strict=True))
    width = node.width

    def step(row: list[float]) -> list[float]:
        flags = [0.0] * width
        for (each, start), x in zip(pairs, row, strict=True):
            flags[start + bisect_right(each, x)] = 1.0
        return flags

    return step


def flag_array(node: Node) -> Step:
    edges = _edges(node)
    starts = np.array(_starts(node, edges))
    positions, width = position_array(node), node.width

    def step(dense: Floats) -> Floats:
        places = positions(dense).astype(np.int64) + starts
        flags = np.zeros((len(dense), width))
        np.put_along_axis(flags, places, 1.0, axis=1)
        return flags

    return step


OPERATIONS = {"position": Operation(position_array, position_pure), "flag": Operation(flag_array, flag_pure)}
