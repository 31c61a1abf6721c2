"""One column of a sample: its type, what it holds, and its values as JSON has them."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from lightship_runtime.contract import Column, ColumnType, Scalar
from lightship_runtime.errors import LightshipError


class ColumnError(LightshipError):
    """A column holds what no type of the contract describes."""


def infer_column(name: str, series: "pd.Series[Any]", max_categories: int) -> tuple[Column, list[Any]]:
    """The column, and its values as JSON has them with None for missing.

    Strings are a category where at most `max_categories` and half of the rows are distinct, else text.
    Raises ColumnError for mixed, nested or otherwise foreign values.
    """
    dtype = str(series.dtype)
    missing = series.isna().to_numpy(dtype=bool)
    nullable = bool(missing.any())
    present = series[~missing]
    if isinstance(series.dtype, pd.CategoricalDtype):
        categories = tuple(json_scalar(value, f"category of {name!r}") for value in series.cat.categories)
        values = _values(series, missing)
        return Column(name, "category", "category", nullable, categories), values
    kind = _kind(name, series, present)
    values = _values(series, missing)
    if kind == "datetime":
        return Column(name, kind, dtype, nullable), [None if v is None else pd.Timestamp(v).isoformat() for v in values]
    column = Column(name, kind, dtype, nullable, missing=_missing_value(series, missing))
    if kind in ("number", "integer"):
        return _with_range(column, values), values
    if kind == "text":
        distinct = sorted(set(present))
        if 0 < len(distinct) <= max_categories and len(distinct) <= max(len(present) / 2, 2):
            column = Column(name, "category", dtype, nullable, tuple(distinct), missing=column.missing)
    return column, values


def json_scalar(value: object, what: str) -> Scalar:
    """A NumPy or Python scalar as JSON has it. Raises ColumnError for anything else."""
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, bool | str | int) or (isinstance(plain, float) and math.isfinite(plain)):
        return plain
    raise ColumnError(f"The {what} is {value!r}, a {type(value).__name__}. Use strings, numbers or booleans.")


def _kind(name: str, series: "pd.Series[Any]", present: "pd.Series[Any]") -> ColumnType:
    types = pd.api.types
    if types.is_bool_dtype(series.dtype):
        return "boolean"
    if types.is_integer_dtype(series.dtype):
        return "integer"
    if types.is_float_dtype(series.dtype):
        return "number"
    if types.is_datetime64_any_dtype(series.dtype):
        return "datetime"
    found = {type(value.item() if isinstance(value, np.generic) else value) for value in present}
    for kinds, kind in _OBJECT_KINDS:
        if found <= kinds:
            return kind
    names = " and ".join(sorted(each.__name__ for each in found)[:4])
    raise ColumnError(
        f"The column {name!r} of the sample holds {names} (its dtype is {series.dtype}). "
        "Make it one of numbers, booleans, strings, dates or a pandas category, and fit the model on that."
    )


_OBJECT_KINDS: Sequence[tuple[set[type], ColumnType]] = (
    ({str}, "text"),
    ({bool}, "boolean"),
    ({int}, "integer"),
    ({int, float}, "number"),
)


def _values(series: "pd.Series[Any]", missing: Any) -> list[Any]:
    """Plain Python values. Infinity can't travel in JSON and counts as missing here; the golden rows leave it out."""
    values = series.tolist()
    for index in np.flatnonzero(missing):
        values[index] = None
    return [value.item() if isinstance(value, np.generic) else value for value in values]


def _with_range(column: Column, values: Sequence[Any]) -> Column:
    numbers = [value for value in values if value is not None and math.isfinite(value)]
    if not numbers:
        return column
    return Column(
        column.name,
        column.type,
        column.dtype,
        column.nullable,
        minimum=min(numbers),
        maximum=max(numbers),
        missing=column.missing,
    )


def _missing_value(series: "pd.Series[Any]", missing: Any) -> Any:
    if series.dtype != object or not missing.any():
        return "nan"
    return "none" if series[missing].iloc[0] is None else "nan"
