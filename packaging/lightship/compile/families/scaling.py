"""The scalers that do arithmetic with one constant a column."""

from typing import Any

import numpy as np

from lightship.compile.context import Context
from lightship.compile.errors import UnsupportedModelError
from lightship.compile.registry import Lowering, lowers
from lightship.compile.values import Value


def divided(c: Context, x: Value, scale: Any) -> Value:
    """x / scale, as scikit-learn does it: a sparse matrix is multiplied by the reciprocal."""
    if x.stored_sparse or x.kind == "sparse":
        return c.with_constant("multiply", x, 1 / np.asarray(scale, dtype=np.float64))
    return c.with_constant("divide", x, scale)


def subtracted(c: Context, model: Any, x: Value, center: Any) -> Value:
    if x.stored_sparse or x.kind == "sparse":
        raise UnsupportedModelError(model, "it can't centre a sparse matrix")
    return c.with_constant("subtract", x, center)


def floats(c: Context, x: Value) -> Value:
    """Numbers; a sparse matrix stays one."""
    return x if x.kind == "sparse" else c.floats(x)


def clipped(c: Context, x: Value, low: float, high: float) -> Value:
    limits = {"low": float(low), "high": float(high)}
    return c.emit("scale.clip", [c.dense(x)], width=x.width, dtype=x.dtype, params=limits)


@lowers("sklearn.preprocessing.StandardScaler", params="copy with_mean with_std")
class StandardScalerLowering(Lowering):
    """(x - mean) / scale; in float32 the constants are rounded first."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        x = floats(c, x)
        dtype = np.dtype(x.dtype)
        if model.with_mean:
            x = subtracted(c, model, x, model.mean_.astype(dtype))
        if model.with_std:
            x = divided(c, x, model.scale_.astype(dtype))
        return x

    def inverse_transform(self, c: Context, model: Any, x: Value) -> Value:
        x = c.floats(x)
        dtype = np.dtype(x.dtype)
        if model.with_std:
            x = c.with_constant("multiply", x, model.scale_.astype(dtype))
        return c.with_constant("add", x, model.mean_.astype(dtype)) if model.with_mean else x


@lowers("sklearn.preprocessing.MinMaxScaler", params="feature_range copy clip")
class MinMaxScalerLowering(Lowering):
    """x * scale + minimum, clipped to the range if so set."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        x = c.with_constant("multiply", c.floats(x), model.scale_)
        x = c.with_constant("add", x, model.min_)
        return clipped(c, x, *model.feature_range) if model.clip else x

    def inverse_transform(self, c: Context, model: Any, x: Value) -> Value:
        return c.with_constant("divide", c.with_constant("subtract", c.floats(x), model.min_), model.scale_)


@lowers("sklearn.preprocessing.MaxAbsScaler", params="copy clip")
class MaxAbsScalerLowering(Lowering):
    """x / scale"""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        x = divided(c, floats(c, x), model.scale_)
        return clipped(c, x, -1.0, 1.0) if getattr(model, "clip", False) else x

    def inverse_transform(self, c: Context, model: Any, x: Value) -> Value:
        return c.with_constant("multiply", c.floats(x), model.scale_)


@lowers("sklearn.preprocessing.RobustScaler", params="with_centering with_scaling quantile_range copy unit_variance")
class RobustScalerLowering(Lowering):
    """(x - median) / range"""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        x = floats(c, x)
        if model.with_centering:
            x = subtracted(c, model, x, model.center_)
        return divided(c, x, model.scale_) if model.with_scaling else x

    def inverse_transform(self, c: Context, model: Any, x: Value) -> Value:
        x = c.floats(x)
        if model.with_scaling:
            x = c.with_constant("multiply", x, model.scale_)
        return c.with_constant("add", x, model.center_) if model.with_centering else x
