"""Single values on their way into a program's JSON."""

import math
from typing import Any

import numpy as np

from lightship.compile.errors import UnsupportedModelError


def json_scalar(model: Any, value: Any) -> str | int | float | bool:
    """A text, an integer, a finite float or a boolean as Python's own. Raises UnsupportedModelError for others."""
    plain = value.item() if isinstance(value, np.generic) else value
    if type(plain) in {str, int, bool} or (type(plain) is float and math.isfinite(plain)):
        return plain  # type: ignore[no-any-return]
    raise UnsupportedModelError(model, f"it holds the value {value!r} of type {type(value).__name__}")


def is_nan(value: Any) -> bool:
    """A float NaN, NumPy's included."""
    return isinstance(value, float | np.floating) and math.isnan(value)
