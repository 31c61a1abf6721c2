"""What the monitor sees in the data and the labels, as lines of a message."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from lightship_runtime.notify.alarm import Alarm
from lightship_runtime.notify.facts import Breach, Column, Facts, Monitored, Unknown
from lightship_runtime.notify.units import clock, lasting, number, plural

KINDS: Mapping[str, str] = {
    "QualityBreaches": "quality",
    "DriftBreaches": "drift",
    "ScoreDriftBreach": "score",
    "AccuracyBreach": "accuracy",
    "EstimatedAccuracyBreach": "estimated",
    "CoverageBreach": "coverage",
}
"""Which of the monitor's findings each metric is about."""
_SAID: Mapping[str, str] = {
    "quality": "bad values",
    "drift": "drift",
    "score": "drift of the scores",
    "accuracy": "accuracy below the baseline's",
    "estimated": "estimated accuracy below the baseline's",
    "coverage": "too few labels",
}
WORST = 3
# It runs every hour: a result older than three of them says that it doesn't.
OLD = timedelta(hours=3)


def data_lines(alarm: Alarm, facts: Facts) -> Iterator[str]:
    """The finding that an alarm of the model is about with its worst columns, and for every alarm what else holds."""
    monitored = facts.monitored
    if isinstance(monitored, Unknown):
        yield f"Data: {monitored.why}"
        return
    wanted = _about(alarm)
    breaches = sorted(monitored.breaches, key=lambda each: each.kind not in wanted)
    if not breaches:
        yield f"Data: the monitor sees nothing wrong{_state(monitored, facts.now)}"
        return
    for place, breach in enumerate(breaches):
        end = _state(monitored, facts.now) if place == len(breaches) - 1 else ""
        yield f"Data: {_SAID.get(breach.kind, breach.kind)}{_since(breach, facts.now)}{_detail(breach)}{end}"


def briefly_found(alarm: Alarm, facts: Facts) -> str:
    """For the subject of an alarm of the model: `2 columns, worst dep_delay`, or the value; empty for other alarms."""
    if isinstance(facts.monitored, Unknown):
        return ""
    for breach in facts.monitored.breaches:
        if breach.kind in _about(alarm) and breach.columns:
            return f"{plural(len(breach.columns), 'column')}, worst {breach.columns[0].name}"
        if breach.kind in _about(alarm) and breach.value is not None:
            return number(breach.value)
    return ""


def _about(alarm: Alarm) -> set[str]:
    metrics = alarm.condition.metrics if alarm.condition else ()
    return {KINDS[name] for name in metrics if name in KINDS}


def _since(breach: Breach, now: datetime) -> str:
    return "" if breach.since is None else f" since {clock(breach.since, now)}"


def _detail(breach: Breach) -> str:
    if breach.columns:
        named = ", ".join(_column(column) for column in breach.columns[:WORST])
        more = len(breach.columns) - WORST
        return f" in {named}" + (f" and {plural(more, 'further column')}" if more > 0 else "")
    if breach.value is None:
        return ""
    interval = "" if breach.low is None or breach.high is None else f" (95%: {breach.low:.3f} to {breach.high:.3f})"
    rows = "" if breach.rows is None else f", n = {breach.rows:,}"
    return f": {number(breach.value)}{interval}{rows}"


def _column(column: Column) -> str:
    return f"{column.name} (effect {column.effect:.2f}, n = {column.rows:,})"


def _state(monitored: Monitored, now: datetime) -> str:
    age = now - monitored.time
    known = f"{plural(monitored.windows, 'window')}, last looked at {clock(monitored.time, now)}"
    old = f"; that is {lasting(age.total_seconds())} ago, so look at the monitor too" if age > OLD else ""
    return f" ({known}{old})"
