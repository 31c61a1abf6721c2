"""What the dashboard shows below the alarms, as rows like theirs: the same metrics, by the same references."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lightship_cdk.alarm_table import HOUR, MINUTE, MetricRef, Part, Setting

type Lines = Mapping[str, MetricRef]


@dataclass(frozen=True, slots=True)
class Graph:
    """One graph. `lines` are metrics by what they are called, `other` those on the right axis. `sums` are expressions
    over the lines, by their names; then the lines in `hidden` only feed them. `limit` is drawn across."""

    title: str
    part: Part
    lines: Lines
    other: Lines = field(default_factory=dict[str, MetricRef])
    sums: Mapping[str, str] = field(default_factory=dict[str, str])
    hidden: frozenset[str] = frozenset()
    limit: Setting | float | None = None
    limit_name: str = ""
    period_s: int = 5 * MINUTE


def _api(name: str, statistic: str = "Sum") -> MetricRef:
    return MetricRef("api", name, statistic)


def _own(name: str, statistic: str = "Maximum") -> MetricRef:
    return MetricRef("model", name, statistic)


def _function(name: str, statistic: str = "Sum") -> MetricRef:
    return MetricRef("function", name, statistic)


GRAPHS = (
    Graph("Requests", "endpoint", {"requests": _api("count")}, period_s=MINUTE),
    Graph(
        "Failed and refused, %",
        "endpoint",
        {"failed": _api("server_errors"), "refused": _api("client_errors"), "every": _api("count")},
        sums={
            "failed, %": "IF(every > 0, 100 * failed / every, 0)",
            "refused, %": "IF(every > 0, 100 * refused / every, 0)",
        },
        hidden=frozenset({"failed", "refused", "every"}),
        limit="budget_percent",
        limit_name="objective",
    ),
    Graph(
        "Latency, ms",
        "endpoint",
        {each: _api("latency", each) for each in ("p50", "p90", "p99")},
        limit="latency_ms",
        limit_name="objective of p90",
        period_s=MINUTE,
    ),
    Graph(
        "Function, ms",
        "endpoint",
        {each: _function("Duration", each) for each in ("p50", "p90", "p99")},
        limit="half_timeout_ms",
        limit_name="half of the timeout",
    ),
    Graph(
        "Crashes and throttles",
        "endpoint",
        {"errors": _function("Errors"), "throttles": _function("Throttles")},
        {"at once": _function("ConcurrentExecutions", "Maximum")},
    ),
    Graph("Cold starts", "endpoint", {"cold": _own("ColdStarts", "Sum")}, {"requests": _own("Requests", "Sum")}),
    Graph(
        "Drift",
        "monitor",
        {
            "columns adrift": _own("DriftBreaches"),
            "columns broken": _own("QualityBreaches"),
            "scores adrift": _own("ScoreDriftBreach"),
        },
        {"worst effect": _own("WorstDrift")},
        period_s=HOUR,
    ),
    Graph(
        "Accuracy and its interval",
        "monitor",
        {
            "accuracy": _own("Accuracy", "Average"),
            "low": _own("AccuracyLow", "Average"),
            "high": _own("AccuracyHigh", "Average"),
            "estimated": _own("EstimatedAccuracy", "Average"),
            "labelled": _own("LabelCoverage", "Average"),
        },
        {"mean absolute error": _own("MeanAbsoluteError", "Average")},
        period_s=HOUR,
    ),
    Graph(
        "Monitor",
        "monitor",
        {
            "rows": _own("MonitoredRows", "Sum"),
            "skipped": _own("MonitorSkipped", "Sum"),
            "labels": _own("LabelsReceived", "Sum"),
        },
        {
            "seconds": _own("MonitorSeconds"),
            "telemetry waits, s": MetricRef("stream", "DeliveryToS3.DataFreshness", "Maximum"),
        },
        period_s=HOUR,
    ),
    Graph(
        "Batch, rows",
        "batch",
        {"rows": _own("BatchRows", "Sum")},
        {"rejected, %": _own("BatchRejectedPercent")},
        period_s=HOUR,
    ),
    Graph(
        "Batch, seconds",
        "batch",
        {"seconds": _own("BatchSeconds"), "behind": _own("BatchLagSeconds")},
        {"failed runs": MetricRef("run", "ExecutionsFailed", "Sum")},
        period_s=HOUR,
    ),
    Graph("Batch, $", "batch", {"cost": _own("BatchCost", "Sum")}, period_s=HOUR),
    Graph(
        "Deployments refused and undone",
        "rollout",
        {"refused": _own("HookRefused", "Sum"), "failed": MetricRef("rule", "TriggeredRules", "Sum")},
        {"errors of the newest": MetricRef("version", "Errors", "Sum")},
    ),
    Graph(
        "Endpoint, $ an hour",
        "endpoint",
        {"invocations": _function("Invocations"), "milliseconds": _function("Duration"), "calls": _api("count")},
        sums={"dollars": "{call_price} * calls + {invocation_price} * invocations + {ms_price} * milliseconds"},
        hidden=frozenset({"invocations", "milliseconds", "calls"}),
        period_s=HOUR,
    ),
)
