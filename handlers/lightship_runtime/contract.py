"""The contract: what a model takes and gives, from which everything at the edges is derived.

Standard library only, because every function reads it at its cold start. For the same reason the records here and in
the other modules on the way of a request are named tuples: importing `dataclasses` takes longer than all of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Self, get_args

from lightship_runtime.documents import dump_document, load_document
from lightship_runtime.errors import InvalidDocumentError

SCHEMA = 1

type ColumnType = Literal["number", "integer", "boolean", "category", "text", "datetime"]
type Task = Literal["binary", "multiclass", "multilabel", "regression", "outlier", "clustering", "transform"]
type Layout = Literal["frame", "matrix", "series"]
type Missing = Literal["nan", "none"]
type Scalar = str | int | float | bool

COLUMN_TYPES: tuple[str, ...] = get_args(ColumnType.__value__)
TASKS: tuple[str, ...] = get_args(Task.__value__)
LAYOUTS: tuple[str, ...] = get_args(Layout.__value__)


class Column(NamedTuple):
    """One input column.

    `dtype` is the NumPy or pandas dtype the model was shown (`float32`, `int64`, `object`, `str`, `category`, ...).
    `categories` are the values seen, in the model's own order for a pandas category, else sorted.
    `minimum` and `maximum` are the range seen; values outside are predicted and flagged, not refused.
    `missing` is what the model was shown for a missing value of an object column: encoders tell NaN from None.
    `closed` says that the model itself refuses a value outside `categories`, so that the contract does too.
    """

    name: str
    type: ColumnType
    dtype: str
    nullable: bool = False
    categories: tuple[Scalar, ...] | None = None
    minimum: float | int | None = None
    maximum: float | int | None = None
    missing: Missing = "nan"
    closed: bool = False


class Output(NamedTuple):
    """What a prediction is.

    `classes` are the labels with their JSON types, in the order of the model's own `classes_` (for multilabel, the
    names of the labels). `probabilities` says whether the model gives them. `width` is the number of values a
    prediction has: 0 for a single value, k for a row of k values (multi-output regression, transform, multilabel).
    `thresholds`, where the user set any, has one for each class or None (see `thresholds.ThresholdedEngine`).
    """

    task: Task
    classes: tuple[Scalar, ...] = ()
    probabilities: bool = False
    width: int = 0
    thresholds: tuple[float | None, ...] = ()


class Contract(NamedTuple):
    """The model's signature. `layout` is how the original model is fed: a DataFrame with these columns in this
    order, a two-dimensional array, or a one-dimensional series of the single column's values."""

    columns: tuple[Column, ...]
    output: Output
    layout: Layout = "frame"

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def positions(self) -> Mapping[str, int]:
        """Where each column stands, by name."""
        return {name: index for index, name in enumerate(self.names)}

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, with the schema version."""
        return {
            "schema": SCHEMA,
            "layout": self.layout,
            "columns": [_without_none(column._asdict()) for column in self.columns],
            "output": self.output._asdict(),
        }

    def to_json(self) -> bytes:
        return dump_document(self.to_dict())

    @classmethod
    def from_json(cls, data: bytes | str) -> Self:
        """Raises InvalidDocumentError or UnknownSchemaError."""
        document = load_document(data, what="The contract", schema=SCHEMA)
        try:
            output = document["output"]
            contract = cls(
                columns=tuple(_column(column) for column in document["columns"]),
                output=Output(
                    **{**output, "classes": tuple(output["classes"]), "thresholds": tuple(output["thresholds"])}
                ),
                layout=document["layout"],
            )
        except (KeyError, TypeError) as error:
            raise InvalidDocumentError(
                f"The contract lacks or misnames a key ({error}). Package the model again."
            ) from error
        _check("task", contract.output.task, TASKS)
        _check("layout", contract.layout, LAYOUTS)
        for column in contract.columns:
            _check("column type", column.type, COLUMN_TYPES)
        return contract


def _column(document: Mapping[str, Any]) -> Column:
    categories = document.get("categories")
    return Column(**{**document, "categories": None if categories is None else tuple(categories)})


def _check(what: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise InvalidDocumentError(
            f"The contract has the {what} {value!r}; known are {', '.join(known)}. Package the model again."
        )


def _without_none(document: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if value is not None}
