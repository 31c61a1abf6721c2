"""What the notifier looks up about an alarm, what costs what where it can't, and whom it tells."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from lightship_runtime.notify import handler as handling
from lightship_runtime.notify.alarm import Alarm, read_alarm
from lightship_runtime.notify.chat import UndeliveredError, body_for, post
from lightship_runtime.notify.facts import Column, Releases, Service, Unknown
from lightship_runtime.notify.gather import gather, monitored_of, read_beginning, read_releases
from lightship_runtime.notify.handler import deliver, explain
from lightship_runtime.notify.render import Message, render

NOW = datetime(2026, 11, 23, 3, 7, 30, tzinfo=UTC)
PAGES, WRITTEN = "arn:pages", "arn:written"
SERVICE = Service(
    name="flights-prod",
    options=" --stage prod",
    region="eu-central-1",
    function="flights-function",
    alias="live",
    log_groups={"predict": "/logs/flights"},
    application="application",
    deployment_group="group",
    monitoring_bucket="bucket",
    pages_topic=PAGES,
    written_pages_topic=WRITTEN,
    written_tickets_topic="arn:written-tickets",
    chat=(),
    table={"api-5xx": {"unit": "% of requests", "log": "predict", "commands": "lightship status{options}"}},
)


def message(**changes: Any) -> str:
    told = {
        "AlarmName": "flights-prod-api-5xx",
        "AlarmArn": "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:flights-prod-api-5xx",
        "NewStateValue": "ALARM",
        "OldStateValue": "OK",
        "NewStateReason": "Threshold Crossed: 1 datapoint [12.5 (23/11/26 03:03:00)] was greater than the threshold.",
        "StateChangeTime": "2026-11-23T03:05:42.113+0000",
        "Trigger": {"MetricName": "5xx", "Statistic": "SUM", "Period": 60, "EvaluationPeriods": 1, "Threshold": 5.0},
    }
    return json.dumps({**told, **changes})


def alarm(**changes: Any) -> Alarm:
    found = read_alarm(message(**changes))
    assert found is not None
    return found


class Fake:
    """AWS with answers by operation: a value, or an error to raise."""

    class exceptions:  # noqa: N801 (boto3's name)
        class NoSuchKey(Exception):  # noqa: N818 (boto3's name)
            pass

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, _service: str) -> "Fake":
        return self

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**given: Any) -> Any:
            self.calls.append((name, given))
            answer = self.answers[name]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call

    def get_paginator(self, name: str) -> Any:
        return type("Pages", (), {"paginate": lambda _self, **_given: [self.answers[name]]})()


VERSIONS = {
    "Versions": [
        {"Version": "$LATEST", "Description": ""},
        *({"Version": str(number), "Description": f"release r{number // 2}"} for number in range(1, 6)),
    ]
}


def test_the_version_before_is_the_newest_of_another_release() -> None:
    aws = Fake(get_alias={"FunctionVersion": "5"}, list_versions_by_function=VERSIONS)
    found = read_releases(SERVICE, aws)
    assert (found.live.number, found.live.release, found.previous and found.previous.number) == (5, "r2", 3)


def history(*states: tuple[int, str]) -> dict[str, Any]:
    """Newest first; minutes after three."""
    items = [
        {
            "Timestamp": datetime(2026, 11, 23, 3, minute, tzinfo=UTC),
            "HistoryData": json.dumps({"newState": {"stateValue": state}}),
        }
        for minute, state in states
    ]
    return {"AlarmHistoryItems": items}


@pytest.mark.parametrize(
    ("states", "began"),
    [
        ([(6, "OK"), (2, "ALARM"), (0, "OK")], 2),
        ([(6, "OK"), (5, "ALARM"), (4, "INSUFFICIENT_DATA"), (2, "ALARM"), (0, "OK"), (0, "ALARM")], 2),
        ([(7, "ALARM"), (6, "OK"), (2, "ALARM")], 2),
        ([(6, "OK"), (2, "INSUFFICIENT_DATA")], None),
        ([], None),
    ],
)
def test_the_beginning_is_read_off_the_history(states: list[tuple[int, str]], began: int | None) -> None:
    over = alarm(NewStateValue="OK", StateChangeTime="2026-11-23T03:06:00.100+0000")
    found = read_beginning(over, Fake(describe_alarm_history=history(*states)))
    assert found == (None if began is None else datetime(2026, 11, 23, 3, began, tzinfo=UTC))


def test_the_monitors_document_is_read_as_it_is_agreed() -> None:
    worst = {"name": "a", "effect": 0.3, "n": 900, "level": "high"}
    found = monitored_of(
        {
            "time": 1_790_000_000,
            "version": "r",
            "windows": 3,
            "breaches": {
                "drift": {"on": True, "since": 1_789_990_000, "count": 9, "columns": [worst]},
                "accuracy": {"on": False, "since": None, "value": 0.9, "low": 0.8, "high": 1.0, "n": 10},
            },
        }
    )  # fmt: skip
    assert [(each.kind, each.count) for each in found.breaches] == [("drift", 9)]
    assert found.breaches[0].columns == (Column("a", 0.3, 900, "high"),)


def test_one_fact_that_fails_costs_that_fact_alone(capsys: pytest.CaptureFixture[str]) -> None:
    denied = type("ClientError", (Exception,), {"response": {"Error": {"Code": "AccessDeniedException"}}})(
        "arn of a role"
    )
    aws = Fake(
        get_alias={"FunctionVersion": "5"}, list_versions_by_function=VERSIONS, list_deployments=denied,
        get_object=Fake.exceptions.NoSuchKey(),
    )  # fmt: skip
    facts = gather(alarm(), "page", SERVICE, aws, NOW, lambda: False)
    assert isinstance(facts.releases, Releases)
    assert facts.deployment == Unknown("When it was last deployed isn't known: AccessDeniedException.")
    assert facts.monitored == Unknown("The monitor hasn't finished a run yet.")
    assert "list_deployments" not in capsys.readouterr().out
    assert "arn of a role" not in render(alarm(), facts).text


def test_in_a_hurry_nothing_more_is_asked() -> None:
    aws = Fake()
    facts = gather(alarm(), "page", SERVICE, aws, NOW, lambda: True)
    assert aws.calls == []
    assert "AWS answered too slowly" in render(alarm(), facts).text


def test_a_message_that_is_no_alarm_is_left_alone() -> None:
    for text in ("hello", "[1]", '{"AlarmName": "x"}'):
        assert explain({"Message": text, "TopicArn": PAGES}, SERVICE, Fake(), NOW, lambda: True) is None


def test_each_place_is_told_although_another_fails() -> None:
    sent: list[tuple[str, Mapping[str, Any]]] = []

    def send(address: str, body: bytes) -> None:
        if "broken" in address:
            raise OSError("refused")
        sent.append((address, json.loads(body)))

    service = replace(
        SERVICE, chat=("https://broken.example/secret", "ssm:/lightship/chat", "https://chat.example/hook")
    )
    aws = Fake(publish=RuntimeError("throttled"), get_parameter={"Parameter": {"Value": "https://team.example/hook"}})
    failed = deliver(Message("subject", "a < b & c\n"), "ticket", service, aws, send)
    assert failed == ["topic", "chat 1"]
    assert [address for address, _ in sent] == ["https://team.example/hook", "https://chat.example/hook"]
    assert sent[0][1] == {"text": "*subject*\na &lt; b &amp; c\n"}


def test_a_failure_names_no_hook(capsys: pytest.CaptureFixture[str]) -> None:
    def send(_address: str, _body: bytes) -> None:
        raise RuntimeError("https://broken.example/secret said no")

    service = replace(SERVICE, chat=("https://broken.example/secret",))
    assert deliver(Message("s", "t"), "page", service, Fake(publish={}), send) == ["chat 1"]
    assert "secret" not in capsys.readouterr().out


def test_the_handler_raises_after_it_has_tried_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    aws = Fake(publish=RuntimeError("throttled"))
    monkeypatch.setattr(handling, "_clients", lambda _region: aws)
    monkeypatch.setattr(Service, "from_environment", lambda _environment, _table: SERVICE)
    monkeypatch.setattr(handling, "TABLE", type("File", (), {"read_bytes": lambda: b"{}"}))
    context = type("Context", (), {"get_remaining_time_in_millis": lambda _self: 1000})()
    records = [{"Sns": {"Message": message(), "TopicArn": PAGES}}] * 2
    with pytest.raises(UndeliveredError, match="didn't reach topic, topic"):
        handling.handler({"Records": records}, context)
    assert [name for name, _ in aws.calls] == ["publish", "publish"]
    assert aws.calls[0][1]["TopicArn"] == WRITTEN


def test_only_https_is_posted_to() -> None:
    with pytest.raises(UndeliveredError, match="https"):
        post("http://127.0.0.1/", b"{}")


def test_teams_takes_cards() -> None:
    message = Message("the subject", "First: a\nSecond: b\n\nRunbook: https://example.com\n")
    told = json.loads(body_for("https://prod-1.westeurope.logic.azure.com:443/workflows/x", message))
    (attachment,) = told["attachments"]
    assert [block["text"] for block in attachment["content"]["body"]] == [
        "the subject", "First: a\n\nSecond: b", "Runbook: https://example.com",
    ]  # fmt: skip
    assert json.loads(body_for("https://hooks.slack.com/services/x", message)).keys() == {"text"}
