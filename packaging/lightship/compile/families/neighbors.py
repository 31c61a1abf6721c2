"""Nearest neighbours, searched among all stored points."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lightship.compile.context import Context
from lightship.compile.errors import UnsupportedModelError
from lightship.compile.kernels import combined
from lightship.compile.precision import in_doubles
from lightship.compile.registry import Lowering, lowers
from lightship.compile.values import Value

_NEIGHBORS = (
    "n_neighbors radius weights algorithm leaf_size p metric metric_params n_jobs outlier_label mode contamination"
    " novelty"
)
_METRICS = {
    "euclidean": "euclidean",
    "l2": "euclidean",
    "manhattan": "manhattan",
    "l1": "manhattan",
    "cityblock": "manhattan",
    "p": "minkowski",
    "minkowski": "minkowski",
    "chebyshev": "chebyshev",
    "infinity": "chebyshev",
    "cosine": "cosine",
}


@dataclass(frozen=True)
class _Ranks:
    """The row, what ranks as the distances do, and the parameters that say how it was made."""

    x: Value
    value: Value
    params: dict[str, Any]


def _ranks(c: Context, model: Any, x: Value) -> _Ranks:
    metric = _METRICS.get(model.effective_metric_) if isinstance(model.effective_metric_, str) else None
    points = model._fit_X
    extra = {name for name, value in model.effective_metric_params_.items() if value is not None} - {"p"}
    if metric is None or extra or model._fit_method not in _SEARCHES:
        raise UnsupportedModelError(model, f"the metric {model.effective_metric_!r} with its settings is not known")
    if hasattr(points, "toarray") or points.dtype == np.float32:
        raise UnsupportedModelError(model, "it was fitted on a sparse matrix or in single precision")
    x = in_doubles(c, model, x)
    points = np.asarray(points, dtype=np.float64)
    params: dict[str, Any] = {"metric": metric}
    match metric:
        case "euclidean":
            params["method"] = "norms_first" if model._fit_method == "brute" else "direct"
        case "manhattan":
            params["p"] = 1.0
        case "minkowski":
            params["p"] = float(model.effective_metric_params_.get("p", 2))
        case "cosine":
            length = np.sqrt(np.einsum("ij,ij->i", points, points))
            points = points / np.where(length < 10 * np.finfo(float).eps, 1.0, length)[:, None]
    value = c.emit("neighbors.ranks", [x], width=len(points), params=params, arrays={"points": points})
    return _Ranks(x, value, params)


_SEARCHES = {"brute": "scan", "kd_tree": "kd_tree", "ball_tree": "ball_tree"}


def nearest(c: Context, model: Any, x: Value, count: int) -> Value:
    """`neighbors.nearest` of a fitted neighbours' estimator: distances and positions of `count` points."""
    ranks = _ranks(c, model, x)
    search = "partition" if ranks.params["metric"] == "cosine" else _SEARCHES[model._fit_method]
    arrays = _tree_arrays(model._tree) if search.endswith("tree") else None
    params = {**ranks.params, "search": search, "k": int(count)}
    return c.emit("neighbors.nearest", [ranks.value, ranks.x], width=2 * count, params=params, arrays=arrays)


def _tree_arrays(tree: Any) -> dict[str, Any]:
    _, order, nodes, bounds = tree.get_arrays()
    return {
        "order": np.asarray(order, dtype=np.int32),
        "start": np.asarray(nodes["idx_start"], dtype=np.int32),
        "end": np.asarray(nodes["idx_end"], dtype=np.int32),
        "leaf": np.asarray(nodes["is_leaf"], dtype=np.uint8),
        "radius": np.asarray(nodes["radius"], dtype=np.float64),
        "low": np.asarray(bounds[0], dtype=np.float64),
        "high": np.asarray(bounds[-1], dtype=np.float64),
    }


def _weights(model: Any) -> str:
    if model.weights in (None, "uniform"):
        return "uniform"
    if isinstance(model.weights, str) and model.weights == "distance":
        return "distance"
    raise UnsupportedModelError(model, f"weights={model.weights!r} is not known")


def _labels(model: Any) -> list[tuple[Any, Any]]:
    """(positions in the classes, classes) of every output."""
    if not model.outputs_2d_:
        return [(np.ravel(model._y), model.classes_)]
    if any(list(classes) not in ([0, 1], [0]) for classes in model.classes_):
        raise UnsupportedModelError(model, "it has several outputs whose classes aren't 0 and 1")
    return list(zip(model._y.T, model.classes_, strict=True))


class NeighborsClassifierLowering(Lowering):
    """The class with the largest share among the neighbours; for several labels, of each."""

    def shares(self, c: Context, model: Any, x: Value) -> list[Value]:
        """One value (n, classes) an output."""
        raise NotImplementedError

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        return c.concat([c.argmax(each) for each in self.shares(c, model, x)])

    def predict_proba(self, c: Context, model: Any, x: Value) -> Value:
        shares = self.shares(c, model, x)
        if not model.outputs_2d_:
            return shares[0]
        return c.concat([c.pick(each, [1]) if each.width == 2 else c.constant(x, [0.0]) for each in shares])


