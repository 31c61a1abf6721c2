"""Kernels: what distances or products with stored points become, element by element."""

import math
from collections.abc import Callable

from lightship_runtime.program.format import InvalidProgramError, Node
from lightship_runtime.program.numerics import Array, Floats, np
from lightship_runtime.program.operations import Operation, Step


def power_array(node: Node) -> Step:
    """dense -> dense: every value to the power `exponent`."""
    power = node.param("exponent", float)
    return lambda dense: dense**power


def _half(distance: Array) -> Array:
    return np.exp(-distance)


def _three_halves(distance: Array) -> Array:
    scaled = distance * math.sqrt(3)
    return (1.0 + scaled) * np.exp(-scaled)


def _five_halves(distance: Array) -> Array:
    scaled = distance * math.sqrt(5)
    return (1.0 + scaled + scaled**2 / 3.0) * np.exp(-scaled)


_MATERN: dict[float, Callable[[Array], Array]] = {0.5: _half, 1.5: _three_halves, 2.5: _five_halves}


def matern_array(node: Node) -> Step:
    """dense -> dense: Matern's kernel of distances, for `nu` 0.5, 1.5 or 2.5 (Rasmussen and Williams, 4.2.1)."""
    nu = node.param("nu", float)
    if nu not in _MATERN:
        raise InvalidProgramError(f"Matern's kernel for nu = {nu} is not known")
    return _MATERN[nu]


def rational_array(node: Node) -> Step:
    """dense -> dense: (1 + squared distance / `scale`) to the power -`alpha`."""
    scale, alpha = node.param("scale", float), node.param("alpha", float)
    return lambda squared: (1 + squared / scale) ** -alpha


def periodic_array(node: Node) -> Step:
    """dense -> dense: exp(-2 (sin(pi distance / `period`) / `length`)**2)."""
    length, period = node.param("length", float), node.param("period", float)
    return lambda distance: np.exp(-2 * (np.sin(np.pi / period * distance) / length) ** 2)


def times_array(_: Node) -> Step:
    """Several dense of one width -> dense: their product, element by element."""

    def step(*parts: Floats) -> Floats:
        product = parts[0]
        for part in parts[1:]:
            product = product * part
        return product

    return step


def combine_array(node: Node) -> Step:
    """dense -> dense: the row times `weights` (inputs), or (inputs, width)."""
    inputs = node.inputs[0].width
    weights = node.block("weights").numpy()
    if weights.shape not in {(inputs,), (inputs, node.width)}:
        raise InvalidProgramError(f"weights of shape {weights.shape} for {inputs} values")

    def step(dense: Floats) -> Floats:
        product: Floats = dense @ weights
        return product.reshape(len(dense), -1)

    return step


def squares_array(_: Node) -> Step:
    """dense -> dense of width 1: the sum of the squares of a row."""
    return lambda dense: np.einsum("ij,ij->i", dense, dense)[:, None]


def center_array(node: Node) -> Step:
    """dense -> dense: each value less `means` (width) and the mean of its row, plus `mean` (1)."""
    means = node.block("means", shape=(node.width,)).numpy()
    mean = node.block("mean", shape=(1,)).numpy()
    return lambda dense: dense - means - (dense.sum(axis=1) / node.width)[:, None] + mean


def share_array(_: Node) -> Step:
    """dense -> dense: each row divided by its sum; a row of zeros becomes NaN."""
    return lambda dense: dense / dense.sum(axis=1, keepdims=True)


def chi2_array(node: Node) -> Step:
    """dense -> dense: minus the sum of (x - y)**2 / (x + y) for each of `points`; terms 0 / 0 count nothing."""
    points = node.block("points", shape=(node.width, node.inputs[0].width)).numpy()

    def step(dense: Floats) -> Floats:
        total = np.zeros((len(dense), len(points)))
        for i in range(points.shape[1]):
            x, y = dense[:, i, None], points[None, :, i]
            both = x + y
            total -= np.where(both == 0, 0.0, (x - y) ** 2 / np.where(both == 0, 1.0, both))
        return total

    return step


def latent_probability_array(node: Node) -> Step:
    """Two dense of width 1, mean and variance of a normal latent value -> dense of width 1: the mean of its logistic
    function, by five error functions (Williams and Barber 1998, appendix A): `scales`, `coefficients` (5)."""
    scales = node.block("scales", shape=(None,)).numpy()
    coefficients = node.block("coefficients", shape=(len(scales),)).numpy()
    erf = np.vectorize(math.erf, otypes=[float])

    def step(mean: Floats, variance: Floats) -> Floats:
        alpha = 1 / (2 * variance)
        gamma = scales * mean
        integrals = (
            np.sqrt(np.pi / alpha)
            * erf(gamma * np.sqrt(alpha / (alpha + scales**2)))
            / (2 * np.sqrt(variance * 2 * np.pi))
        )
        probability: Floats = (coefficients * integrals).sum(axis=1, keepdims=True) + 0.5 * coefficients.sum()
        return probability

    return step


OPERATIONS = {
    "power": Operation(power_array),
    "matern": Operation(matern_array),
    "rational": Operation(rational_array),
    "periodic": Operation(periodic_array),
    "times": Operation(times_array),
    "combine": Operation(combine_array),
    "squares": Operation(squares_array),
    "center": Operation(center_array),
    "share": Operation(share_array),
    "chi2": Operation(chi2_array),
    "latent_probability": Operation(latent_probability_array),
}
