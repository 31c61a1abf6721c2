"""Imputers that fill in from neighbours or by regressions on the other columns."""

from typing import Any

import numpy as np

from lightship.compile.context import Context
from lightship.compile.errors import UnsupportedModelError
from lightship.compile.precision import in_doubles
from lightship.compile.registry import Lowering, lowers
from lightship.compile.scalars import is_nan
from lightship.compile.values import Value


def with_flags(c: Context, model: Any, x: Value, filled: Value) -> Value:
    """The filled columns, and flags of the original's missing values behind them where the imputer adds them."""
    features = [int(place) for place in model.indicator_.features_] if model.add_indicator else []
    if not features:
        return filled
    flags = c.emit("missing.indicate", [x], width=len(features), dtype="bool", params={"columns": features})
    return c.concat([filled, flags])


@lowers(
    "sklearn.impute.KNNImputer",
    params="missing_values n_neighbors weights metric copy add_indicator keep_empty_features",
)
class KNNImputerLowering(Lowering):
    """The mean of the nearest rows that have the column."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        x = in_doubles(c, model, x)
        if not is_nan(model.missing_values) or not model._valid_mask.all():
            raise UnsupportedModelError(model, "it fills in other than NaN, or has a column without values")
        if model.metric != "nan_euclidean" or model.weights not in {"uniform", "distance"}:
            raise UnsupportedModelError(model, "its metric or its weights are not known")
        params = {
            "k": int(model.n_neighbors),
            "weights": model.weights,
            "columnwise": not model._fit_X.flags.c_contiguous,
        }
        filled = c.emit(
            "imputation.nearest",
            [x],
            width=x.width,
            params=params,
            arrays={"points": np.asarray(model._fit_X, dtype=np.float64)},
        )
        return with_flags(c, model, x, filled)


@lowers(
    "sklearn.impute.IterativeImputer",
    params="estimator missing_values sample_posterior max_iter tol n_nearest_features initial_strategy fill_value"
    " imputation_order skip_complete min_value max_value verbose random_state add_indicator keep_empty_features",
)
class IterativeImputerLowering(Lowering):
    """First a constant, then round after round each column's regression on the others."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        x = in_doubles(c, model, x)
        if not is_nan(model.missing_values) or model._is_empty_feature.any():
            raise UnsupportedModelError(model, "it fills in other than NaN, or has a column without values")
        if model.sample_posterior:
            raise UnsupportedModelError(model, "it draws at random")
        filled = c.doubles(c.transform(model.initial_imputer_, x))
        for column, others, estimator in model.imputation_sequence_ if model.n_iter_ else ():
            predicted = c.doubles(c.predict(estimator, c.pick(filled, others)))
            arrays = {
                "low": np.array([model._min_value[column]], dtype=np.float64),
                "high": np.array([model._max_value[column]], dtype=np.float64),
            }
            inputs = [filled, predicted, x]
            params = {"column": int(column)}
            filled = c.emit("imputation.replace", inputs, width=x.width, params=params, arrays=arrays)
        return with_flags(c, model, x, filled)
