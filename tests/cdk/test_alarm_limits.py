"""Everything that is synthesised, against what CloudWatch refuses, and what it refuses told apart."""

import json
from copy import deepcopy
from typing import Any

import pytest

from lightship.rehearsal.emulator.resources.alarm_limits import check_alarm, check_composite, check_dashboard
from lightship.rehearsal.emulator.resources.base import ResourceError

METRIC, COMPOSITE, DASHBOARD = (f"AWS::CloudWatch::{kind}" for kind in ("Alarm", "CompositeAlarm", "Dashboard"))


def resolved(value: Any) -> Any:
    """A property with names in place of references, some as long as they can become."""
    match value:
        case {"Ref": str(name)}:
            return {"AWS::Region": "ap-southeast-99"}.get(name, f"flights-{name}-ABCDEFGHIJKL")
        case {"Fn::GetAtt": [name, "Arn"]}:
            return f"arn:aws:cloudwatch:ap-southeast-99:123456789012:alarm:{name}"
        case {"Fn::GetAtt": [_, attribute]}:
            return str(attribute)
        case {"Fn::Join": [glue, list(parts)]}:
            return glue.join(resolved(part) for part in parts)
        case dict():
            return {key: resolved(each) for key, each in value.items()}
        case list():
            return [resolved(each) for each in value]
    return value


@pytest.mark.parametrize("auth", ["iam", "api_key"])
def test_cloudwatch_takes_everything_that_is_synthesised(by_auth: Any, auth: str) -> None:
    stack = by_auth(auth)
    names = {*stack.of_type(METRIC), *stack.of_type(COMPOSITE)}
    for each in stack.of_type(METRIC).values():
        check_alarm(resolved(each["Properties"]))
    for each in stack.of_type(COMPOSITE).values():
        check_composite(resolved(each["Properties"]), names)
    boards = [resolved(each["Properties"]) for each in stack.of_type(DASHBOARD).values()]
    for board in boards:
        check_dashboard(board)
    assert {board["DashboardName"] for board in boards} == {"flights", "flights-runbooks"}


@pytest.fixture
def burn_rate(closed: Any) -> dict[str, Any]:
    (found,) = [each for name, each in closed.of_type(METRIC).items() if "AvailabilityFast1h" in name]
    return deepcopy(dict(resolved(found["Properties"])))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"AlarmDescription": "x" * 1025}, "1,025 characters"),
        ({"EvaluationPeriods": 200}, "more than the 604,800 s"),
        ({"DatapointsToAlarm": 2}, "isn't between 1 and 1"),
        ({"ComparisonOperator": "Above"}, "'Above'"),
        ({"TreatMissingData": "fine"}, "'fine'"),
        ({"Period": 60}, "excludes MetricName and Period"),
    ],
)
def test_what_cloudwatch_refuses_is_refused(burn_rate: dict[str, Any], change: dict[str, Any], message: str) -> None:
    with pytest.raises(ResourceError, match=message):
        check_alarm({**burn_rate, **change})


def test_metrics_of_an_expression_have_one_period_and_known_names(burn_rate: dict[str, Any]) -> None:
    stats = [each for each in burn_rate["Metrics"] if "MetricStat" in each]
    stats[0]["MetricStat"]["Period"] = 60
    with pytest.raises(ResourceError, match="the same period"):
        check_alarm(burn_rate)
    stats[0]["MetricStat"]["Period"] = 3600
    stats[0]["MetricStat"]["Stat"] = "P50"
    with pytest.raises(ResourceError, match="'P50' isn't a statistic"):
        check_alarm(burn_rate)
    stats[0]["Id"] = "other"
    with pytest.raises(ResourceError, match="isn't among"):
        check_alarm(burn_rate)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ('ALARM("a") OR ALARM("b")', "names b, which doesn't exist"),
        ("", "0 characters"),
        ('ALARM("a") XOR ALARM("a")', "isn't made of states"),
        ('(ALARM("a")', "isn't made of states"),
    ],
)
def test_a_composites_rule_is_read(rule: str, message: str) -> None:
    with pytest.raises(ResourceError, match=message):
        check_composite({"AlarmName": "c", "AlarmRule": rule}, {"a"})


def test_a_dashboard_is_a_grid() -> None:
    body = {"widgets": [{"type": "text", "x": 20, "y": 0, "width": 8, "height": 2}]}
    with pytest.raises(ResourceError, match="leaves the grid"):
        check_dashboard({"DashboardName": "d", "DashboardBody": json.dumps(body)})
    with pytest.raises(ResourceError, match="isn't JSON"):
        check_dashboard({"DashboardName": "d", "DashboardBody": "{"})
