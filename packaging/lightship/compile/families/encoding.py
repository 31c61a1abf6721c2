"""One-hot and ordinal encoding.

The codes are read from the fitted encoder itself, by transforming its own categories and a value it never saw, so that
dropped, infrequent and missing categories come out as it means them.
"""

import copy
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lightship.compile.context import Context
from lightship.compile.errors import UnsupportedModelError
from lightship.compile.registry import Lowering, lowers
from lightship.compile.scalars import is_nan, json_scalar
from lightship.compile.values import RawColumn, Value
from lightship_runtime.program.numerics import Array

UNSEEN_TEXT = "\0 a category that no encoder was fitted on"
EXACT_INTEGERS = 1 << 53


@dataclass(frozen=True, slots=True)
class Codes:
    """One column: the code of each of `categories`, and of a value it doesn't have (None where it is refused)."""

    categories: Sequence[Any]
    codes: Sequence[float]
    unseen: float | None


def encode(c: Context, model: Any, x: Value, op: str, columns: Sequence[Codes], width: int) -> Value:
    """Emit `categories.onehot` or `categories.lookup` of x."""
    x = comparable(c, model, x, columns)
    tables: list[list[Any]] = []
    flat: list[float] = []
    strict: list[int] = []
    strict_missing: list[int] = []
    for place, codes in enumerate(columns):
        column = x.columns[place] if x.kind == "raw" else RawColumn("number", x.dtype)
        known, missing = _split(model, codes, column)
        other = missing if column.categories is not None else codes.unseen
        tables.append([json_scalar(model, value) for value, _ in known])
        flat += [code for _, code in known] + [0.0 if missing is None else missing, 0.0 if other is None else other]
        if other is None:
            strict.append(place)
        if missing is None:
            strict_missing.append(place)
    params = {"tables": tables, "strict": strict, "strict_missing": strict_missing}
    dtype = np.int32 if op == "categories.onehot" else np.float64
    return c.emit(op, [x], width=width, params=params, arrays={"codes": np.array(flat, dtype=dtype)})


def encode_some(c: Context, model: Any, x: Value, columns: Mapping[int, Codes]) -> Value:
    """x in double precision with the columns at these places looked up, and the others as numbers."""
    if not columns:
        return c.doubles(x)
    coded = sorted(columns)
    numbers = [place for place in range(x.width) if place not in columns]
    picked = c.pick(x, coded)
    parts = [encode(c, model, picked, "categories.lookup", [columns[place] for place in coded], len(coded))]
    if numbers:
        parts.append(c.doubles(c.pick(x, numbers)))
    return c.pick(c.concat(parts), np.argsort([*coded, *numbers]).tolist())


def comparable(c: Context, model: Any, x: Value, columns: Sequence[Codes]) -> Value:
    """x with values that can be looked up as they are."""
    if x.kind == "sparse" or x.stored_sparse:
        raise UnsupportedModelError(model, "it would get a sparse matrix")
    if x.kind == "raw":
        if any(column.type == "datetime" for column in x.columns):
            raise UnsupportedModelError(model, "it encodes a column of dates")
        if any(column.dtype == "float32" for column in x.columns):
            x = c.dense(x)
        elif any(
            column.categories is not None and not set(column.categories) <= set(codes.categories)
            for column, codes in zip(x.columns, columns, strict=True)
        ):
            return c.known(x)
    if x.kind == "dense":
        for codes in columns:
            if any(
                isinstance(value, int | np.integer) and abs(int(value)) > EXACT_INTEGERS for value in codes.categories
            ):
                raise UnsupportedModelError(model, "it encodes integers beyond 2**53 that became floats")
    return x


def _split(model: Any, codes: Codes, column: RawColumn) -> tuple[list[tuple[Any, float]], float | None]:
    """The categories that are values with their codes, and the code of the column's missing value."""
    missing = codes.unseen
    known = []
    for value, code in zip(codes.categories, codes.codes, strict=True):
        if value is None or is_nan(value):
            if column.shown_missing == ("none" if value is None else "nan"):
                missing = code
        else:
            known.append((value, float(code)))
    if len({value for value, _ in known}) != len(known):
        raise UnsupportedModelError(model, "two of its categories are equal")
    return known, None if missing is None else float(missing)


