"""What isn't known with certainty is refused by name."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from lightship.compile import UnsupportedModelError, compile_model
from lightship.compile.registry import find_lowering
from lightship.describe import describe

X = np.arange(24.0).reshape(8, 3)
Y = np.array([0, 1] * 4)


def refusal(model: Any, sample: Any, folder: Path) -> str:
    with pytest.raises(UnsupportedModelError) as caught:
        compile_model(model, describe(model, pd.DataFrame(sample).rename(columns=str)).contract, folder)
    assert not list(folder.iterdir())
    return str(caught.value)


class Doubled(LogisticRegression):
    """Predicts otherwise than its parent."""

    def predict_proba(self, X: Any) -> Any:
        return super().predict_proba(X)[:, ::-1]


class Own(TransformerMixin, BaseEstimator):
    def fit(self, X: Any, y: Any = None) -> "Own":
        return self

    def transform(self, X: Any) -> Any:
        return X


def test_a_subclass_is_not_its_parent(tmp_path: Path) -> None:
    assert "Doubled" in refusal(Doubled().fit(X, Y), X, tmp_path)


def test_a_class_of_the_same_name_is_another(tmp_path: Path) -> None:
    impostor = type("LogisticRegression", (Doubled,), {"__module__": "sklearn.linear_model._logistic"})
    assert "not known" in refusal(impostor().fit(X, Y), X, tmp_path)


def test_the_estimator_inside_is_named(tmp_path: Path) -> None:
    assert "Own" in refusal(make_pipeline(StandardScaler(), Own(), LogisticRegression()).fit(X, Y), X, tmp_path)


def test_a_method_replaced_on_the_instance(tmp_path: Path) -> None:
    model = LinearRegression().fit(X, Y)
    model.predict = lambda X: np.zeros(len(X))
    assert "'predict' was replaced" in refusal(model, X, tmp_path)


def test_a_parameter_of_another_version_must_have_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if scikit-learn had a parameter that this Lightship hasn't heard of."""
    from lightship.compile import registry

    model = LinearRegression(positive=True).fit(X, Y)
    lowering, known = registry._lowerings["sklearn.linear_model.LinearRegression"]
    unheard = {"sklearn.linear_model.LinearRegression": (lowering, known - {"positive"})}
    monkeypatch.setattr(registry, "_lowerings", unheard)
    with pytest.raises(UnsupportedModelError, match="positive=True"):
        find_lowering(model)
    assert find_lowering(LinearRegression().fit(X, Y)) is lowering


def test_dates_are_refused(tmp_path: Path) -> None:
    frame = pd.DataFrame({"when": pd.date_range("2024-01-01", periods=8), "x": X[:, 0]})
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression()).fit(frame, Y)
    assert "date" in refusal(model, frame, tmp_path)


def test_integers_that_floats_confuse_are_refused(tmp_path: Path) -> None:
    big = 2**60
    frame = pd.DataFrame({"id": np.array([big, big + 1] * 20), "f": np.zeros(40, "float32")})
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression()).fit(frame, [0, 1] * 20)
    assert "2**53" in refusal(model, frame, tmp_path)


def test_an_unknown_loss_is_refused(tmp_path: Path) -> None:
    model = HistGradientBoostingClassifier(max_iter=2).fit(np.tile(X, (9, 1)), np.tile(Y, 9))

    class ProbitLink:
        pass

    contract = describe(model, pd.DataFrame(X).rename(columns=str)).contract
    model._loss.link = ProbitLink()
    with pytest.raises(UnsupportedModelError, match="ProbitLink"):
        compile_model(model, contract, tmp_path)
