"""Rows for a model's baseline: of the sample, or of another frame, as the contract has them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lightship.columns import infer_column
from lightship.describe import MAX_CATEGORIES, Described
from lightship.monitoring.errors import BaselineError
from lightship_runtime.contract import Column, Contract
from lightship_runtime.validation import check_for, expectation

_LABEL = "label"


@dataclass(frozen=True)
class Rows:
    """Rows for a baseline: one list a contract column; labels in the same order. None is missing or unknown."""

    columns: list[list[Any]]
    labels: list[Any] | None

    def __len__(self) -> int:
        return len(self.columns[0])

    def thinned(self, most: int) -> "Rows":
        """At most that many of the rows, evenly spaced."""
        if len(self) <= most:
            return self
        return self.at(np.linspace(0, len(self) - 1, most).round().astype(int).tolist())

    def finite(self) -> "Rows":
        """The rows without infinities, which no request can carry."""
        bad = {row for values in self.columns for row, value in enumerate(values) if _infinite(value)}
        return self.at([row for row in range(len(self)) if row not in bad]) if bad else self

    def at(self, places: Sequence[int]) -> "Rows":
        labels = self.labels
        return Rows(
            [[values[place] for place in places] for values in self.columns],
            None if labels is None else [labels[place] for place in places],
        )


def rows_of_sample(described: Described, labels: Any) -> Rows:
    """The sample's own rows. Several columns of labels, of several outputs, aren't used."""
    usable = labels is not None and getattr(labels, "ndim", 1) == 1
    return Rows(described.columns, _plain(labels) if usable else None)


def rows_of_frame(frame: pd.DataFrame, contract: Contract, label: str | None) -> Rows:
    """The rows of another frame, each as a request would be checked. Other columns are ignored.

    `label` names the column of labels; without it, one called "label" that is no input is taken.
    Raises BaselineError for what the contract refuses, and for a label that isn't there.
    """
    absent = [name for name in contract.names if name not in frame.columns]
    if absent:
        raise BaselineError(
            f"The baseline lacks the column {absent[0]!r} that the model takes (it has "
            f"{', '.join(map(str, frame.columns[:20]))}). Give rows with all of the model's columns."
        )
    if label is not None and label not in frame.columns:
        raise BaselineError(
            f"The baseline has no column {label!r} for the labels. Its columns are "
            f"{', '.join(map(str, frame.columns[:20]))}."
        )
    if label is None and _LABEL in frame.columns and _LABEL not in contract.names:
        label = _LABEL
    columns = [_checked(column, frame[column.name]) for column in contract.columns]
    return Rows(columns, None if label is None else _plain(frame[label]))


def _checked(column: Column, series: "pd.Series[Any]") -> list[Any]:
    _, values = infer_column(column.name, series, MAX_CATEGORIES)
    check = check_for(column)
    checked: list[Any] = []
    for row, value in enumerate(values):
        if value is None:
            if not column.nullable:
                raise BaselineError(
                    f"The baseline's column {column.name!r} has no value in row {row}, but the sample has one in every "
                    "row, so that requests without it are refused. Leave such rows out, or have one in the sample."
                )
            checked.append(None)
            continue
        try:
            checked.append(check(value))
        except (ValueError, TypeError, OverflowError) as error:
            raise BaselineError(
                f"The baseline's column {column.name!r} has {value!r} in row {row}; the model takes "
                f"{expectation(column)}. Give rows as the model will see them."
            ) from error
    return checked


def _infinite(value: Any) -> bool:
    return isinstance(value, float) and value in (np.inf, -np.inf)


def _plain(labels: "pd.Series[Any]") -> list[Any]:
    return [None if gap else value for value, gap in zip(labels.tolist(), labels.isna(), strict=True)]
