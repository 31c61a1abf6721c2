"""Profiles add up exactly, and their metrics are scikit-learn's."""

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from lightship.monitoring import make_baseline, monitor
from lightship.monitoring.outputs import frame_batch
from lightship_runtime.engine import Distinct
from lightship_runtime.monitor.accumulate import Batch, add_batch
from lightship_runtime.monitor.baseline import Baseline
from lightship_runtime.monitor.metrics import auc_parts, f1_binary, f1_macro
from lightship_runtime.monitor.profile import Profile

ROWS = 4_000
CLASSES = ["bus", "car", "walk"]


def binary_frame(seed: int, rows: int = ROWS) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    x = random.normal(size=rows)
    score = 1 / (1 + np.exp(-1.5 * x))
    return pd.DataFrame(
        {
            "x": x,
            "city": random.choice(["Oslo", "Rome", "Lima"], rows).astype(object),
            "p": score,
            "predicted": (score > 0.5).astype(int),
            "late": (random.random(rows) < score).astype(int),
        }
    )


def multiclass_frame(seed: int, rows: int = ROWS) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    logits = random.normal(size=(rows, 3))
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = [CLASSES[random.choice(3, p=row)] for row in chances]
    columns = {f"p_{name}": chances[:, k] for k, name in enumerate(CLASSES)}
    return pd.DataFrame({**columns, "predicted": np.array(CLASSES, object)[chances.argmax(1)], "label": labels})


