"""Support vector machines, computed in LIBSVM's own order with the C library's functions.

Votes of pairs of classes jump where a decision changes its sign, so that the last bit of a sum can be seen.
"""

import math
from collections.abc import Callable

from lightship_runtime.program.format import InvalidProgramError, Node
from lightship_runtime.program.numerics import Array, Floats, np
from lightship_runtime.program.operations import Operation, Step


def decide_array(node: Node) -> Step:
    """dense -> dense: the sums of `coefficients` (width, vectors) times the kernel of the row and each of `vectors`
    (vectors, inputs), one after the other, plus `offset` (width). `kernel` is linear, poly, rbf or sigmoid, with
    `gamma`, `coef0` and `degree`."""
    vectors = node.block("vectors", shape=(None, node.inputs[0].width)).numpy()
    coefficients = node.block("coefficients", shape=(node.width, len(vectors))).numpy()
    offset = node.block("offset", shape=(node.width,)).numpy()
    kernel = _kernel(node)

    def step(dense: Floats) -> Floats:
        near = kernel(np.ascontiguousarray(dense), vectors)
        sums = np.zeros((len(dense), node.width))
        if len(vectors):
            for i, weights in enumerate(coefficients):
                used = np.flatnonzero(weights)
                if len(used):
                    sums[:, i] = np.add.accumulate(near[:, used] * weights[used], axis=1)[:, -1]
        return sums + offset

    return step


def _kernel(node: Node) -> Callable[[Array, Array], Array]:
    gamma, coef0 = node.param("gamma", float), node.param("coef0", float)
    match node.param("kernel", str):
        case "linear":
            return _products
        case "rbf":
            return lambda rows, vectors: _each(math.exp, -gamma * _squares(rows, vectors))
        case "sigmoid":
            return lambda rows, vectors: _each(math.tanh, gamma * _products(rows, vectors) + coef0)
        case "poly":
            degree = node.param("degree", int)
            return lambda rows, vectors: _power(gamma * _products(rows, vectors) + coef0, degree)
        case kernel:
            raise InvalidProgramError(f"it has the unknown kernel {kernel!r}")


def _products(rows: Array, vectors: Array) -> Array:
    """Dot products, each by itself: a matrix product would add in another order."""
    products: Array = np.vecdot(rows[:, None, :], vectors[None, :, :])
    return products


def _squares(rows: Array, vectors: Array) -> Array:
    apart = rows[:, None, :] - vectors[None, :, :]
    squares: Array = np.vecdot(apart, apart)
    return squares


def _each(function: Callable[[float], float], values: Array) -> Array:
    return np.array(list(map(function, values.ravel().tolist())), dtype=np.float64).reshape(values.shape)


def _power(base: Array, exponent: int) -> Array:
    """By repeated squaring."""
    result = np.ones_like(base)
    while exponent > 0:
        if exponent % 2:
            result = result * base
        base = base * base
        exponent //= 2
    return result


OPERATIONS = {"decide": Operation(decide_array)}
