"""Linear and quadratic discriminant analysis."""

from typing import Any

import numpy as np

from lightship.compile.context import Context
from lightship.compile.families.linear import LinearClassifierLowering
from lightship.compile.families.naive_bayes import squares
from lightship.compile.registry import Lowering, lowers
from lightship.compile.values import Value


@lowers(
    "sklearn.discriminant_analysis.LinearDiscriminantAnalysis",
    params="solver shrinkage priors n_components store_covariance tol covariance_estimator",
)
class LinearDiscriminantLowering(LinearClassifierLowering):
    """A linear classifier; it also projects."""

    def predict_proba(self, c: Context, model: Any, x: Value) -> Value:
        decision = self.decision_function(c, model, x)
        if decision.width == 1:
            return c.complement(c.apply("expit", decision))
        return c.softmax(decision)

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        weights = np.asarray(model.scalings_)[:, : model._max_components].T
        x = c.floats(x)
        if model.solver == "svd":
            x = c.with_constant("subtract", x, model.xbar_)
        return c.product(x, weights, 0.0)


@lowers(
    "sklearn.discriminant_analysis.QuadraticDiscriminantAnalysis",
    params="solver shrinkage priors reg_param store_covariance tol covariance_estimator",
)
class QuadraticDiscriminantLowering(Lowering):
    """The log-density of each class's normal distribution."""

    def decision_function(self, c: Context, model: Any, x: Value) -> Value:
        joint = self._joint(c, model, x)
        return joint if len(model.classes_) != 2 else c.product(joint, np.array([[-1.0, 1.0]]), 0.0)

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        return c.argmax(self._joint(c, model, x))

    def predict_proba(self, c: Context, model: Any, x: Value) -> Value:
        return c.softmax(self._joint(c, model, x))

    def _joint(self, c: Context, model: Any, x: Value) -> Value:
        x = c.dense(x)
        c.single_precision |= x.is_single
        x = c.doubles(x)
        parts = []
        for rotation, scaling, mean, prior in zip(
            model.rotations_, model.scalings_, model.means_, model.priors_, strict=True
        ):
            centred = c.with_constant("subtract", x, mean)
            turned = c.product(centred, (np.asarray(rotation) * np.asarray(scaling) ** -0.5).T.astype(np.float64), 0.0)
            shape = (1, turned.width)
            offset = [float(np.log(prior) - 0.5 * np.sum(np.log(scaling)))]
            parts.append(squares(c, turned, np.full(shape, -0.5), np.zeros(shape), offset))
        return c.concat(parts)
