"""Mixtures of normal distributions, and the ellipse around one."""

import copy
from typing import Any

import numpy as np

from lightship.compile.context import Context
from lightship.compile.families.naive_bayes import squares
from lightship.compile.precision import in_doubles
from lightship.compile.registry import Lowering, lowers
from lightship.compile.values import Value

_MIXTURE = (
    "n_components covariance_type tol reg_covar max_iter n_init init_params weights_init means_init precisions_init"
    " random_state warm_start verbose verbose_interval weight_concentration_prior_type weight_concentration_prior"
    " mean_precision_prior mean_prior degrees_of_freedom_prior covariance_prior"
)


@lowers("sklearn.mixture.GaussianMixture", "sklearn.mixture.BayesianGaussianMixture", params=_MIXTURE)
class MixtureLowering(Lowering):
    """The component with the largest weighted density."""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        return c.argmax(self._weighted(c, model, x))

    def predict_proba(self, c: Context, model: Any, x: Value) -> Value:
        return c.softmax(self._weighted(c, model, x))

    def _weighted(self, c: Context, model: Any, x: Value) -> Value:
        """Log-density plus log-weight of each component."""
        x = in_doubles(c, model, x)
        offset = np.asarray(model._estimate_log_weights()) + _constants(model)
        if model.covariance_type in {"full", "tied"}:
            return self._rotated(c, model, x, offset)
        precisions = np.square(np.asarray(model.precisions_cholesky_, dtype=np.float64))
        means = np.asarray(model.means_, dtype=np.float64)
        if model.covariance_type == "spherical":
            precisions = np.repeat(precisions[:, None], x.width, axis=1)
        middle = c.with_constant("multiply", c.product(x, means * precisions, 0.0), -2.0)
        middle = c.with_constant("add", middle, np.sum(means**2 * precisions, axis=1))
        total = c.average([middle, c.product(c.apply("square", x), precisions, 0.0)], [1.0, 1.0], 1.0)
        return c.with_constant("add", c.with_constant("multiply", total, -0.5), offset)

    def _rotated(self, c: Context, model: Any, x: Value, offset: Any) -> Value:
        parts = []
        for place, mean in enumerate(np.asarray(model.means_, dtype=np.float64)):
            factors = np.asarray(model.precisions_cholesky_, dtype=np.float64)
            factor = factors[place] if model.covariance_type == "full" else factors
            turned = c.product(x, factor.T, -(mean @ factor))
            shape = (1, turned.width)
            parts.append(squares(c, turned, np.full(shape, -0.5), np.zeros(shape), [offset[place]]))
        return c.concat(parts)


def _constants(model: Any) -> Any:
    """What a component's log-density adds to minus half the squared distance: read off the model at its means, once
    they are all moved to the origin, where nothing is rounded."""
    twin = copy.copy(model)
    twin.means_ = np.zeros_like(model.means_)
    return twin._estimate_log_prob(np.zeros((1, twin.means_.shape[1])))[0]


@lowers(
    "sklearn.covariance.EllipticEnvelope",
    params="store_precision assume_centered support_fraction contamination random_state",
)
class EllipticEnvelopeLowering(Lowering):
    """An outlier where the Mahalanobis distance is large."""

    def score_samples(self, c: Context, model: Any, x: Value) -> Value:
        centred = c.with_constant("subtract", in_doubles(c, model, x), model.location_)
        turned = c.product(centred, np.asarray(model.get_precision(), dtype=np.float64).T, 0.0)
        each = c.emit("kernels.times", [turned, centred], width=x.width)
        return c.product(each, np.full((1, x.width), -1.0), 0.0)

    def decision_function(self, c: Context, model: Any, x: Value) -> Value:
        return c.with_constant("subtract", self.score_samples(c, model, x), float(model.offset_))

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        flags = c.above(self.decision_function(c, model, x), 0.0, equal=True)
        return c.emit("links.choose", [flags], width=1, arrays={"values": np.array([-1.0, 1.0])})
