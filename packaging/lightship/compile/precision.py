"""Where an original computes in single precision and its rounding can't be followed, compiling refuses."""

from typing import Any

from lightship.compile.context import Context
from lightship.compile.errors import UnsupportedModelError
from lightship.compile.values import Value


def in_doubles(c: Context, model: Any, x: Value) -> Value:
    """Dense float64. Raises UnsupportedModelError where scikit-learn would compute in float32 or keep it sparse."""
    x = unsparse(c, model, x)
    if x.is_single:
        raise UnsupportedModelError(model, "given float32 it computes in single precision")
    return c.doubles(x)


def unsparse(c: Context, model: Any, x: Value) -> Value:
    """Dense numbers. Raises UnsupportedModelError where scikit-learn would hold a sparse matrix."""
    if x.kind == "sparse" or x.stored_sparse:
        raise UnsupportedModelError(model, "it would get a sparse matrix")
    return c.dense(x)
