"""Element-wise arithmetic with one constant a column, computed in the precision the original computes in."""

import operator
from collections.abc import Callable
from typing import Any

from lightship_runtime.program.format import InvalidProgramError, Node
from lightship_runtime.program.numerics import Array, Floats, Sparse, np
from lightship_runtime.program.operations import Operation, Step
from lightship_runtime.program.ops.columns import single

type Binary = Callable[[Any, Any], Any]


def _pure(name: str) -> Callable[[Node], Step]:
    combine: Binary = getattr(operator, name)

    def build(node: Node) -> Step:
        """dense or sparse -> the same kind: `by` (width); `single`: the result is rounded to float32."""
        by = node.block("by", shape=(node.width,)).items()
        if node.kind == "sparse":
            return lambda pair: (pair[0], [combine(x, by[i]) for i, x in zip(*pair, strict=True)])
        if node.param("single", bool, False):
            return lambda row: single(list(map(combine, row, by)))
        if name == "truediv" and 0.0 in by:
            raise InvalidProgramError("it divides by zero")
        return lambda row: list(map(combine, row, by))

    return build


def _array(combine: Callable[[Array, Array], Array]) -> Callable[[Node], Step]:
    def build(node: Node) -> Step:
        by = node.block("by", shape=(node.width,)).numpy()
        rounded = node.param("single", bool, False)

        def of_dense(dense: Floats) -> Floats:
            result = combine(dense, by)
            return result.astype(np.float32) if rounded else result

        def of_sparse(sparse: Sparse) -> Sparse:
            return Sparse(sparse.indptr, sparse.indices, combine(sparse.data, by[sparse.indices]), sparse.width)

        return of_sparse if node.kind == "sparse" else of_dense

    return build


def clip_pure(node: Node) -> Step:
    """dense -> dense within `low` and `high` (null: no limit); NaN stays."""
    low, high = _limits(node)

    def step(row: list[float]) -> list[float]:
        # min(x, high) is x for a NaN x.
        return [low if x < low else min(x, high) for x in row]

    return step


def clip_array(node: Node) -> Step:
    low, high = _limits(node)
    return lambda dense: np.clip(dense, low, high)


def _limits(node: Node) -> tuple[float, float]:
    infinity = float("inf")
    low = -infinity if node.params.get("low") is None else node.param("low", float)
    return low, infinity if node.params.get("high") is None else node.param("high", float)


def constant_pure(node: Node) -> Step:
    """anything -> dense: the same row `values` for every row."""
    values = node.block("values", shape=(node.width,)).items()
    return lambda _: values


def constant_array(node: Node) -> Step:
    values = node.block("values", shape=(node.width,)).numpy()
    return lambda value: np.tile(values, (row_count(value), 1))


def row_count(value: Any) -> int:
    """How many rows a value of the array evaluators has."""
    if isinstance(value, Sparse):
        return len(value.indptr) - 1
    return len(value[0]) if isinstance(value, list) else len(value)


OPERATIONS = {
    "subtract": Operation(_array(lambda a, b: a - b), _pure("sub")),
    "add": Operation(_array(lambda a, b: a + b), _pure("add")),
    "multiply": Operation(_array(lambda a, b: a * b), _pure("mul")),
    "divide": Operation(_array(lambda a, b: a / b), _pure("truediv")),
    "clip": Operation(clip_array, clip_pure),
    "constant": Operation(constant_array, constant_pure),
}
