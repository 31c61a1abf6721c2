"""Linear models with a link or a decision of their own, naive Bayes and discriminant analysis compile to the same."""

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.linear_model import (
    GammaRegressor,
    Perceptron,
    PoissonRegressor,
    RANSACRegressor,
    RidgeClassifier,
    RidgeClassifierCV,
    SGDClassifier,
    SGDOneClassSVM,
    SGDRegressor,
    TweedieRegressor,
)
from sklearn.naive_bayes import BernoulliNB, CategoricalNB, ComplementNB, GaussianNB, MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC, LinearSVR

NUMBERS = ["x0", "x1", "x2", "x3", "count"]
CLASSIFIERS = [
    SGDClassifier(loss="hinge"),
    SGDClassifier(loss="log_loss"),
    SGDClassifier(loss="modified_huber"),
    Perceptron(),
    RidgeClassifier(),
    RidgeClassifierCV(),
    LinearSVC(),
    GaussianNB(),
    GaussianNB(priors=None, var_smoothing=0.1),
    BernoulliNB(),
    BernoulliNB(binarize=None),
    LinearDiscriminantAnalysis(),
    LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
    QuadraticDiscriminantAnalysis(reg_param=0.1),
]


@pytest.mark.parametrize("model", CLASSIFIERS, ids=repr)
@pytest.mark.parametrize("count", [2, 3])
def test_classifiers(table: Any, reproduces: Any, model: Any, count: int) -> None:
    frame, y = table(missing=0)
    target = np.array(["a", "b", "c"])[np.digitize(y, np.quantile(y, np.linspace(0, 1, count + 1)[1:-1]))]
    numbers = pd.DataFrame(StandardScaler().fit_transform(frame[NUMBERS]), columns=NUMBERS)
    if getattr(model, "binarize", 0) is None:
        numbers = (numbers > 0).astype(float)
    reproduces(model.fit(numbers, target), numbers)


@pytest.mark.parametrize("model", [MultinomialNB(), ComplementNB(), ComplementNB(norm=True)], ids=repr)
def test_counts(table: Any, reproduces: Any, model: Any) -> None:
    frame, y = table(missing=0)
    counts = pd.DataFrame({"a": frame["count"].clip(0), "b": frame["flag"].astype(int), "c": frame["x1"].abs()})
    reproduces(model.fit(counts, np.digitize(y, [0, 1])), counts)


def test_small_integers(table: Any, reproduces: Any) -> None:
    frame, y = table(missing=0)
    digits = pd.DataFrame({"a": frame["count"].clip(0, 7), "b": frame["flag"].astype(int)})
    reproduces(CategoricalNB().fit(digits, y > 0), digits)


def test_several_labels(table: Any, reproduces: Any) -> None:
    frame, y = table(missing=0)
    labels = np.stack([y > 0, y < 1], axis=1).astype(int)
    reproduces(RidgeClassifier().fit(frame[NUMBERS], labels), frame[NUMBERS])


@pytest.mark.parametrize(
    "model",
    [
        SGDRegressor(),
        LinearSVR(),
        PoissonRegressor(),
        GammaRegressor(),
        TweedieRegressor(power=1.5),
        TweedieRegressor(power=0),
        RANSACRegressor(random_state=0),
    ],
    ids=repr,
)
def test_regressors(table: Any, reproduces: Any, model: Any) -> None:
    frame, y = table(missing=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = make_pipeline(StandardScaler(), model).fit(frame[NUMBERS], np.exp(y / 5))
    reproduces(fitted, frame[NUMBERS])


def test_outliers_of_a_linear_model(table: Any, reproduces: Any) -> None:
    frame, _ = table(missing=0)
    reproduces(make_pipeline(StandardScaler(), SGDOneClassSVM()).fit(frame[NUMBERS]), frame[NUMBERS])


@pytest.mark.parametrize("solver", ["svd", "eigen"])
def test_discriminant_projection(table: Any, reproduces: Any, solver: str) -> None:
    frame, y = table(missing=0)
    scaled = StandardScaler().fit_transform(frame[NUMBERS])
    model = LinearDiscriminantAnalysis(solver=solver, n_components=1).fit(scaled, np.digitize(y, [0, 1]))
    reproduces(model, scaled, task="transform")
