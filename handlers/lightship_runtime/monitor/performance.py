"""What labels say of a model: metrics with intervals, per class and per segment, and whether accuracy fell."""

from collections.abc import Mapping
from itertools import pairwise
from math import sqrt
from typing import Any

import numpy as np

from lightship_runtime.monitor.accumulate import scored_classes
from lightship_runtime.monitor.baseline import Baseline
from lightship_runtime.monitor.bins import DIGITS, MISSING, OTHER, UNSEEN
from lightship_runtime.monitor.exact import exact_mean
from lightship_runtime.monitor.metrics import (
    Metric,
    auc_metric,
    auc_parts,
    f1_binary,
    f1_macro,
    mean_metric,
    proportion,
    regression_metrics,
)
from lightship_runtime.monitor.profile import NEGATIVE, POSITIVE, Profile
from lightship_runtime.monitor.special import normal_cdf, predictive_cdf

LEAST_LABELS = 200
FALSE_ALARM_RATE = 0.004
LEAST_DROP = 0.02
"""A fall in accuracy that is worth an alarm, however significant a smaller one may be."""
LEAST_RISE = 0.05
"""The same for regression: the relative rise of the mean absolute error."""
LEAST_SEGMENT_LABELS = 20


def observed(profile: Profile, baseline: Baseline) -> dict[str, Metric]:
    """Every metric that the labelled rows allow; empty without labels."""
    if not profile.labelled:
        return {}
    if baseline.outputs.task == "regression":
        return regression_metrics(profile.sums, profile.labelled)
    confusion = profile.confusion
    metrics = {"accuracy": proportion(int(np.trace(confusion[:-1, :-1])), profile.labelled)}
    if baseline.outputs.task == "binary":
        metrics |= _positive_class(profile, baseline)
    else:
        metrics["f1"] = f1_macro(confusion)
    if baseline.outputs.calibration:
        metrics |= _by_score(profile)
    return metrics


def _positive_class(profile: Profile, baseline: Baseline) -> dict[str, Metric]:
    place = scored_classes(baseline)[0]
    hits, actual, predicted = class_counts(profile, place)
    metrics = {}
    if actual + predicted:
        metrics["f1"] = f1_binary(hits, actual + predicted - 2 * hits)
    if predicted:
        metrics["precision"] = proportion(hits, predicted)
    if actual:
        metrics["recall"] = proportion(hits, actual)
    return metrics


def class_counts(profile: Profile, place: int) -> tuple[int, int, int]:
    """Labelled rows of a class that were hit, that were it, and that were predicted as it."""
    confusion = profile.confusion
    return int(confusion[place, place]), int(confusion[place].sum()), int(confusion[:, place].sum())


def _by_score(profile: Profile) -> dict[str, Metric]:
    metrics = {}
    parts = []
    for scores in profile.scores:
        by_bin = scores.sum(axis=1).astype(np.float64)
        positives, negatives = by_bin[:, POSITIVE], by_bin[:, NEGATIVE]
        if positives.sum() and negatives.sum():
            parts.append(auc_parts(positives, negatives))
    if parts:
        # The classes' areas share their rows; the mean of their errors is the error's upper bound.
        value, error = (float(np.mean(side)) for side in ([v for v, _ in parts], [sqrt(v) for _, v in parts]))
        metrics["roc_auc"] = auc_metric(value, error)
    rows = profile.sums.get("loss_rows", 0)
    if rows:
        metrics["log_loss"] = mean_metric(profile.sums["loss"], profile.sums["loss_squared"], rows)
    return metrics


