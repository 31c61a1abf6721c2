"""The alarm table and the alarms made of it."""

import re
from typing import Any

import numpy as np
import pytest

from lightship.drill.cloudwatch.alarms import MetricAlarm
from lightship.drill.cloudwatch.decide import ALARM
from lightship.drill.cloudwatch.evaluate import HOUR_MINUTES, evaluate_all
from lightship.drill.cloudwatch.series import Series
from lightship.drill.cloudwatch.template import stack_of
from lightship_cdk.alarm_table import ALARMS, COMPOSITES, ROWS, SILENT, AlarmRow, CompositeRow, Row
from lightship_cdk.alarms import FAILED_BY_VERSION

ABSENT = {"comparison", "disagreement", "batch", "expected"}
BY_DEFAULT = [row for row in ROWS if row.part not in ABSENT]
METRIC, COMPOSITE = "AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"


def name_of(resource: dict[str, Any]) -> str:
    """An alarm's name, without the version that a rollback alarm has behind it."""
    name = resource["Properties"]["AlarmName"]
    return name if isinstance(name, str) else name["Fn::Join"][1][0].removesuffix("-v")


def alarm(stack: Any, title: str) -> dict[str, Any]:
    every = {**stack.of_type(METRIC), **stack.of_type(COMPOSITE)}
    (found,) = [each["Properties"] for each in every.values() if name_of(each) == f"flights-{title}"]
    return dict(found)


def text_of(value: Any) -> str:
    """A text of the template, its references as long as they can become."""
    if isinstance(value, str):
        return value
    longest = {"AWS::Region": "ap-southeast-99", "AWS::AccountId": "123456789012", "AWS::Partition": "aws"}
    return "".join(
        each if isinstance(each, str) else longest.get(each.get("Ref", ""), f"flights-{each.get('Ref')}-ABCDEFGHIJKL")
        for each in value["Fn::Join"][1]
    )


def test_every_row_becomes_one_alarm(closed: Any) -> None:
    assert len({row.id for row in ROWS}) == len({row.title for row in ROWS}) == len(ROWS)
    made = [name_of(each) for kind in (METRIC, COMPOSITE) for each in closed.of_type(kind).values()]
    assert sorted(made) == sorted(f"flights-{row.title}" for row in BY_DEFAULT)


@pytest.mark.parametrize("row", [row for row in BY_DEFAULT if isinstance(row, AlarmRow)], ids=lambda row: row.id)
def test_an_alarm_is_its_row(closed: Any, row: AlarmRow) -> None:
    made = alarm(closed, row.title)
    periods, datapoints = (24 if each == "quiet_hours" else int(each) for each in (row.periods, row.datapoints))
    assert (made["EvaluationPeriods"], made["DatapointsToAlarm"]) == (periods, datapoints)
    assert made["TreatMissingData"] == row.missing_data
    assert made["EvaluationPeriods"] >= made["DatapointsToAlarm"]
    # CloudWatch looks back a day at most for periods under an hour, else a week.
    assert periods * row.period_s <= (86_400 if row.period_s < 3600 else 604_800)
    assert len(row.metrics) <= 10


@pytest.mark.parametrize("row", BY_DEFAULT, ids=lambda row: row.id)
def test_what_an_alarm_says(closed: Any, row: Row) -> None:
    made = alarm(closed, row.title)
    description = text_of(made["AlarmDescription"])
    assert description.endswith("lightship rollback")
    for text in (row.meaning, row.causes, row.first_steps, "#dashboards:name=flights\n", "Runbook: https://"):
        assert text in description
    assert len(description) <= 1024
    assert not re.search(r"[{}]", description)
    # CloudWatch's subject: `ALARM: "name" in Region`, of which SNS takes 100 characters.
    assert len(f'ALARM: "flights-production-{row.title}" in Asia Pacific (Jakarta)') <= 100
    assert made.get("AlarmActions") == made.get("OKActions")


