"""Estimated performance against its definition and against the truth, and the accuracy alarm by simulation."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import roc_auc_score

from lightship.monitoring import make_baseline, monitor
from lightship_runtime.monitor.baseline import Baseline, Performance
from lightship_runtime.monitor.performance import breach, observed
from lightship_runtime.monitor.profile import Profile

ROLES: dict[str, Any] = {"prediction": "predicted", "score": "p", "label": "late"}


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


def alarm_chance(level: float, right: float, rows: int) -> float:
    """The exact chance of an alarm at 200 labels, the model being right with probability `right`.

    Every number of correct rows is judged as `breach` judges it, for 30 baselines drawn at accuracy `level`.
    """
    template = make_baseline(outcomes(np.random.default_rng(0), 500, 0.9), prediction="predicted", label="label")
    chances = []
    for correct in np.random.default_rng(6).binomial(rows, level, 30).tolist():
        metrics = {"accuracy": {"value": correct / rows, "low": 0.0, "high": 1.0}}
        baseline = replace(template, performance=Performance(rows=rows, correct=correct, metrics=metrics))
        least = next(hits for hits in range(round(200 * level), -1, -1) if alarms(baseline, hits))
        chances.append(binom.cdf(least, 200, right))
    return float(np.mean(chances))


def alarms(baseline: Baseline, correct: int) -> bool:
    profile = Profile.empty(baseline)
    profile.labelled = 200
    profile.confusion[0, 0], profile.confusion[0, 1] = correct, 200 - correct
    return bool(breach(profile, baseline, observed(profile, baseline))["level"] == "high")


@pytest.mark.parametrize("rows", [2_000, 20_000])
@pytest.mark.parametrize("level", [0.95, 0.9, 0.85, 0.8])
def test_accuracy_alarm_is_silent_without_a_drop(level: float, rows: int) -> None:
    assert alarm_chance(level, level, rows) <= 0.005


@pytest.mark.parametrize(("level", "rows"), [(0.95, 2_000), (0.9, 2_000), (0.9, 20_000), (0.85, 20_000)])
def test_accuracy_alarm_finds_ten_points_at_200_labels(level: float, rows: int) -> None:
    assert alarm_chance(level, level - 0.1, rows) >= 0.8


def test_a_large_sample_needs_a_fall_that_matters() -> None:
    random = np.random.default_rng(9)
    baseline = make_baseline(outcomes(random, 100_000, 0.9), prediction="predicted", label="label")
    assert monitor(baseline, outcomes(random, 100_000, 0.889)).to_dict()["breach"]["level"] == "none"
    assert monitor(baseline, outcomes(random, 100_000, 0.87)).to_dict()["breach"]["level"] == "high"


def test_too_few_labels_are_insufficient() -> None:
    random = np.random.default_rng(8)
    baseline = make_baseline(outcomes(random, 5_000, 0.9), prediction="predicted", label="label")
    assert monitor(baseline, outcomes(random, 199, 0.1)).to_dict()["breach"]["level"] == "insufficient"
