"""LightGBM, from the text of its own model files.

The rules of a decision are those of LightGBM's `Tree::NumericalDecision` and `Tree::CategoricalDecision`
(include/LightGBM/tree.h), the transforms of the sums those of its objectives' `ConvertOutput`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lightship.compile.context import Context, once
from lightship.compile.errors import UnsupportedModelError
from lightship.compile.families.encoding import Codes, encode_some
from lightship.compile.forest import Tree, emit_trees
from lightship.compile.registry import Lowering, lowers
from lightship.compile.values import Value
from lightship_runtime.program.numerics import Array

_PARAMS = (
    "boosting_type class_weight colsample_bytree importance_type learning_rate max_depth min_child_samples"
    " min_child_weight min_split_gain n_estimators n_jobs num_leaves objective random_state reg_alpha reg_lambda"
    " subsample subsample_for_bin subsample_freq verbose verbosity metric num_threads nthread seed feature_fraction"
    " feature_fraction_bynode bagging_fraction bagging_freq bagging_seed lambda_l1 lambda_l2 min_data_in_leaf"
    " min_sum_hessian_in_leaf min_data_in_bin max_bin early_stopping_round early_stopping_rounds extra_trees cat_smooth"
    " cat_l2 max_cat_threshold max_cat_to_onehot min_data_per_group monotone_constraints path_smooth deterministic"
    " force_col_wise force_row_wise scale_pos_weight is_unbalance num_class alpha tweedie_variance_power fair_c"
    " reg_sqrt poisson_max_delta_step sigmoid device device_type gpu_use_dp data_random_seed feature_fraction_seed"
    " boost_from_average categorical_feature max_delta_step drop_rate max_drop skip_drop uniform_drop top_rate"
    " other_rate"
)
_CATEGORICAL, _DEFAULT_LEFT = 1, 2
_MISSING_NONE, _MISSING_NAN = 0, 2
_MOST_FLAGS = 1 << 26


@dataclass(frozen=True, slots=True)
class _Model:
    """A parsed model: `trees` as the keys and values of their lines."""

    header: Mapping[str, str]
    trees: list[Mapping[str, str]]

    @property
    def outputs(self) -> int:
        return int(self.header["num_tree_per_iteration"])

    @property
    def objective(self) -> tuple[str, dict[str, str]]:
        """The name, and its settings such as `sigmoid:1`."""
        name, *settings = self.header.get("objective", "none").split(" ")
        return name, {key: value for key, _, value in (setting.partition(":") for setting in settings)}


@once
def parsed(_: Context, model: Any, booster: Any) -> _Model:
    """Of the iterations that the booster predicts with. Raises UnsupportedModelError."""
    altering = [name for name in booster.params if name.startswith(("pred", "start_iteration", "num_iteration_pred"))]
    if altering:
        raise UnsupportedModelError(model, f"the parameter {altering[0]!r} changes its predictions")
    text = booster.model_to_string()
    head, *blocks = re.split(r"^Tree=\d+$", text.partition("\nend of trees")[0], flags=re.MULTILINE)
    found = _Model(_lines(head), [_lines(block) for block in blocks])
    if found.header.get("version") not in {"v3", "v4"}:
        raise UnsupportedModelError(model, f"its format {found.header.get('version')!r} is not known")
    if any(tree.get("is_linear", "0") != "0" for tree in found.trees):
        raise UnsupportedModelError(model, "its leaves hold linear models")
    return found


def _lines(block: str) -> dict[str, str]:
    return {key: value for key, _, value in (line.partition("=") for line in block.splitlines()) if key}


@once
def raw_scores(c: Context, model: Any, booster: Any, x: Value) -> Value:
    """The sum of the trees; for a random forest their mean."""
    if x.width != booster.num_feature():
        raise UnsupportedModelError(model, f"it was fitted on {booster.num_feature()} columns and would get {x.width}")
    found = parsed(c, model, booster)
    x = _inputs(c, model, booster, x)
    limits = _limits(found, x.width)
    if sum(int(tree["num_cat"]) for tree in found.trees) * max(limits, default=0) > _MOST_FLAGS:
        raise UnsupportedModelError(model, "its categories are too many")
    x = _without_missing(c, model, found, x)
    trees = [_tree(tree, limits) for tree in found.trees]
    divisor = len(trees) // found.outputs if "average_output" in found.header else 1
    return emit_trees(c, x, trees, base=[0.0] * found.outputs, divisor=divisor, limits=limits)


def _inputs(c: Context, model: Any, booster: Any, x: Value) -> Value:
    """Pandas categories as the codes they had while fitting; a matrix of integers through float32."""
    known = booster.pandas_categorical or []
    if x.kind != "raw":
        return c.doubles(x)
    places = [place for place, column in enumerate(x.columns) if column.dtype == "category"]
    if len(places) != len(known):
        raise UnsupportedModelError(
            model, f"it was fitted on {len(known)} pandas categories and would get {len(places)}"
        )
    codes = {
        place: Codes(values, list(range(len(values))), float("nan"))
        for place, values in zip(places, known, strict=True)
    }
    if c.layout == "matrix" and all(column.dtype.startswith(("int", "uint")) for column in x.columns):
        return c.doubles(c.singles(x))
    return encode_some(c, model, x, codes)


def _numbers(tree: Mapping[str, str], key: str, dtype: Any) -> Array:
    return np.array(tree.get(key, "").split(), dtype=dtype)


def _limits(found: _Model, width: int) -> list[int]:
    """For each column that trees split by category, the number of codes their bit sets hold."""
    limits = [0] * width
    for tree in found.trees:
        bounds = _numbers(tree, "cat_boundaries", np.int64)
        for feature, place, kind in zip(
            _numbers(tree, "split_feature", np.int64),
            _numbers(tree, "threshold", np.float64),
            _numbers(tree, "decision_type", np.int64),
            strict=True,
        ):
            if kind & _CATEGORICAL:
                words = int(bounds[int(place) + 1] - bounds[int(place)])
                limits[feature] = max(limits[feature], 32 * words)
    return limits


def _without_missing(c: Context, model: Any, found: _Model, x: Value) -> Value:
    """Columns for which NaN wasn't a value of its own while fitting take it as 0."""
    kinds = np.full(x.width, -1)
    for tree in found.trees:
        decision = _numbers(tree, "decision_type", np.int64)
        numeric = (decision & _CATEGORICAL) == 0
        features, missing = _numbers(tree, "split_feature", np.int64)[numeric], (decision[numeric] >> 2) & 3
        for feature, kind in zip(features.tolist(), missing.tolist(), strict=True):
            if kind not in {_MISSING_NONE, _MISSING_NAN} or kinds[feature] not in {-1, kind}:
                raise UnsupportedModelError(model, "it was fitted with zero_as_missing, or on changing data")
            kinds[feature] = kind
    fills = np.where(kinds == _MISSING_NONE, 0.0, np.nan)
    if np.isnan(fills).all():
        return x
    return c.emit("missing.fill", [x], width=x.width, arrays={"values": fills})


