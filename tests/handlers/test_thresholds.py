"""Labels by thresholds of the user's own."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightship_runtime.engine import Outputs, Values
from lightship_runtime.thresholds import ThresholdedEngine


class Fixed:
    """Gives these probabilities."""

    name = "fixed"

    def __init__(self, probabilities: Any) -> None:
        self.probabilities = probabilities

    def predict(self, columns: Sequence[Values]) -> Outputs:
        return Outputs([0] * len(self.probabilities), self.probabilities)


def labels(rows: Any, thresholds: Sequence[float | None]) -> list[int]:
    return list(ThresholdedEngine(Fixed(rows), thresholds).predict([]).predictions)


@pytest.mark.parametrize("kind", [list, np.array])
def test_a_binary_label_follows_its_threshold(kind: Any) -> None:
    rows = kind([[0.75, 0.25], [0.7, 0.3], [0.1, 0.9], [0.71, 0.29]])
    assert labels(rows, (None, 0.3)) == [0, 1, 1, 0]
    assert labels(rows, (0.8, None)) == [1, 1, 1, 1]


@pytest.mark.parametrize("kind", [list, np.array])
def test_of_several_the_one_that_exceeds_its_threshold_most_is_predicted(kind: Any) -> None:
    rows = kind([[0.5, 0.3, 0.2], [0.5, 0.1, 0.4], [0.9, 0.05, 0.05]])
    assert labels(rows, (None, 0.2, 0.1)) == [2, 2, 0]
    assert labels(rows, (0.99, 0.99, 0.99)) == [0, 0, 0]


@settings(derandomize=True, max_examples=200, deadline=None)
@given(
    st.lists(st.lists(st.floats(0, 1), min_size=4, max_size=4), min_size=1, max_size=6),
    st.tuples(*[st.none() | st.floats(0.01, 1)] * 3, st.floats(0.01, 1)),
)
def test_rows_and_matrices_agree(rows: list[list[float]], thresholds: tuple[float | None, ...]) -> None:
    assert labels(rows, thresholds) == labels(np.array(rows), thresholds)
