"""Golden rows and the rule of equality."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightship_runtime.contract import Column, Contract, Output
from lightship_runtime.errors import InvalidDocumentError, UnknownSchemaError
from lightship_runtime.golden import Golden, compare

BINARY = Contract((Column("x", "number", "float64"),), Output("binary", ("a", "b"), probabilities=True))
REGRESSION = Contract((Column("x", "number", "float64"),), Output("regression"))


def golden(predictions: list[object], probabilities: list[tuple[float, ...]] | None = None) -> Golden:
    rows = tuple((float(index),) for index in range(len(predictions)))
    return Golden(rows, tuple(predictions), None if probabilities is None else tuple(probabilities), None, len(rows))


def test_golden_rows_survive_the_way_through_bytes_and_back() -> None:
    original = Golden(((1.5, None, "é"),), (0,), ((0.1 + 0.2, 0.7),), None, 1)
    assert Golden.from_bytes(original.to_bytes()) == original
    assert original.to_bytes() == original.to_bytes()


def test_damaged_golden_rows_are_refused() -> None:
    data = golden([1.0]).to_bytes()
    for broken in (b"", data[:-9], b"x" * 40):
        with pytest.raises((InvalidDocumentError, UnknownSchemaError)):
            Golden.from_bytes(broken)


def test_a_label_flip_is_a_flip_and_a_tie_is_a_tie() -> None:
    expected = golden([0, 0], [(0.9, 0.1), (0.5, 0.5)])
    found = golden([1, 1], [(0.9, 0.1), (0.5, 0.5)])
    agreement = compare(expected, BINARY, found, 1e-9)
    assert (agreement.label_flips, agreement.ties) == (1, 1)
    assert not agreement.holds
    assert agreement.worst[0].row == 0


def test_a_probability_beyond_the_tolerance_is_found() -> None:
    expected = golden([0, 0], [(0.9, 0.1), (0.8, 0.2)])
    found = golden([0, 0], [(0.9, 0.1), (0.8 - 1e-6, 0.2 + 1e-6)])
    agreement = compare(expected, BINARY, found, 1e-9)
    assert agreement.beyond == 1
    assert agreement.max_abs_diff == pytest.approx(1e-6)
    assert compare(expected, BINARY, found, 1e-5).holds


def test_the_absolute_difference_is_of_the_sample_and_the_relative_of_all_rows() -> None:
    expected = golden([1.0, 1e16])
    sampled = Golden(expected.rows, expected.predictions, None, None, 1)
    agreement = compare(sampled, REGRESSION, golden([1.0, 1e16 + 4]), 1e-9)
    assert agreement.holds
    assert agreement.max_abs_diff == 0
    assert agreement.max_rel_diff == pytest.approx(4e-16)


@settings(derandomize=True, max_examples=200)
@given(st.floats(-1e12, 1e12), st.floats(0, 1e-6))
def test_equality_is_relative_to_large_values_and_absolute_to_small(value: float, tolerance: float) -> None:
    within = value + tolerance * (1 + abs(value)) * 0.5
    beyond = value + tolerance * (1 + abs(value)) * 2 + 1e-3 * (1 + abs(value))
    assert compare(golden([value]), REGRESSION, golden([within]), tolerance).beyond in (0, int(tolerance < 1e-15))
    assert compare(golden([value]), REGRESSION, golden([beyond]), tolerance).beyond == 1


def test_what_is_not_finite_agrees_only_with_itself() -> None:
    assert compare(golden([None]), REGRESSION, golden([None]), 1e-9).holds
    assert not compare(golden([None]), REGRESSION, golden([1.0]), 1e-9).holds
    assert not compare(golden([1.0]), REGRESSION, golden([None]), 1e-9).holds
