"""Linear models compile to the same numbers."""

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn import linear_model
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

NUMBERS = ["x0", "x1", "x2", "x3", "count"]
REGRESSORS = [
    "LinearRegression",
    "Ridge",
    "RidgeCV",
    "Lasso",
    "LassoCV",
    "ElasticNet",
    "ElasticNetCV",
    "Lars",
    "LarsCV",
    "LassoLars",
    "LassoLarsCV",
    "LassoLarsIC",
    "BayesianRidge",
    "ARDRegression",
    "OrthogonalMatchingPursuit",
    "HuberRegressor",
    "QuantileRegressor",
    "TheilSenRegressor",
]


def quietly_fitted(model: Any, x: Any, y: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(x, y)


@pytest.mark.parametrize("name", REGRESSORS)
def test_regressors(table: Any, reproduces: Any, name: str) -> None:
    frame, y = table(missing=0)
    model = make_pipeline(StandardScaler(), getattr(linear_model, name)())
    reproduces(quietly_fitted(model, frame[NUMBERS], y), frame[NUMBERS])


@pytest.mark.parametrize("name", ["Ridge", "LinearRegression", "MultiTaskLasso", "MultiTaskElasticNet"])
def test_several_targets(table: Any, reproduces: Any, name: str) -> None:
    frame, y = table(missing=0)
    model = make_pipeline(StandardScaler(), getattr(linear_model, name)())
    reproduces(quietly_fitted(model, frame[NUMBERS], np.stack([y, -2 * y], axis=1)), frame[NUMBERS])


def test_one_target_in_a_column(table: Any, reproduces: Any) -> None:
    frame, y = table(missing=0)
    reproduces(Ridge().fit(frame[NUMBERS], y[:, None]), frame[NUMBERS])


@pytest.mark.parametrize("classes", [2, 4])
def test_logistic_regression(table: Any, reproduces: Any, classes: int) -> None:
    frame, y = table(missing=0)
    target = np.digitize(y, np.quantile(y, np.linspace(0, 1, classes + 1)[1:-1]))
    for model in (LogisticRegression(C=100), LogisticRegression(fit_intercept=False)):
        reproduces(quietly_fitted(make_pipeline(StandardScaler(), model), frame[NUMBERS], target), frame[NUMBERS])


def test_logistic_regression_with_cross_validation(table: Any, reproduces: Any) -> None:
    frame, y = table(missing=0)
    model = make_pipeline(StandardScaler(), LogisticRegressionCV(Cs=2, cv=2))
    reproduces(quietly_fitted(model, frame[NUMBERS], y > 0), frame[NUMBERS])


def test_single_precision_is_said_and_near(table: Any, reproduces: Any) -> None:
    frame, y = table(missing=0)
    matrix = frame[NUMBERS].to_numpy("float32")
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(matrix, y > 0)
    assert reproduces(model, matrix, tolerance=1e-5).single_precision
    assert not reproduces(model.fit(frame[NUMBERS], y > 0), frame[NUMBERS]).single_precision
