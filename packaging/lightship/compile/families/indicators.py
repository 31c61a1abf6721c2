"""Flags that say where values are missing."""

from typing import Any

from lightship.compile.context import Context
from lightship.compile.errors import UnsupportedModelError
from lightship.compile.families.impute import _marker
from lightship.compile.registry import Lowering, lowers
from lightship.compile.values import Value


@lowers("sklearn.impute.MissingIndicator", params="missing_values features sparse error_on_new")
class MissingIndicatorLowering(Lowering):
    """One flag for each column that had missing values, or for each column."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        if x.kind == "sparse" or x.stored_sparse:
            raise UnsupportedModelError(model, "it would get a sparse matrix")
        if any(not column.is_numeric for column in x.columns):
            raise UnsupportedModelError(model, "it would get columns that aren't numbers")
        x = c.dense(x)
        features = [int(place) for place in model.features_]
        if not features:
            raise UnsupportedModelError(model, "it leaves no column")
        params: dict[str, Any] = {"columns": features}
        if (marker := _marker(model)) is not None:
            params["marker"] = marker
        if model.features == "missing-only" and model.error_on_new:
            params["refused"] = [place for place in range(x.width) if place not in features]
        return c.emit(
            "missing.indicate",
            [x],
            width=len(features),
            dtype="bool",
            params=params,
            stored_sparse=model.sparse is True,
        )