def by_class(profile: Profile, baseline: Baseline) -> dict[str, dict[str, Any]]:
    """Precision, recall and F1 of each class with labels or predictions, and how many of each."""
    found: dict[str, dict[str, Any]] = {}
    for place, name in enumerate(baseline.outputs.classes):
        hits, actual, predicted = class_counts(profile, place)
        if not actual + predicted:
            continue
        entry: dict[str, Any] = {"actual": actual, "predicted": predicted}
        entry["f1"] = f1_binary(hits, actual + predicted - 2 * hits).to_dict()
        if predicted:
            entry["precision"] = proportion(hits, predicted).to_dict()
        if actual:
            entry["recall"] = proportion(hits, actual).to_dict()
        found[name] = entry
    return found


def by_segment(profile: Profile, baseline: Baseline) -> dict[str, dict[str, dict[str, Any]]]:
    """Accuracy (or mean absolute error) by value of each segment column, with at least 20 labels each."""
    columns = {column.name: column for column in baseline.columns}
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for s, name in enumerate(baseline.segments):
        track = columns[name].tracks[0]
        names = {MISSING: "(missing)", OTHER: "(other)", UNSEEN: "(unseen)"}
        names |= {DIGITS[i]: value for i, value in enumerate(segment_names(track.values, track.edges))}
        found[name] = {}
        for code, label in names.items():
            entry = (
                _segment_error(profile, name, code)
                if baseline.outputs.task == "regression"
                else _segment_accuracy(profile, s, code)
            )
            if entry:
                found[name][label] = entry
    return found


def segment_names(values: tuple[str, ...], edges: tuple[float, ...]) -> tuple[str, ...]:
    """What the bins of a track are called: its values, or its ranges, or no and yes."""
    if values:
        return values
    if not edges:
        return ("false", "true")
    inner = [f"{low:g} to {high:g}" for low, high in pairwise(edges)]
    return (f"under {edges[0]:g}", *inner, f"{edges[-1]:g} and over")


def _segment_accuracy(profile: Profile, place: int, code: str) -> dict[str, Any]:
    labelled, correct = (int(count) for count in profile.segments[place, ord(code)])
    if labelled < LEAST_SEGMENT_LABELS:
        return {}
    return {"labels": labelled, "accuracy": proportion(correct, labelled).to_dict()}


def _segment_error(profile: Profile, name: str, code: str) -> dict[str, Any]:
    rows = profile.sums.get(f"segment:{name}:{code}:rows", 0)
    if rows < LEAST_SEGMENT_LABELS:
        return {}
    return {"labels": rows, "mae": {"value": exact_mean(profile.sums[f"segment:{name}:{code}:absolute"], rows)}}


def breach(profile: Profile, baseline: Baseline, metrics: Mapping[str, Metric]) -> dict[str, Any]:
    """Whether accuracy fell (or the mean absolute error rose) by more than chance and by enough to matter.

    The p-value is the chance of so few correct rows were accuracy still the baseline's, whose own uncertainty counts
    (beta-binomial). `level` is `none`, `high`, or `insufficient` below 200 labels or without a baseline.
    """
    known = baseline.performance
    metric = "mae" if baseline.outputs.task == "regression" else "accuracy"
    if metric not in metrics or metric not in known.metrics or profile.labelled < LEAST_LABELS:
        return {"level": "insufficient", "metric": metric}
    now, then = metrics[metric], known.metrics[metric]
    if metric == "accuracy":
        correct = int(np.trace(profile.confusion[:-1, :-1]))
        p_value = predictive_cdf(correct, profile.labelled, known.correct, known.rows)
        change = now.value - then["value"]
        real = change <= -LEAST_DROP
    else:
        errors = [(now.high - now.value) / 1.96, (then["high"] - then["value"]) / 1.96]
        spread = sqrt(sum(error**2 for error in errors))
        change = now.value - then["value"]
        p_value = 1 - normal_cdf(change / spread) if spread else float(change <= 0)
        real = change >= LEAST_RISE * then["value"]
    level = "high" if real and p_value <= FALSE_ALARM_RATE else "none"
    return {"level": level, "metric": metric, "change": change, "p_value": p_value, "baseline": dict(then)}
