"""More functions of one number under NumPy's names, with IEEE 754's answers where Python's raise an error."""

import math
from collections.abc import Callable

_INFINITY = float("inf")
_NAN = float("nan")

type Function = Callable[[float], float]


def _within(function: Function, low: float, high: float) -> Function:
    return lambda x: function(x) if low <= x <= high else _NAN


def _finite(function: Function) -> Function:
    """Of numbers that aren't infinite; the function of an infinity is not a number."""
    return lambda x: _NAN if math.isinf(x) else function(x)


def _rounded(function: Callable[[float], int]) -> Function:
    """Rounding to whole numbers, which keeps the sign of zero, infinity and NaN."""
    return lambda x: math.copysign(float(function(x)), x) if math.isfinite(x) else x


def _logarithm(function: Function) -> Function:
    return lambda x: function(x) if x > 0 else (-_INFINITY if x == 0 else _NAN)


def _sinh(x: float) -> float:
    try:
        return math.sinh(x)
    except OverflowError:
        return math.copysign(_INFINITY, x)


def _cosh(x: float) -> float:
    try:
        return math.cosh(x)
    except OverflowError:
        return _INFINITY


def _reciprocal(x: float) -> float:
    return 1.0 / x if x else math.copysign(_INFINITY, x)


def _sign(x: float) -> float:
    return x if x != x or x == 0 else math.copysign(1.0, x)  # noqa: PLR0124 - NaN


MORE_FUNCTIONS: dict[str, Function] = {
    "arccos": _within(math.acos, -1.0, 1.0),
    "arcsin": _within(math.asin, -1.0, 1.0),
    "arcsinh": math.asinh,
    "arctan": math.atan,
    "cbrt": math.cbrt,
    "ceil": _rounded(math.ceil),
    "cos": _finite(math.cos),
    "cosh": _cosh,
    "deg2rad": math.radians,
    "floor": _rounded(math.floor),
    "log10": _logarithm(math.log10),
    "log2": _logarithm(math.log2),
    "rad2deg": math.degrees,
    "reciprocal": _reciprocal,
    "rint": _rounded(round),
    "sign": _sign,
    "sin": _finite(math.sin),
    "sinh": _sinh,
    "tan": _finite(math.tan),
    "tanh": math.tanh,
    "trunc": _rounded(math.trunc),
}
