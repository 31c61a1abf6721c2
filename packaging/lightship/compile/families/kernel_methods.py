"""Kernel ridge regression, kernel maps and labels spread by kernels."""

from typing import Any

import numpy as np

from lightship.compile.context import Context
from lightship.compile.errors import UnsupportedModelError
from lightship.compile.kernels import combined, pairwise
from lightship.compile.precision import in_doubles, unsparse
from lightship.compile.registry import Lowering, lowers
from lightship.compile.values import Value

_SPREAD = "kernel gamma n_neighbors alpha max_iter tol n_jobs"


def _settings(model: Any) -> dict[str, Any]:
    return {name: getattr(model, name) for name in ("gamma", "degree", "coef0")}


@lowers("sklearn.kernel_ridge.KernelRidge", params="alpha kernel gamma degree coef0 kernel_params")
class KernelRidgeLowering(Lowering):
    """Dual coefficients times the kernel."""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        x = in_doubles(c, model, x)
        return combined(
            c, pairwise(c, model, x, _dense(model, model.X_fit_), model.kernel, _settings(model)), model.dual_coef_
        )


def _dense(model: Any, points: Any) -> Any:
    if hasattr(points, "toarray"):
        raise UnsupportedModelError(model, "it was fitted on a sparse matrix")
    return points


@lowers(
    "sklearn.kernel_approximation.Nystroem",
    params="kernel gamma coef0 degree kernel_params n_components random_state n_jobs",
)
class NystroemLowering(Lowering):
    """The kernel with the landmarks, made orthonormal."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        x = in_doubles(c, model, x)
        near = pairwise(c, model, x, _dense(model, model.components_), model.kernel, _settings(model))
        return c.product(near, np.asarray(model.normalization_, dtype=np.float64), 0.0)


@lowers("sklearn.kernel_approximation.RBFSampler", params="gamma n_components random_state")
class RBFSamplerLowering(Lowering):
    """Cosines of random projections."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        weights = np.asarray(model.random_weights_, dtype=np.float64).T
        projected = c.product(in_doubles(c, model, x), weights, model.random_offset_)
        return c.with_constant("multiply", c.apply("cos", projected), (2.0 / model.n_components) ** 0.5)


@lowers(
    "sklearn.decomposition.KernelPCA",
    params="n_components kernel gamma degree coef0 kernel_params alpha fit_inverse_transform eigen_solver tol max_iter"
    " iterated_power remove_zero_eig random_state copy_X n_jobs",
)
class KernelPCALowering(Lowering):
    """Components of the centred kernel."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        x = in_doubles(c, model, x)
        settings = {**_settings(model), "gamma": model.gamma_}
        near = pairwise(c, model, x, _dense(model, model.X_fit_), model.kernel, settings)
        kept = np.flatnonzero(model.eigenvalues_)
        weights = np.zeros_like(model.eigenvectors_)
        weights[:, kept] = model.eigenvectors_[:, kept] / np.sqrt(model.eigenvalues_[kept])
        return combined(c, c.transform(model._centerer, near), weights)


@lowers("sklearn.preprocessing.KernelCenterer", params="")
class KernelCentererLowering(Lowering):
    """Kernel values less the means of their row and column, plus the mean of all."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        arrays = {
            "means": np.asarray(model.K_fit_rows_, dtype=np.float64),
            "mean": np.array([model.K_fit_all_], dtype=np.float64),
        }
        return c.emit("kernels.center", [in_doubles(c, model, x)], width=x.width, arrays=arrays)


@lowers("sklearn.semi_supervised.LabelPropagation", "sklearn.semi_supervised.LabelSpreading", params=_SPREAD)
class LabelPropagationLowering(Lowering):
    """Label distributions of the training points, weighted by the kernel."""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        return c.argmax(self.predict_proba(c, model, x))

    def predict_proba(self, c: Context, model: Any, x: Value) -> Value:
        if model.kernel != "rbf":
            raise UnsupportedModelError(model, f"its kernel {model.kernel!r} is not known")
        x = in_doubles(c, model, unsparse(c, model, x))
        near = pairwise(c, model, x, _dense(model, model.X_), "rbf", {"gamma": model.gamma})
        weighed = combined(c, near, model.label_distributions_)
        return c.emit("kernels.share", [weighed], width=weighed.width)
