"""The FastAPI application: its routes, and that it answers with the same bytes as the direct way."""

import asyncio
import json
from collections.abc import Sequence

import httpx
import pytest

from lightship_runtime.api import create_app
from lightship_runtime.contract import Column, Contract, Output
from lightship_runtime.engine import Outputs, Values
from lightship_runtime.events import read_event, response
from lightship_runtime.identifiers import prediction_ids
from lightship_runtime.labels import MAX_LABELS, check_labels
from lightship_runtime.predict import Predictor
from lightship_runtime.telemetry import Source

CONTRACT = Contract((Column("x", "number", "float64"),), Output("regression"))


class Double:
    """Predicts 2x."""

    name = "double"

    def predict(self, columns: Sequence[Values]) -> Outputs:
        return Outputs([2 * value for value in columns[0]])


PREDICTOR = Predictor(CONTRACT, Double(), name="double", source=Source("double", "test", "v1"))


def framed(method: str, path: str, **options: object) -> httpx.Response:
    async def call() -> httpx.Response:
        transport = httpx.ASGITransport(create_app(PREDICTOR, CONTRACT.to_json()))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, path, **options)  # type: ignore[arg-type]

    return asyncio.run(call())


@pytest.mark.parametrize(
    "body",
    [b'{"instances":[{"x":1.5},{"x":-2}]}', b'{"instances":[{"x":"?"}]}', b"{", b"[]", b'{"instances":[]}'],
)
def test_the_framework_and_the_direct_way_give_the_same_bytes(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightship_runtime.predict.prediction_ids", lambda count, *_: ["id"] * count)
    direct = PREDICTOR.answer(body, "application/json")
    through = framed("POST", "/predict", content=body, headers={"content-type": "application/json"})
    assert through.content == direct.body
    assert through.status_code == direct.status
    assert through.headers["content-type"] == direct.media_type


def test_the_openapi_page_describes_the_contract() -> None:
    document = framed("GET", "/openapi.json").json()
    schema = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert schema["properties"]["instances"]["items"]["properties"] == {"x": {"type": "number"}}
    assert framed("GET", "/docs").status_code == 200
    assert framed("GET", "/contract").json() == json.loads(CONTRACT.to_json())
    assert framed("GET", "/ping").json() == {"status": "ok"}


def test_the_openapi_page_lists_the_route_of_labels_which_another_function_answers() -> None:
    operation = framed("GET", "/openapi.json").json()["paths"]["/feedback"]["post"]
    assert "function of its own" in operation["description"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    assert schema["properties"]["labels"]["maxItems"] == MAX_LABELS
    label = schema["properties"]["labels"]["items"]
    now = 1_700_000_000.0
    full = {"id": prediction_ids(1, int(now * 1000))[0], "actual": 3.5, "time": "2023-11-14T22:00:00Z"}
    assert full.keys() == label["properties"].keys()
    for missing in label["properties"]:
        given = {name: value for name, value in full.items() if name != missing}
        assert check_labels([given], now).refused == (missing in label["required"])


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nowhere", 404), ("GET", "/predict", 405), ("POST", "/feedback", 404)]
)
def test_wrong_routes_are_problem_documents(method: str, path: str, status: int) -> None:
    answer = framed(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status


def test_events_of_both_kinds_become_the_same_request() -> None:
    http = read_event(
        {
            "version": "2.0",
            "rawPath": "/dev/predict",
            "headers": {"Content-Type": "application/json"},
            "requestContext": {"http": {"method": "POST"}, "stage": "dev"},
            "body": "e30=",
            "isBase64Encoded": True,
        }
    )
    rest = read_event(
        {
            "path": "/predict",
            "httpMethod": "POST",
            "headers": {"content-type": "application/json"},
            "requestContext": {"stage": "dev", "path": "/dev/predict"},
            "body": "{}",
        }
    )
    for request in (http, rest):
        assert (request.method, request.path, request.stage, request.body) == ("POST", "/predict", "/dev", b"{}")
        assert request.headers["content-type"] == "application/json"


def test_a_body_that_is_not_base64_is_the_callers_fault() -> None:
    from lightship_runtime.problems import Problem

    event = {
        "version": "2.0",
        "rawPath": "/predict",
        "requestContext": {"http": {"method": "POST"}, "stage": "$default"},
        "body": "!",
        "isBase64Encoded": True,
    }
    with pytest.raises(Problem, match="base64") as caught:
        _ = read_event(event).body
    assert caught.value.status == 400


def test_a_reply_becomes_what_api_gateway_takes() -> None:
    answer = response(PREDICTOR.answer(b"{", "application/json"))
    assert answer["statusCode"] == 400
    assert isinstance(answer["body"], str)
