"""Alarms as a CloudFormation template defines them, with every property understood or refused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from lightship.drill.cloudwatch.decide import MissingData
from lightship.drill.cloudwatch.errors import UnknownSemanticsError
from lightship.drill.cloudwatch.series import MetricId

type Comparison = Literal[
    "GreaterThanThreshold", "GreaterThanOrEqualToThreshold", "LessThanThreshold", "LessThanOrEqualToThreshold"
]
COMPARISONS = (
    "GreaterThanThreshold",
    "GreaterThanOrEqualToThreshold",
    "LessThanThreshold",
    "LessThanOrEqualToThreshold",
)
DAY = 86_400

_COMMON = {"ActionsEnabled", "AlarmActions", "AlarmDescription", "AlarmName", "InsufficientDataActions", "OKActions"}
_METRIC = _COMMON | {
    "ComparisonOperator",
    "DatapointsToAlarm",
    "Dimensions",
    "EvaluateLowSampleCountPercentile",
    "EvaluationPeriods",
    "ExtendedStatistic",
    "MetricName",
    "Metrics",
    "Namespace",
    "Period",
    "Statistic",
    "Tags",
    "Threshold",
    "TreatMissingData",
    "Unit",
}
_COMPOSITE = _COMMON | {
    "ActionsSuppressor",
    "ActionsSuppressorExtensionPeriod",
    "ActionsSuppressorWaitPeriod",
    "AlarmRule",
    "Tags",
}


@dataclass(frozen=True, slots=True)
class Actions:
    """Whom an alarm tells at each of its transitions: ARNs, or what the template calls the topics."""

    alarm: tuple[str, ...] = ()
    ok: tuple[str, ...] = ()
    insufficient_data: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """One line of an alarm's data: a metric with its statistic, or an expression over the lines."""

    id: str
    metric: MetricId | None = None
    statistic: str = ""
    period_s: int = 60
    expression: str = ""
    returned: bool = True


@dataclass(frozen=True, slots=True)
class MetricAlarm:
    """An alarm on a metric or an expression. `logical_id` is its name in the template."""

    name: str
    description: str
    queries: tuple[Query, ...]
    comparison: Comparison
    threshold: float
    periods: int
    datapoints: int
    missing: MissingData
    ignore_low_samples: bool
    actions: Actions
    logical_id: str = ""

    @property
    def returned(self) -> Query:
        """The line that is compared with the threshold."""
        (only,) = [each for each in self.queries if each.returned]
        return only

    @property
    def period_s(self) -> int:
        return max(each.period_s for each in self.queries if each.metric)

    @property
    def is_multi_day(self) -> bool:
        """Evaluated once an hour, over whole hours."""
        return self.periods * self.period_s > DAY

    @property
    def metrics(self) -> tuple[MetricId, ...]:
        return tuple(each.metric for each in self.queries if each.metric)


@dataclass(frozen=True, slots=True)
class CompositeAlarm:
    """An alarm on the states of others. While `suppressor` is in ALARM it tells nobody; periods in seconds."""

    name: str
    description: str
    rule: str
    actions: Actions
    suppressor: str = ""
    wait_s: int = 0
    extension_s: int = 0
    logical_id: str = ""


type Alarm = MetricAlarm | CompositeAlarm


def metric_alarm(logical_id: str, properties: Mapping[str, Any]) -> MetricAlarm:
    """From the resolved properties of AWS::CloudWatch::Alarm. Raises UnknownSemanticsError for unmodelled ones."""
    _refuse_unknown(logical_id, properties, _METRIC)
    comparison = properties["ComparisonOperator"]
    if comparison not in COMPARISONS:
        raise UnknownSemanticsError(f"{logical_id}: the comparison {comparison!r} isn't modelled.")
    queries = _queries(logical_id, properties)
    if len({each.period_s for each in queries if each.metric}) != 1:
        raise UnknownSemanticsError(f"{logical_id}: its metrics have different periods, which CloudWatch refuses.")
    periods = int(properties["EvaluationPeriods"])
    return MetricAlarm(
        name=str(properties.get("AlarmName", logical_id)),
        description=str(properties.get("AlarmDescription", "")),
        queries=queries,
        comparison=cast("Comparison", comparison),
        threshold=float(properties["Threshold"]),
        periods=periods,
        datapoints=int(properties.get("DatapointsToAlarm", periods)),
        missing=cast("MissingData", properties.get("TreatMissingData", "missing")),
        ignore_low_samples=properties.get("EvaluateLowSampleCountPercentile") == "ignore",
        actions=_actions(properties),
        logical_id=logical_id,
    )


def composite_alarm(logical_id: str, properties: Mapping[str, Any]) -> CompositeAlarm:
    """From the resolved properties of AWS::CloudWatch::CompositeAlarm."""
    _refuse_unknown(logical_id, properties, _COMPOSITE)
    return CompositeAlarm(
        name=str(properties.get("AlarmName", logical_id)),
        description=str(properties.get("AlarmDescription", "")),
        rule=str(properties["AlarmRule"]),
        actions=_actions(properties),
        suppressor=str(properties.get("ActionsSuppressor", "")),
        wait_s=int(properties.get("ActionsSuppressorWaitPeriod", 0)),
        extension_s=int(properties.get("ActionsSuppressorExtensionPeriod", 0)),
        logical_id=logical_id,
    )


def _refuse_unknown(logical_id: str, properties: Mapping[str, Any], known: set[str]) -> None:
    if unknown := sorted(properties.keys() - known):
        raise UnknownSemanticsError(f"{logical_id} has {', '.join(unknown)}, which the drill doesn't model.")


def _actions(properties: Mapping[str, Any]) -> Actions:
    if str(properties.get("ActionsEnabled", True)).lower() == "false":
        return Actions()
    return Actions(
        *(tuple(properties.get(name, ())) for name in ("AlarmActions", "OKActions", "InsufficientDataActions"))
    )


def _queries(logical_id: str, properties: Mapping[str, Any]) -> tuple[Query, ...]:
    if "Metrics" in properties:
        return tuple(_query(logical_id, each) for each in properties["Metrics"])
    statistic = properties.get("Statistic") or properties["ExtendedStatistic"]
    return (Query("m", _metric(properties), statistic, int(properties["Period"])),)


def _query(logical_id: str, given: Mapping[str, Any]) -> Query:
    returned = str(given.get("ReturnData", True)).lower() != "false"
    if unknown := sorted(given.keys() - {"Expression", "Id", "Label", "MetricStat", "Period", "ReturnData"}):
        raise UnknownSemanticsError(f"{logical_id}: {', '.join(unknown)} of a metric isn't modelled.")
    if "Expression" in given:
        return Query(given["Id"], expression=given["Expression"], returned=returned)
    stat = given["MetricStat"]
    return Query(given["Id"], _metric(stat["Metric"]), stat["Stat"], int(stat["Period"]), returned=returned)


def _metric(given: Mapping[str, Any]) -> MetricId:
    dimensions: Sequence[Mapping[str, Any]] = given.get("Dimensions", ())
    return MetricId.of(
        str(given["Namespace"]), str(given["MetricName"]), {str(d["Name"]): str(d["Value"]) for d in dimensions}
    )