def test_who_is_part_of_a_composite_tells_nobody_itself(closed: Any) -> None:
    for row in BY_DEFAULT:
        acts = alarm(closed, row.title).get("AlarmActions", [])
        if row.id in SILENT:
            assert acts == []
        else:
            (action,) = acts
            assert ("Pages" if row.severity == "page" else "Tickets") in action["Ref"]
    pages = {row.id for row in BY_DEFAULT if row.severity == "page" and row.id not in SILENT}
    assert pages == {"EndpointDown", "EndpointSlow", "ModelWrong", "TicketsUndelivered"}


@pytest.mark.parametrize("row", COMPOSITES, ids=lambda row: row.id)
def test_a_composite_names_alarms_of_its_severity(row: CompositeRow) -> None:
    by_id = {each.id: each for each in ROWS}
    assert {by_id[member].severity for member in row.members} == {row.severity}
    assert set(row.unless) <= set(by_id)


def test_one_outage_is_one_page(closed: Any) -> None:
    down = text_of(
        {"Fn::Join": ["", [each if isinstance(each, str) else {"Ref": each["Fn::GetAtt"][0]}
                           for each in alarm(closed, "endpoint-down")["AlarmRule"]["Fn::Join"][1]]]}
    )  # fmt: skip
    assert [re.findall(r"Alarms(\w+?)[0-9A-F]{8}", group) for group in down.split(" OR ")] == [
        ["ApiServerErrors"],
        ["FunctionErrors"],
        ["FunctionThrottles"],
        ["AvailabilityFast1h", "AvailabilityFast5m"],
        ["AvailabilitySlow6h", "AvailabilitySlow30m"],
    ]
    assert "AND NOT ALARM(" in str(alarm(closed, "endpoint-slow")["AlarmRule"])


def test_limits_come_from_the_objectives_and_the_timeout(closed: Any) -> None:
    burns = ["availability-fast-1h", "availability-slow-6h", "availability-budget-3d"]
    others = ["latency-fast-30m", "latency-budget-3d", "api-5xx", "function-near-timeout", "new-version-latency"]
    limits = [alarm(closed, title)["Threshold"] for title in (*burns, *others)]
    assert limits == [1.44, 0.6, 0.1, 50, 10, 5, 5000, 500]


def test_slow_requests_are_counted_by_their_percentile_rank(closed: Any) -> None:
    metrics = {each["Id"]: each for each in alarm(closed, "latency-fast-30m")["Metrics"]}
    assert metrics["fast"]["MetricStat"]["Stat"] == "PR(:500)"
    (expression,) = [each["Expression"] for each in metrics.values() if "Expression" in each]
    assert expression == "IF(all * (100 - fast) / 100 > 9.5, 100 - fast, 0)"


def test_a_percentile_that_few_requests_cant_give_is_left_alone(closed: Any) -> None:
    assert alarm(closed, "function-near-timeout")["EvaluateLowSampleCountPercentile"] == "ignore"


def test_a_share_of_few_requests_is_none(closed: Any) -> None:
    metrics = {each["Id"]: each for each in alarm(closed, "function-errors")["Metrics"]}
    (expression,) = [each["Expression"] for each in metrics.values() if "Expression" in each]
    assert expression == "IF(bad >= 5, 100 * bad / all, 0)"
    assert metrics["bad"]["MetricStat"]["Metric"]["MetricName"] == "Errors"
    assert {each["MetricStat"]["Period"] for each in metrics.values() if "MetricStat" in each} == {300}


