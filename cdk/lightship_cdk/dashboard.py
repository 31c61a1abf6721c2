"""One page of graphs: traffic, failures and time, beside the alarms."""

from collections.abc import Sequence
from typing import cast

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from lightship_cdk.alarm_table import MINUTE, MetricRef
from lightship_cdk.comparison import Comparison
from lightship_cdk.watched import Watched, metric

GRAPHS = (
    ("Requests", (MetricRef("api", "count", "Sum"),)),
    ("Refused and failed", (MetricRef("api", "client_errors", "Sum"), MetricRef("api", "server_errors", "Sum"))),
    ("Latency, ms", tuple(MetricRef("api", "latency", statistic) for statistic in ("p50", "p90", "p99"))),
    ("Function, ms", tuple(MetricRef("function", "Duration", statistic) for statistic in ("p50", "p90", "p99"))),
    ("Function trouble", (MetricRef("function", "Errors", "Sum"), MetricRef("function", "Throttles", "Sum"))),
    ("Newest version", (MetricRef("version", "Invocations", "Sum"), MetricRef("version", "Errors", "Sum"))),
)
ACROSS = 3
GRID = 24


def create_dashboard(
    scope: Construct, watched: Watched, alarms: Sequence[cloudwatch.IAlarm], comparison: Comparison | None = None
) -> cloudwatch.Dashboard:
    """A dashboard with the alarms' states above the graphs."""
    dashboard = cloudwatch.Dashboard(
        scope, "Dashboard", dashboard_name=watched.service, default_interval=cdk.Duration.hours(3)
    )
    dashboard.add_widgets(cloudwatch.AlarmStatusWidget(title=watched.service, alarms=list(alarms), width=GRID))
    graphs = [_graph(title, [metric(ref, MINUTE, watched) for ref in refs]) for title, refs in GRAPHS]
    if comparison:
        counts = [comparison.metric(name) for name in ("Compared", "Disagreed", "CompareFailed")]
        times = [comparison.metric("CompareLatency", statistic) for statistic in ("p50", "p99")]
        graphs += [_graph("Compared with the other version, rows", counts), _graph("The other version, ms", times)]
    for start in range(0, len(graphs), ACROSS):
        dashboard.add_widgets(*graphs[start : start + ACROSS])
    return dashboard


def _graph(title: str, left: Sequence[cloudwatch.Metric]) -> cloudwatch.GraphWidget:
    metrics = [cast("cloudwatch.IMetric", each) for each in left]
    return cloudwatch.GraphWidget(title=title, left=metrics, width=GRID // ACROSS)
