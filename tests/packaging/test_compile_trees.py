"""Trees, forests and boosting compile to the same numbers, to the last bits where the order of sums is known."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor

NUMBERS = ["x0", "x1", "x2", "x3", "count"]
LAST_BITS = 1e-15
randomly = settings(
    derandomize=True, max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def classes(y: Any, count: int) -> Any:
    return np.array(["a", "b", "c", "d"])[np.digitize(y, np.quantile(y, np.linspace(0, 1, count + 1)[1:-1]))]


@randomly
@given(
    seed=st.integers(0, 1000),
    count=st.integers(2, 4),
    categorical=st.sampled_from(["from_dtype", None]),
    early=st.booleans(),
    leaves=st.integers(2, 40),
)
def test_hist_gradient_boosting_classifier(
    table: Any, reproduces: Any, seed: int, count: int, categorical: Any, early: bool, leaves: int
) -> None:
    frame, y = table(seed, 300)
    frame = frame.astype({"city": "category", "code": "category"}) if categorical else frame[[*NUMBERS, "flag"]]
    model = HistGradientBoostingClassifier(
        max_iter=15,
        categorical_features=categorical,
        early_stopping=early,
        max_leaf_nodes=leaves,
        min_samples_leaf=5,
        random_state=0,
    )
    reproduces(model.fit(frame, classes(y, count)), frame, tolerance=LAST_BITS)


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "gamma", "poisson", "quantile"])
def test_hist_gradient_boosting_regressor(table: Any, reproduces: Any, loss: str) -> None:
    frame, y = table(7, 300)
    model = HistGradientBoostingRegressor(
        loss=loss, quantile=0.3 if loss == "quantile" else None, categorical_features=["kind"], max_iter=20
    )
    frame = frame[[*NUMBERS, "kind"]]
    reproduces(model.fit(frame, np.exp(y / 4)), frame, tolerance=LAST_BITS)


def test_hist_gradient_boosting_of_numbered_categories(table: Any, reproduces: Any) -> None:
    """Categories that only the rows held out for early stopping have are known to the encoder, not to the trees."""
    frame, y = table(5, 300)
    frame = frame[["count", "x0"]]
    model = HistGradientBoostingClassifier(
        max_iter=10, categorical_features=[0], early_stopping=True, validation_fraction=0.5, random_state=1
    )
    reproduces(model.fit(frame, y > 0), frame, tolerance=LAST_BITS)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "model",
    [
        DecisionTreeClassifier(max_leaf_nodes=12),
        ExtraTreeClassifier(),
        RandomForestClassifier(9),
        ExtraTreesClassifier(7, bootstrap=True),
        RandomForestClassifier(1, max_depth=1),
    ],
    ids=repr,
)
def test_tree_classifiers(table: Any, reproduces: Any, model: Any, dtype: str) -> None:
    frame, y = table(2)
    matrix = frame[NUMBERS].to_numpy().astype(dtype)
    model.set_params(random_state=0)
    reproduces(model.fit(matrix, y > 0), matrix, tolerance=LAST_BITS)
    reproduces(model.fit(matrix, classes(y, 4)), matrix, tolerance=LAST_BITS)
    labels = np.stack([y > 0, y < 0.5, y > 9], axis=1).astype(int)
    reproduces(model.fit(matrix, labels), matrix, tolerance=LAST_BITS)


@pytest.mark.parametrize(
    "model",
    [
        DecisionTreeRegressor(),
        ExtraTreeRegressor(),
        RandomForestRegressor(9),
        ExtraTreesRegressor(7),
        RandomForestRegressor(5, criterion="absolute_error", max_leaf_nodes=7),
    ],
    ids=repr,
)
def test_tree_regressors(table: Any, reproduces: Any, model: Any) -> None:
    frame, y = table(4)
    model.set_params(random_state=0)
    reproduces(model.fit(frame[NUMBERS], y), frame[NUMBERS], tolerance=LAST_BITS)
    reproduces(model.fit(frame[NUMBERS], np.stack([y, -y], axis=1)), frame[NUMBERS], tolerance=LAST_BITS)


@pytest.mark.parametrize("loss", ["log_loss", "exponential"])
@pytest.mark.parametrize("init", [None, "zero", RandomForestClassifier(3, random_state=0)], ids=repr)
def test_gradient_boosting_classifier(table: Any, reproduces: Any, loss: str, init: Any) -> None:
    frame, y = table(1, missing=0)
    model = GradientBoostingClassifier(loss=loss, init=init, n_estimators=12, random_state=0)
    reproduces(model.fit(frame[NUMBERS], y > 0), frame[NUMBERS], tolerance=1e-12)


def test_gradient_boosting_of_several_classes(table: Any, reproduces: Any) -> None:
    frame, y = table(1, missing=0)
    model = GradientBoostingClassifier(n_estimators=9, subsample=0.7, random_state=0)
    reproduces(model.fit(frame[NUMBERS], classes(y, 3)), frame[NUMBERS], tolerance=LAST_BITS)


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "quantile"])
@pytest.mark.parametrize("init", [None, "zero", LinearRegression()], ids=repr)
def test_gradient_boosting_regressor(table: Any, reproduces: Any, loss: str, init: Any) -> None:
    frame, y = table(6, missing=0)
    model = GradientBoostingRegressor(loss=loss, init=init, n_estimators=12, random_state=0)
    reproduces(
        model.fit(frame[NUMBERS].astype(float), y), frame[NUMBERS].astype(float), tolerance=1e-6 if init else LAST_BITS
    )


def test_batches_larger_than_a_chunk_and_than_a_group_of_trees(table: Any, reproduces: Any) -> None:
    frame, y = table(8, 9000)
    model = RandomForestRegressor(11, max_depth=4, random_state=0).fit(frame[NUMBERS], y)
    reproduces(model, frame[NUMBERS], tolerance=LAST_BITS)


def test_a_forest_too_large_for_lists(table: Any, reproduces: Any) -> None:
    frame, y = table(8, 6000)
    model = RandomForestRegressor(10, random_state=0).fit(frame[NUMBERS], y)
    assert sum(tree.tree_.node_count for tree in model.estimators_) > 1 << 16
    reproduces(model, frame[NUMBERS][:50], tolerance=LAST_BITS)