@lowers("sklearn.neighbors.KNeighborsClassifier", params=_NEIGHBORS)
class KNeighborsClassifierLowering(NeighborsClassifierLowering):
    """Among the k nearest."""

    def shares(self, c: Context, model: Any, x: Value) -> list[Value]:
        near = nearest(c, model, x, model.n_neighbors)
        return [
            c.emit(
                "neighbors.vote",
                [near],
                width=len(classes),
                params={"weights": _weights(model)},
                arrays={"labels": np.asarray(labels, dtype=np.int32)},
            )
            for labels, classes in _labels(model)
        ]


@lowers("sklearn.neighbors.RadiusNeighborsClassifier", params=_NEIGHBORS)
class RadiusNeighborsClassifierLowering(NeighborsClassifierLowering):
    """Among those within the radius."""

    def shares(self, c: Context, model: Any, x: Value) -> list[Value]:
        within = _within(c, model, x)
        outliers = model.outlier_label_ or [None] * len(_labels(model))
        shares = []
        for (labels, classes), outlier in zip(_labels(model), outliers, strict=True):
            if outlier is not None and outlier not in classes:
                raise UnsupportedModelError(model, f"its outlier label {outlier!r} is none of its classes")
            sums = combined(c, within, np.equal.outer(labels, np.arange(len(classes))))
            params = {"label": None if outlier is None else int(np.flatnonzero(classes == outlier)[0])}
            shares.append(c.emit("neighbors.settle", [sums], width=sums.width, params=params))
        return shares


def _within(c: Context, model: Any, x: Value) -> Value:
    ranks = _ranks(c, model, x)
    params = {**ranks.params, "radius": float(model.radius), "weights": _weights(model)}
    return c.emit("neighbors.within", [ranks.value], width=ranks.value.width, params=params)


@lowers("sklearn.neighbors.KNeighborsRegressor", params=_NEIGHBORS)
class KNeighborsRegressorLowering(Lowering):
    """The mean of the k nearest."""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        targets = np.asarray(model._y, dtype=np.float64).reshape(len(model._y), -1)
        return c.emit(
            "neighbors.average",
            [nearest(c, model, x, model.n_neighbors)],
            width=targets.shape[1],
            params={"weights": _weights(model)},
            arrays={"targets": targets},
        )


@lowers("sklearn.neighbors.RadiusNeighborsRegressor", params=_NEIGHBORS)
class RadiusNeighborsRegressorLowering(Lowering):
    """The mean of those within the radius; NaN where there is none."""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        within = _within(c, model, x)
        shares = c.emit("kernels.share", [within], width=within.width)
        return combined(c, shares, np.asarray(model._y, dtype=np.float64).reshape(len(model._y), -1))


@lowers("sklearn.neighbors.LocalOutlierFactor", params=_NEIGHBORS)
class LocalOutlierFactorLowering(Lowering):
    """An outlier where the density is well below that of the neighbours."""

    def score_samples(self, c: Context, model: Any, x: Value) -> Value:
        arrays = {
            "density": np.asarray(model._lrd, dtype=np.float64),
            "reach": np.asarray(model._distances_fit_X_[:, model.n_neighbors_ - 1], dtype=np.float64),
        }
        return c.emit("neighbors.outlier_factor", [nearest(c, model, x, model.n_neighbors_)], width=1, arrays=arrays)

    def decision_function(self, c: Context, model: Any, x: Value) -> Value:
        return c.with_constant("subtract", self.score_samples(c, model, x), float(model.offset_))

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        flags = c.above(self.decision_function(c, model, x), 0.0, equal=True)
        return c.emit("links.choose", [flags], width=1, arrays={"values": np.array([-1.0, 1.0])})


@lowers("sklearn.neighbors.RadiusNeighborsTransformer", params=_NEIGHBORS)
class RadiusNeighborsTransformerLowering(Lowering):
    """A row of the graph of neighbours within the radius."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        ranks = _ranks(c, model, x)
        weights = "uniform" if model.mode == "connectivity" else "own"
        params = {**ranks.params, "radius": float(model.radius), "weights": weights}
        width = ranks.value.width
        return c.emit("neighbors.within", [ranks.value], width=width, params=params, stored_sparse=True)


@lowers("sklearn.neighbors.KNeighborsTransformer", params=_NEIGHBORS)
class KNeighborsTransformerLowering(Lowering):
    """A row of the neighbours' graph; with distances, one neighbour more."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        near = nearest(c, model, x, model.n_neighbors + (model.mode == "distance"))
        params = {"flags": model.mode == "connectivity"}
        return c.emit("neighbors.graph", [near], width=model.n_samples_fit_, params=params, stored_sparse=True)
