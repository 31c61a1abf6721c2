"""Raw values as the original model would see them, before they become numbers: known, cut to length, filled in."""

from collections.abc import Callable
from typing import Any

from lightship_runtime.engine import Distinct
from lightship_runtime.program.format import InvalidProgramError, Node
from lightship_runtime.program.numerics import Raw, np
from lightship_runtime.program.operations import Operation, Step

type Change = Callable[[Any], Any]


def _known(node: Node) -> list[Change]:
    """`known`: for each column the only values it can hold (others are missing), or null for any."""
    return [_only(values) if values is not None else _same for values in node.param("known", list)]


def _only(values: list[Any]) -> Change:
    held = {value: value for value in values}
    return held.get


def _cut(node: Node) -> list[Change]:
    """`lengths`: for each column the number of characters its fixed-width text holds."""
    return [_first(length) for length in node.param("lengths", list)]


def _first(length: int) -> Change:
    return lambda value: str(value)[:length]


def _fill(node: Node) -> list[Change]:
    """`fills`: for each column what a missing value becomes; `marker`: what counts as missing (null: None and NaN)."""
    marker = node.params.get("marker")
    return [_filled(fill, marker) for fill in node.param("fills", list)]


def _filled(fill: Any, marker: Any) -> Change:
    if marker is None:
        return lambda value: fill if absent(value) else value
    return lambda value: fill if value == marker else value


def absent(value: Any) -> bool:
    """None or NaN."""
    return value is None or value != value  # noqa: PLR0124 - only NaN differs from itself, and it may be a text


def _same(value: Any) -> Any:
    return value


def _pure(changes_of: Callable[[Node], list[Change]]) -> Callable[[Node], Step]:
    def build(node: Node) -> Step:
        changes = _checked(changes_of, node)
        return lambda row: [change(value) for change, value in zip(changes, row, strict=True)]

    return build


def _array(changes_of: Callable[[Node], list[Change]]) -> Callable[[Node], Step]:
    def build(node: Node) -> Step:
        changes = _checked(changes_of, node)

        def step(raw: Raw) -> Raw:
            return [
                column if change is _same else _changed(change, column)
                for change, column in zip(changes, raw, strict=True)
            ]

        return step

    return build


def _changed(change: Change, column: Any) -> list[Any] | Distinct:
    return column.map(change) if isinstance(column, Distinct) else list(map(change, plain(column)))


def plain(column: Any) -> list[Any]:
    """A column as a list of Python values."""
    if isinstance(column, list):
        return column
    values: list[Any] = np.asarray(column).tolist()
    return values


def _checked(changes_of: Callable[[Node], list[Change]], node: Node) -> list[Change]:
    changes = changes_of(node)
    if len(changes) != node.inputs[0].width or node.inputs[0].kind != "raw":
        raise InvalidProgramError(f"the operation {node.op!r} has {len(changes)} columns or reads no raw values")
    return changes


OPERATIONS = {
    "known": Operation(_array(_known), _pure(_known)),
    "cut": Operation(_array(_cut), _pure(_cut)),
    "fill": Operation(_array(_fill), _pure(_fill)),
}
