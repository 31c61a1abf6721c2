"""The contract's document."""

import json

import pytest

from lightship_runtime.contract import Column, Contract, Output
from lightship_runtime.errors import InvalidDocumentError, UnknownSchemaError

CONTRACT = Contract(
    columns=(
        Column("a", "number", "float64", nullable=True, minimum=-1.5, maximum=2.0),
        Column("b", "category", "category", categories=(1, 2)),
        Column("c", "text", "object", missing="none"),
    ),
    output=Output("multiclass", ("x", "y", "z"), probabilities=True),
    layout="frame",
)


def test_a_contract_survives_the_way_through_json_and_back() -> None:
    assert Contract.from_json(CONTRACT.to_json()) == CONTRACT


def test_another_schema_version_is_refused_with_what_to_do() -> None:
    document = {**CONTRACT.to_dict(), "schema": 99}
    with pytest.raises(UnknownSchemaError, match=r"99.*Package the model again"):
        Contract.from_json(json.dumps(document))


@pytest.mark.parametrize(
    "change", [{"layout": "cube"}, {"columns": [{"name": "a"}]}, {"output": {"task": "poetry", "classes": []}}]
)
def test_a_contract_that_is_not_one_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(InvalidDocumentError):
        Contract.from_json(json.dumps({**CONTRACT.to_dict(), **change}))


@pytest.mark.parametrize("data", ["", "[]", "null", "{", "[" * 100_000])
def test_what_is_not_a_json_object_is_refused(data: str) -> None:
    with pytest.raises((InvalidDocumentError, UnknownSchemaError)):
        Contract.from_json(data)
