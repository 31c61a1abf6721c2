"""HistGradientBoosting: trees over float64 values, with missing values and categories."""

from typing import Any

import numpy as np

from lightship.compile.context import Context, once
from lightship.compile.errors import UnsupportedModelError
from lightship.compile.families.encoding import encode, ordinal_codes
from lightship.compile.forest import Tree, emit_trees
from lightship.compile.registry import Lowering, lowers
from lightship.compile.values import Value
from lightship_runtime.program.numerics import Array

_PARAMS = (
    "loss quantile learning_rate max_iter max_leaf_nodes max_depth min_samples_leaf l2_regularization max_features"
    " max_bins categorical_features monotonic_cst interaction_cst warm_start early_stopping scoring validation_fraction"
    " n_iter_no_change tol verbose random_state class_weight"
)


@once
def raw_scores(c: Context, model: Any, x: Value) -> Value:
    """The baseline plus every tree's value, in the space of the loss."""
    baseline = np.asarray(model._baseline_prediction)
    if baseline.dtype != np.float64:
        raise UnsupportedModelError(model, f"its baseline has dtype {baseline.dtype}")
    x, limits = _preprocessed(c, model, x)
    known = _known_categories(model, limits)
    trees = [_tree(predictor, known) for iteration in model._predictors for predictor in iteration]
    return emit_trees(c, x, trees, base=baseline.ravel().tolist(), limits=limits)


def _preprocessed(c: Context, model: Any, x: Value) -> tuple[Value, list[int]]:
    """The columns as the trees count them, categories first and encoded; and each one's number of categories."""
    preprocessor = model._preprocessor
    if preprocessor is None:
        return c.doubles(x), [0] * x.width
    if not {name for name, _, _ in preprocessor.transformers_} <= {"encoder", "numerical", "remainder"}:
        raise UnsupportedModelError(model, "its preprocessor is not known")
    places = preprocessor._transformer_to_input_indices
    if len(places.get("remainder", ())):
        raise UnsupportedModelError(model, "its preprocessor leaves columns out")
    encoder = preprocessor.named_transformers_["encoder"]
    categorical = c.pick(x, places["encoder"])
    parts = [encode(c, encoder, categorical, "categories.lookup", ordinal_codes(encoder), categorical.width)]
    limits = [len(categories) for categories in encoder.categories_]
    numerical = places.get("numerical", [])
    if len(numerical):
        parts.append(c.doubles(c.pick(x, numerical)))
        limits += [0] * len(numerical)
    return c.doubles(c.concat(parts)), limits


def _known_categories(model: Any, limits: list[int]) -> list[Array]:
    """For each column, which of its codes were in the rows the trees were grown on; the others are as missing."""
    bitsets, places = model._bin_mapper.make_known_categories_bitsets()
    return [_bits(bitsets[places[i]])[:limit] if limit else np.zeros(0) for i, limit in enumerate(limits)]


def _tree(predictor: Any, known: list[Array]) -> Tree:
    nodes = predictor.nodes
    leaf = nodes["is_leaf"].astype(bool)
    categories = {}
    for place in np.flatnonzero(nodes["is_categorical"].astype(bool) & ~leaf):
        node = nodes[place]
        codes = known[node["feature_idx"]]
        left = _bits(predictor.raw_left_cat_bitsets[node["bitset_idx"]])[: len(codes)]
        unknown_left = (codes == 0) & bool(node["missing_go_to_left"])
        categories[int(place)] = np.append(left | unknown_left, [node["missing_go_to_left"]] * 2)
    return Tree(
        feature=np.where(leaf, -1, nodes["feature_idx"].astype(np.int64)),
        threshold=nodes["num_threshold"].astype(np.float64),
        left=nodes["left"].astype(np.int64),
        right=nodes["right"].astype(np.int64),
        values=nodes["value"].astype(np.float64)[:, None],
        missing_left=nodes["missing_go_to_left"].astype(np.uint8),
        categories=categories,
    )


def _bits(words: Array) -> Array:
    """256 flags of eight 32-bit words, the lowest bit first."""
    return np.unpackbits(np.ascontiguousarray(words, dtype="<u4").view(np.uint8), bitorder="little")


def link(model: Any) -> str:
    name = type(model._loss.link).__name__
    if name not in {"IdentityLink", "LogLink", "LogitLink", "MultinomialLogit"}:
        raise UnsupportedModelError(model, f"its link {name} is not known")
    return name


@lowers("sklearn.ensemble.HistGradientBoostingClassifier", params=_PARAMS)
class HistGradientBoostingClassifierLowering(Lowering):
    """Logistic or softmax; of two classes the second where the score is above zero."""

    def decision_function(self, c: Context, model: Any, x: Value) -> Value:
        return raw_scores(c, model, x)

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        raw = raw_scores(c, model, x)
        return c.above(raw, 0.0) if raw.width == 1 else c.argmax(raw)

    def predict_proba(self, c: Context, model: Any, x: Value) -> Value:
        raw = raw_scores(c, model, x)
        match link(model):
            case "LogitLink":
                return c.complement(c.apply("expit", raw))
            case "MultinomialLogit":
                return c.softmax(raw)
            case other:
                raise UnsupportedModelError(model, f"its link {other} gives no probabilities")


@lowers("sklearn.ensemble.HistGradientBoostingRegressor", params=_PARAMS)
class HistGradientBoostingRegressorLowering(Lowering):
    """The inverse link of the sum."""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        raw = raw_scores(c, model, x)
        match link(model):
            case "IdentityLink":
                return raw
            case "LogLink":
                return c.apply("exp", raw)
            case other:
                raise UnsupportedModelError(model, f"its link {other} is not one of a regressor")
