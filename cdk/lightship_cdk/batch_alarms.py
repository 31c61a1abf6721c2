"""The alarms of scheduled scoring, as rows like all others.

A run that fails is counted by Step Functions, one that isn't started by the dead-letter queue, and one that never was
by the absence of a commit: each by AWS's own or by silence, so that none hangs on this project's code.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from constructs import Construct

from lightship_cdk.alarm_table import AlarmRow, MetricRef
from lightship_cdk.notifications import Notifications
from lightship_runtime.telemetry import NAMESPACE

HOUR = 3600

BATCH_ALARMS = (
    AlarmRow(
        id="BatchRunFailed",
        title="batch-run-failed",
        metrics={
            "failed": MetricRef("run", "ExecutionsFailed", "Sum"),
            "timed": MetricRef("run", "ExecutionsTimedOut", "Sum"),
            "aborted": MetricRef("run", "ExecutionsAborted", "Sum"),
        },
        expression="FILL(failed, 0) + FILL(timed, 0) + FILL(aborted, 0)",
        threshold=1.0,
        above=False,
        periods=1,
        datapoints=1,
        period_s=300,
        severity="page",
        meaning="A batch run failed; nothing of it was published.",
        causes="An object that can't be read or was rewritten, too many rejects, or a chunk that failed every attempt.",
        first_steps="Read the error with `lightship batch status`; mend the input, then `lightship batch redrive`.",
    ),
    AlarmRow(
        id="BatchRunNotStarted",
        title="batch-run-not-started",
        metrics={"waiting": MetricRef("queue", "ApproximateNumberOfMessagesVisible", "Maximum")},
        threshold=1.0,
        above=False,
        periods=1,
        datapoints=1,
        period_s=300,
        severity="page",
        meaning="The schedule couldn't start a run, and its start lies in the dead-letter queue.",
        causes="The scheduler's role may no longer start executions, or the state machine is gone.",
        first_steps="Read the message in the queue; mend the role; start the run by hand with the time it names.",
    ),
    AlarmRow(
        id="BatchRunMissing",
        title="batch-run-missing",
        metrics={"succeeded": MetricRef("batch", "BatchSucceeded", "Sum")},
        # The number of periods is the settings' expected_every_h.
        expression="IF(FILL(succeeded, 0) > 0, 0, 1)",
        threshold=1.0,
        above=False,
        periods=26,
        datapoints=26,
        period_s=HOUR,
        missing_data="breaching",
        severity="page",
        meaning="No batch run was committed for longer than one should take: readers see old scores.",
        causes="The schedule is off, runs fail, or one takes longer than the time between them.",
        first_steps="Look at the runs with `lightship batch status`, and at the schedule's state.",
    ),
    AlarmRow(
        id="BatchRejects",
        title="batch-rejects",
        metrics={"share": MetricRef("batch", "BatchRejectedPercent", "Maximum")},
        # The threshold is half of the settings' max_reject_share.
        threshold=0.5,
        periods=1,
        datapoints=1,
        period_s=HOUR,
        severity="ticket",
        meaning="A committed run rejected more than half of the rows that it may.",
        causes="Whoever writes the input has changed a column or its values.",
        first_steps="Read the rejects of the run, below `_rejects`: they name row, column and value.",
    ),
)


@dataclass(frozen=True, slots=True)
class WatchedBatch:
    """What the alarms look at. `service` names them; `model` and `stage` are the metrics' dimensions. Without
    `expected_every_h` runs are too rare for an alarm to miss one."""

    service: str
    model: str
    stage: str
    state_machine_arn: str
    queue_name: str
    notifications: Notifications
    expected_every_h: int | None
    max_reject_share: float


class BatchAlarms(Construct):
    """One alarm for each row, sent to the topic of its severity. `by_id` has them by the rows' ids."""

    def __init__(self, scope: Construct, id: str, watched: WatchedBatch) -> None:  # noqa: A002 (the CDK's own name)
        super().__init__(scope, id)
        rows = [row for row in BATCH_ALARMS if row.id != "BatchRunMissing" or watched.expected_every_h]
        self.by_id = {row.id: self._alarm(row, watched) for row in rows}

    def _alarm(self, row: AlarmRow, watched: WatchedBatch) -> cloudwatch.Alarm:
        missing = row.id == "BatchRunMissing"
        periods = watched.expected_every_h or row.periods if missing else row.periods
        threshold = 50 * watched.max_reject_share if row.id == "BatchRejects" else float(cast("float", row.threshold))
        operators = cloudwatch.ComparisonOperator
        alarm = cloudwatch.Alarm(
            self,
            row.id,
            alarm_name=f"{watched.service}-{row.title}",
            alarm_description=f"[{row.severity}] {watched.service}: {row.meaning}\nLikely: {row.causes}\n"
            f"First: {row.first_steps}",
            metric=_measure(row, watched),
            threshold=threshold,
            comparison_operator=operators.GREATER_THAN_THRESHOLD
            if row.above
            else operators.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            evaluation_periods=periods,
            datapoints_to_alarm=periods if missing else row.datapoints,
            treat_missing_data=cloudwatch.TreatMissingData.BREACHING
            if row.missing_data == "breaching"
            else cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        action = cast("cloudwatch.IAlarmAction", actions.SnsAction(watched.notifications.topic(row.severity)))
        alarm.add_alarm_action(action)
        alarm.add_ok_action(action)
        return alarm


def _measure(row: AlarmRow, watched: WatchedBatch) -> cloudwatch.IMetric:
    period = cdk.Duration.seconds(row.period_s)
    metrics: dict[str, cloudwatch.IMetric] = {}
    for name, ref in row.metrics.items():
        namespace, dimensions = _place(ref, watched)
        metrics[name] = cloudwatch.Metric(
            namespace=namespace,
            metric_name=ref.name,
            dimensions_map=dict(dimensions),
            statistic=ref.statistic,
            period=period,
        )
    if row.expression is None:
        return next(iter(metrics.values()))
    return cloudwatch.MathExpression(expression=row.expression, using_metrics=metrics, label=row.title, period=period)


def _place(ref: MetricRef, watched: WatchedBatch) -> tuple[str, Mapping[str, str]]:
    match ref.family:
        case "run":
            return "AWS/States", {"StateMachineArn": watched.state_machine_arn}
        case "queue":
            return "AWS/SQS", {"QueueName": watched.queue_name}
        case "batch":
            return NAMESPACE, {"Service": watched.model, "Stage": watched.stage}
        case family:
            raise ValueError(f"A batch has no metrics of the family {family!r}.")
