"""LightGBM's and XGBoost's own boosters behind scikit-learn's methods.

A booster's `predict` gives probabilities or values according to its objective; here the objective decides which
methods there are, as scikit-learn's users expect them.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from lightship_runtime.errors import LightshipError


class UnsupportedObjectiveError(LightshipError):
    """The booster was trained for something that has no prediction Lightship can name."""


class BoosterRegressor:
    """`raw(X)` gives the values."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def predict(self, X: Any) -> Any:
        return np.asarray(self._raw(X), dtype=np.float64)


class BoosterClassifier:
    """`raw(X)` gives P(class 1) as (n,), or (n, k). The classes are 0 to k - 1, as both libraries have them."""

    def __init__(self, raw: Any, classes: int) -> None:
        self._raw = raw
        self.classes_ = np.arange(classes)

    def predict_proba(self, X: Any) -> Any:
        values = np.asarray(self._raw(X), dtype=np.float64)
        return np.column_stack([1 - values, values]) if values.ndim == 1 else values

    def predict(self, X: Any) -> Any:
        return self.predict_proba(X).argmax(axis=1)


def open_booster(kind: str, path: Path) -> BoosterRegressor | BoosterClassifier:
    """Load a file of LightGBM's ("lightgbm") or XGBoost's ("xgboost") own format."""
    if kind == "lightgbm":
        import lightgbm

        return wrap_lightgbm(lightgbm.Booster(model_file=str(path)))
    import xgboost

    return wrap_xgboost(xgboost.Booster(model_file=str(path)))


def wrap_lightgbm(booster: Any) -> BoosterRegressor | BoosterClassifier:
    """Raises UnsupportedObjectiveError for ranking and other objectives without a label or value."""
    objective = booster.dump_model(num_iteration=1).get("objective", "custom").split(" ")[0]
    return _wrap(booster.predict, objective, booster.num_model_per_iteration(), _LIGHTGBM, "LightGBM")


def wrap_xgboost(booster: Any) -> BoosterRegressor | BoosterClassifier:
    """Raises UnsupportedObjectiveError for ranking, survival and other objectives without a label or value."""
    import xgboost

    learner = json.loads(booster.save_config())["learner"]
    classes = int(learner["learner_model_param"]["num_class"])

    def raw(X: Any) -> Any:
        names = booster.feature_names if not hasattr(X, "columns") else None
        return booster.predict(xgboost.DMatrix(X, enable_categorical=True, feature_names=names))

    return _wrap(raw, learner["objective"]["name"], classes, _XGBOOST, "XGBoost")


_LIGHTGBM = {
    "classifiers": {"binary", "cross_entropy", "multiclass", "multiclassova"},
    "regressors": {
        "regression", "regression_l1", "huber", "fair", "poisson", "quantile", "mape", "gamma", "tweedie",
    },
}  # fmt: skip
_XGBOOST = {
    "classifiers": {"binary:logistic", "multi:softprob"},
    "regressors": {
        "reg:squarederror", "reg:squaredlogerror", "reg:pseudohubererror", "reg:absoluteerror", "reg:quantileerror",
        "reg:gamma", "reg:tweedie", "reg:logistic", "count:poisson",
    },
}  # fmt: skip


def _wrap(
    raw: Any, objective: str, classes: int, known: dict[str, set[str]], library: str
) -> BoosterRegressor | BoosterClassifier:
    if objective in known["classifiers"]:
        return BoosterClassifier(raw, max(classes, 2))
    if objective in known["regressors"]:
        return BoosterRegressor(raw)
    raise UnsupportedObjectiveError(
        f"The {library} booster has the objective {objective!r}; known are "
        f"{', '.join(sorted(known['classifiers'] | known['regressors']))}. Train it with one of these."
    )
