"""Estimated performance against its definition and against the truth, and the accuracy alarm by simulation."""

import numpy as np
import pandas as pd
import pytest
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import roc_auc_score

from lightship.monitoring import make_baseline, monitor

ROLES = {"prediction": "predicted", "score": "p", "label": "late"}


def scored(random: np.random.Generator, rows: int, middle: float = 0.0, bent: float = 1.0) -> pd.DataFrame:
    """Scores, which are the chances of a label where `bent` is 1, and overconfident above."""
    logit = random.normal(middle, 1.5, rows)
    score = 1 / (1 + np.exp(-bent * logit))
    label = random.random(rows) < 1 / (1 + np.exp(-logit))
    return pd.DataFrame({"p": score, "predicted": (score > 0.5).astype(int), "late": label.astype(int)})


def by_definition(chance: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Expected confusion matrix and ROC curve, row by row."""
    hits = chance[predicted == 1].sum()
    order = np.argsort(chance)
    negatives = 1 - chance[order]
    below = np.cumsum(negatives) - negatives / 2
    return {
        "accuracy": float(np.where(predicted == 1, chance, 1 - chance).mean()),
        "f1": float(2 * hits / (chance.sum() + (predicted == 1).sum())),
        "roc_auc": float((chance[order] * below).sum() / (chance.sum() * negatives.sum())),
    }


def test_calibrated_scores_are_left_alone_and_follow_the_definition() -> None:
    random = np.random.default_rng(0)
    baseline = make_baseline(scored(random, 3_000), **ROLES)
    window = scored(random, 4_000, middle=0.5)
    found = monitor(baseline, window.drop(columns="late")).to_dict()["estimated"]
    if not baseline.outputs.calibration[0].scores:
        expected = by_definition(window["p"].to_numpy(), window["predicted"].to_numpy())
        for metric, value in expected.items():
            assert found[metric]["value"] == pytest.approx(value, abs=2e-4)
    assert baseline.outputs.calibration[0].scores == ()


def test_bent_scores_are_calibrated_as_the_definition_says() -> None:
    random = np.random.default_rng(1)
    reference, window = scored(random, 20_000, bent=3.0), scored(random, 5_000, middle=0.5, bent=3.0)
    isotonic = IsotonicRegression(out_of_bounds="clip").fit(reference["p"], reference["late"])
    expected = by_definition(isotonic.predict(window["p"]), window["predicted"].to_numpy())
    found = monitor(make_baseline(reference, **ROLES), window.drop(columns="late")).to_dict()["estimated"]
    for metric, value in expected.items():
        assert found[metric]["value"] == pytest.approx(value, abs=1e-3)


@pytest.mark.parametrize("bent", [1.0, 3.0])
def test_estimates_follow_the_truth_and_their_intervals_hold_it(bent: float) -> None:
    random = np.random.default_rng(2)
    baseline = make_baseline(scored(random, 20_000, bent=bent), **ROLES)
    inside: dict[str, list[bool]] = {"accuracy": [], "f1": [], "roc_auc": []}
    errors = []
    for middle in np.linspace(-1, 1, 60):
        document = monitor(baseline, scored(random, 2_000, middle=float(middle), bent=bent)).to_dict()
        for metric, hits in inside.items():
            truth, estimate = document["observed"][metric]["value"], document["estimated"][metric]
            hits.append(estimate["low"] <= truth <= estimate["high"])
            errors.append(abs(truth - estimate["value"]))
    assert np.mean(errors) < 0.01
    for hits in inside.values():
        assert np.mean(hits) >= 0.85


def test_several_classes() -> None:
    random = np.random.default_rng(3)

    def frame(rows: int, tilt: float) -> pd.DataFrame:
        logits = random.normal([tilt, 0, 0], 1, (rows, 3))
        chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        labels = (random.random((rows, 1)) < chances.cumsum(axis=1)).argmax(axis=1)
        columns = {f"p{k}": chances[:, k] for k in range(3)}
        return pd.DataFrame({**columns, "predicted": chances.argmax(axis=1), "label": labels})

    baseline = make_baseline(frame(20_000, 0), prediction="predicted", score=["p0", "p1", "p2"], label="label")
    window = frame(20_000, 1.0)
    document = monitor(baseline, window).to_dict()
    for metric in ("accuracy", "f1", "roc_auc"):
        assert document["estimated"][metric]["value"] == pytest.approx(document["observed"][metric]["value"], abs=0.012)
    exact = roc_auc_score(window["label"], window[["p0", "p1", "p2"]], multi_class="ovr")
    assert document["observed"]["roc_auc"]["value"] == pytest.approx(exact, abs=2e-4)


def test_concept_drift_is_seen_by_labels_alone() -> None:
    random = np.random.default_rng(4)
    baseline = make_baseline(scored(random, 20_000), **ROLES)
    window = scored(random, 2_000).assign(late=lambda frame: 1 - frame["late"])
    document = monitor(baseline, window).to_dict()
    assert document["breach"]["level"] == "high"
    assert document["estimated_breach"]["level"] == "none"


def test_an_estimated_fall_is_a_warning() -> None:
    random = np.random.default_rng(5)
    reference = scored(random, 20_000, middle=2.0)
    document = monitor(make_baseline(reference, **ROLES), scored(random, 3_000).drop(columns="late")).to_dict()
    assert document["estimated_breach"]["level"] == "warn"
    assert document["breach"]["level"] == "insufficient"


def outcomes(random: np.random.Generator, rows: int, right: float) -> pd.DataFrame:
    label = random.random(rows) < 0.4
    predicted = np.where(random.random(rows) < right, label, ~label)
    return pd.DataFrame({"predicted": predicted.astype(int), "label": label.astype(int)})


def alarm_rate(level: float, drop: float, rows: int, seed: int) -> float:
    random = np.random.default_rng(seed)
    alarms = 0
    for index in range(rows):
        if index % 20 == 0:
            baseline = make_baseline(outcomes(random, 5_000, level), prediction="predicted", label="label")
        alarms += monitor(baseline, outcomes(random, 200, level - drop)).to_dict()["breach"]["level"] == "high"
    return alarms / rows


@pytest.mark.parametrize("level", [0.95, 0.9, 0.8])
def test_accuracy_alarm_is_silent_without_a_drop(level: float) -> None:
    assert alarm_rate(level, 0.0, 400, 6) <= 0.005


@pytest.mark.parametrize("level", [0.95, 0.9])
def test_accuracy_alarm_finds_ten_points_at_200_labels(level: float) -> None:
    assert alarm_rate(level, 0.1, 300, 7) >= 0.8


def test_too_few_labels_are_insufficient() -> None:
    random = np.random.default_rng(8)
    baseline = make_baseline(outcomes(random, 5_000, 0.9), prediction="predicted", label="label")
    assert monitor(baseline, outcomes(random, 199, 0.1)).to_dict()["breach"]["level"] == "insufficient"
