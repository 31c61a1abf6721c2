"""A block of rows on its way from a file to the engine."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from lightship_runtime.batch.columns import Checked, Checker, selected
from lightship_runtime.batch.records import Reject


@dataclass(frozen=True, slots=True)
class Block:
    """`rows` were read. `columns` (for the engine) and `kept` (Arrow, to pass through) hold those that are fit to be
    scored, `numbers` their row numbers; `rejects` are the others."""

    rows: int
    numbers: Any
    columns: list[Any]
    kept: list[pa.Array]
    rejects: list[Reject]

    def only(self, keep: Any, rejects: Sequence[Reject]) -> "Block":
        """The rows where `keep` is true, and these rejects."""
        return replace(
            self,
            numbers=self.numbers[keep],
            columns=[selected(column, keep) for column in self.columns],
            kept=[selected(array, keep) for array in self.kept],
            rejects=sorted(rejects, key=lambda each: each.row),
        )


def make_block(
    numbers: Any,
    checkers: Sequence[Checker],
    checked: Sequence[Checked],
    kept: Sequence[pa.Array],
    keys: Sequence[str],
    others: Sequence[Reject] = (),
) -> Block:
    """Part the rows into those that are fit and the rejects, each with its first fault in the contract's order.

    The first of `kept` are the keys, named by `keys`: a row without its key is rejected. `others` are rejects that
    have no place in the columns.
    """
    faults: dict[int, Reject] = {}
    for checker, column in zip(checkers, checked, strict=True):
        for place, value in column.faults.items():
            if place not in faults:
                expected = checker.expected if value is not None else f"{checker.expected}, not null"
                faults[place] = Reject(int(numbers[place]), checker.column.name, value, expected)
    for name, array in zip(keys, kept, strict=False):
        if array.null_count:
            for place in np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False)).tolist():
                faults.setdefault(place, Reject(int(numbers[place]), name, None, "a key"))
    rows = len(numbers) + len(others)
    block = Block(rows, numbers, [each.values for each in checked], list(kept), list(others))
    if not faults:
        return block
    keep = np.ones(len(numbers), dtype=bool)
    keep[list(faults)] = False
    return block.only(keep, [*faults.values(), *others])
