"""GradientBoosting: regression trees added to an initial prediction."""

from typing import Any

import numpy as np

from lightship.compile.context import Context, once
from lightship.compile.errors import UnsupportedModelError
from lightship.compile.families.trees import sklearn_tree, values
from lightship.compile.forest import emit_trees
from lightship.compile.registry import Lowering, lowers
from lightship.compile.values import Value

_PARAMS = (
    "loss learning_rate n_estimators subsample criterion min_samples_split min_samples_leaf min_weight_fraction_leaf"
    " max_depth min_impurity_decrease init random_state max_features alpha verbose max_leaf_nodes warm_start"
    " validation_fraction n_iter_no_change tol ccp_alpha"
)
_EPSILON = float(np.finfo(np.float64).eps)


@once
def raw_scores(c: Context, model: Any, x: Value) -> Value:
    """The initial prediction plus every tree's, in the space of the loss."""
    x = c.singles(x)
    outputs = model.estimators_.shape[1]
    initial = _initial(c, model, x)
    trees = [sklearn_tree(tree, model.learning_rate * values(tree)) for tree in model.estimators_.ravel()]
    if isinstance(initial, Value):
        return c.average([initial, emit_trees(c, x, trees, base=[0.0] * outputs)], [1.0, 1.0], 1.0)
    return emit_trees(c, x, trees, base=initial)


def _initial(c: Context, model: Any, x: Value) -> list[float] | Value:
    """The constants that the default gives, or what a model of the user's own gives."""
    if isinstance(model.init_, str) and model.init_ == "zero":
        return [0.0] * int(model.estimators_.shape[1])
    if type(model.init_).__module__ == "sklearn.dummy" and getattr(model.init_, "strategy", None) in {
        "prior",
        "mean",
        "median",
        "quantile",
        "constant",
    }:
        row = model._raw_predict_init(np.zeros((1, model.n_features_in_), dtype=np.float32))
        return [float(value) for value in row.ravel()]
    if not hasattr(model, "classes_"):
        return c.predict(model.init_, x)
    if model.estimators_.shape[1] > 1:
        raise UnsupportedModelError(model, "an init estimator with more than two classes is not known")
    second = c.pick(c.predict_proba(model.init_, x), [1])
    clipped = c.emit("scale.clip", [second], width=1, params={"low": _EPSILON, "high": 1 - _EPSILON})
    logit = c.apply("logit", clipped)
    return logit if _loss(model) == "HalfBinomialLoss" else c.with_constant("multiply", logit, 0.5)


def _loss(model: Any) -> str:
    name = type(model._loss).__name__
    if name not in {"HalfBinomialLoss", "HalfMultinomialLoss", "ExponentialLoss"}:
        raise UnsupportedModelError(model, f"its loss {name} is not known")
    return name


@lowers("sklearn.ensemble.GradientBoostingClassifier", params=_PARAMS)
class GradientBoostingClassifierLowering(Lowering):
    """The loss's own link; of two classes the second where the score is at least zero."""

    def decision_function(self, c: Context, model: Any, x: Value) -> Value:
        return raw_scores(c, model, x)

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        raw = raw_scores(c, model, x)
        return c.above(raw, 0.0, equal=True) if raw.width == 1 else c.argmax(raw)

    def predict_proba(self, c: Context, model: Any, x: Value) -> Value:
        raw = raw_scores(c, model, x)
        match _loss(model):
            case "HalfMultinomialLoss":
                return c.softmax(raw)
            case "ExponentialLoss":
                return c.complement(c.apply("expit", c.with_constant("multiply", raw, 2.0)))
            case _:
                return c.complement(c.apply("expit", raw))


@lowers("sklearn.ensemble.GradientBoostingRegressor", params=_PARAMS)
class GradientBoostingRegressorLowering(Lowering):
    """The sum itself, whatever the loss."""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        return raw_scores(c, model, x)
