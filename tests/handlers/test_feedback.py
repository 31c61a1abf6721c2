"""Late labels over HTTP: what is taken, what is refused and why, and the files they become."""

import ast
import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest

import lightship_runtime
from lightship_runtime import feedback
from lightship_runtime.events import Request
from lightship_runtime.feedback import Feedback, answer, metrics_line
from lightship_runtime.identifiers import prediction_ids
from lightship_runtime.labels import DAY, MAX_HOURS, MAX_LABELS

NOW = 1_790_000_000.0
HOUR = 3600


def an_id(hours_ago: float = 1.0) -> str:
    return prediction_ids(1, int((NOW - hours_ago * HOUR) * 1000))[0]


def send(store: dict[str, bytes], labels: Any, now: float = NOW) -> Feedback:
    body = json.dumps({"labels": labels})
    return answer(Request("POST", "/feedback", "", {}, {"body": body}), now, store.__setitem__)


def lines(store: dict[str, bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for name in sorted(store) for line in store[name].splitlines()]


def test_labels_lie_by_the_hour_of_their_prediction() -> None:
    store: dict[str, bytes] = {}
    first, second = an_id(1), an_id(30)
    found = send(store, [{"id": first, "actual": 1}, {"id": second, "actual": "late", "time": NOW - 5}])
    assert (found.status, found.document) == (200, {"accepted": 2, "refused": 0})
    folders = {name.rpartition("/")[0] for name in store}
    assert folders == {"labels/2026/09/21/13", "labels/2026/09/20/08"}
    assert sorted(lines(store), key=str) == sorted(
        [{"id": first, "actual": 1, "time": NOW}, {"id": second, "actual": "late", "time": NOW - 5}], key=str
    )


def test_the_same_labels_become_the_same_file_in_any_order() -> None:
    labels = [{"id": an_id(), "actual": place % 2, "time": NOW - place} for place in range(5)]
    store: dict[str, bytes] = {}
    send(store, labels)
    send(store, labels[::-1], now=NOW + 50)
    assert len(store) == 1


def test_labels_of_long_ago_are_announced_in_the_hour_they_come() -> None:
    store: dict[str, bytes] = {}
    send(store, [{"id": an_id(20 * 24), "actual": 1}, {"id": an_id(5), "actual": 1}])
    (announced,) = [name for name in store if name.startswith("labels/late/")]
    assert announced == f"labels/late/2026/09/21/14/{int((NOW - 20 * DAY) // HOUR) * HOUR}"


@pytest.mark.parametrize(
    ("label", "column"),
    [
        (5, None),
        ({}, "id"),
        ({"id": "x", "actual": 1}, "id"),
        ({"id": "0" * 31 + "G", "actual": 1}, "id"),
        ({"id": "f" * 32, "actual": 1}, "id"),
        ({"id": an_id()}, "actual"),
        ({"id": an_id(), "actual": None}, "actual"),
        ({"id": an_id(), "actual": [1]}, "actual"),
        ({"id": an_id(), "actual": "x" * 201}, "actual"),
        ({"id": an_id(), "actual": 10**400}, "actual"),
        ({"id": an_id(), "actual": 1, "time": "noon"}, "time"),
        ({"id": an_id(), "actual": 1, "time": NOW + 2 * DAY}, "time"),
        ({"id": an_id(), "actual": 1, "weight": 2}, "weight"),
    ],
)
def test_what_is_no_label_is_named_and_the_others_are_taken(label: Any, column: str | None) -> None:
    store: dict[str, bytes] = {}
    found = send(store, [{"id": an_id(), "actual": True}, label])
    assert found.status == 200
    assert (found.document["accepted"], found.document["refused"]) == (1, 1)
    assert (found.document["errors"][0]["row"], found.document["errors"][0]["column"]) == (1, column)
    assert len(store) == 1
    json.dumps(found.document, allow_nan=False)
    alone = send({}, [label])
    assert (alone.status, alone.document["status"]) == (422, 422)
    assert alone.document["errors"][0]["column"] == column


@pytest.mark.parametrize(
    ("time", "seconds"),
    [
        ("2026-09-20T00:00:00Z", 1_789_862_400),
        ("2026-09-20", 1_789_862_400),
        ("2026-09-20T02:00:00+02:00", 1_789_862_400),
    ],
)
def test_times_may_be_written(time: str, seconds: int) -> None:
    store: dict[str, bytes] = {}
    send(store, [{"id": an_id(), "actual": 1, "time": time}])
    assert lines(store)[0]["time"] == seconds


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 422),
        (b"{}", 422),
        (b'{"labels": 1}', 422),
        (b'{"labels": [], "more": 1}', 422),
        (json.dumps({"labels": [0] * (MAX_LABELS + 1)}).encode(), 413),
        (b" " * 4_000_001, 413),
    ],
)
def test_requests_that_are_none_get_a_problem_document(body: bytes, status: int) -> None:
    event = {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    found = answer(Request("POST", "/feedback", "", {}, event), NOW, _refuse)
    assert (found.status, found.document["status"]) == (status, status)
    assert found.document["type"] == "about:blank"


def test_other_media_types_and_routes_are_refused() -> None:
    request = Request("POST", "/feedback", "", {"content-type": "text/csv"}, {"body": "id,actual"})
    assert answer(request, NOW, _refuse).status == 415
    assert answer(request._replace(method="GET"), NOW, _refuse).status == 404


def test_a_request_makes_a_bounded_number_of_files() -> None:
    labels = [{"id": an_id(hours), "actual": 1} for hours in range(MAX_HOURS + 1)]
    assert send({}, labels[1:]).status == 200
    assert send({}, labels).status == 413


def _refuse(_name: str, _data: bytes) -> None:
    raise OSError("no")


def test_labels_that_could_not_be_stored_are_to_be_sent_again(capsys: pytest.CaptureFixture[str]) -> None:
    body = json.dumps({"labels": [{"id": an_id(), "actual": 1}]})
    found = answer(Request("POST", "/feedback", "", {}, {"body": body}), NOW, _refuse)
    assert (found.status, "again" in found.document["detail"]) == (500, True)
    assert "OSError" in capsys.readouterr().err


def test_the_metrics_of_a_request() -> None:
    line = json.loads(metrics_line(Feedback(200, {}, 5, 2), NOW))
    assert (line["LabelsReceived"], line["LabelsRefused"]) == (5, 2)
    assert line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["Service", "Stage"]]


def test_the_handler_speaks_api_gateway(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    store: dict[str, bytes] = {}
    monkeypatch.setattr(feedback, "_writer", lambda: store.__setitem__)
    recent = prediction_ids(1, int(time.time() * 1000))[0]
    event = {
        "version": "2.0",
        "requestContext": {"http": {"method": "POST"}, "stage": "$default"},
        "rawPath": "/feedback",
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps({"labels": [{"id": recent, "actual": 0}]}),
    }
    found = feedback.handler(event, None)
    assert (found["statusCode"], json.loads(found["body"])) == (200, {"accepted": 1, "refused": 0})
    assert json.loads(capsys.readouterr().out)["LabelsReceived"] == 1
    assert len(store) == 1


def test_it_imports_flat_modules_of_the_runtime_alone() -> None:
    """The function is made of the modules that its docstring lists."""
    folder = Path(lightship_runtime.__file__).parent
    known = ("errors", "events", "feedback", "identifiers", "labels", "problems", "strict_json", "telemetry")
    for name in known:
        for node in ast.walk(ast.parse((folder / f"{name}.py").read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lightship_runtime."):
                assert (node.module or "").partition(".")[2] in (*known, "predict")
