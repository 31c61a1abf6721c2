"""What callers may send, by the contract."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightship_runtime.contract import Column, Contract, Output
from lightship_runtime.problems import Problem
from lightship_runtime.validation import Validator

CONTRACT = Contract(
    columns=(
        Column("age", "number", "float64", nullable=True, minimum=0.0, maximum=90.0),
        Column("rooms", "integer", "int64"),
        Column("paid", "boolean", "bool"),
        Column("city", "category", "str", categories=("Bern", "Genève")),
        Column("plan", "category", "category", categories=(1, 2), closed=True),
        Column("note", "text", "str"),
        Column("since", "datetime", "datetime64[ns]"),
    ),
    output=Output("regression"),
)
ROW = {"age": 30, "rooms": 3, "paid": True, "city": "Bern", "plan": 2, "note": "", "since": "2024-02-29T10:00:00"}


def refusal(instances: object) -> Problem:
    with pytest.raises(Problem) as caught:
        Validator(CONTRACT).columns(instances)
    return caught.value


def test_rows_become_columns_in_the_contracts_order() -> None:
    columns = Validator(CONTRACT).columns([dict(reversed(ROW.items())), {**ROW, "age": None, "rooms": 4.0}])
    assert columns[0] == [30.0, None]
    assert columns[1] == [3, 4]
    assert columns[3] == ["Bern", "Bern"]
    assert [type(value) for value in columns[1]] == [int, int]


def test_rows_may_be_arrays_in_the_contracts_order() -> None:
    assert Validator(CONTRACT).columns([list(ROW.values())]) == Validator(CONTRACT).columns([ROW])


def test_an_unseen_category_passes_unless_the_model_refuses_it() -> None:
    assert Validator(CONTRACT).columns([{**ROW, "city": "東京"}])[3] == ["東京"]
    problem = refusal([{**ROW, "plan": 3}])
    assert "one of 1, 2" in problem.detail


def test_a_value_out_of_the_range_seen_passes() -> None:
    assert Validator(CONTRACT).columns([{**ROW, "age": -5}])[0] == [-5.0]


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("age", "30", "a finite number"),
        ("age", True, "a finite number"),
        ("age", math.inf, "a finite number"),
        ("age", 10**400, "a finite number"),
        ("age", [30], "a finite number"),
        ("rooms", 3.5, "an integer of 64 bits"),
        ("rooms", 2**63, "an integer of 64 bits"),
        ("rooms", None, "not null"),
        ("rooms", False, "an integer of 64 bits"),
        ("paid", 1, "true or false"),
        ("paid", "true", "true or false"),
        ("city", 5, "a string"),
        ("city", "\ud800", "a string"),
        ("plan", "2", "one of 1, 2"),
        ("note", {"a": 1}, "a string"),
        ("since", "yesterday", "ISO 8601"),
    ],
)
def test_a_wrong_value_is_named_with_its_row_column_and_what_was_expected(
    column: str, value: object, expected: str
) -> None:
    problem = refusal([ROW, {**ROW, column: value}])
    assert problem.status == 422
    (fault,) = problem.faults
    assert (fault.row, fault.column) == (1, column)
    assert expected in fault.expected


def test_missing_and_unknown_columns_are_named() -> None:
    without = {name: value for name, value in ROW.items() if name != "city"}
    assert refusal([without]).faults[0].column == "city"
    problem = refusal([{**ROW, "colour": "red"}])
    assert problem.faults[0].column == "colour"


@pytest.mark.parametrize("instances", [None, {}, "x", 5, [], [5], [[1, 2]], [None]])
def test_what_is_not_rows_is_refused(instances: object) -> None:
    assert refusal(instances).status == 422


def test_many_faults_are_cut_to_a_readable_number() -> None:
    problem = refusal([{**ROW, "age": "x"}] * 500)
    assert len(problem.faults) == Problem.FAULTS


def test_long_values_are_not_repeated_whole() -> None:
    problem = refusal([{**ROW, "age": "x" * 10_000}])
    assert len(str(problem.to_dict())) < 1_000


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.fixed_dictionaries(dict.fromkeys(ROW, json_values)) | json_values)
def test_any_json_is_taken_or_refused_and_nothing_else(row: object) -> None:
    try:
        lengths = [len(values) for values in Validator(CONTRACT).columns([row])]
    except Problem as problem:
        lengths = []
        refused = (problem.status, bool(problem.faults))
    assert lengths == [1] * len(CONTRACT.columns) or refused == (422, True)
