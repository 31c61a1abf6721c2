"""Neighbours, clusters and mixtures compile to the same numbers and the same choice among points equally far."""

from typing import Any

import numpy as np
import pytest
from sklearn.cluster import (
    AffinityPropagation,
    Birch,
    BisectingKMeans,
    FeatureAgglomeration,
    KMeans,
    MeanShift,
    MiniBatchKMeans,
)
from sklearn.covariance import EllipticEnvelope
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from sklearn.neighbors import (
    KNeighborsClassifier,
    KNeighborsRegressor,
    KNeighborsTransformer,
    LocalOutlierFactor,
    NearestCentroid,
    RadiusNeighborsClassifier,
    RadiusNeighborsRegressor,
    RadiusNeighborsTransformer,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

NUMBERS = ["x0", "x1", "x2", "x3", "count"]
SETTINGS: list[dict[str, Any]] = [
    {},
    {"weights": "distance"},
    {"algorithm": "brute"},
    {"algorithm": "ball_tree", "n_neighbors": 3},
    {"p": 1, "n_neighbors": 8},
    {"p": 3, "weights": "distance"},
    {"metric": "chebyshev"},
    {"metric": "cosine"},
    {"algorithm": "ball_tree", "p": 1},
    {"n_neighbors": 1},
]


def classes(y: Any, count: int) -> Any:
    return np.digitize(y, np.quantile(y, np.linspace(0, 1, count + 1)[1:-1]))


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_nearest_neighbors(table: Any, reproduces: Any, settings: dict[str, Any]) -> None:
    frame, y = table(missing=0)
    model = make_pipeline(StandardScaler(), KNeighborsClassifier(**settings))
    reproduces(model.fit(frame[NUMBERS], classes(y, 3)), frame[NUMBERS], is_pure=False)
    targets = np.stack([y, -y], axis=1) if settings.get("weights") else y
    model = make_pipeline(StandardScaler(), KNeighborsRegressor(**settings))
    reproduces(model.fit(frame[NUMBERS], targets), frame[NUMBERS], is_pure=False)


@pytest.mark.parametrize("algorithm", ["kd_tree", "ball_tree", "brute"])
@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_ties_are_decided_as_the_original_decides_them(
    reproduces: Any, algorithm: str, weights: str, seed: int
) -> None:
    """Whole numbers: most rows have more points equally far than there is room for."""
    rng = np.random.default_rng(seed)
    matrix = rng.integers(0, 4, size=(200, 3)).astype(float)
    labels = rng.integers(0, 3, 200)
    model = KNeighborsClassifier(5, algorithm=algorithm, weights=weights, leaf_size=7).fit(matrix, labels)
    reproduces(model, matrix, is_pure=False)


def test_labels_of_neighbors(table: Any, reproduces: Any) -> None:
    frame, y = table(missing=0)
    labels = np.stack([y > 0, y > 1, y > -1], axis=1).astype(int)
    reproduces(KNeighborsClassifier().fit(frame[NUMBERS], labels), frame[NUMBERS], is_pure=False)


@pytest.mark.parametrize("settings", [{}, {"weights": "distance"}, {"p": 1}, {"algorithm": "brute"}], ids=str)
@pytest.mark.filterwarnings("ignore:One or more samples have no neighbors")
def test_neighbors_within_a_radius(table: Any, reproduces: Any, settings: dict[str, Any]) -> None:
    frame, y = table(missing=0)
    for outlier in (None, "most_frequent"):
        model = RadiusNeighborsClassifier(2.0, outlier_label=outlier, **settings)
        model = make_pipeline(StandardScaler(), model).fit(frame[NUMBERS][:150], classes(y, 3)[:150])
        reproduces(model, frame[NUMBERS][:150], is_pure=False)
    model = make_pipeline(StandardScaler(), RadiusNeighborsRegressor(2.0, **settings))
    reproduces(model.fit(frame[NUMBERS], y), frame[NUMBERS], is_pure=False)


def test_local_outlier_factor(table: Any, reproduces: Any) -> None:
    frame, _ = table(missing=0)
    model = make_pipeline(StandardScaler(), LocalOutlierFactor(novelty=True))
    reproduces(model.fit(frame[NUMBERS]), frame[NUMBERS], is_pure=False)


@pytest.mark.parametrize("mode", ["distance", "connectivity"])
def test_graph_of_neighbors(table: Any, reproduces: Any, mode: str) -> None:
    frame, _ = table(missing=0, rows=60)
    model = KNeighborsTransformer(mode=mode, n_neighbors=3)
    reproduces(model.fit(frame[NUMBERS]), frame[NUMBERS], is_pure=False)
    model = RadiusNeighborsTransformer(mode=mode, radius=300.0)
    reproduces(model.fit(frame[NUMBERS]), frame[NUMBERS], is_pure=False)


CLUSTERS = [
    KMeans(5, n_init=1, random_state=0),
    MiniBatchKMeans(5, n_init=1, random_state=0),
    BisectingKMeans(6, random_state=0),
    MeanShift(),
    AffinityPropagation(random_state=0),
    Birch(threshold=2.0, n_clusters=3),
]


@pytest.mark.parametrize("model", CLUSTERS, ids=repr)
def test_clusters(table: Any, reproduces: Any, model: Any) -> None:
    frame, _ = table(missing=0)
    fitted = make_pipeline(StandardScaler(), model).fit(frame[NUMBERS])
    reproduces(fitted, frame[NUMBERS], is_pure=False)
    if hasattr(model, "transform"):
        reproduces(fitted, frame[NUMBERS], is_pure=False, task="transform")


def test_pooled_columns(table: Any, reproduces: Any) -> None:
    frame, _ = table(missing=0)
    reproduces(FeatureAgglomeration(2).fit(frame[NUMBERS]), frame[NUMBERS], task="transform")


@pytest.mark.parametrize("priors", ["uniform", "empirical"])
@pytest.mark.parametrize("count", [2, 3])
def test_nearest_centroid(table: Any, reproduces: Any, priors: str, count: int) -> None:
    frame, y = table(missing=0)
    labels = classes(y, count) if priors == "uniform" else np.digitize(y, [0.3, 1.1][: count - 1])
    for model in (NearestCentroid(priors=priors), NearestCentroid(priors=priors, shrink_threshold=0.2)):
        fitted = make_pipeline(StandardScaler(), model).fit(frame[NUMBERS], labels)
        reproduces(fitted, frame[NUMBERS], is_pure=False)


def test_nearest_centroid_by_manhattan_distance(table: Any, reproduces: Any) -> None:
    frame, y = table(missing=0)
    fitted = make_pipeline(StandardScaler(), NearestCentroid(metric="manhattan")).fit(frame[NUMBERS], classes(y, 3))
    reproduces(fitted, frame[NUMBERS], is_pure=False)


@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize("mixture", [GaussianMixture, BayesianGaussianMixture])
def test_mixtures(table: Any, reproduces: Any, covariance: str, mixture: Any) -> None:
    frame, _ = table(missing=0)
    model = mixture(n_components=3, covariance_type=covariance, random_state=0, max_iter=500)
    reproduces(make_pipeline(StandardScaler(), model).fit(frame[NUMBERS]), frame[NUMBERS])


def test_elliptic_envelope(table: Any, reproduces: Any) -> None:
    frame, _ = table(missing=0)
    model = make_pipeline(StandardScaler(), EllipticEnvelope(random_state=0))
    reproduces(model.fit(frame[NUMBERS]), frame[NUMBERS], is_pure=False)
