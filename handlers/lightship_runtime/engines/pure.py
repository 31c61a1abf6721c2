"""The `pure` engine: a program evaluated row by row with the standard library alone."""

from collections.abc import Sequence
from os import PathLike
from typing import Any

from lightship_runtime.contract import Contract
from lightship_runtime.engine import Outputs, RefusedRowsError, Values
from lightship_runtime.program.format import Program, open_program
from lightship_runtime.program.operations import Step, impure_operations, pure_steps
from lightship_runtime.program.outputs import checked_program

__all__ = ["PureEngine", "impure_operations", "open_engine"]


class PureEngine:
    """A program behind the engine protocol. Every output is a list."""

    name = "pure"

    def __init__(self, program: Program, contract: Contract) -> None:
        """Raises NotPureError when an operation has no pure form (see `impure_operations`)."""
        self._steps = [
            (step, node.inputs[0].position, None if len(node.inputs) == 1 else [i.position for i in node.inputs])
            for node, step in zip(program.nodes[1:], pure_steps(program), strict=True)
        ]
        self._places = {name: node.position for name, node in program.outputs.items()}
        task, width = contract.output.task, contract.output.width
        self._integers = task not in {"regression", "transform"}
        self._rows = width > 0 or task in {"multilabel", "transform"}

    def predict(self, columns: Sequence[Values]) -> Outputs:
        """Raises RefusedRowsError naming every row that the original model would raise an error for."""
        lists = [column.tolist() if hasattr(column, "tolist") else column for column in columns]
        results = []
        refused: dict[int, str] = {}
        for i, row in enumerate(zip(*lists, strict=True)):
            try:
                results.append(_evaluate(self._steps, row))
            except RefusedRowsError as error:
                refused[i] = error.reason
        if refused:
            raise RefusedRowsError(next(iter(refused.values())), list(refused))
        return self._outputs(results)

    def _outputs(self, results: Sequence[Sequence[Any]]) -> Outputs:
        predictions: list[Any] = [values[self._places["predictions"]] for values in results]
        if self._integers:
            predictions = [[int(x) for x in row] for row in predictions]
        if not self._rows:
            predictions = [row[0] for row in predictions]
        probabilities = scores = None
        if "probabilities" in self._places:
            probabilities = [values[self._places["probabilities"]] for values in results]
        if "scores" in self._places:
            found = [values[self._places["scores"]] for values in results]
            scores = [row[0] for row in found] if len(found[0]) == 1 else found
        return Outputs(predictions, probabilities, scores)


def _evaluate(steps: Sequence[tuple[Step, int, list[int] | None]], row: Sequence[Any]) -> list[Any]:
    """The value of every node for one row."""
    values: list[Any] = [row]
    for step, first, others in steps:
        values.append(step(values[first]) if others is None else step(*[values[i] for i in others]))
    return values


def open_engine(folder: str | PathLike[str], contract: Contract) -> PureEngine:
    """Raises InvalidProgramError, UnknownSchemaError, or NotPureError."""
    return PureEngine(checked_program(open_program(folder), contract), contract)
