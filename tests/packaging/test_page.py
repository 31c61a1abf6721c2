"""The live page: what is counted, and where the lines come from."""

import io
import json
import time
import zipfile
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from lightship.lambda_host import Function, unpack
from lightship.page import PATH, Drift, Live, Site
from lightship.page.live import BUCKET_S, BUCKETS, RECENT, REFUSALS, percentile, reason_of, step_of
from lightship.page.monitored import monitored_words
from lightship.rehearsal import dashboard
from lightship.serving import ModelServer
from lightship_runtime.telemetry import Source, request_lines

NOW = 1_800_000_000.0
SOURCE = Source("flights", "local", "4f1c9a03bb21d0e7")


def line(
    at: float, *, status: int = 200, latency_ms: float = 2.0, rows: int = 1, cold: bool = False,
    source: Source = SOURCE, **record: Any,
) -> str:  # fmt: skip
    records = (
        [] if status >= 400 else [json.dumps({"i": f"id{i}", "p": "late", "c": "", **record}) for i in range(rows)]
    )
    lines = request_lines(
        source, now_ms=round(at * 1000), status=status, latency_ms=latency_ms, predictions=len(records), cold=cold,
        records=records,
    )  # fmt: skip
    return lines[0]


def test_requests_are_counted_by_time_and_kind() -> None:
    live = Live(lambda: NOW)
    live.take(line(NOW - 8, rows=3, cold=True))
    live.take(line(NOW - 8, status=422, latency_ms=0.4))
    live.take(line(NOW - 1, status=500))
    live.take(line(NOW - 7))  # a worker whose line came late
    found = live.snapshot()
    counts = [
        [each[name] for name in ("requests", "predictions", "refused", "failed", "cold")] for each in found["buckets"]
    ]
    assert counts == [[3, 4, 1, 0, 1], [1, 0, 0, 1, 0]]
    assert found["total"]["requests"] == 4
    assert found["outputs"]["classes"] == [("late", 4)]
    assert found["version"] == SOURCE.version


def test_other_lines_and_old_ones_count_for_nothing() -> None:
    live = Live(lambda: NOW)
    for text in ("START RequestId", "{}", '{"_aws":{"Timestamp":"x"},"predictions":[]}', "[]", '{"_aws":'):
        live.take(text)
    live.take(line(NOW))
    live.take(line(NOW - 3600))
    assert live.snapshot()["total"]["requests"] == 1


def test_memory_is_bounded_whatever_comes() -> None:
    live = Live(lambda: NOW + 3 * BUCKETS * BUCKET_S)
    for place in range(3 * BUCKETS):
        live.take(line(NOW + place * BUCKET_S, rows=50, latency_ms=float(place + 1)))
        live.answered(422, b'{"detail":"' + b"x" * 1000 + b'"}')
    assert len(live.recent) == RECENT
    found = live.snapshot()
    assert len(found["buckets"]) <= BUCKETS
    assert len(found["refusals"]) == REFUSALS
    assert all(len(reason) <= 300 for _, _, reason in found["refusals"])
    assert live.taken == 3 * BUCKETS * 50


def test_percentiles_are_within_a_twentieth() -> None:
    values = sorted(np.random.default_rng(1).lognormal(1, 1, 4000).tolist())
    counted: dict[int, int] = {}
    for value in values:
        counted[step_of(value)] = counted.get(step_of(value), 0) + 1
    for share in (50, 90, 99):
        assert percentile(counted, share) == pytest.approx(values[40 * share - 1], rel=0.06)
    assert percentile({}, 50) is None


def test_outputs_of_every_kind_are_shown() -> None:
    live = Live(lambda: NOW)
    for value in (1.5, 2.5, 9.0):
        live.take(line(NOW, p=value))
    numbers = live.snapshot()["outputs"]
    assert (numbers["numbers"]["low"], numbers["numbers"]["high"], sum(numbers["numbers"]["counts"])) == (1.5, 9.0, 3)
    many = Live(lambda: NOW)
    for value in range(20):
        many.take(line(NOW, p=value, s=[0.2, 0.8]))
    found = many.snapshot()["outputs"]
    assert found["classes"][-1] == ("8 others", 8)
    assert found["scores"]["counts"][16] == 20


