"""The `array` engine: a program evaluated with NumPy, many rows at once."""

from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np

from lightship_runtime.contract import Contract
from lightship_runtime.engine import Outputs, RefusedRowsError, Values
from lightship_runtime.program.format import Program, open_program
from lightship_runtime.program.numerics import Array
from lightship_runtime.program.operations import array_steps
from lightship_runtime.program.outputs import checked_program

MOST_ROWS = 4096
MOST_CELLS = 1 << 22
"""Rows times columns of the widest value evaluated at once: 32 MB."""


class ArrayEngine:
    """A program behind the engine protocol. Every output is an array."""

    name = "array"

    def __init__(self, program: Program, contract: Contract) -> None:
        self._steps = [
            (step, [source.position for source in node.inputs])
            for node, step in zip(program.nodes[1:], array_steps(program), strict=True)
        ]
        self._places = {name: node.position for name, node in program.outputs.items()}
        widest = max((node.width for node in program.nodes if node.kind == "dense"), default=1)
        self._chunk = max(1, min(MOST_ROWS, MOST_CELLS // max(widest, 1)))
        task, width = contract.output.task, contract.output.width
        self._integers = task not in {"regression", "transform"}
        self._rows = width > 0 or task in {"multilabel", "transform"}

    def predict(self, columns: Sequence[Values]) -> Outputs:
        """Raises RefusedRowsError naming rows that the original model would raise an error for."""
        count = len(columns[0])
        parts: list[dict[str, Array]] = []
        refused: dict[int, str] = {}
        for start in range(0, count, self._chunk):
            chunk: Any = columns
            if count > self._chunk:
                chunk = [column[start : start + self._chunk] for column in chunk]
            try:
                parts.append(self._evaluate(list(chunk)))
            except RefusedRowsError as error:
                refused.update((start + row, error.reason) for row in error.rows)
        if refused:
            raise RefusedRowsError(next(iter(refused.values())), list(refused))
        return self._outputs(
            parts[0] if len(parts) == 1 else {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        )

    def _evaluate(self, columns: list[Any]) -> dict[str, Array]:
        values: list[Any] = [columns]
        with np.errstate(all="ignore"):
            for step, places in self._steps:
                values.append(step(values[places[0]]) if len(places) == 1 else step(*[values[i] for i in places]))
        return {name: values[place] for name, place in self._places.items()}

    def _outputs(self, values: dict[str, Array]) -> Outputs:
        predictions = values["predictions"]
        if not self._rows:
            predictions = predictions[:, 0]
        predictions = predictions.astype(np.int64 if self._integers else np.float64, copy=False)
        scores = values.get("scores")
        if scores is not None and scores.shape[1] == 1:
            scores = scores[:, 0]
        return Outputs(predictions, values.get("probabilities"), scores)


def open_engine(folder: str | PathLike[str], contract: Contract) -> ArrayEngine:
    """Raises InvalidProgramError or UnknownSchemaError."""
    return ArrayEngine(checked_program(open_program(folder), contract), contract)
