"""FunctionTransformer over functions that are known."""

from typing import Any

import numpy as np

from lightship.compile.context import Context
from lightship.compile.errors import UnsupportedModelError
from lightship.compile.registry import Lowering, lowers
from lightship.compile.values import Value

ELEMENTWISE = {
    np.abs: "absolute",
    np.exp: "exp",
    np.exp2: "exp2",
    np.expm1: "expm1",
    np.log: "log",
    np.log1p: "log1p",
    np.negative: "negative",
    np.sqrt: "sqrt",
    np.square: "square",
}
"""NumPy's functions that `links.apply` has."""


@lowers(
    "sklearn.preprocessing.FunctionTransformer",
    params="func inverse_func validate accept_sparse check_inverse feature_names_out kw_args inv_kw_args",
)
class FunctionTransformerLowering(Lowering):
    """Without a function it gives what it gets; a column transformer's passthrough is such a one."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        if model.validate:
            x = c.dense(x)
        return _applied(c, model, model.func, model.kw_args, x)

    def inverse_transform(self, c: Context, model: Any, x: Value) -> Value:
        return _applied(c, model, model.inverse_func, model.inv_kw_args, x)


def _applied(c: Context, model: Any, function: Any, arguments: Any, x: Value) -> Value:
    if function is None:
        return x
    known = next((name for each, name in ELEMENTWISE.items() if each is function), None)
    if known is None or arguments:
        raise UnsupportedModelError(model, f"the function {function!r} is not known")
    if x.kind == "sparse" or x.stored_sparse:
        raise UnsupportedModelError(model, "it would get a sparse matrix")
    return c.apply(known, c.floats(x))
