"""XGBoost, from the JSON of its own model files.

It compares and adds in float32; the rules of a decision are those of its `GetNextNode`, the transforms of the sums
those of its objectives' `PredTransform`.
"""

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from lightship.compile.context import Context, once
from lightship.compile.errors import UnsupportedModelError
from lightship.compile.families.encoding import Codes, encode_some
from lightship.compile.forest import Tree, emit_trees
from lightship.compile.registry import Lowering, lowers
from lightship.compile.values import Value

_PARAMS = (
    "objective base_score booster callbacks colsample_bylevel colsample_bynode colsample_bytree device eta gamma"
    " early_stopping_rounds enable_categorical eval_metric feature_types feature_weights grow_policy importance_type"
    " interaction_constraints learning_rate max_bin max_cat_threshold max_cat_to_onehot max_delta_step max_depth"
    " max_leaves min_child_weight missing monotone_constraints multi_strategy n_estimators n_jobs num_parallel_tree"
    " random_state reg_alpha reg_lambda sampling_method scale_pos_weight subsample tree_method validate_parameters"
    " verbosity use_label_encoder predictor quantile_alpha tweedie_variance_power huber_slope rate_drop skip_drop"
    " one_drop sample_type normalize_type seed nthread"
)
_LOGISTIC = {"binary:logistic", "reg:logistic", "binary:logitraw"}
_LOGARITHMIC = {"count:poisson", "reg:gamma", "reg:tweedie"}
_AS_THEY_ARE = {
    "reg:squarederror", "reg:squaredlogerror", "reg:pseudohubererror", "reg:absoluteerror", "reg:quantileerror",
    "binary:logitraw", "multi:softprob", "rank:pairwise", "rank:ndcg", "rank:map",
}  # fmt: skip
_MODEL_KEYS = {"cats", "gbtree_model_param", "iteration_indptr", "tree_info", "trees", "weight_drop"}
_MOST_CODES = 1 << 20


@once
def raw_scores(c: Context, model: Any, booster: Any, x: Value, missing: Any) -> tuple[Value, str]:
    """The base score plus the trees, and the name of the objective."""
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    if x.width != int(learner["learner_model_param"]["num_feature"]):
        raise UnsupportedModelError(model, f"it would get {x.width} columns")
    found, weights = _trees_and_weights(model, learner["gradient_booster"])
    objective = learner["objective"]["name"]
    base = _base(model, learner, objective)
    count = _tree_count(model, booster, found)
    x, limits = _inputs(c, model, found, learner, x, missing)
    trees = [
        _tree(model, tree, limits, weight) for tree, weight in zip(found["trees"][:count], weights[:count], strict=True)
    ]
    ordered = _cyclic(model, trees, found["tree_info"][:count], len(base))
    return emit_trees(c, x, ordered, base=base, limits=limits, single_sums=True), objective


def _trees_and_weights(model: Any, gradient: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[float]]:
    """The trees' model, and what each tree counts where some were dropped while fitting."""
    outer = gradient
    if gradient["name"] == "dart":
        gradient = gradient["gbtree"]
    found: Mapping[str, Any] = gradient.get("model", {})
    if gradient["name"] != "gbtree" or not set(found) <= _MODEL_KEYS:
        raise UnsupportedModelError(model, f"its booster {gradient['name']!r} with {sorted(found)} is not known")
    weights = found.get("weight_drop") or outer.get("weight_drop") or [1.0] * len(found["trees"])
    return found, list(weights)


def _base(model: Any, learner: Mapping[str, Any], objective: str) -> list[float]:
    """The base score of each output in the space of the sums."""
    params = learner["learner_model_param"]
    outputs = max(int(params["num_class"]), int(params.get("num_target", 1)), 1)
    scores = np.array(json.loads(params["base_score"]), dtype=np.float32).ravel()
    if len(scores) not in {1, outputs}:
        raise UnsupportedModelError(model, f"it has {len(scores)} base scores for {outputs} outputs")
    one = np.float32(1)
    if objective in _LOGISTIC:
        scores = -np.log((one / scores - one).astype(np.float64))
    elif objective in _LOGARITHMIC:
        scores = np.log(scores.astype(np.float64))
    elif objective not in _AS_THEY_ARE:
        raise UnsupportedModelError(model, f"the objective {objective!r} is not known")
    return [float(np.float32(score)) for score in np.broadcast_to(scores, (outputs,))]


