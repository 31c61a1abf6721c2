"""The module around the model: the same for requests and batches, whatever a row came in as."""

import math
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightship_runtime.around import AroundEngine, Module, ModuleError, outer_classes
from lightship_runtime.batch.columns import Checker
from lightship_runtime.contract import Column, Contract, Output
from lightship_runtime.engine import Outputs, RefusedRowsError, Values
from lightship_runtime.validation import Validator

OUTER = Contract(
    (
        Column("amount", "number", "float64", nullable=True),
        Column("count", "integer", "int64", nullable=True),
        Column("grade", "category", "int64", categories=(1, 2, 3)),
        Column("when", "datetime", "datetime64[us]", nullable=True),
        Column("open", "boolean", "bool"),
        Column("town", "text", "str", nullable=True),
    ),
    Output("regression"),
)
INNER = Contract(
    (Column("told", "text", "str"), Column("score", "number", "float64", nullable=True)), Output("regression")
)


class Echo:
    """A model that remembers what it was given, and predicts the score."""

    name = "echo"

    def __init__(self) -> None:
        self.given: list[list[Any]] = []

    def predict(self, columns: Sequence[Values]) -> Outputs:
        self.given = [list(values) for values in columns]
        return Outputs([0.0 if value is None else value for value in columns[1]])


def module(**functions: Any) -> Module:
    made = ModuleType("own")
    made.__dict__.update(functions)
    return Module(made)


def tell(row: dict[str, Any]) -> dict[str, Any]:
    return {"told": repr(sorted(row.items())), "score": row["amount"]}


ROWS = st.fixed_dictionaries(
    {
        "amount": st.none() | st.floats(-1e6, 1e6) | st.integers(-5, 5),
        "count": st.none() | st.integers(-(2**52), 2**52),
        "grade": st.sampled_from([1, 2, 3]),
        "when": st.none() | st.datetimes().map(lambda time: time.isoformat()),
        "open": st.booleans(),
        "town": st.none() | st.text(st.characters(codec="utf-8"), max_size=5),
    }
)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=6))
def test_a_row_is_the_same_from_a_request_and_from_a_batch(rows: list[dict[str, Any]]) -> None:
    model = Echo()
    engine = AroundEngine(model, module(preprocess=tell, postprocess=math.atan), OUTER, INNER)
    answered = engine.predict(Validator(OUTER).columns(rows))
    from_request = model.given
    checked = [Checker(column).of_arrow(arrow(column, [row[column.name] for row in rows])) for column in OUTER.columns]
    assert not any(each.faults for each in checked)
    scored = engine.predict([each.values for each in checked])
    assert model.given == from_request
    assert list(scored.predictions) == list(answered.predictions)


def arrow(column: Column, values: list[Any]) -> Any:
    kinds = {"number": pa.float64(), "integer": pa.int64(), "category": pa.int64(), "boolean": pa.bool_()}
    return pa.array(values, kinds.get(column.type, pa.string()))


def test_rows_that_the_module_refuses_are_named_and_its_insides_are_not() -> None:
    secrets = {"a": 1.0}

    def preprocess(row: dict[str, Any]) -> dict[str, Any]:
        if row["town"] == "nowhere":
            raise ValueError("the town must\nbe on the map")
        return {"told": "", "score": secrets[row["town"]]}

    told: list[Exception] = []
    engine = AroundEngine(Echo(), module(preprocess=preprocess), OUTER, INNER, log=told.append)
    with pytest.raises(RefusedRowsError) as refused:
        engine.predict(columns("a", "nowhere", "a"))
    assert (refused.value.rows, refused.value.status, told) == ((1,), 422, [])
    assert "At row 1: preprocess refuses it: the town must be on the map." in str(refused.value)
    with pytest.raises(RefusedRowsError) as failed:
        engine.predict(columns("nowhere", "a", "secret town"))
    assert (failed.value.rows, failed.value.status) == ((0, 2), 500)
    assert failed.value.reason_of(2) == "preprocess raised KeyError"
    assert "secret" not in str(failed.value)
    assert [type(error) for error in told] == [KeyError]


