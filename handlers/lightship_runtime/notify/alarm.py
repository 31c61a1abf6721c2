"""CloudWatch's message about an alarm, as it publishes it to a topic.

What it holds was read off real messages; there is no schema of it in AWS's documentation. So nothing but the alarm's
name and state is taken for granted.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

_DATAPOINT = re.compile(r"(-?[\d.]+(?:[eE][-+]?\d+)?) \((\d\d/\d\d/\d\d \d\d:\d\d:\d\d)\)")
_RULE_NAME = re.compile(r"""(?<!NOT )\bALARM\s*\(\s*["']?([^"')]+?)["']?\s*\)""")
_WORDS = {
    "GreaterThanThreshold": "over",
    "GreaterThanOrEqualToThreshold": "at or over",
    "LessThanThreshold": "under",
    "LessThanOrEqualToThreshold": "at or under",
}
SHORT_WINDOW_S = 300


@dataclass(frozen=True, slots=True)
class Datapoint:
    """One value that CloudWatch judged, and the beginning of its period."""

    value: float
    time: datetime


@dataclass(frozen=True, slots=True)
class Condition:
    """What a metric alarm compares. `metric` is the metric's name, or the label of an expression; `metrics` are the
    names of all that take part. `periods` of `period_s` seconds are looked at, of which `datapoints` have to be off."""

    metric: str
    metrics: tuple[str, ...]
    statistic: str
    expression: str | None
    comparison: str
    threshold: float | None
    period_s: int
    periods: int
    datapoints: int

    @property
    def words(self) -> str:
        """How a value stands to the threshold when the alarm sounds."""
        return _WORDS.get(self.comparison, "against")

    def breaks(self, value: float) -> bool:
        """Whether a value is on the wrong side of the threshold."""
        if self.threshold is None:
            return False
        match self.comparison:
            case "GreaterThanThreshold":
                return value > self.threshold
            case "GreaterThanOrEqualToThreshold":
                return value >= self.threshold
            case "LessThanThreshold":
                return value < self.threshold
            case "LessThanOrEqualToThreshold":
                return value <= self.threshold
        return False

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self | None:
        """From the message's `Trigger`, or from what DescribeAlarms says; None where it compares nothing."""
        comparison = told.get("ComparisonOperator")
        if not isinstance(comparison, str):
            return None
        entries = [each for each in told.get("Metrics") or () if isinstance(each, dict)]
        result = _result(entries)
        stats = [each["MetricStat"] for each in entries if isinstance(each.get("MetricStat"), dict)]
        names = [_metric_name(each) for each in stats] or [str(told.get("MetricName") or "")]
        first = stats[0] if stats else {}
        label = str(result.get("Label") or "") or names[0]
        periods = int(told.get("EvaluationPeriods") or 1)
        return cls(
            metric=label if entries else names[0],
            metrics=tuple(name for name in names if name),
            statistic=str(told.get("ExtendedStatistic") or told.get("Statistic") or first.get("Stat") or ""),
            expression=result.get("Expression"),
            comparison=comparison,
            threshold=None if told.get("Threshold") is None else float(told["Threshold"]),
            period_s=int(told.get("Period") or first.get("Period") or result.get("Period") or 60),
            periods=periods,
            datapoints=int(told.get("DatapointsToAlarm") or periods),
        )


@dataclass(frozen=True, slots=True)
class Alarm:
    """A change of state. `condition` is None for a composite alarm, which has a `rule` instead."""

    name: str
    arn: str
    description: str
    state: str
    before: str
    reason: str
    changed: datetime | None
    condition: Condition | None
    rule: str
    triggering: tuple[str, ...]

    @property
    def datapoints(self) -> tuple[Datapoint, ...]:
        """The values in the reason, newest first."""
        return read_datapoints(self.reason)

    @property
    def members(self) -> tuple[str, ...]:
        """The alarms that a composite's rule names, those that made it change first."""
        named = [arn_name(each) for each in _RULE_NAME.findall(self.rule)]
        return tuple(dict.fromkeys((*self.triggering, *named)))


def read_alarm(message: str) -> Alarm | None:
    """The alarm in a message; None when the message isn't about one."""
    try:
        told = json.loads(message)
    except ValueError:
        return None
    if not isinstance(told, dict) or not told.get("AlarmName") or not told.get("NewStateValue"):
        return None
    trigger = told.get("Trigger")
    children = [each for each in told.get("TriggeringChildren") or () if isinstance(each, dict)]
    return Alarm(
        name=str(told["AlarmName"]),
        arn=str(told.get("AlarmArn") or ""),
        description=str(told.get("AlarmDescription") or ""),
        state=str(told["NewStateValue"]),
        before=str(told.get("OldStateValue") or ""),
        reason=str(told.get("NewStateReason") or ""),
        changed=read_time(told.get("StateChangeTime")),
        condition=Condition.of(trigger) if isinstance(trigger, dict) else None,
        rule=str(told.get("AlarmRule") or ""),
        triggering=tuple(arn_name(str(each.get("Arn") or "")) for each in children),
    )


def read_datapoints(reason: str) -> tuple[Datapoint, ...]:
    """The values that a reason such as `... datapoints [7.5 (23/11/26 14:02:00)] was greater ...` gives."""
    found = [
        Datapoint(float(value), datetime.strptime(time, "%d/%m/%y %H:%M:%S").replace(tzinfo=UTC))
        for value, time in _DATAPOINT.findall(reason)
    ]
    return tuple(sorted(found, key=lambda each: each.time, reverse=True))


def trouble_since(condition: Condition | None, reason: str, changed: datetime | None) -> datetime | None:
    """When the first of the values that raised the alarm was measured; the change of state where none is told.

    CloudWatch gives a value the time at which its window begins. Over a long window a limit is passed at the end, and
    nothing says where in it the trouble began: hours of health before an outage aren't told as a part of it.
    """
    if condition is None:
        return changed
    off = [each.time for each in read_datapoints(reason) if condition.breaks(each.value)]
    if off:
        long = condition.period_s > SHORT_WINDOW_S and condition.comparison.startswith("Greater")
        began = min(off) + timedelta(seconds=condition.period_s if long else 0)
        return began if changed is None else min(began, changed)
    if changed is not None and "no datapoints were received" in reason:
        return changed - timedelta(seconds=condition.period_s * condition.datapoints)
    return changed


def read_time(value: object) -> datetime | None:
    """A moment as CloudWatch writes it, or as boto3 gives it."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def arn_name(name_or_arn: str) -> str:
    """An alarm's name from its ARN, or the name itself."""
    return name_or_arn.partition(":alarm:")[2] or name_or_arn


def _result(entries: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The entry whose value is compared."""
    return next((each for each in entries if each.get("ReturnData", True)), {})


def _metric_name(stat: Mapping[str, Any]) -> str:
    metric = stat.get("Metric")
    return str(metric.get("MetricName") or "") if isinstance(metric, dict) else ""
