"""Columns in and out: from the caller's values to numbers, choosing, joining, and changing representation."""

from array import array
from operator import itemgetter
from typing import Any

from lightship_runtime.program.format import InvalidProgramError, Node
from lightship_runtime.program.numerics import Array, Floats, Raw, Sparse, np
from lightship_runtime.program.operations import Operation, Step

_NAN = float("nan")


def single(values: list[float]) -> list[float]:
    """Round every value to float32 and back."""
    return array("f", values).tolist()


def number_pure(node: Node) -> Step:
    """raw -> dense. `columns`: which columns; `rounded`: those of them (by place) that are float32.

    `columnwise`: in memory column after column, as a data frame gives its numbers; sums then round as theirs do.
    """
    columns = node.positions("columns", node.inputs[0].width)
    rounded = node.positions("rounded", len(columns))
    if len(rounded) == len(columns):
        return lambda row: single([_NAN if (value := row[i]) is None else float(value) for i in columns])

    def step(row: list[Any]) -> list[float]:
        numbers = [_NAN if (value := row[i]) is None else float(value) for i in columns]
        for i in rounded:
            numbers[i] = single([numbers[i]])[0]
        return numbers

    return step


def number_array(node: Node) -> Step:
    columns = node.positions("columns", node.inputs[0].width)
    rounded = node.positions("rounded", len(columns))
    dtype = np.float32 if node.param("single", bool, False) else np.float64
    arranged = np.asfortranarray if node.param("columnwise", bool, False) else np.ascontiguousarray

    def step(raw: Raw) -> Floats:
        chosen = [raw[i] for i in columns]
        if all(type(column) is list for column in chosen):
            numbers = np.array(chosen, dtype=np.float64).T
        else:
            numbers = np.empty((len(columns), len(raw[0]))).T
            for place, column in enumerate(chosen):
                numbers[:, place] = np.asarray(column, dtype=np.float64)
        if rounded and dtype is np.float64:
            numbers[:, rounded] = numbers[:, rounded].astype(np.float32)
        return arranged(numbers, dtype=dtype)

    return step


def pick_pure(node: Node) -> Step:
    """Any kind: the columns `columns`, in that order."""
    columns = node.positions("columns", node.inputs[0].width)
    if node.kind == "sparse":
        place = {column: new for new, column in enumerate(columns)}

        def choose(pair: tuple[list[int], list[float]]) -> tuple[list[int], list[float]]:
            kept = sorted((place[i], value) for i, value in zip(*pair, strict=True) if i in place)
            return [i for i, _ in kept], [value for _, value in kept]

        return choose
    if len(columns) < 2:
        return lambda row: [row[i] for i in columns]
    take = itemgetter(*columns)
    return lambda row: list(take(row))


def pick_array(node: Node) -> Step:
    columns = node.positions("columns", node.inputs[0].width)
    if node.kind == "raw":
        return lambda raw: [column_of(raw, i) for i in columns]
    order = np.array(columns, dtype=np.int64)
    if node.kind == "dense":
        return lambda dense: dense[:, order]
    place = np.full(node.inputs[0].width, -1)
    place[order] = np.arange(len(order))

    def choose(sparse: Sparse) -> Sparse:
        moved = place[sparse.indices]
        kept = moved >= 0
        rows, moved, data = sparse.rows[kept], moved[kept], sparse.data[kept]
        ranking = np.lexsort((moved, rows))
        return _sparse(rows, moved[ranking], data[ranking], len(sparse.indptr) - 1, len(order))

    return choose


def _sparse(rows: Array, indices: Array, data: Array, count: int, width: int) -> Sparse:
    """`rows` sorted, `indices` and `data` in that order."""
    indptr = np.zeros(count + 1, dtype=np.int64)
    np.cumsum(np.bincount(rows, minlength=count), out=indptr[1:])
    return Sparse(indptr, indices, data, width)


def column_of(value: Any, i: int) -> Any:
    """Column i of a raw or dense value of the array evaluators."""
    return value[i] if isinstance(value, list) else value[:, i]


