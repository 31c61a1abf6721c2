"""Turns the rows of the alarm table into CloudWatch alarms."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import assert_never, cast

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_logs as logs
from constructs import Construct

from lightship_cdk.alarm_table import AlarmRow, Limit, MetricRef, MissingData
from lightship_cdk.api import ApiMetrics
from lightship_cdk.function import ALIAS, PredictFunction
from lightship_cdk.notifications import Notifications
from lightship_cdk.settings import ComparisonSettings, Objectives
from lightship_runtime.telemetry import NAMESPACE

DESCRIPTION_LIMIT = 1024
FAILED_BY_VERSION = "FailedByVersion"
MISSING: Mapping[MissingData, cloudwatch.TreatMissingData] = {
    "notBreaching": cloudwatch.TreatMissingData.NOT_BREACHING,
    "breaching": cloudwatch.TreatMissingData.BREACHING,
    "ignore": cloudwatch.TreatMissingData.IGNORE,
}


@dataclass(frozen=True, slots=True)
class Watched:
    """What the alarms look at, and what was promised about it. `options` go behind the commands they name."""

    service: str
    stage: str
    options: str
    function: PredictFunction
    api: ApiMetrics
    notifications: Notifications
    objectives: Objectives
    comparison: ComparisonSettings = field(default_factory=ComparisonSettings)
    failures_queue_name: str = ""


class Alarms(Construct):
    """One alarm for each row, sent to the topic of its severity. `by_id` has them by the rows' ids."""

    def __init__(self, scope: Construct, id: str, *, rows: Iterable[AlarmRow], watched: Watched) -> None:  # noqa: A002
        super().__init__(scope, id)
        self.by_id = {row.id: self._alarm(row, watched) for row in rows}

    def _alarm(self, row: AlarmRow, watched: Watched) -> cloudwatch.Alarm:
        above = cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD
        at_least = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
        alarm = cloudwatch.Alarm(
            self,
            row.id,
            alarm_name=_name(row, watched),
            alarm_description=describe(row, watched),
            metric=_measure(row, watched),
            threshold=_threshold(row.threshold, watched),
            comparison_operator=above if row.above else at_least,
            evaluation_periods=row.periods,
            datapoints_to_alarm=row.datapoints,
            treat_missing_data=MISSING[row.missing_data],
            evaluate_low_sample_count_percentile=None if row.evaluate_low_samples else "ignore",
        )
        action = cast("cloudwatch.IAlarmAction", actions.SnsAction(watched.notifications.topic(row.severity)))
        alarm.add_alarm_action(action)
        alarm.add_ok_action(action)
        return alarm


def _name(row: AlarmRow, watched: Watched) -> str:
    """An alarm keeps its state when it is changed, and CodeDeploy starts nothing under one that sounds. So each
    version has rollback alarms of its own name: what sounds for the old one doesn't forbid its repair."""
    name = f"{watched.service}-{row.title}"
    return f"{name}-v{watched.function.version.version}" if row.rolls_back else name


def describe(row: AlarmRow, watched: Watched) -> str:
    """What the engineer on call reads in the message: the impact first, and how to undo the last deployment."""
    text = (
        f"[{row.severity}] {watched.service}: {row.meaning}\nLikely: {row.causes}\nFirst: {row.first_steps}\n"
        f"Graphs: {_dashboard_url(watched)}\n"
        f"State: lightship status{watched.options}\nUndo the last deployment: lightship rollback{watched.options}"
    )
    if len(text) > DESCRIPTION_LIMIT:
        raise ValueError(f"The description of alarm {row.id} has {len(text)} characters; CloudWatch takes 1,024.")
    return text


def _dashboard_url(watched: Watched) -> str:
    # By its name, since the dashboard itself refers to the alarms.
    region = cdk.Stack.of(watched.function).region
    return f"https://console.aws.amazon.com/cloudwatch/home?region={region}#dashboards:name={watched.service}"


def count_failures(scope: Construct, log_group: logs.ILogGroup) -> logs.MetricFilter:
    """Count answers of 500 by release, from the telemetry lines: Lambda's own `Errors` doesn't see them.

    A release that never fails makes no such metric, so that it costs nothing.
    """
    return logs.MetricFilter(
        scope,
        "Failures",
        log_group=log_group,
        filter_pattern=logs.FilterPattern.number_value("$.Failed", ">=", 1),
        metric_namespace=NAMESPACE,
        metric_name=FAILED_BY_VERSION,
        metric_value="$.Failed",
        dimensions={"Service": "$.Service", "Stage": "$.Stage", "Version": "$.version"},
    )


def _measure(row: AlarmRow, watched: Watched) -> cloudwatch.IMetric:
    metrics = {name: metric(ref, row.period_s, watched) for name, ref in row.metrics.items()}
    if row.expression is None:
        (single,) = metrics.values()
        return single
    return cloudwatch.MathExpression(
        expression=row.expression, using_metrics=metrics, label=row.title, period=cdk.Duration.seconds(row.period_s)
    )


def metric(ref: MetricRef, period_s: int, watched: Watched) -> cloudwatch.Metric:
    namespace, name, dimensions = _place(ref, watched)
    return cloudwatch.Metric(
        namespace=namespace,
        metric_name=name,
        dimensions_map=dict(dimensions),
        statistic=ref.statistic,
        period=cdk.Duration.seconds(period_s),
    )


def _place(ref: MetricRef, watched: Watched) -> tuple[str, str, Mapping[str, str]]:
    function = watched.function
    name = function.function.function_name
    # Named by hand: the alias itself depends on these alarms, since they may undo its shift.
    alias = {"FunctionName": name, "Resource": f"{name}:{ALIAS}"}
    match ref.family:
        case "api":
            return "AWS/ApiGateway", watched.api.names[ref.name], watched.api.dimensions
        case "function":
            return "AWS/Lambda", ref.name, alias
        case "release":
            manifest = function.release.manifest
            return (
                NAMESPACE,
                ref.name,
                {"Service": manifest.name, "Stage": watched.stage, "Version": manifest.version},
            )
        case "queue":
            return "AWS/SQS", ref.name, {"QueueName": watched.failures_queue_name}
        case "version":
            return "AWS/Lambda", ref.name, {**alias, "ExecutedVersion": function.version.version}
        case "topic":
            return "AWS/SNS", ref.name, {"TopicName": watched.notifications.pages.topic_name}
        case "batch" | "run":
            raise ValueError(f"{ref.name} is a metric of a scheduled batch; ScheduledBatch makes its alarms.")
        case _:
            assert_never(ref.family)


def _threshold(threshold: float | Limit, watched: Watched) -> float:
    match threshold:
        case "latency objective":
            return watched.objectives.latency_ms
        case "disagreement limit":
            return watched.comparison.limit * 100
        case "half the timeout":
            return watched.function.timeout_s * 1000 / 2
        case _:
            return threshold
