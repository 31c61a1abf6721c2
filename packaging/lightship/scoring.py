"""How well the original model does on labelled rows, beside the best that knows nothing of them.

Whether the model was trained on these rows can't be seen from here; whoever shows the scores says so.
"""

from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any

import numpy as np
import pandas as pd

from lightship.describe import Described
from lightship.goldens import ask
from lightship_runtime.contract import Contract
from lightship_runtime.engine import Engine
from lightship_runtime.errors import LightshipError
from lightship_runtime.golden import Golden
from lightship_runtime.monitor.metrics import auc_metric, auc_parts, normal_interval, proportion

type Labels = "pd.Series[Any] | pd.DataFrame"

MAX_SCORED = 5_000
SMALLEST_P = 1e-15


class LabelsError(LightshipError):
    """The labels don't belong to the sample, or aren't what the model predicts."""


@dataclass(frozen=True, slots=True)
class Score:
    """A metric with its 95% interval. `guess` is what a constant prediction gets, the best for this metric on these
    labels; `better` says which way is up."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    guess: float | None = None
    better: str = "higher"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Scores:
    """The metrics over `rows` labelled rows of the sample's `of`; `missing` says why there are none."""

    rows: int
    of: int
    metrics: tuple[Score, ...]
    missing: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "of": self.of,
            "metrics": [metric.to_dict() for metric in self.metrics],
            "missing": self.missing,
        }


def score(original: Engine, described: Described, labels: Labels) -> Scores:
    """Ask the model for at most MAX_SCORED evenly spaced rows of the sample, and compare with their labels.

    Raises LabelsError when the counts differ, or no label is one of the model's classes or a number.
    """
    count = len(described.columns[0])
    if len(labels) != count:
        raise LabelsError(f"There are {len(labels)} labels for the sample's {count} rows. Give one label a row.")
    contract = described.contract
    if contract.output.task not in ("binary", "multiclass", "regression"):
        return Scores(0, count, (), f"Lightship has no scores for {contract.output.task} models.")
    chosen = np.unique(np.linspace(0, count - 1, min(count, MAX_SCORED)).astype(int))
    rows = list(zip(*described.at([int(i) for i in chosen]), strict=True))
    found = ask(original, rows, sampled=len(rows))
    picked = labels.iloc[chosen]
    metrics = _regression(found, picked) if contract.output.task == "regression" else _classes(found, picked, contract)
    return Scores(len(rows), count, tuple(metrics))


def _classes(found: Golden, labels: Labels, contract: Contract) -> list[Score]:
    classes = contract.output.classes
    if isinstance(labels, pd.DataFrame):
        raise LabelsError(
            f"There are {labels.shape[1]} columns of labels; the model predicts one class. Give one column."
        )
    position = {_key(label): index for index, label in enumerate(classes)}
    # A label that the model has no class for is one it can't get right.
    actual = np.array([position.get(_key(label), -1) for label in labels.tolist()])
    if (actual < 0).all():
        raise LabelsError(
            f"No label is one of the model's classes: the labels are like {labels.iloc[0]!r}, the classes are "
            f"{', '.join(map(repr, classes[:5]))}. Give the labels as the model was trained on them."
        )
    predicted = np.asarray(found.predictions)
    counts = np.bincount(actual[actual >= 0], minlength=len(classes))
    shares = counts / len(actual)
    hits = proportion(int((predicted == actual).sum()), len(actual))
    scores = [Score("accuracy", hits.value, hits.low, hits.high, float(shares.max()))]
    scores.append(_balanced(predicted, actual, counts))
    if found.probabilities is not None and (actual >= 0).all():
        scores += _by_probability(np.asarray(found.probabilities, dtype=np.float64), actual, shares)
    return scores


def _balanced(predicted: Any, actual: Any, counts: Any) -> Score:
    """The mean recall of the classes that occur; each recall's variance is a proportion's."""
    occurs = np.flatnonzero(counts)
    recalls = np.array([(predicted[actual == place] == place).mean() for place in occurs])
    error = sqrt(float((recalls * (1 - recalls) / counts[occurs]).sum())) / len(occurs)
    interval = normal_interval(float(recalls.mean()), error, 0.0, 1.0)
    return Score("balanced accuracy", interval.value, interval.low, interval.high, 1 / len(occurs))


def _by_probability(probabilities: Any, actual: Any, shares: Any) -> list[Score]:
    taken = probabilities[np.arange(len(actual)), actual]
    loss = -np.log(np.clip(taken, SMALLEST_P, 1.0))
    entropy = -float((shares[shares > 0] * np.log(shares[shares > 0])).sum())
    one_hot = np.eye(probabilities.shape[1])[actual]
    # Half of Brier's sum over classes, which for two classes is the squared error of either probability.
    brier = ((probabilities - one_hot) ** 2).sum(axis=1) / 2
    scores = [
        _mean("log loss", loss, entropy),
        _mean("Brier score", brier, float((shares * (1 - shares)).sum() / 2)),
    ]
    if probabilities.shape[1] == 2 and 0 < actual.sum() < len(actual):
        levels, codes = np.unique(probabilities[:, 1], return_inverse=True)
        positives = np.bincount(codes[actual == 1], minlength=len(levels)).astype(np.float64)
        negatives = np.bincount(codes[actual == 0], minlength=len(levels)).astype(np.float64)
        value, variance = auc_parts(positives, negatives)
        area = auc_metric(value, sqrt(variance))
        scores.append(Score("ROC AUC", area.value, area.low, area.high, 0.5))
    return scores


def _regression(found: Golden, labels: Labels) -> list[Score]:
    """Errors in the label's own unit; several outputs are averaged."""
    try:
        actual = labels.to_numpy(dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise LabelsError(f"The labels aren't numbers ({error}), but the model predicts numbers.") from error
    predicted = np.asarray(found.predictions, dtype=np.float64)
    if predicted.size != actual.size:
        raise LabelsError(
            f"The labels have the shape {actual.shape}, the predictions {predicted.shape}. Give a column an output."
        )
    actual, predicted = actual.reshape(len(actual), -1), predicted.reshape(len(actual), -1)
    errors = np.abs(predicted - actual)
    middle = np.median(actual, axis=0)
    square = _mean("squared error", (errors**2).mean(axis=1), None)
    spread = ((actual - actual.mean(axis=0)) ** 2).mean(axis=0)
    scores = [
        _mean("mean absolute error", errors.mean(axis=1), float(np.abs(actual - middle).mean())),
        Score(
            "root mean squared error",
            sqrt(square.value),
            sqrt(square.low or 0.0),
            sqrt(square.high or 0.0),
            sqrt(float(spread.mean())),
            "lower",
        ),
    ]
    if (spread > 0).all():
        explained = 1 - (errors**2).mean(axis=0) / spread
        scores.append(Score("R2", float(explained.mean()), guess=0.0))
    return scores


def _mean(name: str, values: Any, guess: float | None) -> Score:
    interval = normal_interval(float(values.mean()), float(values.std()) / sqrt(len(values)), 0.0)
    return Score(name, interval.value, interval.low, interval.high, guess, "lower")


def _key(label: Any) -> tuple[str, Any]:
    """What makes two labels the same: 1 and 1.0 are, True and 1 too when one of them is a model's class, "1" isn't."""
    if isinstance(label, np.generic):
        label = label.item()
    return ("text", label) if isinstance(label, str) else ("value", label)
