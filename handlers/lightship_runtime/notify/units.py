"""Numbers with what they count, as a person says them."""

from collections.abc import Mapping
from datetime import datetime

from lightship_runtime.notify.alarm import Condition

_COUNTED: Mapping[str, str] = {
    "4xx": "refused requests",
    "4XXError": "refused requests",
    "5xx": "failed requests",
    "5XXError": "failed requests",
    "AccuracyBreach": "accuracy breach",
    "ApproximateNumberOfMessagesVisible": "waiting messages",
    "BatchRejects": "rejected rows",
    "BatchRows": "rows",
    "BatchSucceeded": "finished batches",
    "ColdStarts": "cold starts",
    "CompareFailed": "failed comparisons",
    "Compared": "compared rows",
    "ConcurrentExecutions": "invocations at once",
    "Count": "requests",
    "CoverageBreach": "label coverage breach",
    "Disagreed": "rows that disagree",
    "DriftBreaches": "drifting columns",
    "Errors": "crashed invocations",
    "EstimatedAccuracyBreach": "estimated accuracy breach",
    "ExecutionsAborted": "aborted runs",
    "ExecutionsFailed": "failed runs",
    "ExecutionsStarted": "started runs",
    "ExecutionsTimedOut": "runs out of time",
    "Failed": "failed requests",
    "FailedByVersion": "failed requests",
    "HookRefused": "refused releases",
    "InvocationDroppedCount": "dropped invocations",
    "Invocations": "invocations",
    "LabelsReceived": "labels",
    "LabelsRefused": "refused labels",
    "LabelsUnknown": "labels without a prediction",
    "MonitorRuns": "runs of the monitor",
    "MonitorSkipped": "unreadable lines",
    "MonitoredRows": "rows",
    "NumberOfNotificationsFailed": "undelivered messages",
    "Predictions": "predictions",
    "QualityBreaches": "columns of bad quality",
    "Refused": "refused requests",
    "Requests": "requests",
    "ScoreDriftBreach": "score drift",
    "TargetErrorCount": "failed starts",
    "Throttles": "throttled invocations",
    "TriggeredRules": "failed deployments",
}
_MEASURED: Mapping[str, str] = {
    "ApproximateAgeOfOldestMessage": "s",
    "BatchCost": "USD",
    "BatchLagSeconds": "s",
    "BatchRejectedPercent": "%",
    "BatchSeconds": "s",
    "CompareLatency": "ms",
    "Duration": "ms",
    "IntegrationLatency": "ms",
    "Latency": "ms",
    "MonitorSeconds": "s",
}
BUDGET = "times the budget"
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400


def unit_of(condition: Condition) -> str:
    """What the compared number counts or is measured in; empty where that can't be told."""
    if condition.expression:
        return _of_expression(condition)
    return _of_metric(condition.metric)


def _of_expression(condition: Condition) -> str:
    text = condition.expression or ""
    if "100 *" in text or "* 100" in text:
        return "%"
    if "burn" in condition.metric.lower() or "budget" in condition.metric.lower():
        return BUDGET
    units = {_of_metric(name) for name in condition.metrics}
    return units.pop() if len(units) == 1 else ""


def _of_metric(name: str) -> str:
    return _MEASURED.get(name) or _COUNTED.get(name, "")


def shown(value: float, unit: str) -> str:
    """`12.4%`, `640 ms`, `3 throttled invocations`."""
    if unit == "ms" and abs(value) >= 10_000:
        return f"{number(value / 1000)} s"
    if unit == "s" and abs(value) >= 2 * MINUTE_S:
        return lasting(value)
    if unit in ("%", ""):
        return f"{number(value)}{unit}"
    if unit in ("ms", "s", "USD", BUDGET):
        return f"{number(value)} {unit}"
    return f"{number(value)} {_singular(unit) if value == 1 else unit}"


def short(value: float, unit: str) -> str:
    """For a subject: the number, and its unit where that is a sign."""
    if unit in ("%", "ms", "s", "USD"):
        return shown(value, unit)
    return f"{number(value)}x" if unit == BUDGET else number(value)


def number(value: float) -> str:
    """Three digits that count, thousands set apart."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def lasting(seconds: float) -> str:
    """`45 seconds`, `12 minutes`, `3 hours 20 minutes`, `2 days 4 hours`."""
    seconds = max(0, round(seconds))
    if seconds < 2 * MINUTE_S:
        return _several(seconds, "second")
    if seconds < HOUR_S:
        return _several(seconds // MINUTE_S, "minute")
    large, small = (("hour", HOUR_S), ("minute", MINUTE_S)) if seconds < DAY_S else (("day", DAY_S), ("hour", HOUR_S))
    rest = seconds % large[1] // small[1]
    return _several(seconds // large[1], large[0]) + (f" {_several(rest, small[0])}" if rest else "")


def clock(time: datetime, now: datetime) -> str:
    """`14:02 UTC`, with the day where it isn't today."""
    return f"{time:%H:%M} UTC" if time.date() == now.date() else f"{time:%d %b %H:%M} UTC"


def plural(count: int, noun: str) -> str:
    """`1 window`, `12 windows`."""
    return _several(count, noun)


def _several(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _singular(unit: str) -> str:
    """`3 throttled invocations`, `1 throttled invocation`: the first noun in the plural loses its s."""
    words = unit.split(" ")
    for place, word in enumerate(words):
        if word == "batches":
            words[place] = "batch"
            break
        if word.endswith("s") and word != "s":
            words[place] = word[:-1]
            break
    return " ".join(words)
