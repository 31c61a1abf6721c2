"""Models of models compile to the same numbers."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    IsolationForest,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV, TunedThresholdClassifierCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, MultiOutputRegressor, RegressorChain
from sklearn.naive_bayes import GaussianNB
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

LOGISTIC, TREE, BAYES, VECTORS = LogisticRegression(), DecisionTreeClassifier(max_depth=4), GaussianNB(), LinearSVC()
THREE = [("a", LOGISTIC), ("b", TREE), ("c", VECTORS)]
LINE, STEPS = LinearRegression(), DecisionTreeRegressor(max_depth=4)


@pytest.fixture
def numbers(table: Any) -> tuple[pd.DataFrame, Any]:
    frame, y = table(11, missing=0)
    names = ["x0", "x1", "x2", "x3", "count"]
    return pd.DataFrame(StandardScaler().fit_transform(frame[names]), columns=names), y


CLASSIFIERS = [
    *[
        CalibratedClassifierCV(inner, method=method, cv=2, ensemble=ensemble)
        for inner in (VECTORS, BAYES)
        for method in ("sigmoid", "isotonic", "temperature")
        for ensemble in (True, False)
    ],
    VotingClassifier(THREE[:2], voting="soft", weights=[1, 2]),
    VotingClassifier(THREE),
    VotingClassifier(THREE, weights=[3, 1, 1]),
    StackingClassifier(THREE, passthrough=True, cv=2),
    StackingClassifier([("a", BAYES), ("b", TREE)], stack_method="predict_proba", cv=2),
    BaggingClassifier(max_features=0.5, n_estimators=5),
    BaggingClassifier(max_samples=4, n_estimators=15),
    BaggingClassifier(LOGISTIC, max_features=0.5, n_estimators=3),
    BaggingClassifier(VECTORS, n_estimators=3),
    BaggingClassifier(BAYES, max_samples=12, n_estimators=9),
    AdaBoostClassifier(n_estimators=9),
    AdaBoostClassifier(LOGISTIC, n_estimators=4),
    OneVsRestClassifier(VECTORS),
    OneVsRestClassifier(TREE),
    OneVsRestClassifier(Ridge()),
    OneVsOneClassifier(VECTORS),
    OneVsOneClassifier(TREE),
    GridSearchCV(LOGISTIC, {"C": [0.1, 1]}, cv=2),
    DummyClassifier(strategy="prior"),
    DummyClassifier(strategy="most_frequent"),
    DummyClassifier(strategy="constant", constant="b"),
]


@pytest.mark.filterwarnings("ignore:The number of unique classes:UserWarning")
@pytest.mark.parametrize("model", CLASSIFIERS, ids=lambda model: repr(model).replace("\n", ""))
@pytest.mark.parametrize("count", [2, 3])
def test_classifiers(numbers: Any, reproduces: Any, model: Any, count: int) -> None:
    frame, y = numbers
    if "random_state" in model.get_params(deep=False):
        model.set_params(random_state=0)
    target = np.array(["a", "b", "c"])[np.digitize(y, np.quantile(y, np.linspace(0, 1, count + 1)[1:-1]))]
    # Tempering looks at the whole batch: one NaN probability, which naive Bayes gives far out, changes every row.
    reproduces(model.fit(frame, target), frame, edges=getattr(model, "method", "") != "temperature")


def test_output_codes(numbers: Any, reproduces: Any) -> None:
    frame, y = numbers
    model = OutputCodeClassifier(LOGISTIC, random_state=3).fit(frame, np.digitize(y, np.quantile(y, [0.3, 0.7])))
    reproduces(model, frame, is_pure=False)


REGRESSORS = [
    VotingRegressor([("a", LINE), ("b", STEPS)], weights=[1, 3]),
    StackingRegressor([("a", LINE), ("b", STEPS)], passthrough=True, cv=2),
    BaggingRegressor(max_features=0.5, n_estimators=5),
    BaggingRegressor(LINE, max_features=0.5, n_estimators=5),
    AdaBoostRegressor(n_estimators=7),
    AdaBoostRegressor(LINE, n_estimators=4),
    DummyRegressor(),
    DummyRegressor(strategy="quantile", quantile=0.3),
    *[TransformedTargetRegressor(LINE, transformer=each()) for each in (MinMaxScaler, MaxAbsScaler, RobustScaler)],
    FrozenEstimator(LINE),
]


@pytest.mark.parametrize("model", REGRESSORS, ids=lambda model: repr(model).replace("\n", ""))
def test_regressors(numbers: Any, reproduces: Any, model: Any) -> None:
    frame, y = numbers
    if isinstance(model, FrozenEstimator):
        LINE.fit(frame, y)
    reproduces(model.fit(frame, y), frame)


MULTIPLE = [
    MultiOutputRegressor(LINE),
    RegressorChain(LINE, order=[1, 0]),
    BaggingRegressor(n_estimators=4),
    TransformedTargetRegressor(LINE, transformer=StandardScaler()),
]


@pytest.mark.parametrize("model", MULTIPLE, ids=repr)
def test_several_values(numbers: Any, reproduces: Any, model: Any) -> None:
    frame, y = numbers
    reproduces(model.fit(frame, np.stack([y, y**2], axis=1)), frame)


LABELS = [
    MultiOutputClassifier(LOGISTIC),
    MultiOutputClassifier(VECTORS),
    ClassifierChain(LOGISTIC, order=[2, 0, 1]),
    ClassifierChain(LOGISTIC, chain_method="predict_proba"),
    OneVsRestClassifier(LOGISTIC),
    OneVsRestClassifier(VECTORS),
]


@pytest.mark.parametrize("model", LABELS, ids=repr)
def test_several_labels(numbers: Any, reproduces: Any, model: Any) -> None:
    frame, y = numbers
    reproduces(model.fit(frame, np.stack([y > 0, y < 1, y > 1], axis=1).astype(int)), frame)


@pytest.mark.filterwarnings("ignore:Label .* is present in all training examples:UserWarning")
def test_a_label_that_is_always_there(numbers: Any, reproduces: Any) -> None:
    frame, y = numbers
    labels = np.stack([y > 0, np.ones(len(y))], axis=1).astype(int)
    reproduces(OneVsRestClassifier(LOGISTIC).fit(frame, labels), frame)


@pytest.mark.parametrize("inner", [LOGISTIC, VECTORS], ids=repr)
@pytest.mark.parametrize("positive", [None, "no", "yes"])
def test_thresholds(numbers: Any, reproduces: Any, inner: Any, positive: Any) -> None:
    frame, y = numbers
    target = np.where(y > 0, "yes", "no")
    for threshold in (0.3, "auto"):
        model = FixedThresholdClassifier(inner, threshold=threshold, pos_label=positive)
        reproduces(model.fit(frame, (y > 0) * 1 if positive is None else target), frame)


def test_a_tuned_threshold(numbers: Any, reproduces: Any) -> None:
    frame, y = numbers
    reproduces(TunedThresholdClassifierCV(LOGISTIC, cv=2).fit(frame, np.where(y > 0, "yes", "no")), frame)


def test_a_transformed_target(numbers: Any, reproduces: Any) -> None:
    frame, y = numbers
    model = TransformedTargetRegressor(LINE, func=np.log1p, inverse_func=np.expm1)
    reproduces(model.fit(frame, np.exp(y / 4)), frame)


@pytest.mark.parametrize("out_of_bounds", ["clip", "nan"])
def test_isotonic_regression(numbers: Any, reproduces: Any, out_of_bounds: str) -> None:
    frame, y = numbers
    reproduces(IsotonicRegression(out_of_bounds=out_of_bounds).fit(frame[["x0"]], y), frame[["x0"]])


@pytest.mark.parametrize("settings", [{}, {"max_features": 0.5}, {"max_samples": 20, "contamination": 0.1}], ids=repr)
def test_isolation_forest(table: Any, reproduces: Any, settings: Any) -> None:
    frame, _ = table(missing=0)
    columns = ["x0", "x1", "count"]
    model = IsolationForest(n_estimators=9, random_state=0, **settings).fit(frame[columns].to_numpy())
    reproduces(model, frame[columns].to_numpy())
