"""What came true of predictions, so that a model in good health is as often right as when its baseline was made.

A model's probabilities say which of its predictions are likelier to be right, but not how often it is right: many are
less sure of themselves than they could be, others more. So their log-odds are shifted, all by the same amount.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from lightship.drill.cloudwatch.series import Floats
from lightship_runtime.contract import Scalar
from lightship_runtime.monitor.baseline import Performance
from lightship_runtime.predict import class_key

# The mean absolute value of a normal error is sqrt(2/pi) of its deviation.
DEVIATIONS_PER_MEAN_ERROR = math.sqrt(math.pi / 2)
# The model may be sure of itself, its probabilities rounded; a shift has to be able to move them.
SUREST = 1e-6
FARTHEST_SHIFT = 60.0
HALVINGS = 60


@dataclass(frozen=True, slots=True)
class Prediction:
    """An answer's prediction, and the probabilities of the classes where it has them."""

    label: Any
    scores: Mapping[str, float]

    @property
    def sure(self) -> float | None:
        """The probability of what was predicted."""
        return self.scores[class_key(self.label)] if self.scores else None


@dataclass(frozen=True)
class Truth:
    """Draws labels. `accuracy` is the baseline's share of right predictions, `mean_error` its mean absolute error;
    `shift` is what is added to the log-odds of being right that the model's probabilities have."""

    classes: Sequence[Scalar]
    accuracy: float
    mean_error: float
    shift: float = 0.0

    @classmethod
    def of(cls, performance: Performance, classes: Sequence[Scalar], usual: Sequence[Prediction]) -> Self:
        """As right over the `usual` predictions as the baseline was. Needs labelled rows in it."""
        accuracy = performance.correct / performance.rows
        error = performance.metrics.get("mae", {}).get("value", 0.0)
        sure = [each.sure for each in usual if each.sure is not None]
        return cls(classes, accuracy, error, _shift(np.array(sure), accuracy) if classes and sure else 0.0)

    def right(self, prediction: Prediction) -> float:
        """How likely a prediction is right in good health."""
        sure = prediction.sure
        return self.accuracy if sure is None else float(_shifted(np.array([sure]), self.shift)[0])

    def loss(self, usual: Sequence[Prediction], kept: float) -> float:
        """How much less often it is right of the share `kept` of rows that it is least sure of."""
        right = np.sort([self.right(each) for each in usual])
        return self.accuracy - float(right[: max(1, round(kept * len(right)))].mean())

    def actual(self, prediction: Prediction, lost: float, random: np.random.Generator) -> Any:
        """What came true; `lost` is the share of right predictions that went wrong since."""
        if not self.classes:
            deviation = self.mean_error * DEVIATIONS_PER_MEAN_ERROR * (1 + 10 * lost)
            return float(prediction.label) + float(random.normal()) * deviation
        if random.random() < self.right(prediction) - lost:
            return prediction.label
        others = [each for each in self.classes if each != prediction.label]
        return others[int(random.integers(len(others)))]


def predictions_of(document: Mapping[str, Any]) -> list[Prediction]:
    """From the body of an answer."""
    labels = document["predictions"]
    return [
        Prediction(label, scores)
        for label, scores in zip(labels, document.get("probabilities") or [{}] * len(labels), strict=True)
    ]


def _shift(sure: Floats, accuracy: float) -> float:
    """The shift that makes predictions right as often as `accuracy` says, on average; found by bisection."""
    low, high = -FARTHEST_SHIFT, FARTHEST_SHIFT
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _shifted(sure, middle).mean() < accuracy else (low, middle)
    return (low + high) / 2


def _shifted(sure: Floats, shift: float) -> Floats:
    inside = np.clip(sure, SUREST, 1 - SUREST)
    moved: Floats = 1 / (1 + (1 - inside) / inside * math.exp(-shift))
    return moved
