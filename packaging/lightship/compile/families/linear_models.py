"""Linear models with a link or a decision of their own: descent, support vectors, generalized linear models."""

from typing import Any

import numpy as np

from lightship.compile.context import Context
from lightship.compile.errors import UnsupportedModelError
from lightship.compile.families.linear import LinearClassifierLowering, LinearRegressorLowering, one_vs_rest, scores
from lightship.compile.registry import Lowering, lowers
from lightship.compile.values import Value

_DESCENT = (
    "loss penalty alpha l1_ratio C fit_intercept max_iter tol shuffle verbose epsilon n_jobs random_state learning_rate"
    " eta0 power_t early_stopping validation_fraction n_iter_no_change class_weight warm_start average nu"
)
_SUPPORT = (
    "penalty loss dual tol C epsilon multi_class fit_intercept intercept_scaling class_weight verbose random_state"
    " max_iter"
)
_RIDGE = (
    "alpha alphas fit_intercept copy_X max_iter tol class_weight solver positive random_state scoring cv"
    " store_cv_results store_cv_values"
)

lowers("sklearn.linear_model.SGDRegressor", "sklearn.linear_model.PassiveAggressiveRegressor", params=_DESCENT)(
    LinearRegressorLowering
)
lowers("sklearn.svm.LinearSVR", params=_SUPPORT)(LinearRegressorLowering)
lowers("sklearn.linear_model.Perceptron", "sklearn.linear_model.PassiveAggressiveClassifier", params=_DESCENT)(
    LinearClassifierLowering
)
lowers("sklearn.svm.LinearSVC", params=_SUPPORT)(LinearClassifierLowering)


@lowers("sklearn.linear_model.SGDClassifier", params=_DESCENT)
class SGDClassifierLowering(LinearClassifierLowering):
    """Probabilities for the two losses that have them."""

    def predict_proba(self, c: Context, model: Any, x: Value) -> Value:
        decision = self.decision_function(c, model, x)
        match model.loss:
            case "log_loss":
                return one_vs_rest(c, decision)
            case "modified_huber":
                limits = {"low": -1.0, "high": 1.0}
                clipped = c.emit("scale.clip", [decision], width=decision.width, dtype=decision.dtype, params=limits)
                each = c.with_constant("multiply", c.with_constant("add", clipped, 1.0), 0.5)
                return c.complement(each) if each.width == 1 else c.normalize(each, empty=1 / each.width)
            case loss:
                raise UnsupportedModelError(model, f"the loss {loss!r} gives no probabilities")


@lowers("sklearn.linear_model.RidgeClassifier", "sklearn.linear_model.RidgeClassifierCV", params=_RIDGE)
class RidgeClassifierLowering(LinearClassifierLowering):
    """For several labels at once, each is 1 where its score is above zero."""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        if model._label_binarizer.y_type_.startswith("multilabel"):
            return c.above(self.decision_function(c, model, x), 0.0)
        return super().predict(c, model, x)


@lowers(
    "sklearn.linear_model.PoissonRegressor",
    "sklearn.linear_model.GammaRegressor",
    "sklearn.linear_model.TweedieRegressor",
    params="alpha power link fit_intercept solver max_iter tol warm_start verbose",
)
class GeneralizedLinearLowering(Lowering):
    """The inverse link of the score."""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        match type(model._base_loss.link).__name__:
            case "IdentityLink":
                return scores(c, model, x)
            case "LogLink":
                return c.apply("exp", scores(c, model, x))
            case other:
                raise UnsupportedModelError(model, f"its link {other} is not known")


def inlier(c: Context, decision: Value) -> Value:
    """1 where the decision is at least zero, else -1."""
    flags = c.above(decision, 0.0, equal=True)
    return c.choose(flags, [-1.0, 1.0])


@lowers("sklearn.linear_model.SGDOneClassSVM", params=_DESCENT)
class SGDOneClassSVMLowering(Lowering):
    """The score less the offset."""

    def decision_function(self, c: Context, model: Any, x: Value) -> Value:
        return c.product(x, np.atleast_2d(model.coef_), -np.asarray(model.offset_))

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        return inlier(c, self.decision_function(c, model, x))


@lowers(
    "sklearn.linear_model.RANSACRegressor",
    params="estimator min_samples residual_threshold is_data_valid is_model_valid max_trials max_skips stop_n_inliers"
    " stop_score stop_probability loss random_state",
)
class RANSACLowering(Lowering):
    """The model of the inliers."""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        return c.predict(model.estimator_, c.dense(x))