def probe(model: Any, *, unseen: bool) -> Any:
    """A frame with all categories of every column (shorter ones repeat their first), then a row of unseen values."""
    import pandas as pd

    rows = max(len(values) for values in model.categories_)
    names = getattr(model, "feature_names_in_", range(len(model.categories_)))
    series = {}
    for name, values in zip(names, model.categories_, strict=True):
        column: list[Any] = [*values, *[values[0]] * (rows - len(values))]
        if unseen:
            column.append(_unseen_value(model, values))
        numeric = values.dtype.kind in "iuf"
        series[name] = (
            pd.Series(np.array(column, dtype=np.float64 if values.dtype.kind == "f" else None))
            if numeric
            else pd.Series(_objects(column), dtype=object)
        )
    return pd.DataFrame(series)


def _objects(values: Sequence[Any]) -> Array:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _unseen_value(model: Any, values: Array) -> Any:
    if values.dtype.kind == "f":
        finite = values[np.isfinite(values)]
        return float(finite.max()) * 2 + 1 if len(finite) and finite.max() > 0 else 1.0
    if values.dtype.kind in "iu":
        return next(number for number in range(len(values) + 1) if number not in set(values.tolist()))
    if values.dtype.kind in "OU" and any(isinstance(value, str) for value in values):
        return UNSEEN_TEXT
    if values.dtype.kind in "Ob":
        return 1e300
    raise UnsupportedModelError(model, f"it has categories of dtype {values.dtype}")


def quiet_transform(model: Any, frame: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.transform(frame)


def without_output_config(model: Any) -> Any:
    """A shallow copy that gives arrays, whatever `set_output` said."""
    twin = copy.copy(model)
    twin.__dict__.pop("_sklearn_output_config", None)
    return twin


@lowers(
    "sklearn.preprocessing.OneHotEncoder",
    params="categories drop sparse_output dtype handle_unknown min_frequency max_categories feature_name_combiner",
)
class OneHotEncoderLowering(Lowering):
    """One place a category; what has no place leaves its columns zero."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        refuses = model.handle_unknown == "error"
        twin = without_output_config(model)
        twin.sparse_output = True
        encoded = quiet_transform(twin, probe(model, unseen=not refuses)).tocoo()
        starts = np.cumsum([0, *model._n_features_outs])
        places = np.full((encoded.shape[0], len(model.categories_)), -1)
        places[encoded.row, np.searchsorted(starts, encoded.col, side="right") - 1] = encoded.col
        columns = [
            Codes(values, places[: len(values), i].tolist(), None if refuses else int(places[-1, i]))
            for i, values in enumerate(model.categories_)
        ]
        value = encode(c, model, x, "categories.onehot", columns, int(starts[-1]))
        return typed(c, value, model.dtype, stored_sparse=bool(model.sparse_output))


@lowers(
    "sklearn.preprocessing.OrdinalEncoder",
    params="categories dtype handle_unknown unknown_value encoded_missing_value min_frequency max_categories",
)
class OrdinalEncoderLowering(Lowering):
    """The position among the categories, or what unknown and missing values were given."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        return typed(c, encode(c, model, x, "categories.lookup", ordinal_codes(model), x.width), model.dtype)


def ordinal_codes(model: Any) -> list[Codes]:
    refuses = model.handle_unknown == "error"
    encoded = np.asarray(
        quiet_transform(without_output_config(model), probe(model, unseen=not refuses)), dtype=np.float64
    )
    return [
        Codes(values, encoded[: len(values), i].tolist(), None if refuses else float(encoded[-1, i]))
        for i, values in enumerate(model.categories_)
    ]


def typed(c: Context, value: Value, dtype: Any, *, stored_sparse: bool = False) -> Value:
    """The value as scikit-learn holds it in `dtype`."""
    name = np.dtype(dtype).name
    if name == "float32":
        value = c.singles(value)
    elif np.dtype(dtype).kind not in "iub" and name != "float64":
        raise UnsupportedModelError(f"An encoder with dtype {name}", "only float64, float32 and integers are known")
    return Value(value.position, value.kind, value.width, name, stored_sparse=stored_sparse)
