"""Several targets or classes, one model each."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lightship.compile.context import Context
from lightship.compile.errors import UnsupportedModelError
from lightship.compile.kernels import squared
from lightship.compile.registry import Lowering, lowers
from lightship.compile.values import Value

_CHAIN = "estimator base_estimator order cv chain_method random_state verbose"
_SCORES = ["decision_function", "predict_proba"]


@lowers("sklearn.multioutput.MultiOutputRegressor", params="estimator n_jobs")
class MultiOutputRegressorLowering(Lowering):
    """Side by side."""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        return c.concat([c.predict(each, x) for each in model.estimators_])


@lowers("sklearn.multioutput.MultiOutputClassifier", params="estimator n_jobs")
class MultiOutputClassifierLowering(Lowering):
    """Side by side, for labels of 0 and 1."""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        return c.concat([binary_label(c, each, x) for each in model.estimators_])

    def predict_proba(self, c: Context, model: Any, x: Value) -> Value:
        return c.concat([c.pick(c.predict_proba(each, x), [1]) for each in model.estimators_ if check_binary(each)])


def check_binary(estimator: Any) -> bool:
    """True. Raises UnsupportedModelError for other labels than 0 and 1."""
    labels = np.asarray(estimator.classes_)
    if labels.dtype.kind not in "iufb" or labels.tolist() != [0, 1]:
        raise UnsupportedModelError(estimator, "it is one of several outputs, and its classes aren't 0 and 1")
    return True


def binary_label(c: Context, estimator: Any, x: Value) -> Value:
    check_binary(estimator)
    return c.predict(estimator, x)


class ChainLowering(Lowering):
    """Each model also gets what the ones before it predicted."""

    def chained(self, c: Context, model: Any, x: Value, method: str) -> Value:
        """What `method` gives for every target, in the order of the targets."""
        x = x if x.kind == "sparse" else c.doubles(x)
        feature_method = getattr(model, "chain_method_", "predict")
        features: list[Value] = []
        outputs: list[Value] = []
        for estimator in model.estimators_:
            joined = c.concat([x, *features])
            if joined.kind == "dense" and len(features) != 1:
                # NumPy keeps a frame's columnwise numbers so only beside a single prediction.
                joined = c.emit("columns.rowwise", [joined], width=joined.width)
            features.append(_response(c, estimator, joined, feature_method))
            outputs.append(_response(c, estimator, joined, method))
        places = np.argsort(model.order_)
        return c.concat([outputs[place] for place in places])

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        return self.chained(c, model, x, "predict")


def _response(c: Context, estimator: Any, x: Value, method: str) -> Value:
    if hasattr(estimator, "classes_"):
        check_binary(estimator)
    value = c.doubles(c.lower(method, estimator, x))
    return c.pick(value, [1]) if method == "predict_proba" else value


@lowers("sklearn.multioutput.RegressorChain", params=_CHAIN)
class RegressorChainLowering(ChainLowering):
    """Of values."""


@lowers("sklearn.multioutput.ClassifierChain", params=_CHAIN)
class ClassifierChainLowering(ChainLowering):
    """Of labels of 0 and 1."""

    def predict_proba(self, c: Context, model: Any, x: Value) -> Value:
        return self.chained(c, model, x, "predict_proba")

    def decision_function(self, c: Context, model: Any, x: Value) -> Value:
        return self.chained(c, model, x, "decision_function")


@lowers("sklearn.multiclass._ConstantPredictor", params="")
class ConstantPredictorLowering(Lowering):
    """What one-vs-rest puts where a class is always or never there."""

    def decision_function(self, c: Context, model: Any, x: Value) -> Value:
        return c.constant(x, [float(np.ravel(model.y_)[0])])

    def predict_proba(self, c: Context, model: Any, x: Value) -> Value:
        return c.complement(self.decision_function(c, model, x))


def binary_scores(c: Context, estimators: Sequence[Any], x: Value) -> Value:
    """(n, estimators): of each its score for the second class, or its value if it is a regressor."""
    return c.concat([_binary_score(c, each, x)[0] for each in estimators])


def _binary_score(c: Context, estimator: Any, x: Value) -> tuple[Value, float]:
    """The score and the limit above which the second class is predicted."""
    if type(estimator).__qualname__ == "_ConstantPredictor":
        return c.decision_function(estimator, x), 0.0
    if not hasattr(estimator, "classes_"):
        return c.doubles(c.predict(estimator, x)), 0.5
    if len(estimator.classes_) != 2:
        raise UnsupportedModelError(estimator, "it decides between other than two classes")
    score, method = c.response(estimator, x, _SCORES)
    return c.doubles(score), 0.0 if method == "decision_function" else 0.5


@lowers("sklearn.multiclass.OneVsRestClassifier", params="estimator n_jobs verbose")
class OneVsRestLowering(Lowering):
    """The class whose own model is surest; for several labels, each by itself."""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        decision = binary_scores(c, model.estimators_, x)
        if model.label_binarizer_.y_type_ == "multiclass":
            return c.argmax(decision)
        return c.above(decision, _binary_score(c, model.estimators_[0], x)[1])

    def predict_proba(self, c: Context, model: Any, x: Value) -> Value:
        each = c.concat([c.doubles(c.pick(c.predict_proba(one, x), [1])) for one in model.estimators_])
        if model.multilabel_:
            return each
        return c.complement(each) if each.width == 1 else c.normalize(each, empty=0.0)

    def decision_function(self, c: Context, model: Any, x: Value) -> Value:
        return c.concat([c.doubles(c.decision_function(one, x)) for one in model.estimators_])


@lowers("sklearn.multiclass.OneVsOneClassifier", params="estimator n_jobs")
class OneVsOneLowering(Lowering):
    """Votes of every pair of classes, with the confidences to break ties."""

    def decision_function(self, c: Context, model: Any, x: Value) -> Value:
        together = self._together(c, model, x)
        return together if together.width != 2 else c.pick(together, [1])

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        decision = self.decision_function(c, model, x)
        if decision.width == 1:
            return c.above(decision, _binary_score(c, model.estimators_[0], x)[1])
        return c.argmax(decision)

    def _together(self, c: Context, model: Any, x: Value) -> Value:
        if model.pairwise_indices_ is not None or any(not hasattr(each, "classes_") for each in model.estimators_):
            raise UnsupportedModelError(model, "its members take kernels or are regressors")
        x = x if x.kind == "sparse" else c.dense(x)
        count = len(model.classes_)
        pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
        signs = np.zeros((count, len(pairs)))
        first = np.zeros(count)
        for k, (i, j) in enumerate(pairs):
            signs[i, k], signs[j, k] = -1.0, 1.0
            first[i] += 1
        votes = c.product(c.concat([binary_label(c, each, x) for each in model.estimators_]), signs, first)
        confidence = c.product(binary_scores(c, model.estimators_, x), signs, 0.0)
        return c.average([votes, c.apply("third_softsign", confidence)], [1.0, 1.0], 1.0)


@lowers("sklearn.multiclass.OutputCodeClassifier", params="estimator code_size random_state n_jobs")
class OutputCodeLowering(Lowering):
    """The class whose code is nearest to the scores."""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        codes = np.asarray(model.code_book_, dtype=np.float64)
        scores = binary_scores(c, model.estimators_, x)
        return c.emit("distances.argmin", [squared(c, scores, codes, "norms_first")], width=1)