def columns(*towns: str) -> list[list[Any]]:
    count = len(towns)
    return [[1.0] * count, [1] * count, [1] * count, [None] * count, [True] * count, list(towns)]


@pytest.mark.parametrize(
    ("made", "status", "words"),
    [
        ([1], 500, "a list, not a row"),
        ({"told": "x"}, 500, "no 'score'"),
        ({"told": None, "score": 1.0}, 422, "nothing for 'told'"),
        ({"told": "x", "score": "high"}, 500, "a str for 'score'"),
        ({"told": "x", "score": math.inf}, 422, "'score' that the model doesn't take"),
    ],
)
def test_what_preprocess_makes_is_held_to_the_models_own_contract(made: Any, status: int, words: str) -> None:
    engine = AroundEngine(Echo(), module(preprocess=lambda _row: made), OUTER, INNER)
    with pytest.raises(RefusedRowsError, match=words) as refused:
        engine.predict(columns("a"))
    assert refused.value.status == status


def test_missing_values_of_any_kind_are_none_to_the_model() -> None:
    model = Echo()
    AroundEngine(model, module(preprocess=lambda _row: {"told": "", "score": math.nan}), OUTER, INNER).predict(
        columns("a")
    )
    assert model.given[1] == [None]


@pytest.mark.parametrize("made", ["x", True, [1.0], {"value": 1.0}, None])
def test_what_postprocess_makes_of_a_number_must_be_a_number(made: Any) -> None:
    engine = AroundEngine(Echo(), module(postprocess=lambda _value: made), INNER, INNER)
    with pytest.raises(RefusedRowsError, match="not a number") as refused:
        engine.predict([["a"], [1.0]])
    assert refused.value.status == 500


class Classes:
    name = "classes"

    def predict(self, columns: Sequence[Values]) -> Outputs:
        return Outputs([0, 1, 2], [[0.5, 0.2, 0.3], [0.1, 0.6, 0.3], [0.2, 0.2, 0.6]])


def test_classes_are_renamed_and_made_one_with_their_probabilities() -> None:
    inner = INNER._replace(output=Output("multiclass", ("setosa", "versicolor", "virginica"), probabilities=True))
    renamed = module(postprocess=str.upper)
    outer = inner._replace(output=inner.output._replace(classes=outer_classes(renamed, inner)))
    outputs = AroundEngine(Classes(), renamed, outer, inner).predict([["a"] * 3, [1.0] * 3])
    assert outer.output.classes == ("SETOSA", "VERSICOLOR", "VIRGINICA")
    assert outputs.predictions == [0, 1, 2]
    assert outputs.probabilities == [[0.5, 0.2, 0.3], [0.1, 0.6, 0.3], [0.2, 0.2, 0.6]]

    joined = module(postprocess=lambda label: label.startswith("v"))
    outer = inner._replace(output=Output("binary", outer_classes(joined, inner), probabilities=True))
    outputs = AroundEngine(Classes(), joined, outer, inner).predict([["a"] * 3, [1.0] * 3])
    assert outer.output.classes == (False, True)
    assert outputs.predictions == [0, 1, 1]
    assert outputs.probabilities is not None
    assert [round(row[1], 9) for row in outputs.probabilities] == [0.5, 0.9, 0.8]


def test_a_module_needs_functions_and_steady_labels() -> None:
    with pytest.raises(ModuleError, match="neither preprocess nor postprocess"):
        module()
    with pytest.raises(ModuleError, match="preprocess in own is a int"):
        module(preprocess=3)
    inner = INNER._replace(output=Output("binary", (False, True)))
    with pytest.raises(ModuleError, match="must make one string"):
        outer_classes(module(postprocess=lambda label: {"label": label}), inner)
    with pytest.raises(ModuleError, match="another label"):
        AroundEngine(Classes(), module(postprocess=lambda label: not label), inner._replace(
            output=Output("binary", ("no", "yes"))), inner)  # fmt: skip