def test_a_reason_is_what_the_answer_says() -> None:
    assert reason_of(b'{"title": "Unprocessable", "detail": "At row 0"}') == "At row 0"
    assert reason_of(b'{"message": "Service Unavailable"}') == "Service Unavailable"
    for body in (b"", b"[1]", b"\xff", b"{}"):
        assert reason_of(body) == "The answer has no reason."


def test_what_the_monitor_last_saw_is_told_in_words() -> None:
    accuracy = {"on": False, "since": None, "metric": "mae", "value": 3.25, "low": 3.0, "high": 3.5, "n": 1400}
    drift = {"on": True, "since": NOW, "count": 1, "columns": []}
    document = {"time": NOW, "windows": 12, "breaches": {"accuracy": accuracy, "drift": drift}}
    told = monitored_words(json.dumps(document).encode())
    assert told["Monitor"].startswith("drift, by 12 windows, at ")
    assert told["Mean absolute error, by labels"] == "3.25 (95%: 3.000 to 3.500), n = 1,400"
    assert monitored_words(None) == {"Monitor": "hasn't run yet"}


class Logs:
    """CloudWatch Logs with the events that were put into it."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def get_paginator(self, _name: str) -> "Logs":
        return self

    def paginate(self, **given: Any) -> list[dict[str, Any]]:
        return [{"events": [each for each in self.events if each["timestamp"] >= given["startTime"]]}]


def test_a_log_is_read_on_without_counting_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboard, "PAUSE_S", 0.0)
    logs, live = Logs(), Live()
    tail = dashboard.Tail(lambda _service: logs, "group", live)  # type: ignore[arg-type]
    now = time.time() + 1

    def put(identifier: str, milliseconds: int) -> None:
        at = round(now * 1000) + milliseconds
        logs.events.append({"eventId": identifier, "timestamp": at, "message": line(at / 1000) + "\n"})

    counts = []
    for identifiers in (["a", "b"], ["c"], [], ["d"]):
        for place, identifier in enumerate(identifiers):
            # A later look finds another event of a millisecond that was seen already.
            put(identifier, 5 if identifier in "bc" else 9 if identifier == "d" else place)
        tail()
        counts.append(live.snapshot()["total"]["requests"])
    assert counts == [2, 3, 3, 4]


TELLING = """
import json, os, time
def handler(event, context):
    status = 422 if event["rawPath"] == "/refused" else 200
    metrics = {"Requests": 1, "Predictions": 1, "Refused": int(status == 422), "Failed": 0, "Latency": 1.5}
    print(json.dumps({"_aws": {"Timestamp": time.time_ns() // 1_000_000, "CloudWatchMetrics": []}, "version": "v1",
                      "status": status, **metrics, "predictions": []}, separators=(",", ":")))
    return {"statusCode": status, "body": json.dumps({"detail": "At row 0"})}
"""


def test_what_a_served_function_prints_reaches_the_page(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("app.py")
        info.external_attr = 0o644 << 16
        archive.writestr(info, TELLING)
    live = Live()
    site = Site("tiny", live, Drift(live, tmp_path), objectives=(500.0, 0.999))
    function = Function(unpack(buffer.getvalue(), tmp_path / "task"), "app.handler", name="tiny")
    with (
        ModelServer(function, workers=1, log=live.take, pages=site.pages, answered=live.answered) as server,
        httpx.Client(base_url=server.url, trust_env=False) as client,
    ):
        assert [client.post(path).status_code for path in ("/predict", "/predict", "/refused")] == [200, 200, 422]
        told = client.get(f"{PATH}/data").json()
    total = told["total"]
    assert (total["requests"], total["refused"], total["p50"]) == (3, 1, pytest.approx(1.5, rel=0.06))
    assert [refusal[1:] for refusal in told["refusals"]] == [[422, "At row 0"]]
    assert told["drift"]["state"] == "absent"
