"""One page of graphs: traffic, failures and time, beside the alarms."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from lightship_cdk.alarm_table import MetricRef
from lightship_cdk.alarms import Watched, metric

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


def create_dashboard(scope: Construct, watched: Watched, alarms: Sequence[cloudwatch.IAlarm]) -> cloudwatch.Dashboard:
    """A dashboard with the alarms' states above the graphs."""
    dashboard = cloudwatch.Dashboard(scope, "Dashboard", default_interval=cdk.Duration.hours(3))
    dashboard.add_widgets(cloudwatch.AlarmStatusWidget(title=watched.service, alarms=list(alarms), width=GRID))
    widgets = [_graph(title, refs, watched) for title, refs in GRAPHS]
    for start in range(0, len(widgets), ACROSS):
        dashboard.add_widgets(*widgets[start : start + ACROSS])
    return dashboard


def _graph(title: str, refs: Sequence[MetricRef], watched: Watched) -> cloudwatch.GraphWidget:
    left = [metric(ref, 60, watched) for ref in refs]
    return cloudwatch.GraphWidget(title=title, left=left, width=GRID // ACROSS)
