"""Performance before labels come: confidence-based estimation from calibrated probabilities.

If the model's calibrated probabilities still hold, each row's chance of being right is known, and expected hits, misses
and false alarms follow by adding. A changed meaning of the inputs (concept drift) is invisible to it, which is why its
results are called estimates everywhere.
"""

from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightship_runtime.monitor.baseline import Baseline
from lightship_runtime.monitor.metrics import Array, Metric, Z
from lightship_runtime.monitor.performance import LEAST_DROP
from lightship_runtime.monitor.profile import FIXED_POINT, Profile

REPLICATES = 200
_SEED = 20_260_101


def estimated(profile: Profile, baseline: Baseline) -> dict[str, Metric]:
    """Estimated accuracy, F1, precision, recall and ROC AUC of all rows with scores; empty where calibration lacks.

    The interval is where the true value of these rows should lie: a parametric bootstrap over score bins, with the
    labels' own chance and the calibration's uncertainty. Its generator is seeded, so the same counts give the same.
    """
    if not baseline.outputs.calibration or not baseline.performance.rows:
        return {}
    rows = profile.scores.sum(axis=3)
    if not rows.any():
        return {}
    sums = profile.expected / FIXED_POINT
    binary = baseline.outputs.task == "binary"
    values = _metrics(rows.astype(np.float64), sums[None], binary=binary)
    draws = _metrics(rows.astype(np.float64), _replicates(rows, sums, baseline), binary=binary)
    found = {}
    for name, value in values.items():
        if not np.isfinite(value[0]):
            continue
        error = float(np.nanstd(draws[name]))
        middle = float(value[0])
        found[name] = Metric(middle, max(0.0, middle - Z * error), min(1.0, middle + Z * error))
    return found


def _metrics(rows: Array, positives: Array, *, binary: bool) -> dict[str, Array]:
    """Metrics (R,) of R sets of positives (R, K, B, 2), given the rows (K, B, 2) they are among."""
    with np.errstate(invalid="ignore", divide="ignore"):
        hits = positives[..., 1].sum(axis=2)
        actual = positives.sum(axis=(2, 3))
        predicted = rows[..., 1].sum(axis=1)
        total = rows[0].sum()
        f1 = 2 * hits / (actual + predicted)
        auc = _auc(rows.sum(axis=2), positives.sum(axis=3))
        if not binary:
            return {"accuracy": hits.sum(axis=1) / total, "f1": _mean(f1), "roc_auc": _mean(auc)}
        rejected = rows[0, :, 0].sum() - positives[:, 0, :, 0].sum(axis=1)
        return {
            "accuracy": (hits[:, 0] + rejected) / total,
            "f1": f1[:, 0],
            "precision": hits[:, 0] / predicted[0],
            "recall": hits[:, 0] / actual[:, 0],
            "roc_auc": auc[:, 0],
        }


def _mean(values: Array) -> Array:
    """The mean over the classes that occur, which are those whose metric is a number."""
    known = np.isfinite(values)
    mean: Array = np.where(known, values, 0.0).sum(axis=1) / known.sum(axis=1)
    return mean


def _auc(rows: Array, positives: Array) -> Array:
    """ROC AUC (R, K) from the rows (K, B) and positives (R, K, B) of ascending score bins; ties count one half."""
    negatives = rows - positives
    below = np.cumsum(negatives, axis=2) - negatives / 2
    area: Array = (positives * below).sum(axis=2) / (positives.sum(axis=2) * negatives.sum(axis=2))
    return area


def _replicates(rows: NDArray[np.int64], sums: Array, baseline: Baseline) -> Array:
    """Positives (R, K, B, 2) drawn from each cell's mean probability, itself drawn within its calibration's error."""
    random = np.random.default_rng(_SEED)
    bins = rows.shape[1]
    seen = np.zeros(rows.shape[:2])
    for k, calibration in enumerate(baseline.outputs.calibration):
        seen[k, : len(calibration.rows)] = calibration.rows[:bins]
    chance = np.divide(sums, rows, out=np.zeros_like(sums), where=rows > 0)
    error = np.sqrt(chance * (1 - chance) / (seen[..., None] + 1))
    noise = random.standard_normal((REPLICATES, *rows.shape[:2], 1))
    drawn = np.clip(chance + noise * error, 0.0, 1.0)
    positives: Array = random.binomial(rows, drawn).astype(np.float64)
    return positives


def estimate_breach(metrics: dict[str, Metric], baseline: Baseline) -> dict[str, Any]:
    """Whether the estimated accuracy lies under the baseline's by more than both intervals and by enough to matter."""
    then = baseline.performance.metrics.get("accuracy")
    if "accuracy" not in metrics or then is None:
        return {"level": "insufficient", "metric": "accuracy"}
    now = metrics["accuracy"]
    change = now.value - then["value"]
    width = sqrt((now.high - now.value) ** 2 + (then["value"] - then["low"]) ** 2)
    level = "warn" if change <= -LEAST_DROP and change < -width else "none"
    return {"level": level, "metric": "accuracy", "change": change, "baseline": dict(then)}
