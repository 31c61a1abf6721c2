"""FunctionTransformer over functions that are known."""

from typing import Any

from lightship.compile.context import Context
from lightship.compile.errors import UnsupportedModelError
from lightship.compile.registry import Lowering, lowers
from lightship.compile.values import Value


@lowers(
    "sklearn.preprocessing.FunctionTransformer",
    params="func inverse_func validate accept_sparse check_inverse feature_names_out kw_args inv_kw_args",
)
class FunctionTransformerLowering(Lowering):
    """Without a function it gives what it gets; a column transformer's passthrough is such a one."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        if model.func is not None:
            raise UnsupportedModelError(model, f"the function {model.func!r} is not known")
        return c.dense(x) if model.validate else x
