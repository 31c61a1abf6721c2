"""Transforms that give columns another distribution: powers and quantiles."""

from typing import Any

import numpy as np

from lightship.compile.context import Context
from lightship.compile.precision import in_doubles
from lightship.compile.registry import Lowering, lowers
from lightship.compile.values import Value

_BOUND = 1e-7


@lowers("sklearn.preprocessing.PowerTransformer", params="method standardize copy")
class PowerTransformerLowering(Lowering):
    """A power of each column, then scaling."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        op = {"yeo-johnson": "power.yeo_johnson", "box-cox": "power.box_cox"}[model.method]
        x = in_doubles(c, model, x)
        x = c.emit(op, [x], width=x.width, arrays={"exponents": np.asarray(model.lambdas_, dtype=np.float64)})
        return c.transform(model._scaler, x) if model.standardize else x


@lowers(
    "sklearn.preprocessing.QuantileTransformer",
    params="n_quantiles output_distribution ignore_implicit_zeros subsample random_state copy",
)
class QuantileTransformerLowering(Lowering):
    """Ranks among the quantiles; for the normal distribution its own quantile of each rank."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        arrays = {
            "quantiles": np.asarray(model.quantiles_.T, dtype=np.float64),
            "references": np.asarray(model.references_, dtype=np.float64),
        }
        if model.output_distribution == "normal":
            from scipy.stats import norm

            bound = _BOUND - np.spacing(1)
            arrays["limits"] = np.array([norm.ppf(bound), norm.ppf(1 - bound)])
        return c.emit("quantiles.rank", [in_doubles(c, model, x)], width=x.width, arrays=arrays)
