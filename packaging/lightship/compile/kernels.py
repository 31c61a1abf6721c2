"""Kernels between a row and stored points, as operations."""

from typing import Any

import numpy as np

from lightship.compile.context import Context
from lightship.compile.errors import UnsupportedModelError
from lightship.compile.values import Value
from lightship_runtime.program.numerics import Array


def squared(c: Context, x: Value, points: Array, method: str) -> Value:
    """Squared Euclidean distances; `method` as in `lightship_runtime.program.ops.distances`."""
    return c.emit(
        "distances.squared",
        [x],
        width=len(points),
        params={"method": method},
        arrays={"points": np.asarray(points, dtype=np.float64)},
    )


def times(c: Context, *parts: Value) -> Value:
    """The product, element by element."""
    return c.emit("kernels.times", parts, width=parts[0].width)


def combined(c: Context, x: Value, weights: Any) -> Value:
    """x times weights (inputs) or (inputs, outputs), by the product that the original uses for that shape."""
    weights = np.asarray(weights, dtype=np.float64)
    return c.emit(
        "kernels.combine", [x], width=weights.shape[1] if weights.ndim > 1 else 1, arrays={"weights": weights}
    )


def pairwise(c: Context, model: Any, x: Value, points: Any, metric: Any, settings: dict[str, Any]) -> Value:
    """As `sklearn.metrics.pairwise.pairwise_kernels(x, points)`; `settings` are gamma, degree and coef0, where set."""
    points = np.asarray(points, dtype=np.float64)
    gamma = settings.get("gamma")
    gamma = 1.0 / x.width if gamma is None else float(gamma)
    match metric:
        case "rbf":
            return c.apply("exp", c.with_constant("multiply", squared(c, x, points, "expanded"), -gamma))
        case "laplacian":
            return c.apply("exp", c.with_constant("multiply", minkowski(c, x, points, 1.0), -gamma))
        case "linear":
            return c.product(x, points, 0.0)
        case "poly" | "polynomial" | "sigmoid":
            products = c.with_constant("multiply", c.product(x, points, 0.0), gamma)
            coef0 = settings.get("coef0")
            shifted = c.with_constant("add", products, 1.0 if coef0 is None else float(coef0))
            if metric == "sigmoid":
                return c.apply("tanh", shifted)
            degree = settings.get("degree")
            return _power(c, shifted, 3.0 if degree is None else float(degree))
        case "cosine":
            length = np.sqrt(np.einsum("ij,ij->i", points, points))
            unit = points / np.where(length < 10 * np.finfo(float).eps, 1.0, length)[:, None]
            return c.product(c.emit("rows.normalize", [x], width=x.width, params={"norm": "l2"}), unit, 0.0)
        case "chi2":
            sums = c.emit("kernels.chi2", [x], width=len(points), arrays={"points": points})
            return c.apply("exp", c.with_constant("multiply", sums, 1.0 if settings.get("gamma") is None else gamma))
        case "additive_chi2":
            return c.emit("kernels.chi2", [x], width=len(points), arrays={"points": points})
        case _:
            raise UnsupportedModelError(model, f"the kernel {metric!r} is not known")


def minkowski(c: Context, x: Value, points: Array, p: float | None) -> Value:
    arrays = {"points": np.asarray(points, dtype=np.float64)}
    return c.emit("distances.minkowski", [x], width=len(points), params={"p": p}, arrays=arrays)


def _power(c: Context, x: Value, exponent: float) -> Value:
    return c.emit("kernels.power", [x], width=x.width, params={"exponent": exponent})


def covariance(c: Context, model: Any, kernel: Any, x: Value, points: Array) -> Value:
    """A Gaussian process's kernel between x and points (m, inputs): (n, m)."""
    _check_module(model, kernel)
    name = type(kernel).__name__
    match name:
        case "Sum":
            parts = [covariance(c, model, part, x, points) for part in (kernel.k1, kernel.k2)]
            return c.average(parts, [1.0, 1.0], 1.0)
        case "Product":
            return times(c, *[covariance(c, model, part, x, points) for part in (kernel.k1, kernel.k2)])
        case "Exponentiation":
            return _power(c, covariance(c, model, kernel.kernel, x, points), float(kernel.exponent))
        case "ConstantKernel":
            return c.constant(x, np.full(len(points), float(kernel.constant_value)))
        case "WhiteKernel":
            return c.constant(x, np.zeros(len(points)))
        case "DotProduct":
            return c.product(x, points, float(kernel.sigma_0) ** 2)
        case "PairwiseKernel":
            settings = {"gamma": kernel.gamma, **(kernel.pairwise_kernels_kwargs or {})}
            return pairwise(c, model, x, points, kernel.metric, settings)
        case "RBF" | "Matern" | "RationalQuadratic" | "ExpSineSquared":
            return _stationary(c, model, kernel, x, points)
        case _:
            raise UnsupportedModelError(model, f"its kernel {name} is not known")


def _stationary(c: Context, model: Any, kernel: Any, x: Value, points: Array) -> Value:
    name = type(kernel).__name__
    length = np.squeeze(np.asarray(kernel.length_scale, dtype=np.float64))
    if name in {"RBF", "Matern"}:
        near = squared(c, c.with_constant("divide", x, length), points / length, "direct")
        if name == "RBF" or kernel.nu == np.inf:
            if name == "Matern":
                near = times(c, *[c.apply("sqrt", near)] * 2)
            return c.apply("exp", c.with_constant("multiply", near, -0.5))
        if kernel.nu not in {0.5, 1.5, 2.5}:
            raise UnsupportedModelError(model, f"Matern's kernel for nu = {kernel.nu} needs Bessel functions")
        return c.emit("kernels.matern", [c.apply("sqrt", near)], width=near.width, params={"nu": float(kernel.nu)})
    near = squared(c, x, points, "direct")
    if name == "RationalQuadratic":
        params = {"scale": float(2 * kernel.alpha * length**2), "alpha": float(kernel.alpha)}
        return c.emit("kernels.rational", [near], width=near.width, params=params)
    params = {"length": float(length), "period": float(kernel.periodicity)}
    return c.emit("kernels.periodic", [c.apply("sqrt", near)], width=near.width, params=params)


def own_covariance(c: Context, model: Any, kernel: Any, x: Value) -> Value:
    """A Gaussian process's kernel of x with itself: (n, 1)."""
    _check_module(model, kernel)
    name = type(kernel).__name__
    match name:
        case "Sum":
            return c.average([own_covariance(c, model, part, x) for part in (kernel.k1, kernel.k2)], [1.0, 1.0], 1.0)
        case "Product":
            return times(c, *[own_covariance(c, model, part, x) for part in (kernel.k1, kernel.k2)])
        case "Exponentiation":
            return _power(c, own_covariance(c, model, kernel.kernel, x), float(kernel.exponent))
        case "ConstantKernel":
            return c.constant(x, [float(kernel.constant_value)])
        case "WhiteKernel":
            return c.constant(x, [float(kernel.noise_level)])
        case "DotProduct":
            squares = c.emit("kernels.squares", [x], width=1)
            return c.with_constant("add", squares, float(kernel.sigma_0) ** 2)
        case "RBF" | "Matern" | "RationalQuadratic" | "ExpSineSquared":
            return c.constant(x, [1.0])
        case _:
            raise UnsupportedModelError(model, f"its kernel {name} is not known")


def _check_module(model: Any, kernel: Any) -> None:
    if type(kernel).__module__ != "sklearn.gaussian_process.kernels":
        raise UnsupportedModelError(model, f"its kernel {type(kernel).__qualname__} is not known")
