"""Decision trees and their forests. They round what they are given to float32."""

from itertools import pairwise
from typing import Any

import numpy as np

from lightship.compile.context import Context, once
from lightship.compile.errors import UnsupportedModelError
from lightship.compile.forest import Tree, emit_trees
from lightship.compile.registry import Lowering, lowers
from lightship.compile.values import Value
from lightship_runtime.program.numerics import Array

TREE = (
    "criterion splitter max_depth min_samples_split min_samples_leaf min_weight_fraction_leaf max_features random_state"
    " max_leaf_nodes min_impurity_decrease class_weight ccp_alpha monotonic_cst"
)
FOREST = f"{TREE} n_estimators bootstrap oob_score n_jobs verbose warm_start max_samples"


def sklearn_tree(estimator: Any, values: Array, features: Array | None = None) -> Tree:
    """A fitted scikit-learn tree with `values` (m, outputs) of our own; `features` are the columns it was given."""
    tree = estimator.tree_
    feature = np.maximum(tree.feature, -1)
    if features is not None:
        feature = np.where(feature < 0, -1, np.asarray(features)[feature])
    missing = tree.missing_go_to_left.astype(np.uint8)
    return Tree(feature, tree.threshold, tree.children_left, tree.children_right, values, missing)


def probabilities(estimator: Any) -> Array:
    """(m, classes) of a single-output classifier."""
    found: Array = estimator.tree_.value[:, 0, : estimator.n_classes_]
    return found


def values(estimator: Any) -> Array:
    """(m, outputs) of a regressor."""
    found: Array = estimator.tree_.value[:, :, 0]
    return found


@once
def _classifier(c: Context, model: Any, x: Value) -> Value:
    """(n, classes); for several outputs, their classes side by side."""
    trees: list[Any] = getattr(model, "estimators_", [model])
    counts = [int(count) for count in np.atleast_1d(model.n_classes_)]
    stacked = [
        np.concatenate([tree.tree_.value[:, k, :count] for k, count in enumerate(counts)], axis=1) for tree in trees
    ]
    return emit_trees(
        c,
        c.singles(x),
        [sklearn_tree(tree, value) for tree, value in zip(trees, stacked, strict=True)],
        base=[0.0] * sum(counts),
        divisor=len(trees),
    )


@lowers("sklearn.tree.DecisionTreeClassifier", "sklearn.tree.ExtraTreeClassifier", params=TREE)
@lowers("sklearn.ensemble.RandomForestClassifier", "sklearn.ensemble.ExtraTreesClassifier", params=FOREST)
class TreeClassifierLowering(Lowering):
    """The mean of the leaves' class shares, and the class where it is largest."""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        shares = _classifier(c, model, x)
        if model.n_outputs_ == 1:
            return c.argmax(shares)
        return c.concat([c.argmax(part) for part in self._outputs(c, model, shares)])

    def predict_proba(self, c: Context, model: Any, x: Value) -> Value:
        """For labels of 0 and 1, the probability of 1 for each."""
        shares = _classifier(c, model, x)
        if model.n_outputs_ == 1:
            return shares
        return c.concat(
            [
                c.pick(part, [list(classes).index(1)]) if 1 in classes else c.constant(x, [0.0])
                for part, classes in zip(self._outputs(c, model, shares), model.classes_, strict=True)
            ]
        )

    def _outputs(self, c: Context, model: Any, shares: Value) -> list[Value]:
        if any(list(classes) not in ([0, 1], [0]) for classes in model.classes_):
            raise UnsupportedModelError(model, "it has several outputs whose classes aren't 0 and 1")
        ends = np.cumsum([0, *model.n_classes_])
        return [c.pick(shares, range(start, end)) for start, end in pairwise(ends)]


@lowers("sklearn.tree.DecisionTreeRegressor", "sklearn.tree.ExtraTreeRegressor", params=TREE)
@lowers("sklearn.ensemble.RandomForestRegressor", "sklearn.ensemble.ExtraTreesRegressor", params=FOREST)
class TreeRegressorLowering(Lowering):
    """The mean of the leaves' values."""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        trees = getattr(model, "estimators_", [model])
        return emit_trees(
            c,
            c.singles(x),
            [sklearn_tree(tree, values(tree)) for tree in trees],
            base=[0.0] * model.n_outputs_,
            divisor=len(trees),
        )
