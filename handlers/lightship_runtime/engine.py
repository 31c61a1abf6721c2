"""What evaluates a model: one small protocol, so that other engines can join."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from lightship_runtime.errors import LightshipError


class RefusedRowsError(LightshipError):
    """The original model raises an error for these rows (positions in the call), and so does the engine.

    `status` is what an HTTP caller gets.
    """

    status = 422

    def __init__(self, reason: str, rows: Sequence[int] = (0,)) -> None:
        self.reason = reason
        self.rows = tuple(rows)
        shown = ", ".join(map(str, self.rows[:5])) + (", ..." if len(self.rows) > 5 else "")
        super().__init__(
            f"The model refuses {len(self.rows)} of the rows (at {shown}): {reason}. "
            "Correct or leave out those rows; or fit the model with a setting that accepts such values."
        )

    def reason_of(self, row: int) -> str:
        """Why this one of `rows` is refused."""
        del row
        return self.reason

    def expected_of(self, row: int) -> str:
        """What a caller is told to send in place of this row."""
        del row
        return "a row that the model takes"


class Values(Protocol):
    """A list or a NumPy array, as far as anybody but an engine needs to know."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Any: ...
    def __iter__(self) -> Iterator[Any]: ...


class Outputs(NamedTuple):
    """What an engine says of n rows. Every field is a list or a NumPy array of length n.

    `predictions`: for binary and multiclass the position of the label in `contract.output.classes`; for multilabel
    rows of 0 and 1; for outlier 1 or -1; for clustering the cluster's number; else floats, or rows of
    `contract.output.width` floats.
    `probabilities`: rows of floats in the order of the classes, or None when the model gives none.
    `scores`: the model's decision values (n, or rows of k) where it gives no probabilities but has a
    `decision_function`, or None. They prove equality and tell ties; callers don't see them.
    """

    predictions: Values
    probabilities: Values | None = None
    scores: Values | None = None


class Engine(Protocol):
    """Evaluates one model.

    `predict` takes one sequence a contract column, in the contract's order and all of one length n >= 1. A sequence
    is a list of validated Python values (None for missing) or a one-dimensional NumPy array (NaN or None for
    missing). It raises RefusedRowsError for rows that the original model raises an error for.
    """

    @property
    def name(self) -> str: ...

    def predict(self, columns: Sequence[Values]) -> Outputs: ...
