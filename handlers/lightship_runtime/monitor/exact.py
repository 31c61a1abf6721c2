"""Sums of floats that don't depend on the order or grouping of what was added.

A sum is a Python integer in units of 2**-1074, the smallest float, so adding is exact and sums of chunks give the very
sum of the whole.
"""

import numpy as np
from numpy.typing import NDArray

_UNIT = 1074
_HALF = 26
_MASK = (1 << _HALF) - 1


def exact_sum(values: NDArray[np.float64]) -> int:
    """The exact sum of finite floats, in units of 2**-1074."""
    fractions, exponents = np.frexp(values)
    mantissas = np.ldexp(fractions, 53).astype(np.int64)
    shifts = exponents.astype(np.int64) - 53 + _UNIT
    total = 0
    for shift in np.unique(shifts):
        chosen = mantissas[shifts == shift]
        part = (int((chosen >> _HALF).sum()) << _HALF) + int((chosen & _MASK).sum())
        total += part << int(shift) if shift >= 0 else part >> int(-shift)
    return total


def exact_mean(total: int, count: int) -> float:
    """The float nearest to an exact sum's mean over `count` values."""
    return total / (count << _UNIT)
