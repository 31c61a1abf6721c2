"""Missing numbers: filling them in, and columns that say where they were."""

from collections.abc import Sequence
from math import isnan
from typing import Any

from lightship_runtime.engine import Distinct, RefusedRowsError
from lightship_runtime.program.format import Node
from lightship_runtime.program.numerics import Array, Floats, Raw, np
from lightship_runtime.program.operations import Operation, Step
from lightship_runtime.program.ops.values import absent, plain

_REFUSAL = "a column is missing that was never missing when it was fitted"


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
    """raw or dense -> dense: 1 where the columns `columns` are `marker` (null: NaN or None), else 0.

    Where one of the columns `refused` is missing the row is refused.
    """
    columns, refused = _columns(node)
    marker = node.params.get("marker")

    def missing(value: Any) -> bool:
        return absent(value) if marker is None else value == marker

    def step(row: Sequence[Any]) -> list[float]:
        if refused and any(missing(row[i]) for i in refused):
            raise RefusedRowsError(_REFUSAL)
        return [1.0 if missing(row[i]) else 0.0 for i in columns]

    return step


def _columns(node: Node) -> tuple[list[int], list[int]]:
    width = node.inputs[0].width
    return node.positions("columns", width), node.positions("refused", width) if "refused" in node.params else []


def indicate_array(node: Node) -> Step:
    columns, refused = _columns(node)
    marker = node.params.get("marker")

    def of_dense(dense: Floats, places: list[int]) -> Array:
        chosen = dense[:, places]
        return (np.isnan(chosen) if marker is None else chosen == marker).astype(np.float64)

    def of_raw(raw: Raw, places: list[int]) -> Array:
        return np.array([_where(raw[i], marker) for i in places], dtype=np.float64).T.reshape(-1, len(places))

    flags = of_dense if node.inputs[0].kind == "dense" else of_raw

    def step(value: Any) -> Array:
        if refused and (rows := np.flatnonzero(flags(value, refused).any(axis=1))).size:
            raise RefusedRowsError(_REFUSAL, rows.tolist())
        return flags(value, columns)

    return step


def _where(column: Any, marker: Any) -> Array:
    if isinstance(column, Distinct):
        return column.spread(_where(column.values, marker))
    if marker is None:
        return np.array([absent(value) for value in plain(column)], dtype=np.bool_)
    return np.array([value == marker for value in plain(column)], dtype=np.bool_)


OPERATIONS = {
    "fill": Operation(fill_array, fill_pure),
    "indicate": Operation(indicate_array, indicate_pure),
}
