"""From what a caller sent to the columns an engine takes, by the contract alone."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from lightship_runtime.contract import Column, Contract
from lightship_runtime.problems import Fault, Problem

type Columns = list[list[Any]]

INT64 = range(-(2**63), 2**63)
SHOWN_CHARACTERS = 100


class Validator:
    """Checks rows against a contract. One is made at a function's start and serves every request."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._checks = tuple((column.name, column.nullable, check_for(column), column) for column in contract.columns)

    def columns(self, instances: object) -> Columns:
        """One list a contract column, None for missing.

        `instances` is a list of objects by column name, or of arrays in the contract's order.
        Raises Problem 422 with the row, the column, the value and what was expected.
        """
        rows = _rows(instances)
        faults: list[Fault] = []
        columns: Columns = [[] for _ in self._checks]
        for number, row in enumerate(rows):
            values = (
                self._named(row, number, faults) if isinstance(row, dict) else self._positional(row, number, faults)
            )
            for into, value in zip(columns, values, strict=False):
                into.append(value)
            if len(faults) >= Problem.FAULTS:
                break
        if faults:
            raise _refusal(faults)
        return columns

    def _named(self, row: dict[str, Any], number: int, faults: list[Fault]) -> list[Any]:
        values: list[Any] = []
        for name, nullable, check, column in self._checks:
            if name not in row:
                faults.append(Fault(number, name, None, "this column, which is missing"))
                continue
            value = row[name]
            if value is None:
                if not nullable:
                    faults.append(Fault(number, name, None, f"{expectation(column)}, not null"))
            else:
                try:
                    value = check(value)
                except (ValueError, TypeError, OverflowError):
                    faults.append(Fault(number, name, shown(value), expectation(column)))
            values.append(value)
        if len(row) > len(values):
            known = self._contract.positions
            faults.extend(
                Fault(
                    number, shown(name), shown(row[name]), f"only the columns {shown(', '.join(self._contract.names))}"
                )
                for name in row
                if name not in known
            )
        return values

    def _positional(self, row: object, number: int, faults: list[Fault]) -> list[Any]:
        names = self._contract.names
        if not isinstance(row, list):
            faults.append(Fault(number, None, shown(row), "an object of column names and values"))
            return []
        if len(row) != len(names):
            faults.append(
                Fault(number, None, f"{len(row)} values", f"{len(names)} values in the order of the contract")
            )
            return []
        return self._named(dict(zip(names, row, strict=True)), number, faults)


def _rows(instances: object) -> Sequence[object]:
    if not isinstance(instances, list):
        raise Problem(422, f'"instances" must be an array of rows, not {_kind(instances)}.')
    if not instances:
        raise Problem(422, '"instances" is empty; send at least one row.')
    return instances


def _refusal(faults: Sequence[Fault]) -> Problem:
    first = faults[0]
    where = f"row {first.row}" + (f", column {first.column!r}" if first.column is not None else "")
    detail = f"At {where}: expected {first.expected}, got {_described(first.value)}."
    more = len(faults) - 1
    return Problem(422, detail + (f" ({more} more in errors.)" if more else ""), tuple(faults[: Problem.FAULTS]))


def expectation(column: Column) -> str:
    """What a column takes, in words."""
    if column.closed and column.categories:
        listed = ", ".join(repr(shown(value)) for value in column.categories[:10])
        return f"one of {listed}" + (", …" if len(column.categories) > 10 else "")
    match column.type:
        case "number":
            return "a finite number"
        case "integer":
            return "an integer of 64 bits"
        case "boolean":
            return "true or false"
        case "datetime":
            return "a date and time in ISO 8601"
        case "category" if column.categories and not isinstance(column.categories[0], str):
            return "true or false" if isinstance(column.categories[0], bool) else "a number that names a category"
        case "category" | "text":
            return "a string"


def check_for(column: Column) -> Callable[[Any], Any]:
    check = _type_check_for(column)
    if not column.closed:
        return check
    known = frozenset(column.categories or ())

    def member(value: Any) -> Any:
        value = check(value)
        if value not in known:
            raise ValueError
        return value

    return member


def _type_check_for(column: Column) -> Callable[[Any], Any]:
    match column.type:
        case "number":
            return _number
        case "integer":
            return _integer
        case "boolean":
            return _boolean
        case "datetime":
            return _datetime
        case "category" if column.categories and not isinstance(column.categories[0], str):
            return _boolean if isinstance(column.categories[0], bool) else _number_as_is
        case "category" | "text":
            return _string


def _number(value: Any) -> float:
    number = float(_number_as_is(value))
    if not math.isfinite(number):
        raise ValueError
    return number


def _number_as_is(value: Any) -> int | float:
    if type(value) is float:
        if not math.isfinite(value):
            raise ValueError
        return value
    if type(value) is not int:
        raise TypeError
    return value


def _integer(value: Any) -> int:
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int:
        raise TypeError
    if value not in INT64:
        raise ValueError
    return value


def _boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise TypeError
    return value


def _string(value: Any) -> str:
    if type(value) is not str:
        raise TypeError
    # A lone surrogate passes as JSON but can't be written as UTF-8 again.
    value.encode()
    return value


def _datetime(value: Any) -> str:
    from datetime import datetime

    text = _string(value)
    datetime.fromisoformat(text)
    return text


def shown(value: Any) -> Any:
    """A value short enough, and of a kind fit, to be repeated in an answer."""
    if isinstance(value, str):
        clean = value.encode(errors="replace").decode()
        return clean if len(clean) <= SHOWN_CHARACTERS else clean[:SHOWN_CHARACTERS] + "…"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 64:
        return f"an integer of {value.bit_length()} bits"
    return _kind(value) if isinstance(value, (list, dict)) else value


def _described(value: Any) -> str:
    return "nothing" if value is None else repr(value)


def _kind(value: object) -> str:
    match value:
        case dict():
            return "an object"
        case list():
            return "an array"
        case str():
            return "a string"
        case None:
            return "null"
        case bool():
            return "a boolean"
        case _:
            return "a number"
