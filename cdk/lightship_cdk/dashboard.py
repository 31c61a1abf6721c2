"""Two pages in CloudWatch: the service's state and graphs, and its runbooks, which alarms link to."""

from collections.abc import Sequence
from typing import cast

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from lightship_cdk.alarm_table import COMPOSITES, MINUTE, SILENT
from lightship_cdk.alarm_text import runbooks_dashboard
from lightship_cdk.alarms import Alarms
from lightship_cdk.comparison import Comparison
from lightship_cdk.function import ALIAS
from lightship_cdk.graphs import GRAPHS, Graph
from lightship_cdk.runbooks import page, rows_there
from lightship_cdk.watched import Watched, WatchedEndpoint, metric

ACROSS = 3
GRID = 24
# List prices of us-east-1 in US dollars: an API call, an invocation, a GB for a millisecond.
HTTP_CALL, REST_CALL, INVOCATION = 1.0e-6, 3.5e-6, 0.2e-6
GB_MS = {"x86_64": 1.66667e-8, "arm64": 1.33334e-8}


def create_dashboard(
    scope: Construct, watched: Watched, alarms: Sequence[Alarms], comparison: Comparison | None = None
) -> cloudwatch.Dashboard:
    """The alarms' states first, those that speak before their parts; then traffic, time, the model, batches, cost."""
    dashboard = cloudwatch.Dashboard(
        scope, "Dashboard", dashboard_name=watched.service, default_interval=cdk.Duration.hours(3)
    )
    dashboard.add_widgets(*_states(watched, alarms))
    graphs = [_deployments(watched.endpoint)] if watched.endpoint else []
    graphs += [_graph(graph, watched) for graph in GRAPHS if graph.part in watched.parts]
    if comparison:
        counts = [comparison.metric(name) for name in ("Compared", "Disagreed", "CompareFailed")]
        times = [comparison.metric("CompareLatency", statistic) for statistic in ("p50", "p99")]
        graphs += [_plain("Compared with the other version, rows", counts), _plain("The other version, ms", times)]
    for start in range(0, len(graphs), ACROSS):
        dashboard.add_widgets(*graphs[start : start + ACROSS])
    return dashboard


def create_runbooks(scope: Construct, watched: Watched) -> cloudwatch.Dashboard | None:
    """The pages of this service's alarms as text; None where lightship.toml names an address that has them."""
    if watched.runbooks:
        return None
    dashboard = cloudwatch.Dashboard(scope, "Runbooks", dashboard_name=runbooks_dashboard(watched.service))
    for row in rows_there(watched.parts):
        text = page(row, watched.options, level=2, links=False)
        dashboard.add_widgets(cloudwatch.TextWidget(markdown=text, width=GRID, height=_height(text)))
    return dashboard


def _states(watched: Watched, alarms: Sequence[Alarms]) -> list[cloudwatch.AlarmStatusWidget]:
    every = {id_: alarm for group in alarms for id_, alarm in group.by_id.items()}
    first = [each.id for each in COMPOSITES]
    ordered = [*(id_ for id_ in first if id_ in every), *(id_ for id_ in every if id_ not in first)]
    speaking = [every[id_] for id_ in ordered if id_ not in SILENT]
    silent = [every[id_] for id_ in ordered if id_ in SILENT]
    half = GRID // 2
    return [
        cloudwatch.AlarmStatusWidget(title=watched.service, alarms=speaking, width=half, height=6),
        cloudwatch.AlarmStatusWidget(title="Parts of these", alarms=silent, width=half, height=6),
    ]


def _deployments(endpoint: WatchedEndpoint) -> cloudwatch.GraphWidget:
    """Requests by version: a deployment is where one line ends and another begins."""
    name = endpoint.function.function.function_name
    search = cloudwatch.SearchExpression(
        expression="SEARCH('{AWS/Lambda,ExecutedVersion,FunctionName,Resource} "
        f'FunctionName="{name}" Resource="{name}:{ALIAS}" MetricName="Invocations"\', \'Sum\', {5 * MINUTE})',
        label="version ${PROP('Dim.ExecutedVersion')}",
        period=cdk.Duration.minutes(5),
    )
    return cloudwatch.GraphWidget(
        title="Deployments: requests by version", left=[cast("cloudwatch.IMetric", search)], width=GRID // ACROSS
    )


def _graph(graph: Graph, watched: Watched) -> cloudwatch.GraphWidget:
    lines = {name: metric(ref, graph.period_s, watched).with_(label=name) for name, ref in graph.lines.items()}
    left: list[cloudwatch.IMetric] = [line for name, line in lines.items() if name not in graph.hidden]
    for label, expression in graph.sums.items():
        left.append(_sum(label, expression.format(**_prices(watched)), lines, graph))
    right = [metric(ref, graph.period_s, watched).with_(label=name) for name, ref in graph.other.items()]
    return cloudwatch.GraphWidget(
        title=graph.title,
        left=left,
        right=right or None,
        left_annotations=_limit(graph, watched),
        left_y_axis=cloudwatch.YAxisProps(min=0),
        width=GRID // ACROSS,
    )


def _sum(label: str, expression: str, lines: dict[str, cloudwatch.Metric], graph: Graph) -> cloudwatch.IMetric:
    used = {name: line for name, line in lines.items() if name in expression}
    made = cloudwatch.MathExpression(
        expression=expression, using_metrics=used, label=label, period=cdk.Duration.seconds(graph.period_s)
    )
    return cast("cloudwatch.IMetric", made)


def _limit(graph: Graph, watched: Watched) -> list[cloudwatch.HorizontalAnnotation] | None:
    if graph.limit is None:
        return None
    value = watched.settings()[graph.limit] if isinstance(graph.limit, str) else graph.limit
    return [cloudwatch.HorizontalAnnotation(value=value, label=graph.limit_name)]


def _prices(watched: Watched) -> dict[str, str]:
    """Dollars of a call, an invocation and a millisecond, as numbers that CloudWatch reads."""
    if watched.endpoint is None:
        return {}
    function = watched.endpoint.function
    gigabytes = function.memory_mb / 1024
    call = REST_CALL if "ApiName" in watched.endpoint.api.dimensions else HTTP_CALL
    price = gigabytes * GB_MS[function.release.manifest.architecture]
    return {"call_price": f"{call:.10f}", "invocation_price": f"{INVOCATION:.10f}", "ms_price": f"{price:.14f}"}


def _plain(title: str, left: Sequence[cloudwatch.Metric]) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(
        title=title, left=[cast("cloudwatch.IMetric", each) for each in left], width=GRID // ACROSS
    )


def _height(text: str) -> int:
    """Of a text in the grid's units: some 40 pixels, two lines of text."""
    lines = sum(1 + len(line) // 170 for line in text.splitlines())
    return max(4, lines // 2 + 2)
