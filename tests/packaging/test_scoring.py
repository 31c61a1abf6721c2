"""Scores of the original model on labelled rows, against scikit-learn's own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    brier_score_loss,
    log_loss,
    mean_absolute_error,
    r2_score,
    roc_auc_score,
    root_mean_squared_error,
)

from lightship import scoring
from lightship.loading import loaded_object
from lightship.scoring import LabelsError, Scores, score
from lightship.study import described_model

RNG = np.random.default_rng(3)
X = pd.DataFrame(RNG.normal(size=(400, 3)), columns=list("abc"))
NOISY = (X["a"] + X["b"] + RNG.normal(size=400)).to_numpy()


def scored(model: Any, labels: Any, folder: Path, sample: pd.DataFrame = X) -> Scores:
    _, described, original = described_model(loaded_object(model), sample, folder, None)
    return score(original, described, labels)


def by_name(scores: Scores) -> dict[str, scoring.Score]:
    return {each.name: each for each in scores.metrics}


def test_a_binary_classifiers_scores_are_scikit_learns(tmp_path: Path) -> None:
    labels = pd.Series(np.where(NOISY > 0.5, "late", "on time"))
    model = LogisticRegression().fit(X, labels)
    found = by_name(scored(model, labels, tmp_path))
    probabilities, predicted = model.predict_proba(X), model.predict(X)
    positive = labels == "on time"
    assert found["accuracy"].value == pytest.approx(accuracy_score(labels, predicted))
    assert found["balanced accuracy"].value == pytest.approx(balanced_accuracy_score(labels, predicted))
    assert found["log loss"].value == pytest.approx(log_loss(labels, probabilities))
    assert found["Brier score"].value == pytest.approx(brier_score_loss(positive, probabilities[:, 1]))
    assert found["ROC AUC"].value == pytest.approx(roc_auc_score(positive, probabilities[:, 1]))
    share = max(positive.mean(), 1 - positive.mean())
    assert found["accuracy"].guess == pytest.approx(share)
    assert found["log loss"].guess == pytest.approx(
        log_loss(labels, np.tile([1 - positive.mean(), positive.mean()], (400, 1)))
    )
    for each in found.values():
        assert each.low is not None
        assert each.high is not None
        assert each.low <= each.value <= each.high


def test_several_classes_have_no_roc_auc(tmp_path: Path) -> None:
    labels = pd.Series(np.digitize(NOISY, [-1, 1]))
    found = by_name(scored(LogisticRegression().fit(X, labels), labels, tmp_path))
    assert set(found) == {"accuracy", "balanced accuracy", "log loss", "Brier score"}
    assert found["balanced accuracy"].guess == pytest.approx(1 / 3)


@pytest.mark.parametrize("columns", [1, 2])
def test_a_regressions_scores_are_scikit_learns(tmp_path: Path, columns: int) -> None:
    actual = np.column_stack([NOISY, NOISY * 3 + X["c"]])[:, :columns]
    labels = pd.Series(actual[:, 0]) if columns == 1 else pd.DataFrame(actual, columns=["y", "z"])
    model = LinearRegression().fit(X, labels)
    found = by_name(scored(model, labels, tmp_path))
    predicted = model.predict(X)
    assert found["mean absolute error"].value == pytest.approx(mean_absolute_error(labels, predicted))
    assert found["R2"].value == pytest.approx(r2_score(labels, predicted))
    if columns == 1:
        assert found["root mean squared error"].value == pytest.approx(root_mean_squared_error(labels, predicted))
        assert found["root mean squared error"].guess == pytest.approx(NOISY.std())
        assert found["mean absolute error"].guess == pytest.approx(np.abs(NOISY - np.median(NOISY)).mean())


def test_numbers_are_the_same_labels_whatever_their_type(tmp_path: Path) -> None:
    labels = pd.Series((NOISY > 0).astype(int))
    model = LogisticRegression().fit(X, labels)
    expected = by_name(scored(model, labels, tmp_path / "a"))["accuracy"].value
    for other in (labels.astype(float), labels.astype(bool), labels.astype("int8")):
        assert by_name(scored(model, other, tmp_path / str(other.dtype)))["accuracy"].value == expected


def test_a_class_that_the_model_never_saw_counts_as_missed(tmp_path: Path) -> None:
    labels = pd.Series(np.where(NOISY > 0, "yes", "no"))
    model = LogisticRegression().fit(X, labels)
    labels = pd.Series(np.where(np.arange(len(labels)) < 40, "maybe", labels))
    found = by_name(scored(model, labels, tmp_path))
    assert found["accuracy"].value == pytest.approx(accuracy_score(labels, model.predict(X)))
    assert "log loss" not in found


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (lambda y: pd.Series(y[:-1] > 0), "There are 399 labels for the sample's 400 rows"),
        (lambda y: pd.Series(np.where(y > 0, "True", "False")), "No label is one of the model's classes"),
        (lambda y: pd.DataFrame({"a": y > 0, "b": y > 0}), "Give one column"),
    ],
)
def test_labels_of_another_kind_are_refused(tmp_path: Path, labels: Callable[[Any], Any], says: str) -> None:
    model = LogisticRegression().fit(X, NOISY > 0)
    with pytest.raises(LabelsError, match=says):
        scored(model, labels(NOISY), tmp_path)


def test_texts_are_no_labels_of_a_regression(tmp_path: Path) -> None:
    with pytest.raises(LabelsError, match="aren't numbers"):
        scored(LinearRegression().fit(X, NOISY), pd.Series(["a"] * 400), tmp_path)


def test_a_task_without_scores_says_so(tmp_path: Path) -> None:
    found = scored(KMeans(2, n_init=1, random_state=0).fit(X.to_numpy()), pd.Series([0] * 400), tmp_path)
    assert found.metrics == ()
    assert "clustering" in found.missing


def test_a_large_sample_is_scored_in_part_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "MAX_SCORED", 100)
    labels = pd.Series(NOISY > 0)
    found = scored(LogisticRegression().fit(X, labels), labels, tmp_path)
    assert (found.rows, found.of) == (100, 400)
