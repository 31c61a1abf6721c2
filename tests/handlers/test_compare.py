"""Samples of live requests, replayed on another version: who is asked, what counts as disagreement, what is told."""

import base64
import gzip
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightship_runtime import compare
from lightship_runtime.compare import (
    Count,
    Settings,
    compare_samples,
    disagreements,
    metrics_line,
    other_version,
    samples,
)
from lightship_runtime.sampling import is_sampled, sample_line
from lightship_runtime.telemetry import MAX_LINE

FUNCTION = "arn:aws:lambda:eu-central-1:123456789012:function:f"
SHIFTING = Settings(f"{FUNCTION}:7", f"{FUNCTION}:live", 0.01, "flights", "prod", "abc")
SHADOW = Settings(f"{FUNCTION}-shadow:3", "", 0.01, "flights", "prod", "next")
SAMPLE = {"executed": "6", "instances": [{"x": 1.0}, {"x": 2.0}], "predictions": ["late", "on time"]}


def delivery(*messages: str) -> dict[str, Any]:
    """Lines as CloudWatch Logs hands them over."""
    document = {"logEvents": [{"message": message} for message in messages]}
    return {"awslogs": {"data": base64.b64encode(gzip.compress(json.dumps(document).encode())).decode()}}


def test_a_sample_comes_back_as_it_was_printed() -> None:
    line = sample_line("6", SAMPLE["instances"], {"predictions": ["late", "on time"], "ids": ["1", "2"]})
    assert line is not None
    assert list(samples(delivery(line, "START RequestId", '{"Requests":1}'))) == [SAMPLE]


def test_a_line_that_would_be_cut_isnt_printed() -> None:
    assert sample_line("6", [{"text": "x" * MAX_LINE}], {"predictions": [1]}) is None


@settings(derandomize=True)
@given(st.text(), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_has_every_request_of_a_smaller_one(identifier: str, one: float, two: float) -> None:
    small, large = sorted((one, two))
    assert not is_sampled(identifier, 0.0)
    assert is_sampled(identifier, 1.0)
    assert is_sampled(identifier, large) or not is_sampled(identifier, small)


def test_the_share_is_the_share() -> None:
    sampled = sum(is_sampled(f"{number:032x}", 0.1) for number in range(20_000))
    assert sampled == pytest.approx(2_000, rel=0.1)


@pytest.mark.parametrize(
    ("executed", "settings", "versions", "other"),
    [
        ("6", SHIFTING, ["6", "7"], f"{FUNCTION}:7"),
        ("7", SHIFTING, ["6", "7"], f"{FUNCTION}:6"),
        ("7", SHIFTING, ["7"], None),
        ("6", SHIFTING, ["6"], None),
        ("6", SHADOW, [], f"{FUNCTION}-shadow:3"),
    ],
)
def test_the_version_that_didnt_answer_is_asked(
    executed: str, settings: Settings, versions: list[str], other: str | None
) -> None:
    assert other_version(executed, settings, versions) == other


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        (["late", "late"], ["late", "on time"], 1),
        ([True], [1], 1),
        ([10.0], [10.1], 0),
        ([10.0], [10.2], 1),
        ([0.0], [0], 0),
        ([[1.0, 5.0]], [[1.0, 6.0]], 1),
        ([[1, 0]], [[1, 0]], 0),
        ([None], [None], 0),
    ],
)
def test_labels_differ_or_not_and_numbers_beyond_the_tolerance(
    ours: list[Any], theirs: list[Any], expected: int
) -> None:
    assert disagreements({"predictions": ours}, {"predictions": theirs}, 0.01) == expected


class FakeLambda:
    """Answers replays with one label; knows where the alias points."""

    def __init__(self, label: str, weights: Mapping[str, float], *, fails: bool = False) -> None:
        self.label, self.weights, self.fails = label, weights, fails
        self.asked: list[str] = []

    def get_alias(self, *, FunctionName: str, Name: str) -> dict[str, Any]:
        assert (FunctionName, Name) == (FUNCTION, "live")
        return {"FunctionVersion": "6", "RoutingConfig": {"AdditionalVersionWeights": self.weights}}

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:
        self.asked.append(FunctionName)
        rows = json.loads(Payload)["lightship"]["replay"]
        if self.fails:
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(b'{"errorMessage": "no"}')}
        return {"Payload": io.BytesIO(json.dumps({"predictions": [self.label] * len(rows)}).encode())}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("CANDIDATE", "ALIAS", "TOLERANCE", "SERVICE", "STAGE", "RELEASE")
    values = (SHIFTING.candidate, SHIFTING.alias, "0.01", "flights", "prod", "abc")
    for name, value in zip(names, values, strict=True):
        monkeypatch.setenv(f"LIGHTSHIP_{name}", value)


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(
    ("client", "told", "asked"),
    [
        (FakeLambda("late", {"7": 0.1}), {"Compared": 2, "Disagreed": 1, "CompareFailed": 0}, 1),
        (FakeLambda("late", {"7": 0.1}, fails=True), {"Compared": 0, "Disagreed": 0, "CompareFailed": 2}, 1),
        (FakeLambda("late", {}), None, 0),
    ],
)
def test_what_is_told_while_traffic_shifts(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    client: FakeLambda,
    told: dict[str, int] | None,
    asked: int,
) -> None:
    monkeypatch.setattr(compare, "_client", lambda: client)
    line = sample_line("6", SAMPLE["instances"], SAMPLE)
    assert line is not None
    compare.handler(delivery(line), None)
    out = capsys.readouterr().out
    assert len(client.asked) == asked
    if told is None:
        assert out == ""
        return
    said = json.loads(out)
    assert {key: said[key] for key in told} == told
    assert (said["Service"], said["Stage"], said["Version"]) == ("flights", "prod", "abc")


def test_the_line_declares_every_metric_it_has() -> None:
    said = json.loads(metrics_line(Count(5, 1, 0, [3.0, 4.0]), SHIFTING, 1_700_000_000_000))
    (directive,) = said["_aws"]["CloudWatchMetrics"]
    assert {each["Name"] for each in directive["Metrics"]} == {
        "Compared",
        "Disagreed",
        "CompareFailed",
        "CompareLatency",
    }
    assert all(each["Name"] in said for each in directive["Metrics"])
    assert said["CompareLatency"] == [3.0, 4.0]


def test_time_is_measured_around_the_question() -> None:
    readings = iter((1.0, 1.25))

    def ask(_version: str, rows: Sequence[Any]) -> Mapping[str, Any]:
        return {"predictions": ["late"] * len(rows)}

    count = compare_samples([SAMPLE], SHADOW, ask, [], lambda: next(readings))
    assert (count.compared, count.disagreed, count.latencies) == (2, 1, [250.0])
