"""Rows as an incident has them: real ones, with what went wrong upstream."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lightship.drill.incident import Change
from lightship_runtime.contract import Column, Contract

type Row = Mapping[str, Any]

NEW_CATEGORY = "introduced by the drill"
NEW_NUMBER = 987_654_321
# The share of rows that another mix of callers keeps: those that the model is least sure of.
LEAST_SURE = 0.3
KINDS = ("nulls", "new-category", "drift")


def changed(
    rows: Sequence[Row], change: Change, contract: Contract, *, hours: float = 0.0, sure: Sequence[float] = ()
) -> list[Row]:
    """The rows under a change, `hours` after it began. `sure` is how sure the model is of each row, where it says."""
    match change.kind:
        case "nulls":
            names = _columns(change, [each for each in contract.columns if each.nullable] or contract.columns[:1])
            return [{**row, **dict.fromkeys(names)} for row in rows]
        case "new-category":
            wanted = _columns(change, [each for each in contract.columns if each.type == "category"][:1])
            new = {name: _new(contract.columns[contract.positions[name]]) for name in wanted}
            return [{**row, **new} for row in rows]
        case "drift":
            ramp = min(1.0, hours / max(change.number("over_hours", 0.0), 1e-9))
            names = _columns(change, [each for each in contract.columns if each.type in ("number", "integer")][:3])
            if not names:
                return _narrowed(rows, ramp)
            moves = {name: change.number("deviations", 1.0) * ramp * _deviation(rows, name) for name in names}
            return [{**row, **{name: _moved(row[name], by) for name, by in moves.items()}} for row in rows]
        case "callers" if len(sure) == len(rows):
            # Another mix of callers: those rows of the usual ones that the model is least sure of.
            order = np.argsort(np.asarray(sure), kind="stable")
            kept = order[: max(1, round(change.number("kept", LEAST_SURE) * len(rows)))]
            return [rows[int(kept[place % len(kept)])] for place in range(len(rows))]
    return list(rows)


def applies(change: Change, contract: Contract) -> bool:
    """Whether the rows of this contract can be changed so: only a category can be new."""
    return change.kind != "new-category" or any(each.type == "category" for each in contract.columns)


def _narrowed(rows: Sequence[Row], share: float) -> list[Row]:
    """Without numbers to move: a growing share of the rows becomes like the half that sorts first."""
    half = sorted(rows, key=lambda row: str(list(row.values())))[: max(1, len(rows) // 2)]
    return [half[place % len(half)] if place < share * len(rows) else row for place, row in enumerate(rows)]


def _columns(change: Change, usual: Sequence[Column]) -> list[str]:
    named = change.options.get("columns")
    return list(named) if named else [each.name for each in usual]


def _new(column: Column) -> Any:
    known = column.categories or ()
    return NEW_NUMBER if known and all(isinstance(each, int) for each in known) else NEW_CATEGORY


def _deviation(rows: Sequence[Row], name: str) -> float:
    values = np.array([float(row[name]) for row in rows if _is_number(row[name])])
    spread = float(values.std()) if len(values) else 0.0
    return spread or 1.0


def _moved(value: Any, by: float) -> Any:
    if not _is_number(value):
        return value
    return value + round(by) if isinstance(value, int) else value + by


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
