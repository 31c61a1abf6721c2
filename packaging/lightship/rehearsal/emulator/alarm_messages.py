"""What CloudWatch publishes to a topic when an alarm changes: a subject, and a JSON document.

AWS documents neither; both follow real messages. Pager services read them, so their form matters.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

SUBJECT_LIMIT = 100
ACTIONS = {"ALARM": "AlarmActions", "OK": "OKActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}


def actions_of(alarm: Mapping[str, Any]) -> Sequence[str]:
    """The ARNs that hear of the state the alarm is in, as DescribeAlarms gives it."""
    return tuple(alarm.get(ACTIONS[alarm["StateValue"]]) or ()) if alarm.get("ActionsEnabled", True) else ()


def subject(alarm: Mapping[str, Any], region: str) -> str:
    """`ALARM: "flights-api-5xx" in US East (N. Virginia)`: pager services take the state from its beginning."""
    return f'{alarm["StateValue"]}: "{alarm["AlarmName"]}" in {region}'[:SUBJECT_LIMIT]


def document(
    alarm: Mapping[str, Any], *, before: str, account: str, region: str, triggering: Sequence[Mapping[str, Any]] = ()
) -> str:
    """The message about an alarm that just left the state `before`. `triggering` are a composite's members, described,
    that made it change; `region` is the region's long name."""
    told: dict[str, Any] = {
        "AlarmName": alarm["AlarmName"],
        "AlarmDescription": alarm.get("AlarmDescription"),
        "AWSAccountId": account,
        "AlarmConfigurationUpdatedTimestamp": _time(alarm.get("AlarmConfigurationUpdatedTimestamp")),
        "NewStateValue": alarm["StateValue"],
        "NewStateReason": alarm.get("StateReason", ""),
        "StateChangeTime": _time(alarm.get("StateUpdatedTimestamp")),
        "Region": region,
        "AlarmArn": alarm["AlarmArn"],
        "OldStateValue": before,
        "OKActions": list(alarm.get("OKActions") or ()),
        "AlarmActions": list(alarm.get("AlarmActions") or ()),
        "InsufficientDataActions": list(alarm.get("InsufficientDataActions") or ()),
    }
    if "AlarmRule" in alarm:
        told["AlarmRule"] = alarm["AlarmRule"]
        told["TriggeringChildren"] = [
            {
                "Arn": each["AlarmArn"],
                "State": {"Value": each["StateValue"], "Timestamp": _time(each.get("StateUpdatedTimestamp"))},
            }
            for each in triggering
        ]
    else:
        told["Trigger"] = _trigger(alarm)
    return json.dumps(told)


def _trigger(alarm: Mapping[str, Any]) -> dict[str, Any]:
    shared = {
        "EvaluationPeriods": alarm["EvaluationPeriods"],
        "DatapointsToAlarm": alarm.get("DatapointsToAlarm") or alarm["EvaluationPeriods"],
        "ComparisonOperator": alarm["ComparisonOperator"],
        "Threshold": alarm.get("Threshold"),
        "TreatMissingData": alarm.get("TreatMissingData") or "missing",
        "EvaluateLowSampleCountPercentile": alarm.get("EvaluateLowSampleCountPercentile") or "",
    }
    if alarm.get("Metrics"):
        metrics = [_query(each) for each in alarm["Metrics"]]
        periods = [each["MetricStat"]["Period"] for each in metrics if "MetricStat" in each]
        return {"Period": max(periods, default=60), **shared, "Metrics": metrics}
    statistic = (
        {"StatisticType": "ExtendedStatistic", "ExtendedStatistic": alarm["ExtendedStatistic"]}
        if alarm.get("ExtendedStatistic")
        else {"StatisticType": "Statistic", "Statistic": str(alarm.get("Statistic", "")).upper()}
    )
    return {
        "MetricName": alarm["MetricName"],
        "Namespace": alarm["Namespace"],
        **statistic,
        "Unit": alarm.get("Unit"),
        "Dimensions": _dimensions(alarm.get("Dimensions")),
        "Period": alarm["Period"],
        **shared,
    }


def _query(query: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: query[name] for name in ("Id", "Expression", "Label") if query.get(name)}
    told["ReturnData"] = query.get("ReturnData", True)
    if stat := query.get("MetricStat"):
        metric = {**stat["Metric"], "Dimensions": _dimensions(stat["Metric"].get("Dimensions"))}
        told["MetricStat"] = {"Metric": metric, "Period": stat["Period"], "Stat": stat["Stat"]}
    return told


def _dimensions(dimensions: Sequence[Mapping[str, str]] | None) -> list[dict[str, str]]:
    return [{"value": each["Value"], "name": each["Name"]} for each in dimensions or ()]


def _time(time: datetime | None) -> str | None:
    if time is None:
        return None
    time = time.astimezone(UTC)
    return f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03d}+0000"