def _tree(tree: Mapping[str, str], limits: list[int]) -> Tree:
    """Inner nodes first, then leaves; LightGBM counts leaves from -1 downwards."""
    leaves = _numbers(tree, "leaf_value", np.float64)
    inner = len(leaves) - 1
    decision = _numbers(tree, "decision_type", np.int64)
    threshold = _numbers(tree, "threshold", np.float64)
    feature = _numbers(tree, "split_feature", np.int64)
    bounds, words = _numbers(tree, "cat_boundaries", np.int64), _numbers(tree, "cat_threshold", np.uint32)
    categories = {}
    for node in np.flatnonzero(decision & _CATEGORICAL):
        place = int(threshold[node])
        flags = np.unpackbits(words[bounds[place] : bounds[place + 1]].astype("<u4").view(np.uint8), bitorder="little")
        # Anything that isn't in the set goes right, NaN included.
        categories[int(node)] = np.append(flags, np.zeros(limits[feature[node]] + 2 - len(flags), dtype=np.uint8))
    children = [_numbers(tree, key, np.int64) for key in ("left_child", "right_child")]
    left, right = (np.append(np.where(each < 0, inner - 1 - each, each), np.zeros(inner + 1)) for each in children)
    return Tree(
        feature=np.append(feature, np.full(inner + 1, -1)),
        threshold=np.append(threshold, np.zeros(inner + 1)),
        left=left.astype(np.int64),
        right=right.astype(np.int64),
        values=np.append(np.zeros(inner), leaves)[:, None],
        missing_left=np.append((decision & _DEFAULT_LEFT) > 0, np.zeros(inner + 1)).astype(np.uint8),
        categories=categories,
    )


_AS_THEY_ARE = {"regression_l1", "huber", "fair", "quantile", "mape", "lambdarank", "rank_xendcg"}


class _BoosterMethods(Lowering):
    """What the objective makes of the sums."""

    def booster(self, model: Any) -> Any:
        return model

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        """Values, or the positions of the likeliest classes."""
        booster = self.booster(model)
        raw = raw_scores(c, model, booster, x)
        name, settings = parsed(c, model, booster).objective
        match name:
            case "poisson" | "gamma" | "tweedie":
                return c.apply("exp", raw)
            case "regression":
                return c.apply("signed_square", raw) if "sqrt" in settings else raw
            case "binary" | "cross_entropy" | "multiclass" | "multiclassova":
                return c.argmax(self.predict_proba(c, model, x))
            case _ if name in _AS_THEY_ARE:
                return raw
            case _:
                raise UnsupportedModelError(model, f"the objective {name!r} is not known")

    def predict_proba(self, c: Context, model: Any, x: Value) -> Value:
        booster = self.booster(model)
        raw = raw_scores(c, model, booster, x)
        name, settings = parsed(c, model, booster).objective
        match name:
            case "binary" | "multiclassova":
                each = c.apply("expit", c.with_constant("multiply", raw, float(settings["sigmoid"])))
                return c.complement(each) if name == "binary" else each
            case "cross_entropy":
                return c.complement(c.apply("expit", raw))
            case "multiclass":
                return c.softmax(raw)
            case _:
                raise UnsupportedModelError(model, f"the objective {name!r} gives no probabilities")


@lowers("lightgbm.Booster", params="")
class BoosterLowering(_BoosterMethods):
    """The library's own class."""


@lowers("lightgbm.LGBMClassifier", "lightgbm.LGBMRegressor", "lightgbm.LGBMRanker", params=_PARAMS)
class WrapperLowering(_BoosterMethods):
    """The scikit-learn wrappers; the classifier's positions are those of `classes_`."""

    def booster(self, model: Any) -> Any:
        if callable(model.objective):
            raise UnsupportedModelError(model, "its objective is a function")
        return model.booster_
