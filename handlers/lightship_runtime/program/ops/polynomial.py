"""Products of columns."""

from lightship_runtime.program.format import InvalidProgramError, Node
from lightship_runtime.program.numerics import Floats, np
from lightship_runtime.program.operations import Operation, Step
from lightship_runtime.program.ops.columns import single


def _terms(node: Node) -> tuple[list[int], list[int]]:
    factor = node.block("factor", formats="i", shape=(None,)).items()
    rest = node.block("rest", formats="i", shape=(len(factor),)).items()
    width = node.inputs[0].width
    if any(not 0 <= i < width for i in factor) or any(not -1 <= j < place for place, j in enumerate(rest)):
        raise InvalidProgramError("a product's factor points outside what is there")
    return factor, rest


def products_pure(node: Node) -> Step:
    """dense -> dense: term t is x[`factor`[t]] times the earlier term `rest`[t] (-1: times 1); `single`: rounded."""
    terms = list(zip(*_terms(node), strict=True))
    rounded = node.param("single", bool, False)

    def step(row: list[float]) -> list[float]:
        values: list[float] = []
        for i, j in terms:
            value = row[i] if j < 0 else row[i] * values[j]
            values.append(single([value])[0] if rounded else value)
        return values

    return step


def products_array(node: Node) -> Step:
    factor, rest = _terms(node)
    groups = _groups(rest)
    factors, rests = np.array(factor, dtype=np.int64), np.array(rest, dtype=np.int64)

    def step(dense: Floats) -> Floats:
        values = np.empty((len(dense), len(factors)), dtype=dense.dtype)
        for start, end in groups:
            values[:, start:end] = dense[:, factors[start:end]]
            if rests[start] >= 0:
                values[:, start:end] *= values[:, rests[start:end]]
        return values

    return step


def _groups(rest: list[int]) -> list[tuple[int, int]]:
    """Runs of terms that need only terms before the run, all of them or none a single factor."""
    groups = []
    start = 0
    for place, j in enumerate(rest):
        if j >= start or (j < 0) != (rest[start] < 0):
            groups.append((start, place))
            start = place
    return [*groups, (start, len(rest))] if rest else []


OPERATIONS = {"products": Operation(products_array, products_pure)}