def _tree_count(model: Any, booster: Any, found: Mapping[str, Any]) -> int:
    """The trees that predict: the wrappers stop at the best iteration, a Booster uses all."""
    if model is booster or booster.attr("best_iteration") is None:
        return len(found["trees"])
    return int(found["iteration_indptr"][int(booster.attr("best_iteration")) + 1])


def _inputs(
    c: Context, model: Any, found: Mapping[str, Any], learner: Mapping[str, Any], x: Value, missing: Any
) -> tuple[Value, list[int]]:
    """Columns as float32, categories as the codes they had while fitting; and the number of codes."""
    columns = _encoded(model, found, learner, x)
    if columns and not np.isnan(missing):
        raise UnsupportedModelError(model, f"missing={missing!r} beside pandas categories")
    if x.kind == "sparse":
        # What a sparse matrix doesn't store is missing to XGBoost.
        x = c.emit("columns.dense", [x], width=x.width, dtype="float64", params={"absent_is_missing": True})
    dense = encode_some(c, model, x, columns)
    # One-hot columns and what is joined to them store no zeros.
    for marker in ([] if np.isnan(missing) else [float(missing)]) + ([0.0] if x.stored_sparse else []):
        fills = {"values": np.full(x.width, np.nan)}
        dense = c.emit("missing.fill", [dense], width=x.width, params={"marker": marker}, arrays=fills)
    return c.singles(dense), _limits(model, found, x.width)


def _encoded(model: Any, found: Mapping[str, Any], learner: Mapping[str, Any], x: Value) -> dict[int, Codes]:
    """The columns that are pandas categories."""
    types = learner["feature_types"] or ["float"] * x.width
    encoders = found.get("cats", {}).get("enc") or [None] * x.width
    columns = {}
    for place, kind in enumerate(types):
        values = _categories(encoders[place])
        is_category = x.kind == "raw" and x.columns[place].dtype == "category"
        if is_category != (kind == "c") or (is_category and not values):
            raise UnsupportedModelError(model, f"its column {place} has the type {kind!r} and no categories to match")
        if is_category:
            given = x.columns[place].categories or ()
            if not set(given) <= set(values):
                raise UnsupportedModelError(model, f"the sample's column {place} has categories it wasn't fitted on")
            columns[place] = Codes(values, list(range(len(values))), float("nan"))
    return columns


def _limits(model: Any, found: Mapping[str, Any], width: int) -> list[int]:
    """For each column that trees split by category, the number of codes their sets hold."""
    limits = [0] * width
    for tree in found["trees"]:
        for node, start, size in zip(
            tree["categories_nodes"], tree["categories_segments"], tree["categories_sizes"], strict=True
        ):
            feature = tree["split_indices"][node]
            limits[feature] = max(limits[feature], 1 + max(tree["categories"][start : start + size], default=0))
    if max(limits) > _MOST_CODES:
        raise UnsupportedModelError(model, f"its categories are numbered up to {max(limits)}")
    return limits


def _categories(encoder: Any) -> list[Any]:
    """The categories of one column, in the order of their codes."""
    if not encoder or not encoder["values"]:
        return []
    values = encoder["values"]
    if "offsets" not in encoder:
        return list(values)
    data, offsets = bytes(value & 0xFF for value in values), encoder["offsets"]
    return [data[start:end].decode() for start, end in pairwise(offsets)]


