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
    "coverage": "too few labels",
}
_METRICS: Mapping[str, tuple[str, str]] = {"mae": ("mean absolute error", "above"), "accuracy": ("accuracy", "below")}
WORST = 3
# It runs every hour: a result older than three of them says that it doesn't.
OLD = timedelta(hours=3)


def data_lines(alarm: Alarm, facts: Facts) -> Iterator[str]:
    """The finding that an alarm of the model is about with its worst columns, and for every alarm what else holds."""
    monitored = facts.monitored
    if isinstance(monitored, Unknown):
        yield f"Data: {monitored.why}"
        return
    if not monitored.breaches:
        yield f"Data: the monitor sees nothing wrong{_state(monitored, facts.now)}"
        return
    first = findings(alarm, facts)
    breaches = [*first, *(each for each in monitored.breaches if each not in first)]
    for place, breach in enumerate(breaches):
        end = _state(monitored, facts.now) if place == len(breaches) - 1 else ""
        yield f"Data: {_said(breach)}{_since(breach, facts.now)}{_detail(breach)}{end}"


def findings(alarm: Alarm, facts: Facts) -> tuple[Breach, ...]:
    """What the monitor found of what the alarm is about; nothing for an alarm that isn't the model's."""
    if isinstance(facts.monitored, Unknown):
        return ()
    wanted = {KINDS[name] for name in facts.service.metrics_of(alarm.name) if name in KINDS}
    return tuple(each for each in facts.monitored.breaches if each.kind in wanted)


def briefly_found(alarm: Alarm, facts: Facts) -> str:
    """For the subject of an alarm of the model: `bad values in distance, accuracy 0.812`; empty for other alarms."""
    return ", ".join(_briefly(breach) for breach in findings(alarm, facts))


def _said(breach: Breach) -> str:
    if breach.kind not in ("accuracy", "estimated"):
        return _SAID.get(breach.kind, breach.kind)
    return f"{_metric(breach)} {_METRICS.get(breach.metric, ('', 'off'))[1]} the baseline's"


def _metric(breach: Breach) -> str:
    name = _METRICS.get(breach.metric, (breach.metric, ""))[0]
    return f"estimated {name}" if breach.kind == "estimated" else name


def _briefly(breach: Breach) -> str:
    if breach.columns:
        more = f" and {breach.count - 1} more" if breach.count > 1 else ""
        return f"{_said(breach)} in {breach.columns[0].name}{more}"
    return _said(breach) if breach.value is None else f"{_metric(breach)} {number(breach.value)}"


def _since(breach: Breach, now: datetime) -> str:
    return "" if breach.since is None else f" since {clock(breach.since, now)}"


def _detail(breach: Breach) -> str:
    if breach.columns:
        named = ", ".join(_column(column) for column in breach.columns[:WORST])
        more = breach.count - min(WORST, len(breach.columns))
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
