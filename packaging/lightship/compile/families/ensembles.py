"""Models that ask several others: voting, stacking, bagging, AdaBoost, isolation forests."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from lightship.compile.context import Context, once
from lightship.compile.errors import UnsupportedModelError
from lightship.compile.families.linear_models import inlier
from lightship.compile.families.trees import probabilities, sklearn_tree, values
from lightship.compile.forest import emit_trees
from lightship.compile.registry import Lowering, lowers
from lightship.compile.values import Value
from lightship_runtime.program.numerics import Array

_STACKING = "estimators final_estimator cv stack_method n_jobs passthrough verbose"
_BAGGING = (
    "estimator n_estimators max_samples max_features bootstrap bootstrap_features oob_score warm_start n_jobs"
    " random_state verbose"
)
_BOOSTING = "estimator n_estimators learning_rate loss random_state algorithm"


def all_trees(estimators: Sequence[Any], name: str) -> bool:
    """Whether all are plain scikit-learn trees of the class, so that they can be walked as one ensemble."""
    return all(
        f"{type(each).__module__}.{type(each).__qualname__}" == f"sklearn.tree._classes.{name}" for each in estimators
    )


def label_positions(c: Context, estimator: Any, x: Value) -> Value:
    """Predictions of a classifier that was fitted on positions."""
    predicted = c.predict(estimator, x)
    classes = [int(label) for label in estimator.classes_]
    return predicted if classes == list(range(len(classes))) else c.choose(predicted, classes)


def votes(c: Context, estimators: Sequence[Any], xs: Sequence[Value], weights: Any, width: int) -> Value:
    """(n, width): for each position the weights of the classifiers that gave it."""
    given = [label_positions(c, estimator, x) for estimator, x in zip(estimators, xs, strict=True)]
    return c.emit("votes.count", given, width=width, arrays={"weights": np.asarray(weights, dtype=np.float64)})


def mean(c: Context, parts: Sequence[Value], weights: Any) -> Value:
    weights = [1.0] * len(parts) if weights is None else [float(weight) for weight in weights]
    return c.average(parts, weights, sum(weights))


@lowers("sklearn.ensemble.VotingClassifier", params="estimators voting weights n_jobs flatten_transform verbose")
class VotingClassifierLowering(Lowering):
    """The largest mean probability, or most votes."""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        if model.voting == "soft":
            return c.argmax(self.predict_proba(c, model, x))
        weights = model._weights_not_none or [1.0] * len(model.estimators_)
        return c.argmax(votes(c, model.estimators_, [x] * len(weights), weights, len(model.classes_)))

    def predict_proba(self, c: Context, model: Any, x: Value) -> Value:
        return mean(c, [c.predict_proba(each, x) for each in model.estimators_], model._weights_not_none)


@lowers("sklearn.ensemble.VotingRegressor", params="estimators weights n_jobs verbose")
class VotingRegressorLowering(Lowering):
    """The mean."""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        return mean(c, [c.predict(each, x) for each in model.estimators_], model._weights_not_none)


class StackingLowering(Lowering):
    """What the estimators give is what the final one gets."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        parts = []
        for estimator, method in zip(model.estimators_, model.stack_method_, strict=True):
            value = c.doubles(c.lower(method, estimator, x))
            if method == "predict" and hasattr(estimator, "classes_"):
                value = c.choose(value, _numeric_labels(estimator))
            if method == "predict_proba" and len(model.classes_) == 2:
                value = c.pick(value, [1])
            parts.append(value)
        if model.passthrough:
            parts.append(x)
        return c.concat(parts)

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        return c.predict(model.final_estimator_, self.transform(c, model, x))


@lowers("sklearn.ensemble.StackingClassifier", params=_STACKING)
class StackingClassifierLowering(StackingLowering):
    """Fitted on positions of labels, so the final estimator's classes are the positions."""

    def predict_proba(self, c: Context, model: Any, x: Value) -> Value:
        return c.predict_proba(model.final_estimator_, self.transform(c, model, x))

    def decision_function(self, c: Context, model: Any, x: Value) -> Value:
        return c.decision_function(model.final_estimator_, self.transform(c, model, x))


