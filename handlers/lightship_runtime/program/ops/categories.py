"""Tables from a column's values to numbers, and their one-hot form.

`tables` has one list of values a column. `codes` holds, column after column, one number a value, then one for a missing
value (None or NaN) and one for any other value. `strict` names the columns where another value refuses the row.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from lightship_runtime.engine import Distinct, RefusedRowsError
from lightship_runtime.program.format import InvalidProgramError, Node
from lightship_runtime.program.numerics import Array, Floats, Raw, np
from lightship_runtime.program.operations import Operation, Step
from lightship_runtime.program.ops.columns import column_of
from lightship_runtime.program.ops.values import absent, plain


class _Table(NamedTuple):
    """One column's codes. `missing` or `other` is None where the row is refused."""

    known: dict[Any, float]
    missing: float | None
    other: float | None

    def code(self, value: Any) -> float:
        """Of a value that isn't `known`."""
        found = self.missing if absent(value) else self.other
        if found is None:
            raise RefusedRowsError(f"it was fitted without the category {value!r}")
        return found


def _tables(node: Node) -> list[_Table]:
    values = node.param("tables", list)
    strict, strict_missing = (set(node.positions(name, len(values))) for name in ("strict", "strict_missing"))
    codes: list[float] = node.block("codes", formats="di").items()
    if len(values) != node.inputs[0].width or len(codes) != sum(map(len, values)) + 2 * len(values):
        raise InvalidProgramError(f"the operation {node.op!r} has {len(codes)} codes for {len(values)} columns")
    tables, start = [], 0
    for place, known in enumerate(values):
        end = start + len(known)
        tables.append(
            _Table(
                dict(zip(known, codes[start:end], strict=True)),
                None if place in strict_missing else codes[end],
                None if place in strict else codes[end + 1],
            )
        )
        start = end + 2
    return tables


def lookup_pure(node: Node) -> Step:
    """raw or dense -> dense: the code of every value."""
    tables = _tables(node)
    gets = [table.known.get for table in tables]

    def step(row: Sequence[Any]) -> list[float]:
        codes = [get(value) for get, value in zip(gets, row, strict=True)]
        return [
            table.code(value) if code is None else code for code, table, value in zip(codes, tables, row, strict=True)
        ]

    return step


def lookup_array(node: Node) -> Step:
    tables = _tables(node)

    def step(value: Raw | Floats) -> Floats:
        return np.stack([_codes(table, column_of(value, i)) for i, table in enumerate(tables)], axis=1)

    return step


def _codes(table: _Table, column: Any) -> Array:
    distinct = column if isinstance(column, Distinct) else None
    values = plain(column) if distinct is None else distinct.values
    get = table.known.get
    codes: list[Any] = [get(value) for value in values]
    refused: dict[int, str] = {}
    if None in codes:
        for i in [i for i, code in enumerate(codes) if code is None]:
            try:
                codes[i] = table.code(values[i])
            except RefusedRowsError as error:
                codes[i], refused[i] = np.nan, error.reason
    found = np.array(codes, dtype=np.float64)
    if refused:
        places = np.arange(len(values)) if distinct is None else distinct.places
        rows = np.flatnonzero(np.isin(places, list(refused)))
        if len(rows):
            raise RefusedRowsError(refused[int(places[rows[0]])], rows.tolist())
    return found if distinct is None else distinct.spread(found)


def onehot_pure(node: Node) -> Step:
    """raw or dense -> dense of `width`: 1 at every column's code (an integer), nowhere for a negative one."""
    tables = _tables(node)
    pairs = [(table.known.get, table) for table in tables]
    width = node.width
    _check_places(tables, width)

    def step(row: Sequence[Any]) -> list[float]:
        full = [0.0] * width
        for (get, table), value in zip(pairs, row, strict=True):
            place: Any = get(value)
            if place is None:
                place = table.code(value)
            if place >= 0:
                full[place] = 1.0
        return full

    return step


def onehot_array(node: Node) -> Step:
    tables = _tables(node)
    _check_places(tables, node.width)

    def step(value: Raw | Floats) -> Floats:
        places = np.stack([_codes(table, column_of(value, i)) for i, table in enumerate(tables)], axis=1).astype(
            np.int64
        )
        full = np.zeros((len(places), node.width))
        rows, columns = np.nonzero(places >= 0)
        full[rows, places[rows, columns]] = 1.0
        return full

    return step


def _check_places(tables: Sequence[_Table], width: int) -> None:
    for table in tables:
        places = [*table.known.values(), table.missing or 0, table.other or 0]
        if max(places) >= width:
            raise InvalidProgramError(f"a category has the place {max(places)} in a row of {width}")


OPERATIONS = {
    "lookup": Operation(lookup_array, lookup_pure),
    "onehot": Operation(onehot_array, onehot_pure),
}
