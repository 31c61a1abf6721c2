"""Gaussian processes, for their mean and their classes' probabilities."""

from typing import Any

import numpy as np
from sklearn.gaussian_process import _gpc

from lightship.compile.context import Context
from lightship.compile.errors import UnsupportedModelError
from lightship.compile.kernels import combined, covariance, own_covariance
from lightship.compile.precision import in_doubles
from lightship.compile.registry import Lowering, lowers
from lightship.compile.values import Value


@lowers(
    "sklearn.gaussian_process.GaussianProcessRegressor",
    params="kernel alpha optimizer n_restarts_optimizer normalize_y copy_X_train n_targets random_state",
)
class GaussianProcessRegressorLowering(Lowering):
    """The mean: weights of the training points times their covariances with x."""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        if not hasattr(model, "X_train_"):
            raise UnsupportedModelError(model, "it wasn't fitted")
        x = in_doubles(c, model, x)
        weights = np.asarray(model.alpha_, dtype=np.float64)
        mean = combined(c, covariance(c, model, model.kernel_, x, np.asarray(model.X_train_, np.float64)), weights)
        return c.with_constant("add", c.with_constant("multiply", mean, model._y_train_std), model._y_train_mean)


@lowers(
    "sklearn.gaussian_process.GaussianProcessClassifier",
    params="kernel optimizer n_restarts_optimizer max_iter_predict warm_start copy_X_train random_state multi_class"
    " n_jobs",
)
class GaussianProcessClassifierLowering(Lowering):
    """A process for two classes, or several of them one against the rest or one against one."""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        return c.predict(model.base_estimator_, in_doubles(c, model, x))

    def predict_proba(self, c: Context, model: Any, x: Value) -> Value:
        return c.predict_proba(model.base_estimator_, in_doubles(c, model, x))


@lowers(
    "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
    params="kernel optimizer n_restarts_optimizer max_iter_predict warm_start copy_X_train random_state",
)
class BinaryProcessLowering(Lowering):
    """Laplace's approximation (Rasmussen and Williams, algorithm 3.2)."""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        return c.above(self._mean(c, model, self._near(c, model, x)), 0.0)

    def predict_proba(self, c: Context, model: Any, x: Value) -> Value:
        near = self._near(c, model, x)
        solved = np.linalg.solve(np.tril(model.L_), np.diag(model.W_sr_))
        spread = c.emit("kernels.squares", [combined(c, near, np.ascontiguousarray(solved.T))], width=1)
        variance = c.average([own_covariance(c, model, model.kernel_, x), spread], [1.0, -1.0], 1.0)
        arrays = {"scales": _gpc.LAMBDAS.ravel(), "coefficients": _gpc.COEFS.ravel()}
        inputs = [self._mean(c, model, near), variance]
        return c.complement(c.emit("kernels.latent_probability", inputs, width=1, arrays=arrays))

    def _near(self, c: Context, model: Any, x: Value) -> Value:
        return covariance(c, model, model.kernel_, c.doubles(x), np.asarray(model.X_train_, dtype=np.float64))

    def _mean(self, c: Context, model: Any, near: Value) -> Value:
        return combined(c, near, model.y_train_ - model.pi_)
