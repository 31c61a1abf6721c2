"""Models around one other model: searches, thresholds, transformed targets; and models that look at nothing."""

from typing import Any

import numpy as np

from lightship.compile.context import Context
from lightship.compile.errors import UnsupportedModelError
from lightship.compile.registry import Lowering, lowers
from lightship.compile.values import Value

_SEARCH = (
    "estimator param_grid param_distributions n_iter scoring n_jobs refit cv verbose pre_dispatch random_state"
    " error_score return_train_score n_candidates factor resource max_resources min_resources aggressive_elimination"
)


class DelegatingLowering(Lowering):
    """Everything comes from the model inside."""

    def inner(self, model: Any) -> Any:
        """The fitted model that answers."""
        raise NotImplementedError

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        return c.transform(self.inner(model), x)

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        return c.predict(self.inner(model), x)

    def predict_proba(self, c: Context, model: Any, x: Value) -> Value:
        return c.predict_proba(self.inner(model), x)

    def decision_function(self, c: Context, model: Any, x: Value) -> Value:
        return c.decision_function(self.inner(model), x)

    def score_samples(self, c: Context, model: Any, x: Value) -> Value:
        return c.lower("score_samples", self.inner(model), x)


@lowers(
    "sklearn.model_selection.GridSearchCV",
    "sklearn.model_selection.RandomizedSearchCV",
    "sklearn.model_selection.HalvingGridSearchCV",
    "sklearn.model_selection.HalvingRandomSearchCV",
    params=_SEARCH,
)
class SearchLowering(DelegatingLowering):
    """The best estimator."""

    def inner(self, model: Any) -> Any:
        return model.best_estimator_


@lowers("sklearn.frozen.FrozenEstimator", params="estimator")
class FrozenLowering(DelegatingLowering):
    """The estimator that is not to be fitted again."""

    def inner(self, model: Any) -> Any:
        return model.estimator


@lowers(
    "sklearn.semi_supervised.SelfTrainingClassifier",
    params="estimator base_estimator threshold criterion k_best max_iter verbose",
)
class SelfTrainingLowering(DelegatingLowering):
    """The classifier of the last round."""

    def inner(self, model: Any) -> Any:
        return model.estimator_


@lowers(
    "sklearn.compose.TransformedTargetRegressor",
    params="regressor transformer func inverse_func check_inverse",
)
class TransformedTargetLowering(Lowering):
    """The regressor's value, transformed back."""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        return c.lower("inverse_transform", model.transformer_, c.predict(model.regressor_, x))


class ThresholdLowering(DelegatingLowering):
    """The positive class where its score reaches the threshold."""

    def inner(self, model: Any) -> Any:
        return getattr(model, "estimator_", model.estimator)

    def predict_at(self, c: Context, model: Any, x: Value, threshold: Any, positive: Any) -> Value:
        classes = list(model.classes_)
        methods = model._get_response_method()
        methods = [methods] if isinstance(methods, str) else list(methods)
        if len(classes) != 2 or not set(methods) <= {"predict_proba", "decision_function"}:
            raise UnsupportedModelError(model, "it doesn't decide between two classes by probability or score")
        place = 1 if positive is None else classes.index(positive)
        method = next(name for name in methods if hasattr(self.inner(model), name))
        score = c.lower(method, self.inner(model), x)
        if method == "predict_proba":
            score = c.pick(score, [place])
        elif place == 0:
            score = c.apply("negative", score)
        limit = float(threshold) if threshold != "auto" else (0.5 if method == "predict_proba" else 0.0)
        return c.choose(c.above(score, limit, equal=True), [1 - place, place])


@lowers("sklearn.model_selection.FixedThresholdClassifier", params="estimator threshold pos_label response_method")
class FixedThresholdLowering(ThresholdLowering):
    """A threshold that was given."""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        return self.predict_at(c, model, x, model.threshold, model.pos_label)


@lowers(
    "sklearn.model_selection.TunedThresholdClassifierCV",
    params="estimator scoring response_method thresholds cv refit n_jobs random_state store_cv_results",
)
class TunedThresholdLowering(ThresholdLowering):
    """The threshold that scored best."""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        return self.predict_at(c, model, x, model.best_threshold_, model._curve_scorer._get_pos_label())


@lowers("sklearn.dummy.DummyClassifier", params="strategy random_state constant")
class DummyClassifierLowering(Lowering):
    """A constant; the strategies that draw at random are refused."""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        self._check(model)
        if model.strategy == "constant":
            return c.constant(x, [list(model.classes_).index(np.ravel(model.constant)[0])])
        return c.constant(x, [int(np.argmax(model.class_prior_))])

    def predict_proba(self, c: Context, model: Any, x: Value) -> Value:
        self._check(model)
        if model.strategy == "prior":
            return c.constant(x, model.class_prior_)
        chosen = np.ravel(model.constant)[0] if model.strategy == "constant" else None
        place = int(np.argmax(model.class_prior_)) if chosen is None else list(model.classes_).index(chosen)
        return c.constant(x, np.eye(len(model.classes_))[place])

    def _check(self, model: Any) -> None:
        if model.n_outputs_ != 1 or model.strategy not in {"prior", "most_frequent", "constant"}:
            raise UnsupportedModelError(model, f"strategy={model.strategy!r} with {model.n_outputs_} outputs")


@lowers("sklearn.dummy.DummyRegressor", params="strategy constant quantile")
class DummyRegressorLowering(Lowering):
    """A constant."""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        return c.constant(x, model.constant_)
