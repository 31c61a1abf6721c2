"""The message behind an alarm: what is read of it, and what is written."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lightship_runtime.notify.alarm import Alarm, Condition, read_alarm, trouble_since
from lightship_runtime.notify.facts import (
    Breach,
    Column,
    Deployment,
    Facts,
    Member,
    Monitored,
    Releases,
    Service,
    Unknown,
    Version,
)
from lightship_runtime.notify.handler import is_news
from lightship_runtime.notify.render import render
from lightship_runtime.notify.units import lasting, shown

NOW = datetime(2026, 11, 23, 3, 7, 30, tzinfo=UTC)
PAGES, TICKETS, WRITTEN = "arn:pages", "arn:tickets", "arn:written"
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
    table={
        "api-5xx": {
            "unit": "% of requests",
            "query": "filter Failed > 0",
            "log": "predict",
            "commands": "lightship status{options}\nlightship rollback{options} --now",
        },
        "drift": {"unit": "columns", "metrics": "DriftBreaches"},
    },
)
REASON = (
    "Threshold Crossed: 2 out of the last 3 datapoints [4.0 (23/11/26 03:04:00), 12.4375 (23/11/26 03:03:00), 7.5 "
    "(23/11/26 03:02:00)] was greater than the threshold (5.0) (minimum 2 datapoints for OK -> ALARM transition)."
)
DESCRIPTION = (
    "[page] flights-prod: More than one request in twenty failed.\nLikely: A bad release.\nFirst: Read the log.\n"
    "Runbook: https://example.com/api-5xx.md\nGraphs: https://example.com/graphs\n"
    "Undo the last deployment: lightship rollback --stage prod"
)
TRIGGER = {
    "Period": 60,
    "EvaluationPeriods": 3,
    "DatapointsToAlarm": 2,
    "ComparisonOperator": "GreaterThanThreshold",
    "Threshold": 5.0,
    "Metrics": [
        {"Id": "expr_1", "Expression": "100 * bad / all", "Label": "api-5xx", "ReturnData": True},
        {
            "Id": "bad",
            "MetricStat": {"Metric": {"MetricName": "5xx", "Namespace": "AWS/ApiGateway"}, "Period": 60, "Stat": "Sum"},
            "ReturnData": False,
        },
    ],
}
FACTS = Facts(
    service=SERVICE,
    severity="page",
    now=NOW,
    releases=Releases(Version(7, "4f1c9a03bb21"), Version(6, "77aa01cc9d00"), {}),
    deployment=Deployment(NOW - timedelta(minutes=18), "done", 7),
    monitored=Monitored(NOW - timedelta(minutes=40), 12, ()),
)


def message(**changes: Any) -> str:
    told = {
        "AlarmName": "flights-prod-api-5xx",
        "AlarmDescription": DESCRIPTION,
        "AlarmArn": "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:flights-prod-api-5xx",
        "NewStateValue": "ALARM",
        "OldStateValue": "OK",
        "NewStateReason": REASON,
        "StateChangeTime": "2026-11-23T03:05:42.113+0000",
        "Trigger": TRIGGER,
    }
    return json.dumps({**told, **changes})


def alarm(**changes: Any) -> Alarm:
    found = read_alarm(message(**changes))
    assert found is not None
    return found


def test_the_value_is_the_newest_that_is_off_and_the_trouble_began_with_the_oldest() -> None:
    told = render(alarm(), FACTS)
    assert told.subject == "PAGE flights-prod: api-5xx 12.4% (limit 5%)"
    assert "Value: 12.4% of requests, over the threshold of 5%\n" in told.text
    assert "Since: 03:02 UTC, 5 minutes ago (the alarm sounds since 03:05 UTC)\n" in told.text


def test_it_says_what_was_deployed_when_and_how_to_go_back() -> None:
    text = render(alarm(), FACTS).text
    assert "Live: version 7 (release 4f1c9a03bb21)\n" in text
    assert "Before: version 6 (release 77aa01cc9d00)\n" in text
    assert "Last deployment: 18 minutes ago (02:49 UTC) to version 7, 12 minutes before this began\n" in text
    assert "Likely: it began within 12 minutes of the last deployment; suspect that first. A bad release.\n" in text
    assert "  lightship rollback --now --to 6 --stage prod\n" in text


def test_a_shift_that_is_under_way_is_stopped_not_gone_back_from() -> None:
    releases = Releases(Version(6, "77aa01cc9d00"), Version(5, "aa"), {7: 0.1})
    deployment = Deployment(NOW - timedelta(minutes=3), "under way", 7)
    text = render(alarm(), replace(FACTS, releases=releases, deployment=deployment)).text
    assert "Live: version 6 (release 77aa01cc9d00); 10% of the traffic goes to version 7\n" in text
    assert "Stop the deployment that is under way:\n  lightship rollback --now --stage prod\n" in text


def test_a_rollback_is_urged_only_where_it_helps() -> None:
    text = render(alarm(AlarmName="flights-prod-drift"), FACTS).text
    assert "Likely: it began within 12 minutes of the last deployment. A bad release.\n" in text
    assert "Should the last deployment be the cause, back to version 6" in text
    text = render(alarm(), FACTS).text
    assert "First: Read the log.\n  lightship status --stage prod\n\nUndo the last deployment, back to" in text


def test_what_is_undone_already_isnt_undone_again() -> None:
    text = render(alarm(), replace(FACTS, deployment=Deployment(NOW - timedelta(minutes=3), "undone", 8))).text
    assert "The last deployment is undone already. Further back, to version 6" in text
    assert "Last deployment: an attempt to version 8 was undone 3 minutes ago (03:04 UTC)\n" in text
    assert "suspect" not in text


def test_what_began_before_the_deployment_isnt_blamed_on_it() -> None:
    text = render(alarm(), replace(FACTS, deployment=Deployment(NOW + timedelta(minutes=10), "done", 7))).text
    assert "suspect that first" not in text
    assert "This began before the last deployment, so undoing that may not help. Back to version 6" in text


def test_an_alias_that_was_moved_by_hand_is_said_to_be() -> None:
    releases = Releases(Version(6, "77aa01cc9d00"), None, {})
    text = render(alarm(), replace(FACTS, releases=releases)).text
    assert "to version 7, 12 minutes before this began; the alias was moved since, by hand" in text
    assert "not possible, there is no release before this one." in text


def test_an_alarm_of_the_model_names_its_worst_columns_in_the_subject() -> None:
    columns = tuple(
        Column(name, effect, 4210, "high") for name, effect in zip("abcd", (0.5, 0.3, 0.2, 0.1), strict=True)
    )
    since = NOW - timedelta(hours=2)
    breaches = (
        Breach("accuracy", since, value=0.812, low=0.8, high=0.824, rows=1400),
        Breach("drift", since, columns, count=7),
    )
    trigger = {**TRIGGER, "Metrics": None, "MetricName": "DriftBreaches", "Statistic": "MAXIMUM", "Threshold": 1.0}
    about = alarm(AlarmName="flights-prod-drift", Trigger=trigger)
    told = render(about, replace(FACTS, monitored=Monitored(NOW, 12, breaches)))
    assert told.subject == "PAGE flights-prod: drift in a and 6 more"
    first = "Data: drift since 01:07 UTC in a (effect 0.50, n = 4,210), b (effect 0.30, n = 4,210), "
    assert first + "c (effect 0.20, n = 4,210) and 4 further columns\n" in told.text
    accuracy = "Data: accuracy below the baseline's since 01:07 UTC: 0.812 (95%: 0.800 to 0.824), n = 1,400"
    assert told.text.index(first) < told.text.index(accuracy)


def test_an_error_that_rose_is_no_accuracy_that_fell() -> None:
    service = replace(SERVICE, table={"accuracy": {"unit": "breach", "metrics": "AccuracyBreach"}})
    breach = Breach("accuracy", NOW - timedelta(hours=2), metric="mae", value=3.25, low=3.0, high=3.5, rows=700)
    facts = replace(FACTS, service=service, monitored=Monitored(NOW, 12, (breach,)))
    told = render(alarm(AlarmName="flights-prod-accuracy"), facts)
    assert told.subject == "PAGE flights-prod: accuracy: mean absolute error 3.25"
    assert "Data: mean absolute error above the baseline's since 01:07 UTC: 3.25 (95%: 3.000 to 3.500)" in told.text


def test_missing_data_is_told_as_such() -> None:
    reason = (
        "Threshold Crossed: no datapoints were received for 3 periods and 3 missing datapoints were treated as "
        "[Breaching]."
    )
    trigger = {
        "MetricName": "MonitorRuns", "Statistic": "SUM", "Period": 3600, "EvaluationPeriods": 3,
        "ComparisonOperator": "LessThanThreshold", "Threshold": 1.0,
    }  # fmt: skip
    told = render(alarm(Trigger=trigger, NewStateReason=reason), FACTS)
    assert told.subject.endswith(" no data")
    assert "Value: nothing was measured for 3 hours, where under 1% of requests sets it off\n" in told.text
    assert "Since: 00:05 UTC, 3 hours 1 minute ago" in told.text


def test_a_composite_names_its_members_that_sound_and_began_with_the_first() -> None:
    early, late = NOW - timedelta(hours=1), NOW - timedelta(minutes=6)
    members = (
        Member("api-5xx", "12.4% of requests, over the threshold of 5%", "api-5xx 12.4% (limit 5%)", late),
        Member("fast-1h", "3% of requests, over the threshold of 1.44%", "fast-1h 3% (limit 1.44%)", early),
    )
    rule = 'ALARM("arn:aws:cloudwatch:r:1:alarm:flights-prod-api-5xx") AND NOT ALARM("flights-prod-mute")'
    composite = alarm(AlarmName="flights-prod-endpoint-down", Trigger=None, AlarmRule=rule)
    assert composite.members == ("flights-prod-api-5xx",)
    told = render(composite, replace(FACTS, members=members))
    assert told.subject == "PAGE flights-prod: endpoint-down: api-5xx 12.4% (limit 5%) and 1 more"
    assert "fast-1h: 3% of requests, over the threshold of 1.44%\n" in told.text
    assert "Since: 02:07 UTC, 1 hour ago (the alarm sounds since 03:05 UTC)\n" in told.text
    unknown = render(composite, replace(FACTS, members=Unknown("Which of them sound isn't known: AccessDenied.")))
    assert "Its members: api-5xx\n" in unknown.text


def test_the_end_says_how_long_it_lasted() -> None:
    over = alarm(NewStateValue="OK", OldStateValue="ALARM", StateChangeTime="2026-11-23T03:06:42.113+0000")
    told = render(over, replace(FACTS, began=NOW - timedelta(hours=2, minutes=5)))
    assert told.subject == "RESOLVED flights-prod: api-5xx after 2 hours 4 minutes"
    assert "It lasted: 2 hours 4 minutes, from 01:02 UTC to 03:06 UTC\n" in told.text
    assert "rollback" not in told.text
    unsaid = render(over, FACTS)
    assert unsaid.subject == "RESOLVED flights-prod: api-5xx"
    assert "It lasted: CloudWatch's history doesn't say when it began.\n" in unsaid.text


@pytest.mark.parametrize(
    ("before", "began", "news"),
    [("ALARM", None, True), ("INSUFFICIENT_DATA", NOW, True), ("INSUFFICIENT_DATA", None, False)],
)
def test_an_alarm_that_only_came_into_being_is_no_news(before: str, began: datetime | None, news: bool) -> None:
    over = alarm(NewStateValue="OK", OldStateValue=before)
    assert is_news(over, replace(FACTS, began=began)) is news
    assert not is_news(alarm(NewStateValue="INSUFFICIENT_DATA"), FACTS)


def test_a_subject_is_short_and_plain_whatever_the_names() -> None:
    service = replace(SERVICE, name="flüge-" + "x" * 90)
    told = render(alarm(AlarmName=f"{service.name}-api-5xx\n"), replace(FACTS, service=service))
    assert len(told.subject) == 100
    assert told.subject.isascii()
    assert told.subject.isprintable()


def test_every_fact_that_is_missing_has_words() -> None:
    lost = Unknown("It isn't known: AccessDenied.")
    facts = replace(FACTS, releases=lost, deployment=lost, monitored=lost, members=lost, began=lost)
    for state in ("ALARM", "OK"):
        bare = json.dumps({"AlarmName": "flights-prod-x", "NewStateValue": state})
        found = read_alarm(bare)
        assert found is not None
        text = render(found, facts).text
        assert "None" not in text
        assert all(
            line.partition(": ")[2].strip() for line in text.splitlines() if ":" in line and not line.endswith(":")
        )


def test_numbers_read_as_people_say_them() -> None:
    assert [shown(*each) for each in ((12.4375, "% of requests"), (640.2, "ms"), (12_345, "ms"), (7200, "s"))] == [
        "12.4% of requests", "640 ms", "12.3 s", "2 hours",
    ]  # fmt: skip
    assert [shown(1, "committed runs"), shown(3, "columns"), shown(0, "requests")] == [
        "1 committed run", "3 columns", "0 requests",
    ]  # fmt: skip
    assert [lasting(each) for each in (1, 119, 3599, 3660, 90_000)] == [
        "1 second", "119 seconds", "59 minutes", "1 hour 1 minute", "1 day 1 hour",
    ]  # fmt: skip


def test_a_change_without_a_time_is_survived() -> None:
    bare = alarm(StateChangeTime="yesterday", NewStateReason="")
    assert trouble_since(bare.condition, bare.reason, bare.changed) is None
    assert "Since: CloudWatch doesn't say when." in render(bare, FACTS).text


@pytest.mark.parametrize(
    ("comparison", "period_s", "since"),
    [
        ("GreaterThanThreshold", 21_600, "2026-11-23T14:02:00+00:00"),
        ("GreaterThanThreshold", 60, "2026-11-23T08:02:00+00:00"),
        ("LessThanThreshold", 21_600, "2026-11-23T08:02:00+00:00"),
    ],
)
def test_hours_of_health_before_an_outage_are_not_told_as_a_part_of_it(
    comparison: str, period_s: int, since: str
) -> None:
    value = 7.5 if comparison.startswith("Greater") else 0.5
    condition = Condition("bad", ("bad",), "Sum", None, comparison, 5.0 if value > 5 else 1.0, period_s, 1, 1)
    reason = f"Threshold Crossed: 1 datapoint [{value} (23/11/26 08:02:00)] was off the threshold."
    began = trouble_since(condition, reason, datetime(2026, 11, 23, 14, 3, tzinfo=UTC))
    assert began is not None
    assert began.isoformat() == since
