"""The predict function: bytes in, bytes out."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from lightship_runtime.contract import Column, Contract, Output
from lightship_runtime.engine import Outputs, RefusedRowsError, Values
from lightship_runtime.identifiers import id_time_ms
from lightship_runtime.predict import MAX_REQUEST, MAX_ROWS, Predictor
from lightship_runtime.telemetry import MAX_LINE, Source

CONTRACT = Contract(
    columns=(Column("x", "number", "float64"),),
    output=Output("binary", classes=(False, True), probabilities=True),
)


class Threshold:
    """Predicts x > 0 with probability 0.9; fails on 13."""

    name = "threshold"

    def predict(self, columns: Sequence[Values]) -> Outputs:
        values = list(columns[0])
        if 13.0 in values:
            raise RuntimeError("secret: the model's own insides")
        positive = [value > 0 for value in values]
        return Outputs([int(each) for each in positive], [[0.1, 0.9] if each else [0.9, 0.1] for each in positive])


@pytest.fixture
def predictor() -> Predictor:
    return Predictor(CONTRACT, Threshold(), name="m", source=Source("m", "test", "v1"))


def ask(predictor: Predictor, body: bytes | object, content_type: str | None = "application/json") -> tuple[int, Any]:
    reply = predictor.answer(body if isinstance(body, bytes) else json.dumps(body).encode(), content_type)
    return reply.status, json.loads(reply.body)


def test_a_prediction_has_its_class_probabilities_id_and_version(predictor: Predictor) -> None:
    status, document = ask(predictor, {"instances": [{"x": 1}, {"x": -1}]})
    assert status == 200
    assert document["predictions"] == [True, False]
    assert document["probabilities"][0] == {"false": 0.1, "true": 0.9}
    assert document["model"] == {"name": "m", "version": "v1"}
    first, second = document["ids"]
    assert first < second
    assert id_time_ms(first) > 1_700_000_000_000


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b'{"instances": [{"x": NaN}]}', "application/json", 400),
        (b'{"instances": [{"x": -Infinity}]}', "application/json", 400),
        (b'{"instances": [{"x": 1, "x": 2}]}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"instances": [{"x": 1e999}]}', "application/json", 422),
        (b'{"instances": [{"x": ' + b"9" * 5_000 + b"}]}", "application/json", 400),
        (b'{"instances": []}', "application/json", 422),
        (b'{"rows": []}', "application/json", 422),
        (b"[]", "application/json", 422),
        (b'{"instances": [{"x": 1}], "other": 1}', "application/json", 422),
        (b'{"instances": [{"x": 1}]}', "text/csv", 415),
        (b'{"instances": [{"x": 1}]}', "application/x-www-form-urlencoded", 415),
        (b'{"instances": [{"x": 1}]}', "application/json; charset=utf-8", 200),
        (b'{"instances": [{"x": 1}]}', None, 200),
        (b'{"instances": [{"x": 1}], "ids": ["a"]}', "application/json", 200),
        (b'{"instances": [{"x": 1}], "ids": []}', "application/json", 422),
        (b'{"instances": [{"x": 1}], "ids": [""]}', "application/json", 422),
        (b" " * (MAX_REQUEST + 1), "application/json", 413),
        (json.dumps({"instances": [{"x": 1}] * (MAX_ROWS + 1)}).encode(), "application/json", 413),
    ],
)
def test_each_kind_of_bad_input_has_its_status(
    predictor: Predictor, body: bytes, content_type: str | None, status: int
) -> None:
    found, document = ask(predictor, body, content_type)
    assert found == status
    if status != 200:
        assert set(document) >= {"type", "title", "status", "detail"}


def test_a_failing_model_answers_500_and_tells_no_insides(
    predictor: Predictor, capsys: pytest.CaptureFixture[str]
) -> None:
    status, document = ask(predictor, {"instances": [{"x": 13}]})
    assert status == 500
    assert "secret" not in json.dumps(document)
    printed = capsys.readouterr()
    assert "secret" in printed.err
    assert json.loads(printed.out)["Failed"] == 1


def test_rows_that_the_model_refuses_are_the_callers_fault() -> None:
    class Refusing:
        name = "refusing"

        def predict(self, columns: Sequence[Values]) -> Outputs:
            raise RefusedRowsError("it was fitted without it", [1])

    predictor = Predictor(CONTRACT, Refusing(), name="m", source=Source("m", "test", "v1"))
    status, document = ask(predictor, {"instances": [{"x": 1}, {"x": 2}]})
    assert status == 422
    assert document["errors"][0]["row"] == 1


def test_a_request_leaves_one_telemetry_line_of_emf(predictor: Predictor, capsys: pytest.CaptureFixture[str]) -> None:
    ask(predictor, {"instances": [{"x": 1}, {"x": 2}], "ids": ["a", "b"]})
    (line,) = capsys.readouterr().out.splitlines()
    document = json.loads(line)
    directive = document["_aws"]["CloudWatchMetrics"][0]
    assert directive["Dimensions"] == [["Service", "Stage"]]
    assert {metric["Name"] for metric in directive["Metrics"]} <= set(document)
    assert document["version"] == "v1"
    assert [each["u"] for each in document["predictions"]] == ["a", "b"]


def test_a_large_request_splits_its_telemetry(predictor: Predictor, capsys: pytest.CaptureFixture[str]) -> None:
    ask(predictor, {"instances": [{"x": 1}] * 9_000})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 1
    assert all(len(line) < MAX_LINE for line in lines)
    assert sum(len(json.loads(line)["predictions"]) for line in lines) == 9_000
    assert ["_aws" in json.loads(line) for line in lines] == [True] + [False] * (len(lines) - 1)


def test_a_refused_request_leaves_a_counter_line(predictor: Predictor, capsys: pytest.CaptureFixture[str]) -> None:
    ask(predictor, {"instances": [{"x": "?"}]})
    assert json.loads(capsys.readouterr().out)["Refused"] == 1


def test_a_sampled_request_leaves_the_line_that_has_it_compared(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[tuple[str, Sequence[Any], dict[str, Any]]] = []

    def sampler(identifier: str, instances: Sequence[Any], document: dict[str, Any]) -> str:
        seen.append((identifier, instances, document))
        return "the line"

    predictor = Predictor(CONTRACT, Threshold(), name="m", source=Source("m", "test", "v1"), sampler=sampler)
    _, document = ask(predictor, {"instances": [{"x": 1}]})
    assert capsys.readouterr().out.splitlines()[0] == "the line"
    ((identifier, instances, answer),) = seen
    assert identifier == document["ids"][0]
    assert instances == [{"x": 1}]
    assert answer["predictions"] == document["predictions"]
    ask(predictor, {"instances": [{"x": "?"}]})
    assert len(seen) == 1


def test_a_replay_leaves_no_telemetry(predictor: Predictor, capsys: pytest.CaptureFixture[str]) -> None:
    assert predictor.replay([{"x": 1}])["predictions"] == [True]
    assert capsys.readouterr().out == ""


def test_what_json_cannot_say_is_null(capsys: pytest.CaptureFixture[str]) -> None:
    class Infinite:
        name = "infinite"

        def predict(self, columns: Sequence[Values]) -> Outputs:
            return Outputs([float("inf"), float("nan")][: len(columns[0])])

    contract = Contract(CONTRACT.columns, Output("regression"))
    status, document = ask(
        Predictor(contract, Infinite(), name="m", source=Source("m", "test", "v1")), {"instances": [{"x": 1}, {"x": 2}]}
    )
    assert status == 200
    assert document["predictions"] == [None, None]
