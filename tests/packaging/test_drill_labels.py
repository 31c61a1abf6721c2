"""Labels in a drill: a healthy model is as often right as its baseline says, however sure it is of itself."""

import numpy as np
import pytest

from lightship.drill.labels import Prediction, Truth, predictions_of
from lightship_runtime.monitor.baseline import Performance

CLASSES = ("no", "yes")
ROWS = 4000


def predictions(sharpness: float) -> list[Prediction]:
    """Of a model that is as sure as `sharpness` makes it."""
    shares = (1 + np.tanh(np.random.default_rng(0).normal(size=ROWS) * sharpness)) / 2
    document = {
        "predictions": [CLASSES[int(share > 0.5)] for share in shares],
        "probabilities": [{"yes": share, "no": 1 - share} for share in shares],
    }
    return predictions_of(document)


@pytest.mark.parametrize("correct", [ROWS, 3960, 3000, 2200])
@pytest.mark.parametrize("sharpness", [0.25, 1.5, 100.0])
def test_labels_agree_with_the_baseline(sharpness: float, correct: int) -> None:
    usual, random = predictions(sharpness), np.random.default_rng(1)
    truth = Truth.of(Performance(ROWS, correct), CLASSES, usual)
    right = sum(truth.actual(each, 0.0, random) == each.label for each in usual)
    assert right == pytest.approx(correct, abs=4 * np.sqrt(correct * (ROWS - correct) / ROWS))


def test_what_the_model_is_less_sure_of_is_less_often_right() -> None:
    usual = predictions(0.5)
    truth = Truth.of(Performance(ROWS, 3800), CLASSES, usual)
    unsure, sure = min(usual, key=lambda each: each.sure or 0), max(usual, key=lambda each: each.sure or 0)
    assert truth.right(unsure) < 0.95 < truth.right(sure)


def test_a_model_that_is_always_right_loses_nothing_of_the_rows_it_is_least_sure_of() -> None:
    usual = predictions(0.5)
    assert Truth.of(Performance(ROWS, ROWS), CLASSES, usual).loss(usual, 0.3) == pytest.approx(0.0, abs=1e-6)
    assert Truth.of(Performance(ROWS, 3400), CLASSES, usual).loss(usual, 0.3) > 0.05


def test_accuracy_that_is_lost_is_missing_in_the_labels() -> None:
    usual, random = predictions(0.5), np.random.default_rng(2)
    truth = Truth.of(Performance(ROWS, ROWS), CLASSES, usual)
    wrong = sum(truth.actual(each, 0.15, random) != each.label for each in usual)
    assert wrong / ROWS == pytest.approx(0.15, abs=0.02)


def test_without_probabilities_and_without_classes_the_baseline_speaks() -> None:
    random = np.random.default_rng(3)
    truth = Truth.of(Performance(100, 80), CLASSES, bare := predictions_of({"predictions": ["yes"] * ROWS}))
    assert np.mean([truth.actual(each, 0.0, random) == "yes" for each in bare]) == pytest.approx(0.8, abs=0.03)
    known = Performance(100, 0, {"mae": {"value": 2.0}})
    regression = Truth.of(known, (), numbers := predictions_of({"predictions": [5.0] * ROWS}))
    errors = [abs(regression.actual(each, 0.0, random) - 5.0) for each in numbers]
    assert np.mean(errors) == pytest.approx(2.0, abs=0.1)
