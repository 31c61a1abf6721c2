"""Links computed in float32 step by step, as XGBoost computes them.

The exponential is the float function of the C library on Linux, to the bit where its double arithmetic isn't fused:
exp(x) = 2**(k/32) * 2**(r/32) with k an integer and |r| <= 1/2, the second factor by a cubic polynomial. The
coefficients are those of Arm's optimized routines, which glibc has had since 2.27
(sysdeps/ieee754/flt-32/e_exp2f_data.c).
"""

import math

from lightship_runtime.program.format import Node
from lightship_runtime.program.numerics import Array, Floats, np
from lightship_runtime.program.operations import Operation, Step
from lightship_runtime.program.ops.columns import single

_LARGEST = 88.7
"""What XGBoost lets into the exponential function of its sigmoid, just short of float32's range."""
_STEPS = 32
_SCALE = float.fromhex("0x1.71547652b82fep+0") * _STEPS
_CUBIC = float.fromhex("0x1.c6af84b912394p-5") / _STEPS**3
_SQUARE = float.fromhex("0x1.ebfce50fac4f3p-3") / _STEPS**2
_LINEAR = float.fromhex("0x1.62e42ff0c52d6p-1") / _STEPS
_POWERS = [2.0 ** (i / _STEPS) for i in range(_STEPS)]
_LEAST, _MOST = -104.0, 89.0
"""Beyond these the exponential is 0 or infinite in float32."""


def _exp(x: float) -> float:
    """exp(x) before it is rounded to float32."""
    if not _LEAST < x < _MOST:
        return x if math.isnan(x) else 0.0 if x < 0 else math.inf
    z = _SCALE * x
    k = round(z)
    r = z - k
    factor = (_CUBIC * r + _SQUARE) * (r * r) + (_LINEAR * r + 1.0)
    return factor * math.ldexp(_POWERS[k % _STEPS], k // _STEPS)


def _exp_array(dense: Floats) -> Floats:
    """(n, k) float32"""
    x = np.clip(dense.astype(np.float64), _LEAST, _MOST)
    z = _SCALE * x
    k = np.rint(np.where(np.isnan(z), 0.0, z))
    r = z - k
    factor = (_CUBIC * r + _SQUARE) * (r * r) + (_LINEAR * r + 1.0)
    powers = np.array(_POWERS)[k.astype(np.int64) % _STEPS]
    scaled: Floats = np.ldexp(factor * powers, k.astype(np.int64) // _STEPS)
    return scaled.astype(np.float32)


def sigmoid_pure(_: Node) -> Step:
    """dense -> dense: 1 / (1 + exp(-x))"""

    def step(row: list[float]) -> list[float]:
        powers = single([_exp(min(-x, _LARGEST)) for x in row])
        return single([1.0 / total for total in single([power + 1.0 for power in powers])])

    return step


def sigmoid_array(_: Node) -> Step:
    def step(dense: Floats) -> Floats:
        negative = np.minimum(-dense.astype(np.float32), np.float32(_LARGEST))
        return np.float32(1) / (_exp_array(negative) + np.float32(1))

    return step


def exp_pure(_: Node) -> Step:
    """dense -> dense"""
    return lambda row: single([_exp(x) for x in row])


def exp_array(_: Node) -> Step:
    return _exp_array


def softmax_pure(_: Node) -> Step:
    """dense -> dense: the sum alone is held in double precision."""

    def step(row: list[float]) -> list[float]:
        top = max(row)
        powers = single([_exp(x) for x in single([x - top for x in row])])
        total = 0.0
        for power in powers:
            total += power
        (divisor,) = single([total])
        return single([power / divisor for power in powers])

    return step


def softmax_array(_: Node) -> Step:
    def step(dense: Floats) -> Array:
        narrow = dense.astype(np.float32)
        powers = _exp_array(narrow - narrow.max(axis=1, keepdims=True))
        total = np.add.accumulate(powers.astype(np.float64), axis=1)[:, -1:]
        return powers / total.astype(np.float32)

    return step


OPERATIONS = {
    "sigmoid": Operation(sigmoid_array, sigmoid_pure),
    "exp": Operation(exp_array, exp_pure),
    "softmax": Operation(softmax_array, softmax_pure),
}
