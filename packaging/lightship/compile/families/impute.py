"""Filling in missing values with constants."""

import math
from typing import Any

import numpy as np

from lightship.compile.context import Context
from lightship.compile.errors import UnsupportedModelError
from lightship.compile.registry import Lowering, lowers
from lightship.compile.scalars import is_nan, json_scalar
from lightship.compile.values import RawColumn, Value


@lowers(
    "sklearn.impute.SimpleImputer",
    params="missing_values strategy fill_value copy add_indicator keep_empty_features",
)
class SimpleImputerLowering(Lowering):
    """`statistics_` in place of what is missing; columns without a statistic are left out; indicators follow."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        if x.kind == "sparse" or x.stored_sparse:
            raise UnsupportedModelError(model, "it would get a sparse matrix")
        kept = list(range(x.width))
        if not model.keep_empty_features:
            kept = [place for place in kept if not is_nan(model.statistics_[place])]
        if model._fit_dtype.kind == "O":
            filled, seen = self._fill_values(c, model, x, kept)
        else:
            filled, seen = self._fill_numbers(c, model, x, kept)
        if not model.add_indicator:
            return filled
        features = [int(place) for place in model.indicator_.features_]
        if not features:
            return filled
        params: dict[str, Any] = {"columns": features}
        if (marker := _marker(model)) is not None:
            params["marker"] = marker
        flags = c.emit("missing.indicate", [seen], width=len(features), dtype="bool", params=params)
        return c.concat([filled, flags])

    def _fill_numbers(self, c: Context, model: Any, x: Value, kept: list[int]) -> tuple[Value, Value]:
        dense = c.floats(x) if model.strategy in {"mean", "median"} else c.dense(x)
        marker = _marker(model)
        params = {}
        if marker is not None:
            params["marker"] = float(np.float32(marker)) if dense.is_single else float(marker)
        values = np.array([model.statistics_[place] for place in kept], dtype=np.float64)
        if dense.is_single:
            values = values.astype(np.float32).astype(np.float64)
        chosen = c.pick(dense, kept)
        filled = c.emit(
            "missing.fill", [chosen], width=len(kept), dtype=dense.dtype, params=params, arrays={"values": values}
        )
        return filled, dense

    def _fill_values(self, c: Context, model: Any, x: Value, kept: list[int]) -> tuple[Value, Value]:
        if x.kind != "raw":
            raise UnsupportedModelError(model, "it was fitted on objects and would get numbers")
        x = c.known(x)
        marker = _marker(model)
        if marker is None:
            shown = "none" if model.missing_values is None else "nan"
            if any(column.nullable and column.shown_missing != shown for column in x.columns):
                raise UnsupportedModelError(
                    model, f"missing_values={model.missing_values!r} isn't what the columns hold"
                )
        chosen = c.pick(x, kept)
        params: dict[str, Any] = {"fills": [json_scalar(model, model.statistics_[place]) for place in kept]}
        if marker is not None:
            params["marker"] = marker
        columns = tuple(RawColumn(column.type, "object", column.missing) for column in chosen.columns)
        filled = c.emit("values.fill", [chosen], kind="raw", width=len(kept), params=params, columns=columns)
        return filled, x


def _marker(model: Any) -> Any:
    """None for NaN and None, else the value that counts as missing."""
    missing = model.missing_values
    if missing is None or (isinstance(missing, float) and math.isnan(missing)):
        return None
    return json_scalar(model, missing)