def regression_frame(seed: int, rows: int = ROWS, scale: float = 1.0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    x = random.normal(size=rows)
    label = 100 + 20 * x + scale * random.normal(0, 5, rows)
    return pd.DataFrame({"x": x, "city": random.choice(["Oslo", "Rome"], rows).astype(object),
                         "predicted": 100 + 20 * x, "label": label})  # fmt: skip


BINARY: dict[str, Any] = {"prediction": "predicted", "score": "p", "label": "late", "segments": ["city"]}
SEVERAL: dict[str, Any] = {
    "prediction": "predicted",
    "score": {name: f"p_{name}" for name in CLASSES},
    "label": "label",
}
REGRESSION: dict[str, Any] = {"prediction": "predicted", "label": "label", "segments": ["city"]}


def profile_of(baseline: Baseline, batch: Batch) -> Profile:
    profile = Profile.empty(baseline)
    add_batch(profile, baseline, batch)
    return profile


def cut(batch: Batch, start: int, end: int) -> Batch:
    actual = None if batch.actual is None else batch.actual[start:end]
    assert not isinstance(batch.predicted, Distinct)
    return Batch(batch.codes[start:end], batch.predicted[start:end], batch.scores[start:end], actual)


CASES = [(binary_frame, BINARY), (multiclass_frame, SEVERAL), (regression_frame, REGRESSION)]


@pytest.mark.parametrize(("make", "roles"), CASES)
@given(cuts=st.lists(st.integers(0, ROWS), max_size=6))
@settings(derandomize=True, max_examples=10, deadline=None)
def test_chunks_add_up_to_the_whole(make: Any, roles: dict[str, Any], cuts: list[int]) -> None:
    baseline, frame = make_baseline(make(1), **roles), make(2)
    labels = [None if i % 3 == 0 else value for i, value in enumerate(frame[roles["label"]].tolist())]
    batch = frame_batch(baseline, frame, baseline.outputs.names, labels)
    bounds = [0, *sorted(cuts), ROWS]
    merged = Profile.empty(baseline)
    for start, end in pairwise(bounds):
        merged.add(profile_of(baseline, cut(batch, start, end)))
    whole = profile_of(baseline, batch)
    assert merged.to_dict() == whole.to_dict()
    assert Profile.from_dict(whole.to_dict(), baseline).to_dict() == whole.to_dict()


def test_binary_metrics_are_scikit_learns() -> None:
    frame = binary_frame(3)
    found = monitor(make_baseline(binary_frame(1), **BINARY), frame).to_dict()["observed"]
    label, predicted, score = frame["late"], frame["predicted"], frame["p"]
    assert found["accuracy"]["value"] == pytest.approx(sk.accuracy_score(label, predicted))
    assert found["f1"]["value"] == pytest.approx(sk.f1_score(label, predicted))
    assert found["precision"]["value"] == pytest.approx(sk.precision_score(label, predicted))
    assert found["recall"]["value"] == pytest.approx(sk.recall_score(label, predicted))
    assert found["log_loss"]["value"] == pytest.approx(sk.log_loss(label, score))
    assert found["roc_auc"]["value"] == pytest.approx(sk.roc_auc_score(label, score), abs=2e-4)
    for metric in found.values():
        assert metric["low"] < metric["value"] < metric["high"]


def test_multiclass_metrics_are_scikit_learns() -> None:
    frame = multiclass_frame(3)
    found = monitor(make_baseline(multiclass_frame(1), **SEVERAL), frame).to_dict()["observed"]
    scores = frame[[f"p_{name}" for name in CLASSES]].to_numpy()
    assert found["accuracy"]["value"] == pytest.approx(sk.accuracy_score(frame["label"], frame["predicted"]))
    assert found["f1"]["value"] == pytest.approx(sk.f1_score(frame["label"], frame["predicted"], average="macro"))
    expected = sk.roc_auc_score(frame["label"], scores, multi_class="ovr")
    assert found["roc_auc"]["value"] == pytest.approx(expected, abs=2e-4)
    assert found["log_loss"]["value"] == pytest.approx(sk.log_loss(frame["label"], scores))


def test_regression_metrics_are_scikit_learns() -> None:
    frame = regression_frame(3)
    found = monitor(make_baseline(regression_frame(1), **REGRESSION), frame).to_dict()["observed"]
    assert found["mae"]["value"] == pytest.approx(sk.mean_absolute_error(frame["label"], frame["predicted"]))
    assert found["rmse"]["value"] == pytest.approx(sk.root_mean_squared_error(frame["label"], frame["predicted"]))
    assert found["r2"]["value"] == pytest.approx(sk.r2_score(frame["label"], frame["predicted"]))


def coverage(intervals: list[tuple[float, float]], truth: float) -> float:
    return float(np.mean([low <= truth <= high for low, high in intervals]))


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """The truth is a very large sample's value; 95% intervals of 400 samples should hold it in 92% to 98%."""
    random = np.random.default_rng(7)
    score = random.normal(size=(400, 300))
    label = random.random((400, 300)) < 1 / (1 + np.exp(-score))
    big = np.random.default_rng(8)
    big_score = big.normal(size=400_000)
    big_label = big.random(400_000) < 1 / (1 + np.exp(-big_score))
    f1s, areas = [], []
    for s, y in zip(score, label, strict=True):
        hits = int((y & (s > 0)).sum())
        found = f1_binary(hits, int((y ^ (s > 0)).sum()))
        f1s.append((found.low, found.high))
        order = np.argsort(s)
        value, variance = auc_parts(y[order].astype(float), (~y[order]).astype(float))
        areas.append((value - 1.96 * variance**0.5, value + 1.96 * variance**0.5))
    assert 0.92 <= coverage(f1s, sk.f1_score(big_label, big_score > 0)) <= 0.98
    assert 0.92 <= coverage(areas, sk.roc_auc_score(big_label, big_score)) <= 0.98


def test_macro_f1_interval_holds_the_truth() -> None:
    random = np.random.default_rng(9)
    shares = np.array([[0.3, 0.05, 0.02], [0.06, 0.2, 0.03], [0.04, 0.05, 0.25]])
    truth = float(np.mean(2 * np.diag(shares) / (shares.sum(0) + shares.sum(1))))
    found = [f1_macro(random.multinomial(400, shares.ravel()).reshape(3, 3)) for _ in range(400)]
    assert 0.92 <= coverage([(metric.low, metric.high) for metric in found], truth) <= 0.98


def test_r2_and_rmse_intervals_hold_the_truth() -> None:
    baseline = make_baseline(regression_frame(1), **REGRESSION)
    found = [monitor(baseline, regression_frame(100 + i, 300)).to_dict()["observed"] for i in range(200)]
    assert 0.9 <= coverage([(m["rmse"]["low"], m["rmse"]["high"]) for m in found], 5.0) <= 0.99
    assert 0.9 <= coverage([(m["r2"]["low"], m["r2"]["high"]) for m in found], 1 - 25 / 425) <= 0.99


def test_segments_and_classes_count_their_rows() -> None:
    baseline, frame = make_baseline(binary_frame(1), **BINARY), binary_frame(3)
    found = monitor(baseline, frame).to_dict()
    for city, entry in found["by_segment"]["city"].items():
        rows = frame[frame["city"] == city]
        assert entry["labels"] == len(rows)
        assert entry["accuracy"]["value"] == pytest.approx((rows["late"] == rows["predicted"]).mean())
    recall = sk.recall_score(frame["late"], frame["predicted"], pos_label=0)
    assert found["by_class"]["0"]["recall"]["value"] == pytest.approx(recall)


def test_regression_alarm() -> None:
    baseline = make_baseline(regression_frame(1), **REGRESSION)
    assert monitor(baseline, regression_frame(2)).to_dict()["breach"]["level"] == "none"
    assert monitor(baseline, regression_frame(2, scale=1.5)).to_dict()["breach"]["level"] == "high"
    assert monitor(baseline, regression_frame(2, rows=100)).to_dict()["breach"]["level"] == "insufficient"