def test_failures_are_counted_by_version_from_the_telemetry(closed: Any) -> None:
    counter = closed.only("AWS::Logs::MetricFilter")
    (transformation,) = counter["MetricTransformations"]
    assert counter["FilterPattern"] == "{ $.Failed >= 1 }"
    assert transformation["MetricName"] == FAILED_BY_VERSION
    dimensions = {each["Key"]: each["Value"] for each in transformation["Dimensions"]}
    assert dimensions == {"Service": "$.Service", "Stage": "$.Stage", "Version": "$.version"}
    metrics = {each["Id"]: each for each in alarm(closed, "new-version-failures")["Metrics"]}
    watched = {each["Name"]: each["Value"] for each in metrics["bad"]["MetricStat"]["Metric"]["Dimensions"]}
    assert watched["Service"] == "flights"
    assert watched["Stage"] == "live"
    assert watched["Version"] == closed.template["Outputs"]["ReleaseVersion"]["Value"]


def test_what_cant_be_delivered_is_told_by_the_other_topic(closed: Any) -> None:
    (action,) = alarm(closed, "pages-undelivered")["AlarmActions"]
    assert "Tickets" in action["Ref"]
    (action,) = alarm(closed, "tickets-undelivered")["AlarmActions"]
    assert "Pages" in action["Ref"]


def test_a_failed_shift_is_counted_by_eventbridge(closed: Any) -> None:
    pattern = closed.only("AWS::Events::Rule")["EventPattern"]
    (application,) = closed.of_type("AWS::CodeDeploy::Application")
    assert pattern["detail"] == {"state": ["FAILURE", "STOP"], "application": [{"Ref": application}]}
    (rule,) = closed.of_type("AWS::Events::Rule")
    # Without a target a rule might never run, hence never be counted.
    (target,) = closed.only("AWS::Events::Rule")["Targets"]
    (queue,) = [name for name in closed.of_type("AWS::SQS::Queue") if "RolloutFailed" in name]
    assert target["Arn"] == {"Fn::GetAtt": [queue, "Arn"]}
    failed = alarm(closed, "deployment-failed")
    assert failed["Dimensions"] == [{"Name": "RuleName", "Value": {"Ref": rule}}]
    assert failed["MetricName"] == "TriggeredRules"


def test_api_metrics_follow_the_kind_of_api(closed: Any, by_auth: Any) -> None:
    assert "'5xx'" in str(alarm(closed, "api-5xx")["Metrics"])
    assert "'5XXError'" in str(alarm(by_auth("api_key"), "api-5xx")["Metrics"])


def test_the_dashboard_shows_every_alarm(closed: Any) -> None:
    boards = [each["Properties"] for each in closed.of_type("AWS::CloudWatch::Dashboard").values()]
    (body,) = [str(each["DashboardBody"]) for each in boards if each["DashboardName"] == "flights"]
    for name in (*closed.of_type(METRIC), *closed.of_type(COMPOSITE)):
        assert name in body


def test_the_watchers_are_watched_whatever_else_is() -> None:
    parts = {row.part for row in ALARMS if row.severity == "ticket"}
    assert {"monitor", "feedback", "notifier", "comparison"} <= parts
    (silent,) = [row for row in ALARMS if row.id == "MonitorSilent"]
    assert (silent.missing_data, silent.comparison, silent.threshold) == ("breaching", "<", 1.0)


def test_silence_sounds_as_soon_as_it_says(closed: Any) -> None:
    silent = [each for each in stack_of(closed.template).alarms if getattr(each, "missing", "") == "breaching"]
    assert {each.name for each in silent} >= {"flights-monitor-silent", "flights-traffic-stopped"}
    for each in silent:
        assert isinstance(each, MetricAlarm)
        last = HOUR_MINUTES * (each.periods + 3)
        minutes = last + HOUR_MINUTES * (each.periods + 3)
        minute = np.arange(minutes)
        hourly = np.where((minute % HOUR_MINUTES == 0) & (minute <= last), 1.0, np.nan)
        (metric,) = each.metrics
        states = evaluate_all([each], {metric: Series.of_values(hourly)}, minutes=minutes).states[each.name]
        sounding = np.flatnonzero((states == ALARM) & (minute > HOUR_MINUTES * each.periods))
        assert sounding[0] - last == HOUR_MINUTES * each.periods, each.name
