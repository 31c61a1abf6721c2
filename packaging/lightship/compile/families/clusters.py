"""Clusters: the nearest center, or the distances to all."""

from typing import Any

import numpy as np

from lightship.compile.context import Context
from lightship.compile.errors import UnsupportedModelError
from lightship.compile.kernels import minkowski, squared
from lightship.compile.precision import in_doubles
from lightship.compile.registry import Lowering, lowers
from lightship.compile.values import Value
from lightship_runtime.program.numerics import Array

_MEANS = (
    "n_clusters init n_init max_iter tol verbose random_state copy_x algorithm batch_size compute_labels"
    " max_no_improvement init_size reassignment_ratio bisecting_strategy"
)


def argmin(c: Context, x: Value) -> Value:
    return c.emit("distances.argmin", [x], width=1)


def nearest(c: Context, x: Value, points: Array, norms: Any = None) -> Value:
    arrays = {"points": points} if norms is None else {"points": points, "norms": np.asarray(norms, dtype=np.float64)}
    return c.emit("distances.nearest", [x], width=1, arrays=arrays)


def _doubles(model: Any, points: Any) -> Array:
    if np.asarray(points).dtype == np.float32:
        raise UnsupportedModelError(model, "it was fitted in single precision")
    doubles: Array = np.asarray(points, dtype=np.float64)
    return doubles


def _partial(c: Context, x: Value, points: Array) -> Value:
    return c.emit("distances.partial", [x], width=len(points), arrays={"points": points})


@lowers("sklearn.cluster.KMeans", "sklearn.cluster.MiniBatchKMeans", params=_MEANS)
class KMeansLowering(Lowering):
    """The nearest center, by the distance less what all have in common."""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        return argmin(c, _partial(c, in_doubles(c, model, x), _doubles(model, model.cluster_centers_)))

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        centers = _doubles(model, model.cluster_centers_)
        return c.apply("sqrt", squared(c, in_doubles(c, model, x), centers, "expanded"))


@lowers("sklearn.cluster.BisectingKMeans", params=_MEANS)
class BisectingKMeansLowering(KMeansLowering):
    """Down the tree of splits, each time to the nearer of two centers."""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        centers: list[Array] = []
        children: list[list[int]] = []
        self._collect(model, model._bisecting_tree, centers, children)
        if not centers:
            return c.constant(x, [float(model._bisecting_tree.label)])
        arrays = {
            "centers": _doubles(model, np.concatenate(centers)),
            "children": np.array(children, dtype=np.int32),
        }
        return c.emit("distances.bisect", [in_doubles(c, model, x)], width=1, arrays=arrays)

    def _collect(self, model: Any, node: Any, centers: list[Array], children: list[list[int]]) -> int:
        """The node's place among the inner ones, or -1 - label of a leaf."""
        if node.left is None:
            return -1 - int(node.label)
        place = len(centers)
        pair = np.vstack((node.left.center, node.right.center))
        centers.append(pair + model._X_mean if hasattr(model, "_X_mean") else pair)
        children.append([0, 0])
        for side, child in enumerate((node.left, node.right)):
            children[place][side] = self._collect(model, child, centers, children)
        return place


@lowers(
    "sklearn.cluster.MeanShift",
    params="bandwidth seeds bin_seeding min_bin_freq cluster_all n_jobs max_iter",
)
@lowers(
    "sklearn.cluster.AffinityPropagation",
    params="damping max_iter convergence_iter copy preference affinity verbose random_state",
)
class NearestCenterLowering(Lowering):
    """The nearest center."""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        centers = getattr(model, "cluster_centers_", None)
        if centers is None:
            raise UnsupportedModelError(model, "it has no centers")
        if not len(centers):
            return c.constant(x, [-1.0])
        return nearest(c, in_doubles(c, model, x), _doubles(model, centers))


@lowers("sklearn.cluster.Birch", params="threshold branching_factor n_clusters compute_labels copy")
class BirchLowering(Lowering):
    """The label of the nearest subcluster, or the distances to all."""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        centers = _doubles(model, model.subcluster_centers_)
        near = nearest(c, in_doubles(c, model, x), centers, model._subcluster_norms)
        labels = np.asarray(model.subcluster_labels_, dtype=np.float64)
        return c.emit("links.choose", [near], width=1, arrays={"values": labels})

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        centers = _doubles(model, model.subcluster_centers_)
        return c.apply("sqrt", squared(c, in_doubles(c, model, x), centers, "expanded"))


@lowers(
    "sklearn.cluster.FeatureAgglomeration",
    params="n_clusters metric memory connectivity compute_full_tree linkage pooling_func distance_threshold"
    " compute_distances",
)
class FeatureAgglomerationLowering(Lowering):
    """The mean of the columns of each cluster."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        if model.pooling_func is not np.mean:
            raise UnsupportedModelError(model, f"pooling by {model.pooling_func!r} is not known")
        flags = np.equal.outer(np.arange(model.n_clusters_), model.labels_).astype(np.float64)
        return c.with_constant("divide", c.product(in_doubles(c, model, x), flags, 0.0), flags.sum(axis=1))


@lowers("sklearn.neighbors.NearestCentroid", params="metric shrink_threshold priors")
class NearestCentroidLowering(Lowering):
    """The nearest centroid; where the classes' priors differ, the largest discriminant score."""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        if not np.isclose(model.class_prior_, 1 / len(model.classes_)).all():
            return c.argmax(self._scores(c, model, x))
        centroids = _doubles(model, model.centroids_)
        x = in_doubles(c, model, x)
        if model.metric == "manhattan":
            return argmin(c, minkowski(c, x, centroids, 1.0))
        return nearest(c, x, centroids)

    def decision_function(self, c: Context, model: Any, x: Value) -> Value:
        scores = self._scores(c, model, x)
        return c.product(scores, np.array([[-1.0, 1.0]]), 0.0) if scores.width == 2 else scores

    def predict_proba(self, c: Context, model: Any, x: Value) -> Value:
        return c.softmax(self._scores(c, model, x))

    def _scores(self, c: Context, model: Any, x: Value) -> Value:
        """Minus the squared distance in units of the spread within the classes, plus twice the log of the prior."""
        spread = np.where(model.within_class_std_dev_ == 0, 1.0, model.within_class_std_dev_)
        x = c.with_constant("divide", in_doubles(c, model, x), spread)
        centroids = _doubles(model, model.centroids_) / spread
        if model.metric == "manhattan":
            apart = minkowski(c, x, centroids, 1.0)
        else:
            apart = c.apply("sqrt", squared(c, x, centroids, "expanded"))
        return c.with_constant("add", c.apply("negative", c.apply("square", apart)), 2.0 * np.log(model.class_prior_))
