"""Linear regression in all its ways of fitting, and logistic regression."""

from typing import Any

import numpy as np

from lightship.compile.context import Context
from lightship.compile.errors import UnsupportedModelError
from lightship.compile.registry import Lowering, lowers
from lightship.compile.values import Value

_PATH = (
    "eps alphas n_alphas fit_intercept precompute max_iter tol cv copy_X verbose n_jobs positive random_state selection"
)
_DESCENT = "alpha l1_ratio fit_intercept precompute max_iter copy_X tol warm_start positive random_state selection"
_LARS = (
    "alpha fit_intercept verbose precompute max_iter n_nonzero_coefs eps copy_X fit_path jitter"
    " random_state positive cv max_n_alphas n_jobs criterion noise_variance"
)
_BAYES = (
    "max_iter tol alpha_1 alpha_2 lambda_1 lambda_2 alpha_init lambda_init compute_score threshold_lambda fit_intercept"
    " copy_X verbose"
)


def scores(c: Context, model: Any, x: Value) -> Value:
    """x times `coef_` plus `intercept_`, one column an output."""
    coefficients = np.asarray(model.coef_.toarray() if hasattr(model.coef_, "toarray") else model.coef_)
    return c.product(x, np.atleast_2d(coefficients), model.intercept_)


@lowers("sklearn.linear_model.LinearRegression", params="fit_intercept copy_X tol n_jobs positive")
@lowers(
    "sklearn.linear_model.Ridge",
    "sklearn.linear_model.RidgeCV",
    params="alpha alphas fit_intercept copy_X max_iter tol solver positive random_state scoring cv gcv_mode"
    " store_cv_results store_cv_values alpha_per_target",
)
@lowers(
    "sklearn.linear_model.Lasso",
    "sklearn.linear_model.ElasticNet",
    "sklearn.linear_model.MultiTaskLasso",
    "sklearn.linear_model.MultiTaskElasticNet",
    params=_DESCENT,
)
@lowers(
    "sklearn.linear_model.LassoCV",
    "sklearn.linear_model.ElasticNetCV",
    "sklearn.linear_model.MultiTaskLassoCV",
    "sklearn.linear_model.MultiTaskElasticNetCV",
    params=f"{_PATH} l1_ratio",
)
@lowers(
    "sklearn.linear_model.Lars",
    "sklearn.linear_model.LarsCV",
    "sklearn.linear_model.LassoLars",
    "sklearn.linear_model.LassoLarsCV",
    "sklearn.linear_model.LassoLarsIC",
    params=_LARS,
)
@lowers("sklearn.linear_model.BayesianRidge", "sklearn.linear_model.ARDRegression", params=_BAYES)
@lowers(
    "sklearn.linear_model.OrthogonalMatchingPursuit",
    "sklearn.linear_model.OrthogonalMatchingPursuitCV",
    params="n_nonzero_coefs tol fit_intercept precompute copy max_iter cv n_jobs verbose",
)
@lowers("sklearn.linear_model.HuberRegressor", params="epsilon max_iter alpha warm_start fit_intercept tol")
@lowers("sklearn.linear_model.QuantileRegressor", params="quantile alpha fit_intercept solver solver_options")
@lowers(
    "sklearn.linear_model.TheilSenRegressor",
    params="fit_intercept copy_X max_subpopulation n_subsamples max_iter tol random_state n_jobs verbose",
)
class LinearRegressorLowering(Lowering):
    """The scores themselves."""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        return scores(c, model, x)


class LinearClassifierLowering(Lowering):
    """The class of the largest score; of two classes the second where the score is above zero."""

    def decision_function(self, c: Context, model: Any, x: Value) -> Value:
        return scores(c, model, x)

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        decision = self.decision_function(c, model, x)
        return c.above(decision, 0.0) if decision.width == 1 else c.argmax(decision)


def one_vs_rest(c: Context, decision: Value) -> Value:
    """Probabilities from independent scores: each through the logistic function, then made to sum to 1."""
    each = c.apply("expit", decision)
    return c.complement(each) if each.width == 1 else c.normalize(each, empty=1 / each.width)


@lowers(
    "sklearn.linear_model.LogisticRegression",
    "sklearn.linear_model.LogisticRegressionCV",
    params="penalty C Cs l1_ratio l1_ratios dual tol fit_intercept intercept_scaling class_weight random_state solver"
    " max_iter multi_class verbose warm_start n_jobs cv scoring refit use_legacy_attributes",
)
class LogisticRegressionLowering(LinearClassifierLowering):
    """Softmax of the scores; the logistic function for two classes, or for one-vs-rest fits of older scikit-learn."""

    def predict_proba(self, c: Context, model: Any, x: Value) -> Value:
        decision = self.decision_function(c, model, x)
        setting = getattr(model, "multi_class", "auto")
        if setting not in {"auto", "deprecated", "ovr", "multinomial"}:
            raise UnsupportedModelError(model, f"multi_class={setting!r} is not known")
        if setting == "multinomial" and decision.width == 1:
            raise UnsupportedModelError(model, "multi_class='multinomial' with two classes")
        independent = setting == "ovr" or (setting != "multinomial" and model.solver == "liblinear")
        if decision.width == 1 or independent:
            return one_vs_rest(c, decision)
        return c.softmax(decision)