def _tree(model: Any, tree: Mapping[str, Any], limits: list[int], weight: float) -> Tree:
    """A category in a node's set goes right; XGBoost's `<` becomes `<=` of the next smaller float32."""
    if int(tree["tree_param"].get("size_leaf_vector", 1)) > 1:
        raise UnsupportedModelError(model, "its leaves hold vectors")
    left = np.array(tree["left_children"])
    leaf = left < 0
    conditions = np.array(tree["split_conditions"], dtype=np.float32)
    feature = np.array(tree["split_indices"])
    categories = {}
    default_left = np.array(tree["default_left"], dtype=np.uint8)
    for node, start, size in zip(
        tree["categories_nodes"], tree["categories_segments"], tree["categories_sizes"], strict=True
    ):
        flags = np.ones(limits[feature[node]] + 2, dtype=np.uint8)
        flags[tree["categories"][start : start + size]] = 0
        flags[-1] = default_left[node]
        categories[int(node)] = flags
    return Tree(
        feature=np.where(leaf, -1, feature),
        threshold=np.nextafter(conditions, np.float32(-np.inf)).astype(np.float64),
        left=left,
        right=np.array(tree["right_children"]),
        values=np.where(leaf, conditions * np.float32(weight), np.float32(0))[:, None],
        missing_left=default_left,
        categories=categories,
    )


def _cyclic(model: Any, trees: Sequence[Tree], outputs: Sequence[int], count: int) -> list[Tree]:
    """The trees so that tree t belongs to output t modulo count, each output's in their order."""
    by_output = [[tree for tree, output in zip(trees, outputs, strict=True) if output == k] for k in range(count)]
    if len({len(each) for each in by_output}) != 1:
        raise UnsupportedModelError(model, "its outputs have different numbers of trees")
    return [tree for row in zip(*by_output, strict=True) for tree in row]


class _BoosterMethods(Lowering):
    """What the objective makes of the sums."""

    def raw(self, c: Context, model: Any, x: Value) -> tuple[Value, str]:
        return raw_scores(c, model, model, x, float("nan"))

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        """Values, or the positions of the likeliest classes."""
        raw, objective = self.raw(c, model, x)
        if objective == "reg:logistic":
            return c.emit("single.sigmoid", [raw], width=raw.width, dtype="float32")
        if objective in _LOGARITHMIC:
            return c.emit("single.exp", [raw], width=raw.width, dtype="float32")
        if objective in {"binary:logistic", "multi:softprob"}:
            return c.argmax(self.predict_proba(c, model, x))
        return raw

    def predict_proba(self, c: Context, model: Any, x: Value) -> Value:
        raw, objective = self.raw(c, model, x)
        if objective == "binary:logistic" and raw.width == 1:
            return c.complement(c.emit("single.sigmoid", [raw], width=1, dtype="float32"))
        if objective == "multi:softprob":
            return c.emit("single.softmax", [raw], width=raw.width, dtype="float32")
        raise UnsupportedModelError(model, f"the objective {objective!r} of {raw.width} outputs gives no probabilities")


@lowers("xgboost.Booster", params="")
class BoosterLowering(_BoosterMethods):
    """The library's own class, which gives one probability: the other is taken from it in double precision."""

    def predict_proba(self, c: Context, model: Any, x: Value) -> Value:
        probabilities = super().predict_proba(c, model, x)
        _, objective = self.raw(c, model, x)
        if objective != "binary:logistic":
            return probabilities
        return c.complement(c.doubles(c.pick(probabilities, [1])))


@lowers("xgboost.XGBRegressor", "xgboost.XGBRFRegressor", "xgboost.XGBRanker", params=_PARAMS)
class RegressorLowering(_BoosterMethods):
    """The wrappers of values."""

    def raw(self, c: Context, model: Any, x: Value) -> tuple[Value, str]:
        if callable(model.objective):
            raise UnsupportedModelError(model, "its objective is a function")
        return raw_scores(c, model, model.get_booster(), x, model.missing)


@lowers("xgboost.XGBClassifier", "xgboost.XGBRFClassifier", params=_PARAMS)
class ClassifierLowering(RegressorLowering):
    """The second class where its probability is above one half; for several labels, each by itself."""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        probabilities = self.predict_proba(c, model, x)
        if len(model.classes_) == 2 and probabilities.width == 2:
            return c.above(c.pick(probabilities, [1]), 0.5)
        return c.argmax(probabilities)
