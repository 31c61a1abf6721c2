"""Finds where a model's output jumps: the thresholds of its trees, seen from outside through any preprocessing.

Between two values of a column that are predicted differently, halving leads to two neighbouring floats. For a tree
they lie on either side of a threshold, which is where an evaluator that rounds or compares differently goes wrong.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lightship_runtime.contract import Column, Contract
from lightship_runtime.engine import Engine

GRID = 17
INTERVALS = 2
HALVINGS = 64

type Row = tuple[Any, ...]


def jump_rows(engine: Engine, contract: Contract, base: Row) -> list[Row]:
    """Rows that equal `base` but for one number, set just below and just above a jump of the output.

    At most INTERVALS jumps a column of numbers; 2 rows each. A model that refuses a row has no jumps here.
    """
    grids = {
        index: np.linspace(column.minimum or 0.0, column.maximum or 0.0, GRID)
        for index, column in enumerate(contract.columns)
        if column.type == "number" and _has_range(column)
    }
    intervals = [
        (index, low, high)
        for index, grid in grids.items()
        for low, high in _widest(grid, _answers(engine, [_with(base, index, value) for value in grid]))
    ]
    if not intervals:
        return []
    columns = [index for index, _, _ in intervals]
    low, high = (np.array([each[side] for each in intervals]) for side in (1, 2))
    at_low, at_high = (_answers(engine, _rows(base, columns, ends)) for ends in (low, high))
    for _ in range(HALVINGS):
        middle = low + (high - low) / 2
        inside = (middle > low) & (middle < high)
        if not inside.any():
            break
        at_middle = _answers(engine, _rows(base, columns, middle))
        left = (_apart(at_middle, at_low) >= _apart(at_high, at_middle)) & inside
        right = ~left & inside
        high, at_high = np.where(left, middle, high), np.where(left[:, None], at_middle, at_high)
        low, at_low = np.where(right, middle, low), np.where(right[:, None], at_middle, at_low)
    return [*_rows(base, columns, low), *_rows(base, columns, high)]


def _has_range(column: Column) -> bool:
    return column.minimum is not None and column.maximum is not None and column.minimum < column.maximum


def _widest(grid: Any, answers: Any) -> list[tuple[float, float]]:
    """The neighbouring grid values between which the output changes most."""
    changes = _apart(answers[1:], answers[:-1])
    order = np.argsort(-changes, kind="stable")[:INTERVALS]
    return [(float(grid[i]), float(grid[i + 1])) for i in order if changes[i] > 0]


def _answers(engine: Engine, rows: Sequence[Row]) -> Any:
    """What the engine says of each row, as a matrix of numbers."""
    outputs = engine.predict([list(values) for values in zip(*rows, strict=True)])
    values = outputs.probabilities if outputs.probabilities is not None else outputs.scores
    if values is None:
        values = outputs.predictions
    return np.asarray(values, dtype=np.float64).reshape(len(rows), -1)


def _apart(first: Any, second: Any) -> Any:
    return np.nan_to_num(np.abs(first - second)).max(axis=1)


def _rows(base: Row, columns: Sequence[int], values: Any) -> list[Row]:
    return [_with(base, index, value) for index, value in zip(columns, values, strict=True)]


def _with(base: Row, index: int, value: Any) -> Row:
    return (*base[:index], float(value), *base[index + 1 :])
