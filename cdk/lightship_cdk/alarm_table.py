"""Every alarm, as one table: what is measured, when it sounds, whom it wakes, and what to do then.

Plain data, so that the constructs, the runbook and the drill read the same rows. The thresholds follow Amazon's
recommended alarms and the public slic-watch defaults.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

type Severity = Literal["page", "ticket"]
type Family = Literal["api", "function", "version", "release", "topic", "queue", "batch", "run"]
type MissingData = Literal["notBreaching", "breaching", "ignore"]
type Limit = Literal["latency objective", "half the timeout", "disagreement limit"]

MINUTE = 60


@dataclass(frozen=True, slots=True)
class MetricRef:
    """A metric by what it belongs to: `api` by its role (`count`, `server_errors`, ...), the others by the name
    that CloudWatch has for it. `version` is the newest Lambda version alone, `release` what our own counts say of the
    newest release; `statistic` as CloudWatch writes it."""

    family: Family
    name: str
    statistic: str


@dataclass(frozen=True, slots=True)
class AlarmRow:
    """One alarm. It sounds when `datapoints` of the last `periods` values are at or over (or, with `above`, over)
    the threshold. `expression` combines the metrics by their keys; without one there is a single metric.

    `evaluate_low_samples` is False for a percentile that few requests can't give. `rolls_back` alarms stop a shift.
    """

    id: str
    title: str
    metrics: Mapping[str, MetricRef]
    threshold: float | Limit
    periods: int
    datapoints: int
    severity: Severity
    meaning: str
    causes: str
    first_steps: str
    expression: str | None = None
    above: bool = True
    period_s: int = MINUTE
    missing_data: MissingData = "notBreaching"
    evaluate_low_samples: bool = True
    rolls_back: bool = False


_PERCENT = "IF(all > 0, 100 * bad / all, 0)"

SERVICE_ALARMS = (
    AlarmRow(
        id="ApiServerErrors",
        title="api-5xx",
        metrics={"bad": MetricRef("api", "server_errors", "Sum"), "all": MetricRef("api", "count", "Sum")},
        expression=_PERCENT,
        threshold=5.0,
        periods=3,
        datapoints=3,
        severity="page",
        meaning="More than 5% of the requests failed for three minutes: callers get no predictions.",
        causes="A release that fails on real inputs; the function timing out or throttled.",
        first_steps="Look at the function's log for tracebacks, compare with the last deployment, roll back.",
    ),
    AlarmRow(
        id="ApiClientErrors",
        title="api-4xx",
        metrics={"bad": MetricRef("api", "client_errors", "Sum"), "all": MetricRef("api", "count", "Sum")},
        expression=_PERCENT,
        threshold=5.0,
        periods=5,
        datapoints=5,
        severity="ticket",
        meaning="More than 5% of the requests were refused for five minutes.",
        causes="A caller whose columns or types no longer match the contract; expired credentials; throttling (429).",
        first_steps="Count the statuses in the access log; for 422 the answer names the column.",
    ),
    AlarmRow(
        id="ApiLatency",
        title="latency-p90",
        metrics={"latency": MetricRef("api", "latency", "p90")},
        threshold="latency objective",
        periods=5,
        datapoints=5,
        severity="page",
        meaning="One request in ten took longer than the objective, five minutes on end.",
        causes="Larger batches in a request; too little memory, hence CPU; many cold starts after a rise in traffic.",
        first_steps="Compare the function's duration with its init durations; raise memory, or provision concurrency.",
        evaluate_low_samples=False,
    ),
    AlarmRow(
        id="FunctionErrors",
        title="function-errors",
        metrics={"bad": MetricRef("function", "Errors", "Sum"), "all": MetricRef("function", "Invocations", "Sum")},
        expression=_PERCENT,
        threshold=5.0,
        periods=3,
        datapoints=2,
        severity="page",
        meaning="More than 5% of the invocations crashed or timed out.",
        causes="The function out of memory or time, or dying at its start.",
        first_steps="Look for `Task timed out`, `Runtime exited` and `Init` in the function's log; roll back.",
    ),
    AlarmRow(
        id="FunctionThrottles",
        title="function-throttles",
        metrics={"throttles": MetricRef("function", "Throttles", "Sum")},
        threshold=1.0,
        above=False,
        periods=5,
        datapoints=5,
        severity="page",
        meaning="Lambda turned invocations away for five minutes.",
        causes="The account's concurrency is used up, or what is reserved for this function.",
        first_steps="Look at ConcurrentExecutions; raise the reservation or the quota, or lower the throttle.",
    ),
    AlarmRow(
        id="FunctionDuration",
        title="function-duration-p90",
        metrics={"duration": MetricRef("function", "Duration", "p90")},
        threshold="half the timeout",
        periods=15,
        datapoints=15,
        severity="ticket",
        meaning="For a quarter of an hour the slow tenth of invocations took more than half of the timeout.",
        causes="Requests are growing, or memory is too small for them.",
        first_steps="Look at rows per request; raise memory or the timeout before requests start to fail.",
        evaluate_low_samples=False,
    ),
    AlarmRow(
        id="UndeliveredPages",
        title="pages-undelivered",
        metrics={"failed": MetricRef("topic", "NumberOfNotificationsFailed", "Sum")},
        threshold=1.0,
        above=False,
        periods=5,
        datapoints=5,
        # Sent by the other topic: it can't be told by the one that fails.
        severity="ticket",
        meaning="Pages don't reach their subscriber: the next incident would go unheard.",
        causes="An endpoint that refuses messages, or a key whose policy no longer admits cloudwatch.amazonaws.com.",
        first_steps="Test the subscription of the pages topic; read the key's policy.",
    ),
)

ROLLBACK_ALARMS = (
    AlarmRow(
        id="NewVersionErrors",
        title="new-version-errors",
        metrics={"bad": MetricRef("version", "Errors", "Sum"), "all": MetricRef("version", "Invocations", "Sum")},
        expression=_PERCENT,
        threshold=5.0,
        periods=3,
        datapoints=2,
        severity="ticket",
        meaning="The newest version crashes or times out; while traffic shifts to it, the shift is undone.",
        causes="A release that fails on live inputs that its golden rows don't contain.",
        first_steps="Nothing is urgent if the shift was undone: read the new version's log, mend, deploy again.",
        rolls_back=True,
    ),
    AlarmRow(
        id="NewVersionFailures",
        title="new-version-failures",
        metrics={
            "bad": MetricRef("release", "FailedByVersion", "Sum"),
            "all": MetricRef("version", "Invocations", "Sum"),
        },
        # Lambda counts an answered 500 as a success, so the failures are our own count.
        expression="IF(all > 0, 100 * FILL(bad, 0) / all, 0)",
        threshold=5.0,
        periods=3,
        datapoints=2,
        severity="ticket",
        meaning="The newest version answers with errors of its own (500); the shift to it is undone.",
        causes="An engine that raises on live inputs that the golden rows don't contain.",
        first_steps="Nothing is urgent if the shift was undone: read the new version's log, mend, deploy again.",
        rolls_back=True,
    ),
    AlarmRow(
        id="NewVersionLatency",
        title="new-version-latency",
        # The average, because a tenth of the traffic for five minutes rarely makes a percentile.
        metrics={"duration": MetricRef("version", "Duration", "Average")},
        threshold="latency objective",
        periods=3,
        datapoints=2,
        severity="ticket",
        meaning="The newest version is on average slower than nine in ten requests may be; the shift is undone.",
        causes="A larger model or another engine; too little memory.",
        first_steps="Compare the proofs of both releases with `lightship inspect`.",
        rolls_back=True,
    ),
)

COMPARISON_ALARMS = (
    AlarmRow(
        id="UncomparedSamples",
        title="uncompared-samples",
        metrics={"waiting": MetricRef("queue", "ApproximateNumberOfMessagesVisible", "Maximum")},
        threshold=0.0,
        periods=1,
        datapoints=1,
        severity="ticket",
        meaning="Sampled requests couldn't be compared; predictions are not affected.",
        causes="The comparing function lacks a permission, or is throttled.",
        first_steps="Read the comparing function's log, then purge the queue: it holds inputs of callers.",
    ),
)
DISAGREEMENT_ALARM = AlarmRow(
    id="NewVersionDisagreement",
    title="new-version-disagreement",
    metrics={
        "off": MetricRef("release", "Disagreed", "Sum"),
        "all": MetricRef("release", "Compared", "Sum"),
    },
    # A handful of rows says nothing about a share.
    expression="IF(all >= 20, 100 * off / all, 0)",
    threshold="disagreement limit",
    periods=3,
    datapoints=1,
    severity="ticket",
    meaning="The newest version predicts otherwise than the one before it, on live requests; the shift is undone.",
    causes="A model that learned something else; inputs that the golden rows don't contain.",
    first_steps="Nothing is urgent if the shift was undone: replay the sampled requests on both releases and compare.",
    rolls_back=True,
)

ALARMS = (*SERVICE_ALARMS, *ROLLBACK_ALARMS, *COMPARISON_ALARMS, DISAGREEMENT_ALARM)
