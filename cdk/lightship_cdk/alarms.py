"""Turns the rows of the alarm table into CloudWatch alarms, and its composites into composite alarms."""

from collections.abc import Mapping
from typing import cast

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_logs as logs
from constructs import Construct

from lightship_cdk.alarm_table import ALARMS, COMPOSITES, SILENT, AlarmRow, Comparison, CompositeRow, MissingData, Row
from lightship_cdk.alarm_text import Places, fitting_description
from lightship_cdk.watched import Watched, metric
from lightship_runtime.telemetry import NAMESPACE

FAILED_BY_VERSION = "FailedByVersion"
MISSING: Mapping[MissingData, cloudwatch.TreatMissingData] = {
    "notBreaching": cloudwatch.TreatMissingData.NOT_BREACHING,
    "breaching": cloudwatch.TreatMissingData.BREACHING,
    "ignore": cloudwatch.TreatMissingData.IGNORE,
}
OPERATORS: Mapping[Comparison, cloudwatch.ComparisonOperator] = {
    ">": cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
    ">=": cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
    "<": cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
    "<=": cloudwatch.ComparisonOperator.LESS_THAN_OR_EQUAL_TO_THRESHOLD,
}


class Alarms(Construct):
    """The alarms over everything of a service that is there, each sent to the topic of its severity, unless it is part
    of a composite, which then speaks for it. `by_id` has them by the rows' ids.

    With `undoing`, those that stop a shift in place of all others: the rollout waits for them, and others may need it.
    """

    def __init__(self, scope: Construct, id: str, *, watched: Watched, undoing: bool = False) -> None:  # noqa: A002
        super().__init__(scope, id)
        self._watched = watched
        self._places = Places.in_template(watched, self)
        self._longest = Places.at_longest(watched, self)
        self.by_id: dict[str, cloudwatch.AlarmBase] = {}
        for row in ALARMS:
            if row.rolls_back == undoing and row.part in watched.parts:
                self.by_id[row.id] = self._alarm(row)
        for composite in () if undoing else COMPOSITES:
            if rule := self._rule(composite):
                self.by_id[composite.id] = self._composite(composite, rule)

    def _alarm(self, row: AlarmRow) -> cloudwatch.Alarm:
        settings = self._watched.settings()
        threshold, periods, datapoints = (
            settings[each] if isinstance(each, str) else each for each in (row.threshold, row.periods, row.datapoints)
        )
        alarm = cloudwatch.Alarm(
            self,
            row.id,
            alarm_name=alarm_name(row, self._watched),
            alarm_description=self._description(row),
            metric=_measure(row, self._watched),
            threshold=threshold,
            comparison_operator=OPERATORS[row.comparison],
            evaluation_periods=int(periods),
            datapoints_to_alarm=int(datapoints),
            treat_missing_data=MISSING[row.missing_data],
            evaluate_low_sample_count_percentile=None if row.evaluate_low_samples else "ignore",
        )
        return alarm if row.id in SILENT else self._told(alarm, row)

    def _composite(self, row: CompositeRow, rule: str) -> cloudwatch.CompositeAlarm:
        alarm = cloudwatch.CompositeAlarm(
            self,
            row.id,
            composite_alarm_name=alarm_name(row, self._watched),
            alarm_description=self._description(row),
            alarm_rule=cloudwatch.AlarmRule.from_string(rule),
        )
        return self._told(alarm, row)

    def _rule(self, row: CompositeRow) -> str:
        """CloudWatch's notation of the row; empty where nothing of it is there."""
        groups = [
            " AND ".join(self._sounds(member) for member in group)
            for group in row.any_of
            if all(member in self.by_id for member in group)
        ]
        if not groups:
            return ""
        any_of = " OR ".join(f"({group})" for group in groups)
        silenced = "".join(f" AND NOT {self._sounds(other)}" for other in row.unless if other in self.by_id)
        return f"({any_of}){silenced}" if silenced else any_of

    def _sounds(self, id: str) -> str:  # noqa: A002
        return f'ALARM("{self.by_id[id].alarm_arn}")'

    def _description(self, row: Row) -> str:
        return fitting_description(row, self._watched, self._places, self._longest)

    def _told[T: cloudwatch.AlarmBase](self, alarm: T, row: Row) -> T:
        action = cast("cloudwatch.IAlarmAction", actions.SnsAction(self._watched.notifications.topic(row.severity)))
        alarm.add_alarm_action(action)
        alarm.add_ok_action(action)
        return alarm


def alarm_name(row: Row, watched: Watched) -> str:
    """An alarm keeps its state when it is changed, and CodeDeploy starts nothing under one that sounds. So each
    version has rollback alarms of its own name: what sounds for the old one doesn't forbid its repair."""
    name = f"{watched.service}-{row.title}"
    if watched.endpoint is None or not isinstance(row, AlarmRow) or not row.rolls_back:
        return name
    return f"{name}-v{watched.endpoint.function.version.version}"


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
        expression=row.expression.format(concurrency=_concurrency(watched)),
        using_metrics=metrics,
        label=row.title if len(metrics) > 1 else next(iter(metrics.values())).metric_name,
        period=cdk.Duration.seconds(row.period_s),
    )


def _concurrency(watched: Watched) -> str:
    reserved = watched.endpoint.reserved if watched.endpoint else None
    return "SERVICE_QUOTA(used)" if reserved is None else str(reserved)