def concat_pure(node: Node) -> Step:
    """Any mixture -> its own kind: the inputs side by side."""
    if node.kind != "sparse":
        return lambda *parts: [value for part in parts for value in part]
    offsets = _offsets(node)
    dense = [source.kind == "dense" for source in node.inputs]

    def join(*parts: Any) -> tuple[list[int], list[float]]:
        indices: list[int] = []
        data: list[float] = []
        for part, is_dense, offset in zip(parts, dense, offsets, strict=True):
            if is_dense:
                indices += [i + offset for i, value in enumerate(part) if value]
                data += [value for value in part if value]
            else:
                indices += [i + offset for i in part[0]]
                data += part[1]
        return indices, data

    return join


def concat_array(node: Node) -> Step:
    if node.kind == "dense":
        return lambda *parts: np.concatenate(parts, axis=1)
    if node.kind == "raw":
        kinds = [source.width for source in node.inputs]
        return lambda *parts: [
            column_of(part, i) for part, width in zip(parts, kinds, strict=True) for i in range(width)
        ]
    offsets = _offsets(node)

    def join(*parts: Floats | Sparse) -> Sparse:
        triples = [_triple(part, offset) for part, offset in zip(parts, offsets, strict=True)]
        rows, indices, data = (np.concatenate([triple[i] for triple in triples]) for i in range(3))
        order = np.argsort(rows, kind="stable")
        count = len(parts[0].indptr) - 1 if isinstance(parts[0], Sparse) else len(parts[0])
        return _sparse(rows, indices[order], data[order], count, node.width)

    return join


def _offsets(node: Node) -> list[int]:
    offsets = [0]
    for source in node.inputs:
        offsets.append(offsets[-1] + source.width)
    return offsets[:-1]


def _triple(part: Floats | Sparse, offset: int) -> tuple[Array, Array, Array]:
    if isinstance(part, Sparse):
        return part.rows, part.indices + offset, part.data
    rows, indices = np.nonzero(part)
    return rows, indices + offset, part[rows, indices]


def dense_pure(node: Node) -> Step:
    """sparse -> dense; what isn't stored is 0, or NaN with `absent_is_missing`."""
    width, absent = node.width, _absent(node)

    def step(pair: tuple[list[int], list[float]]) -> list[float]:
        full = [absent] * width
        for i, value in zip(*pair, strict=True):
            full[i] = value
        return full

    return step


def dense_array(node: Node) -> Step:
    _require(node, "sparse")
    absent = _absent(node)
    return lambda sparse: sparse.dense(absent)


def _absent(node: Node) -> float:
    return _NAN if node.param("absent_is_missing", bool, False) else 0.0


def single_pure(node: Node) -> Step:
    """dense -> dense, every value rounded to float32."""
    _require(node, "dense")
    return single


def single_array(node: Node) -> Step:
    _require(node, "dense")
    return lambda dense: dense.astype(np.float32, copy=False)


def double_array(node: Node) -> Step:
    """dense -> dense: what follows is computed in double precision. Changes no value."""
    _require(node, "dense")
    return lambda dense: dense.astype(np.float64, copy=False)


def double_pure(node: Node) -> Step:
    _require(node, "dense")
    return lambda row: row


def rowwise_array(node: Node) -> Step:
    """dense -> dense: in memory row after row from here. Changes no value."""
    _require(node, "dense")
    return np.ascontiguousarray


def _require(node: Node, kind: str) -> None:
    if node.inputs[0].kind != kind:
        raise InvalidProgramError(f"the operation {node.op!r} reads {node.inputs[0].kind}, not {kind}")


OPERATIONS = {
    "number": Operation(number_array, number_pure),
    "pick": Operation(pick_array, pick_pure),
    "concat": Operation(concat_array, concat_pure),
    "dense": Operation(dense_array, dense_pure),
    "single": Operation(single_array, single_pure),
    "rowwise": Operation(rowwise_array, double_pure),
    "double": Operation(double_array, double_pure),
}
