"""The alarm table and the alarms made of it."""

from typing import Any

import pytest

from lightship_cdk.alarm_table import ALARMS, ROLLBACK_ALARMS, SERVICE_ALARMS, AlarmRow
from lightship_cdk.alarms import FAILED_BY_VERSION

BY_DEFAULT = (*SERVICE_ALARMS, *ROLLBACK_ALARMS)


def name_of(resource: dict[str, Any]) -> str:
    """An alarm's name, without the version that a rollback alarm has behind it."""
    name = resource["Properties"]["AlarmName"]
    return name if isinstance(name, str) else name["Fn::Join"][1][0].removesuffix("-v")


def alarm(stack: Any, title: str) -> dict[str, Any]:
    (found,) = [
        each["Properties"]
        for each in stack.of_type("AWS::CloudWatch::Alarm").values()
        if name_of(each) == f"flights-{title}"
    ]
    return dict(found)


def test_every_row_becomes_one_alarm(closed: Any) -> None:
    assert len({row.id for row in ALARMS}) == len({row.title for row in ALARMS}) == len(ALARMS)
    assert len(closed.of_type("AWS::CloudWatch::Alarm")) == len(BY_DEFAULT)


@pytest.mark.parametrize("row", BY_DEFAULT, ids=lambda row: row.id)
def test_an_alarm_is_its_row(closed: Any, row: AlarmRow) -> None:
    made = alarm(closed, row.title)
    assert (made["EvaluationPeriods"], made["DatapointsToAlarm"]) == (row.periods, row.datapoints)
    assert made["TreatMissingData"] == row.missing_data
    assert made["AlarmActions"] == made["OKActions"]
    (action,) = made["AlarmActions"]
    assert ("Pages" if row.severity == "page" else "Tickets") in action["Ref"]
    description = "".join(
        each if isinstance(each, str) else "eu-central-1" for each in made["AlarmDescription"]["Fn::Join"][1]
    )
    assert description.endswith("lightship rollback")
    for text in (row.meaning, row.causes, row.first_steps, "region=eu-central-1#dashboards:name=flights\n"):
        assert text in description
    assert len(description) <= 1024
    assert row.datapoints <= row.periods


def test_limits_come_from_the_objectives_and_the_timeout(closed: Any) -> None:
    assert alarm(closed, "latency-p90")["Threshold"] == 500
    assert alarm(closed, "function-duration-p90")["Threshold"] == 5000


def test_a_percentile_that_few_requests_cant_give_is_left_alone(closed: Any) -> None:
    assert alarm(closed, "latency-p90")["EvaluateLowSampleCountPercentile"] == "ignore"


def test_a_rate_divides_by_nothing_safely(closed: Any) -> None:
    metrics = {each["Id"]: each for each in alarm(closed, "function-errors")["Metrics"]}
    (expression,) = [each["Expression"] for each in metrics.values() if "Expression" in each]
    assert expression == "IF(all > 0, 100 * bad / all, 0)"
    assert metrics["bad"]["MetricStat"]["Metric"]["MetricName"] == "Errors"


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


def test_undelivered_pages_are_told_by_the_other_topic(closed: Any) -> None:
    (action,) = alarm(closed, "pages-undelivered")["AlarmActions"]
    assert "Tickets" in action["Ref"]


def test_api_metrics_follow_the_kind_of_api(closed: Any, by_auth: Any) -> None:
    assert "'5xx'" in str(alarm(closed, "api-5xx")["Metrics"])
    assert "'5XXError'" in str(alarm(by_auth("api_key"), "api-5xx")["Metrics"])


def test_the_dashboard_shows_every_alarm(closed: Any) -> None:
    body = str(closed.only("AWS::CloudWatch::Dashboard")["DashboardBody"])
    for name in closed.of_type("AWS::CloudWatch::Alarm"):
        assert name in body
