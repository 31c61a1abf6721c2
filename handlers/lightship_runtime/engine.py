"""What evaluates a model: one small protocol, so that other engines can join."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

from lightship_runtime.errors import LightshipError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


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
    """A list, a NumPy array or a `Distinct`, as far as anybody but an engine needs to know."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Any: ...
    def __iter__(self) -> Iterator[Any]: ...


class Distinct:
    """n values told by their distinct ones: `values[places]`. What is done to a value is then done once for each.

    To who doesn't know it, a NumPy array of objects. Some of `values` may be in no row.
    """

    __slots__ = ("places", "values")

    def __init__(self, values: Sequence[Any], places: "NDArray[np.integer[Any]]") -> None:
        self.values = values
        self.places = places

    @classmethod
    def of(cls, values: "NDArray[Any]") -> Self:
        """Of an array that isn't of objects."""
        import numpy as np

        found, places = np.unique(values, return_inverse=True)
        return cls(found.tolist(), places)

    def __len__(self) -> int:
        return len(self.places)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.tolist())

    def __getitem__(self, index: Any) -> Any:
        """One value, or the chosen ones: as an array where they are fewer than the distinct ones."""
        chosen = self.places[index]
        if not chosen.ndim:
            return self.values[int(chosen)]
        found = Distinct(self.values, chosen)
        return found if len(self.values) <= len(chosen) else found.__array__()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> "NDArray[Any]":
        import numpy as np

        del copy  # always one
        values = np.empty(len(self.values), dtype=object)
        values[:] = self.values
        return self.spread(values).astype(dtype or object, copy=False)

    def tolist(self) -> list[Any]:
        found: list[Any] = self.__array__().tolist()
        return found

    def map(self, function: Callable[[Any], Any]) -> "Distinct":
        """With `function` of every value."""
        return Distinct(list(map(function, self.values)), self.places)

    def spread[T: "np.generic"](self, found: "NDArray[T]") -> "NDArray[T]":
        """What was found of each distinct value, for all n."""
        spread: NDArray[T] = found[self.places]
        return spread


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
    is a list of validated Python values (None for missing), a one-dimensional NumPy array (NaN or None for missing),
    or of texts a `Distinct`. It raises RefusedRowsError for rows that the original model raises an error for.
    """

    @property
    def name(self) -> str: ...

    def predict(self, columns: Sequence[Values]) -> Outputs: ...
