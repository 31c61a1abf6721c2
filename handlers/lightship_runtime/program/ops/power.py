"""Power transforms of single columns (Box and Cox 1964; Yeo and Johnson 2000), each column with its own exponent."""

from collections.abc import Callable
from math import expm1, log, log1p

from lightship_runtime.engine import RefusedRowsError
from lightship_runtime.program.format import Node
from lightship_runtime.program.numerics import Array, Floats, np
from lightship_runtime.program.operations import Operation, Step

_EPSILON = 2.0**-52
_SMALLEST_EXPONENT = 1e-19
_LARGEST_EXP = 709.78

type Function = Callable[[float], float]


def _expm1(x: float) -> float:
    try:
        return expm1(x)
    except OverflowError:
        return float("inf")


def _yeo_johnson(exponent: float) -> Function:
    other = 2 - exponent

    def positive(x: float) -> float:
        return log1p(x) if abs(exponent) < _EPSILON else _expm1(exponent * log1p(x)) / exponent

    def negative(x: float) -> float:
        return -log1p(-x) if abs(exponent - 2) <= _EPSILON else -_expm1(other * log1p(-x)) / other

    return lambda x: positive(x) if x >= 0 else negative(x)


def _box_cox(exponent: float) -> Function:
    def at(x: float) -> float:
        if x <= 0:
            raise RefusedRowsError("Box and Cox's transform takes positive numbers only")
        if abs(exponent) < _SMALLEST_EXPONENT:
            return log(x)
        power = exponent * log(x)
        if power < _LARGEST_EXP:
            return expm1(power) / exponent
        sign = 1.0 if exponent > 0 else -1.0
        return sign * (_expm1(power - log(abs(exponent))) + 1) - 1 / exponent

    return at


def _pure(function: Callable[[float], Function]) -> Callable[[Node], Step]:
    def build(node: Node) -> Step:
        """dense -> dense: `exponents` (width), one a column; NaN stays."""
        functions = [function(exponent) for exponent in node.block("exponents", shape=(node.width,)).items()]
        return lambda row: [x if x != x else at(x) for at, x in zip(functions, row, strict=True)]  # noqa: PLR0124 - NaN

    return build


def yeo_johnson_array(node: Node) -> Step:
    exponents = node.block("exponents", shape=(node.width,)).items()

    def step(dense: Floats) -> Floats:
        result = np.array(dense)
        for place, exponent in enumerate(exponents):
            column = dense[:, place]
            positive = column >= 0
            negative = ~positive
            result[positive, place] = _positive(column[positive], exponent)
            result[negative, place] = _negative(column[negative], exponent)
        return result

    return step


def _positive(x: Array, exponent: float) -> Array:
    grown: Array = np.log1p(x)
    return grown if abs(exponent) < _EPSILON else np.expm1(exponent * grown) / exponent


def _negative(x: Array, exponent: float) -> Array:
    grown: Array = np.log1p(-x)
    if abs(exponent - 2) <= _EPSILON:
        return -grown
    return -np.expm1((2 - exponent) * grown) / (2 - exponent)


def box_cox_array(node: Node) -> Step:
    exponents = node.block("exponents", shape=(node.width,)).items()

    def step(dense: Floats) -> Floats:
        refused = np.flatnonzero((dense <= 0).any(axis=1))
        if len(refused):
            raise RefusedRowsError("Box and Cox's transform takes positive numbers only", refused.tolist())
        return np.stack([_box_cox_column(dense[:, i], exponent) for i, exponent in enumerate(exponents)], axis=1)

    return step


def _box_cox_column(x: Array, exponent: float) -> Array:
    logarithm: Array = np.log(x)
    if abs(exponent) < _SMALLEST_EXPONENT:
        return logarithm
    power = exponent * logarithm
    usual = np.expm1(power) / exponent
    large = np.sign(exponent) * np.exp(power - np.log(abs(exponent))) - 1 / exponent
    return np.where(power < _LARGEST_EXP, usual, large) if (power >= _LARGEST_EXP).any() else usual


OPERATIONS = {
    "yeo_johnson": Operation(yeo_johnson_array, _pure(_yeo_johnson)),
    "box_cox": Operation(box_cox_array, _pure(_box_cox)),
}
