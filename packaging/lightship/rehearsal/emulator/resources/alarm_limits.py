"""What CloudWatch refuses of an alarm, a composite and a dashboard, and moto doesn't.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html, API_PutCompositeAlarm.html,
API_PutDashboard.html and, for the names in expressions, monitoring/using-metric-math.html.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from lightship.rehearsal.emulator.resources.base import Properties, ResourceError

NAME, DESCRIPTION, RULE = 255, 1024, 10_240
MOST_METRICS, MOST_CHILDREN, MOST_ACTIONS = 10, 100, 5
HOUR, DAY, WEEK = 3600, 86_400, 604_800
STATISTIC = re.compile(
    r"SampleCount|Average|Sum|Minimum|Maximum|IQM|(p|tm|tc|ts|wm)\d{1,2}(\.\d+)?|p100|"
    r"PR\((\d+(\.\d+)?)?:(\d+(\.\d+)?)?\)|(TC|TM|TS|WM)\([\d.]*%?:[\d.]*%?\)"
)
COMPARISONS = frozenset(f"{word}Threshold" for word in (
    "GreaterThan", "GreaterThanOrEqualTo", "LessThan", "LessThanOrEqualTo",
))  # fmt: skip
MISSING = frozenset({"breaching", "notBreaching", "ignore", "missing"})
_STATE = re.compile(r"""(?:ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*["']([^"']+)["']\s*\)""")
_IDENTIFIER = re.compile(r"(?<![\w'\"])([a-z]\w*)")


def check_alarm(properties: Properties) -> None:
    """Raises ResourceError for a metric alarm that PutMetricAlarm would refuse."""
    _refuse(
        "alarm", properties, [*_common(properties), *_wrong_with_metrics(properties), *_wrong_with_times(properties)]
    )


def check_composite(properties: Properties, known: Collection[str]) -> None:
    """Raises ResourceError for one that PutCompositeAlarm would refuse. `known` are the names of alarms that exist."""
    rule = str(properties.get("AlarmRule", ""))
    children = {name.partition(":alarm:")[2] or name for name in _STATE.findall(rule)}
    wrong = [*_common(properties)]
    if not 1 <= len(rule) <= RULE:
        wrong.append(f"AlarmRule has {len(rule):,} characters; {RULE:,} are allowed")
    if len(children) > MOST_CHILDREN:
        wrong.append(f"AlarmRule names {len(children)} alarms; {MOST_CHILDREN} are allowed")
    left = re.sub(r"\bTRUE\b|\bFALSE\b", "", _STATE.sub("", rule))
    if re.sub(r"\b(AND|OR|NOT)\b|[()\s]", "", left) or left.count("(") != left.count(")"):
        wrong.append(f"AlarmRule isn't made of states, AND, OR, NOT and parentheses: {rule}")
    wrong += [f"AlarmRule names {name}, which doesn't exist" for name in sorted(children - set(known))]
    _refuse("composite alarm", properties, wrong)


def check_dashboard(properties: Properties) -> None:
    """Raises ResourceError for a body that isn't JSON with widgets, which a grid of 24 columns holds."""
    wrong = []
    try:
        widgets = json.loads(properties["DashboardBody"])["widgets"]
    except (KeyError, ValueError, TypeError) as error:
        wrong = [f"DashboardBody isn't JSON with widgets: {error!r}"]
    else:
        wrong += [f"the widget {each!r} leaves the grid" for each in widgets if each["x"] + each["width"] > 24]
        if len(widgets) > 500:
            wrong.append(f"it has {len(widgets)} widgets; 500 are allowed")
    if not re.fullmatch(r"[\w-]{1,255}", str(properties.get("DashboardName", "-"))):
        wrong.append(f"its name {properties['DashboardName']!r} has other signs than letters, digits, - and _")
    _refuse("dashboard", properties, wrong)


def _common(properties: Properties) -> Iterator[str]:
    name, description = str(properties.get("AlarmName", "")), str(properties.get("AlarmDescription", ""))
    if not 1 <= len(name) <= NAME:
        yield f"AlarmName has {len(name)} characters; 1 to {NAME} are allowed"
    if len(description) > DESCRIPTION:
        yield f"AlarmDescription has {len(description):,} characters; {DESCRIPTION:,} are allowed"
    for actions in ("AlarmActions", "OKActions", "InsufficientDataActions"):
        if len(properties.get(actions, ())) > MOST_ACTIONS:
            yield f"{actions} are more than {MOST_ACTIONS}"


def _wrong_with_metrics(properties: Properties) -> Iterator[str]:
    queries = properties.get("Metrics")
    if queries is None:
        yield from _wrong_with_statistic(str(properties.get("ExtendedStatistic", properties.get("Statistic"))))
        if "Period" not in properties:
            yield "a single metric needs a Period"
        return
    if "MetricName" in properties or "Period" in properties:
        yield "Metrics excludes MetricName and Period"
    stats = [each["MetricStat"] for each in queries if "MetricStat" in each]
    if not 1 <= len(stats) <= MOST_METRICS:
        yield f"{len(stats)} metrics take part; 1 to {MOST_METRICS} may"
    if len({each["Period"] for each in stats}) > 1:
        yield "all metrics of an expression have to have the same period"
    if sum(each.get("ReturnData", True) is not False for each in queries) != 1:
        yield "exactly one of the metrics has to return data"
    for stat in stats:
        yield from _wrong_with_statistic(stat["Stat"])
    yield from _wrong_with_names(queries)


def _wrong_with_names(queries: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    ids = [str(each["Id"]) for each in queries]
    if len(set(ids)) < len(ids):
        yield f"ids occur twice: {', '.join(ids)}"
    yield from (
        f"the id {each!r} doesn't begin with a small letter" for each in ids if not re.fullmatch(r"[a-z]\w*", each)
    )
    for each in queries:
        for name in _IDENTIFIER.findall(each.get("Expression", "")):
            if name not in ids:
                yield f"the expression {each['Expression']!r} names {name}, which isn't among {', '.join(ids)}"


def _wrong_with_statistic(statistic: str) -> Iterator[str]:
    if not STATISTIC.fullmatch(statistic):
        yield f"{statistic!r} isn't a statistic"


def _wrong_with_times(properties: Properties) -> Iterator[str]:
    queries = properties.get("Metrics") or ()
    period = int(
        properties.get("Period") or next((each["MetricStat"]["Period"] for each in queries if "MetricStat" in each), 60)
    )
    periods = int(properties["EvaluationPeriods"])
    if period not in (10, 20, 30) and period % 60:
        yield f"the period {period} isn't 10, 20, 30 or a multiple of 60"
    longest = DAY if period < HOUR else WEEK
    if period * periods > longest:
        yield f"{periods} periods of {period} s are more than the {longest:,} s that it may look back"
    if not 1 <= int(properties.get("DatapointsToAlarm", periods)) <= periods:
        yield f"DatapointsToAlarm isn't between 1 and {periods}"
    if properties.get("ComparisonOperator") not in COMPARISONS:
        yield f"ComparisonOperator is {properties.get('ComparisonOperator')!r}"
    if properties.get("TreatMissingData", "missing") not in MISSING:
        yield f"TreatMissingData is {properties['TreatMissingData']!r}"


def _refuse(kind: str, properties: Properties, wrong: Sequence[str]) -> None:
    if wrong:
        name = properties.get("AlarmName") or properties.get("DashboardName")
        raise ResourceError(f"CloudWatch refuses the {kind} {name}: {'; '.join(wrong)}.")
