"""Finds where a model's output jumps: the thresholds of its trees, seen from outside through any preprocessing.

Between two values of a column that are predicted differently, halving leads to two neighbouring floats. For a tree
they lie on either side of a threshold, which is where an evaluator that rounds or compares differently goes wrong.
"""

from collections.abc import Sequence
from itertools import batched
from typing import Any

import numpy as np

from lightship_runtime.contract import Column, Contract
from lightship_runtime.engine import Engine

GRID = 17
INTERVALS = 2
HALVINGS = 64
MOST_CELLS = 8_000_000
"""Values that the model is asked about at once: some 64 MB of references."""

type Row = tuple[Any, ...]


def jump_rows(engine: Engine, contract: Contract, bases: Sequence[Row]) -> list[Row]:
    """Rows that equal one of `bases` but for one number, set just below and just above a jump of the output.

    At most INTERVALS jumps a base and column of numbers; 2 rows each. As many are looked for at once as memory
    allows, since what asking the model costs is the call. A model that refuses a row has no jumps here.
    """
    at_once = max(1, MOST_CELLS // (GRID * len(contract.columns) ** 2))
    return [row for group in batched(bases, at_once) for row in _jumps_of(engine, contract, group)]


def _jumps_of(engine: Engine, contract: Contract, bases: Sequence[Row]) -> list[Row]:
    grids = {
        index: np.linspace(column.minimum or 0.0, column.maximum or 0.0, GRID)
        for index, column in enumerate(contract.columns)
        if column.type == "number" and _has_range(column)
    }
    lines = [(base, index) for base in bases for index in grids]
    if not lines:
        return []
    along = _answers(engine, [_with(base, index, value) for base, index in lines for value in grids[index]])
    intervals = [
        (line, low, high)
        for line, answers in zip(lines, np.split(along, len(lines)), strict=True)
        for low, high in _widest(grids[line[1]], answers)
    ]
    if not intervals:
        return []
    places = [place for place, _, _ in intervals]
    low, high = (np.array([each[side] for each in intervals]) for side in (1, 2))
    at_low, at_high = (_answers(engine, _rows(places, ends)) for ends in (low, high))
    for _ in range(HALVINGS):
        middle = low + (high - low) / 2
        inside = (middle > low) & (middle < high)
        if not inside.any():
            break
        at_middle = _answers(engine, _rows(places, middle))
        left = (_apart(at_middle, at_low) >= _apart(at_high, at_middle)) & inside
        right = ~left & inside
        high, at_high = np.where(left, middle, high), np.where(left[:, None], at_middle, at_high)
        low, at_low = np.where(right, middle, low), np.where(right[:, None], at_middle, at_low)
    return [*_rows(places, low), *_rows(places, high)]


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


def _rows(places: Sequence[tuple[Row, int]], values: Any) -> list[Row]:
    return [_with(base, index, value) for (base, index), value in zip(places, values, strict=True)]


def _with(base: Row, index: int, value: Any) -> Row:
    return (*base[:index], float(value), *base[index + 1 :])
