"""FunctionTransformer over functions that are known."""

from collections.abc import Callable
from typing import Any

import numpy as np

from lightship.compile.context import Context
from lightship.compile.errors import UnsupportedModelError
from lightship.compile.registry import Lowering, lowers
from lightship.compile.values import Value

_OF_INTEGERS_TOO = ("absolute", "ceil", "floor", "negative", "rint", "sign", "trunc")
_OF_FLOATS = ("fabs", "reciprocal", "square")
_TO_FLOATS = (
    *("arccos", "arcsin", "arcsinh", "arctan", "cbrt", "cos", "cosh", "deg2rad", "degrees", "exp", "exp2", "expm1"),
    *("log", "log10", "log1p", "log2", "rad2deg", "radians", "sin", "sinh", "sqrt", "tan", "tanh"),
)
_SAME = {"fabs": "absolute", "degrees": "rad2deg", "radians": "deg2rad"}
_WIDE_INTEGERS = {"int32", "int64", "uint32", "uint64"}


@lowers(
    "sklearn.preprocessing.FunctionTransformer",
    params="func inverse_func validate accept_sparse check_inverse feature_names_out kw_args inv_kw_args",
)
class FunctionTransformerLowering(Lowering):
    """Without a function it gives what it gets (a column transformer's passthrough is such a one); else a function of
    NumPy's or SciPy's of every number."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        if model.func is None:
            return c.dense(x) if model.validate else x
        name = _name(model, model.func, model.kw_args)
        if x.kind == "sparse" or x.stored_sparse:
            raise UnsupportedModelError(model, "it would get a sparse matrix")
        dtypes = {column.dtype for column in x.columns} if x.kind == "raw" else {x.dtype}
        _check_dtypes(model, name, dtypes)
        numbers = c.floats(x)
        c.single_precision |= numbers.is_single
        return c.apply(_SAME.get(name, name), numbers)

    def inverse_transform(self, c: Context, model: Any, x: Value) -> Value:
        """Of predicted values, which are floats."""
        if model.inverse_func is None:
            return x
        name = _name(model, model.inverse_func, model.inv_kw_args)
        numbers = c.floats(x)
        c.single_precision |= numbers.is_single
        return c.apply(_SAME.get(name, name), numbers)


def _name(model: Any, function: Any, arguments: Any) -> str:
    """Of the function, which must be the very one of NumPy or SciPy."""
    if arguments:
        raise UnsupportedModelError(model, f"its arguments {arguments!r} are not known")
    for name, known in _known():
        if function is known:
            return name
    raise UnsupportedModelError(model, f"the function {function!r} is not known")


def _known() -> list[tuple[str, Callable[..., Any]]]:
    from scipy import special

    names = (*_OF_INTEGERS_TOO, *_OF_FLOATS, *_TO_FLOATS)
    return [*((name, getattr(np, name)) for name in names), ("expit", special.expit), ("logit", special.logit)]


def _check_dtypes(model: Any, name: str, dtypes: set[str]) -> None:
    """NumPy computes in the dtype it is given: small integers in half precision, others with a wrap around."""
    if dtypes == {"float32"}:
        return
    allowed = {"float64"}
    if name in _TO_FLOATS:
        allowed |= _WIDE_INTEGERS
    elif name in _OF_INTEGERS_TOO:
        allowed |= {"int32", "int64"}
    if not dtypes <= allowed:
        raise UnsupportedModelError(model, f"{name} of {', '.join(sorted(dtypes))} is not known")
