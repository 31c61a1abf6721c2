"""Missing numbers: filling them in, and columns that say where they were."""

from math import isnan
from typing import Any

from lightship_runtime.program.format import Node
from lightship_runtime.program.numerics import Array, Floats, Raw, np
from lightship_runtime.program.operations import Operation, Step
from lightship_runtime.program.ops.values import absent, plain


def fill_pure(node: Node) -> Step:
    """dense -> dense: `values` (width) where a number is `marker` (null: NaN)."""
    values = node.block("values", shape=(node.width,)).items()
    marker = node.params.get("marker")
    if marker is None:
        return lambda row: [fill if isnan(x) else x for x, fill in zip(row, values, strict=True)]
    return lambda row: [fill if x == marker else x for x, fill in zip(row, values, strict=True)]


def fill_array(node: Node) -> Step:
    values = node.block("values", shape=(node.width,)).numpy()
    marker = node.params.get("marker")

    def step(dense: Floats) -> Floats:
        missing = np.isnan(dense) if marker is None else dense == marker
        return np.where(missing, values.astype(dense.dtype, copy=False), dense)

    return step


def indicate_pure(node: Node) -> Step:
    """raw or dense -> dense: 1 where the columns `columns` are `marker` (null: NaN or None), else 0."""
    columns = node.positions("columns", node.inputs[0].width)
    marker = node.params.get("marker")
    if marker is None:
        return lambda row: [1.0 if absent(row[i]) else 0.0 for i in columns]
    return lambda row: [1.0 if row[i] == marker else 0.0 for i in columns]


def indicate_array(node: Node) -> Step:
    columns = node.positions("columns", node.inputs[0].width)
    marker = node.params.get("marker")

    def of_dense(dense: Floats) -> Array:
        chosen = dense[:, columns]
        return (np.isnan(chosen) if marker is None else chosen == marker).astype(np.float64)

    def of_raw(raw: Raw) -> Array:
        return np.array([_where(plain(raw[i]), marker) for i in columns], dtype=np.float64).T.reshape(-1, len(columns))

    return of_dense if node.inputs[0].kind == "dense" else of_raw


def _where(values: list[Any], marker: Any) -> list[bool]:
    if marker is None:
        return [absent(value) for value in values]
    return [value == marker for value in values]


OPERATIONS = {
    "fill": Operation(fill_array, fill_pure),
    "indicate": Operation(indicate_array, indicate_pure),
}