@lowers("sklearn.ensemble.StackingRegressor", params=_STACKING)
class StackingRegressorLowering(StackingLowering):
    """A regressor's estimators predict values."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        parts = [c.doubles(c.predict(estimator, x)) for estimator in model.estimators_]
        return c.concat([*parts, x] if model.passthrough else parts)


def _numeric_labels(estimator: Any) -> Array:
    labels = np.asarray(estimator.classes_)
    if labels.dtype.kind not in "iufb":
        raise UnsupportedModelError(estimator, "its labels are texts that another model would be given")
    return labels.astype(np.float64)


def _member_inputs(c: Context, model: Any, x: Value) -> list[Value]:
    """What each member of a bagging ensemble gets: some of the columns of one matrix."""
    x = x if x.kind == "sparse" else c.dense(x)
    return [c.pick(x, features) for features in model.estimators_features_]


@lowers("sklearn.ensemble.BaggingClassifier", params=_BAGGING)
class BaggingClassifierLowering(Lowering):
    """The mean probability, or the share of votes; members know labels by position."""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        return c.argmax(self.predict_proba(c, model, x))

    def predict_proba(self, c: Context, model: Any, x: Value) -> Value:
        width, members = len(model.classes_), model.estimators_
        if all_trees(members, "DecisionTreeClassifier"):
            trees = [
                sklearn_tree(tree, probabilities(tree) @ _spread(tree, width), features)
                for tree, features in zip(members, model.estimators_features_, strict=True)
            ]
            return emit_trees(c, c.singles(x), trees, base=[0.0] * width, divisor=len(trees))
        inputs = _member_inputs(c, model, x)
        if not hasattr(members[0], "predict_proba"):
            counts = votes(c, members, inputs, [1.0] * len(members), width)
            return c.with_constant("divide", counts, len(members))
        parts = [
            c.product(c.doubles(c.predict_proba(each, part)), _spread(each, width).T, 0.0)
            if len(each.classes_) < width
            else c.predict_proba(each, part)
            for each, part in zip(members, inputs, strict=True)
        ]
        return mean(c, parts, None)

    def decision_function(self, c: Context, model: Any, x: Value) -> Value:
        inputs = _member_inputs(c, model, x)
        return mean(
            c, [c.decision_function(each, part) for each, part in zip(model.estimators_, inputs, strict=True)], None
        )


def _spread(member: Any, width: int) -> Array:
    """(member's classes, width): where the classes of a member stand among all."""
    places = [int(label) for label in member.classes_]
    table: Array = np.eye(width)[places]
    return table


@lowers("sklearn.ensemble.BaggingRegressor", params=_BAGGING)
class BaggingRegressorLowering(Lowering):
    """The mean."""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        members = model.estimators_
        if all_trees(members, "DecisionTreeRegressor"):
            trees = [
                sklearn_tree(tree, values(tree), features)
                for tree, features in zip(members, model.estimators_features_, strict=True)
            ]
            return emit_trees(c, c.singles(x), trees, base=[0.0] * trees[0].values.shape[1], divisor=len(trees))
        inputs = _member_inputs(c, model, x)
        return mean(c, [c.predict(each, part) for each, part in zip(members, inputs, strict=True)], None)


@lowers("sklearn.ensemble.AdaBoostClassifier", params=_BOOSTING)
class AdaBoostClassifierLowering(Lowering):
    """Each member adds its weight to the class it predicts, and takes a share of it from the others."""

    def decision_function(self, c: Context, model: Any, x: Value) -> Value:
        sums = self._sums(c, model, x)
        return c.product(sums, np.array([[-1.0, 1.0]]), 0.0) if sums.width == 2 else sums

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        decision = self.decision_function(c, model, x)
        return c.above(decision, 0.0) if decision.width == 1 else c.argmax(decision)

    def predict_proba(self, c: Context, model: Any, x: Value) -> Value:
        decision = self.decision_function(c, model, x)
        if decision.width == 1:
            half = c.with_constant("multiply", decision, 0.5)
            return c.softmax(c.concat([c.apply("negative", half), half]))
        return c.softmax(c.with_constant("divide", decision, decision.width - 1))

    def _sums(self, c: Context, model: Any, x: Value) -> Value:
        """(n, classes), divided by the sum of the weights."""
        members, width = model.estimators_, len(model.classes_)
        if getattr(model, "algorithm", "SAMME") == "SAMME.R" or width < 2:
            raise UnsupportedModelError(model, f"its algorithm with {width} classes is not known")
        if any(list(each.classes_) != list(model.classes_) for each in members):
            raise UnsupportedModelError(model, "one of its members lacks a class")
        weights = model.estimator_weights_[: len(members)]
        shares = np.eye(width) - (1 - np.eye(width)) / (width - 1)
        if all_trees(members, "DecisionTreeClassifier"):
            trees = [
                sklearn_tree(tree, weight * shares[probabilities(tree).argmax(axis=1)])
                for tree, weight in zip(members, weights, strict=True)
            ]
            total = model.estimator_weights_.sum()
            return emit_trees(c, c.singles(x), trees, base=[0.0] * width, divisor=total)
        x = x if x.kind == "sparse" else c.dense(x)
        given = [c.predict(each, x) for each in members]
        counts = c.emit("votes.count", given, width=width, arrays={"weights": np.asarray(weights, dtype=np.float64)})
        return c.with_constant("divide", c.product(counts, shares, 0.0), model.estimator_weights_.sum())


@lowers("sklearn.ensemble.AdaBoostRegressor", params=_BOOSTING)
class AdaBoostRegressorLowering(Lowering):
    """The weighted median."""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        x = x if x.kind == "sparse" else c.dense(x)
        members = model.estimators_
        weights = np.asarray(model.estimator_weights_[: len(members)], dtype=np.float64)
        return c.emit("votes.median", [c.predict(each, x) for each in members], width=1, arrays={"weights": weights})


@lowers(
    "sklearn.ensemble.IsolationForest",
    params="n_estimators max_samples contamination max_features bootstrap n_jobs random_state verbose warm_start",
)
class IsolationForestLowering(Lowering):
    """Two to the power of the mean depth in units of what is usual."""

    def score_samples(self, c: Context, model: Any, x: Value) -> Value:
        return _isolation(c, model, x)

    def decision_function(self, c: Context, model: Any, x: Value) -> Value:
        return c.with_constant("subtract", self.score_samples(c, model, x), model.offset_)

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        return inlier(c, self.decision_function(c, model, x))


@once
def _isolation(c: Context, model: Any, x: Value) -> Value:
    trees = [
        sklearn_tree(tree, (paths + lengths - 1.0)[:, None], features)
        for tree, features, paths, lengths in zip(
            model.estimators_,
            model.estimators_features_,
            model._decision_path_lengths,
            model._average_path_length_per_tree,
            strict=True,
        )
    ]
    usual = len(trees) * float(_average_path_length(model._max_samples))
    if usual == 0:
        raise UnsupportedModelError(model, "its trees saw a single row")
    depth = emit_trees(c, c.singles(x), trees, base=[0.0])
    return c.apply("negative", c.apply("exp2", c.with_constant("divide", depth, -usual)))


def _average_path_length(samples: int) -> float:
    """Of an unsuccessful search in a binary tree of so many samples (Liu et al. 2008, equation 1)."""
    if samples <= 2:
        return float(max(samples - 1, 0))
    return 2.0 * (math.log(samples - 1.0) + float(np.euler_gamma)) - 2.0 * (samples - 1.0) / samples
