"""Alarms over metrics: their states minute by minute, their transitions, and the actions taken."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lightship.drill.cloudwatch.alarms import Alarm, CompositeAlarm, MetricAlarm
from lightship.drill.cloudwatch.decide import (
    ALARM,
    EXTRA_POINTS,
    INSUFFICIENT_DATA,
    NAMES,
    OK,
    RETAIN,
    States,
    carry,
    decide,
)
from lightship.drill.cloudwatch.errors import UnknownSemanticsError
from lightship.drill.cloudwatch.expressions import Scope
from lightship.drill.cloudwatch.expressions import evaluate as calculate
from lightship.drill.cloudwatch.lexer import Tokens
from lightship.drill.cloudwatch.rules import Truths, alarm_name, children, holds
from lightship.drill.cloudwatch.series import MINUTE, Floats, MetricId, Series, percentile_of, sample_count, statistic
from lightship.drill.cloudwatch.suppression import acted

HOUR_MINUTES = 60
# The usage metrics that SERVICE_QUOTA knows a quota of, at its default:
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
QUOTAS = {MetricId.of("AWS/Lambda", "ConcurrentExecutions", {}): 1000.0}

type Metrics = Mapping[MetricId, Series]


@dataclass(frozen=True, slots=True)
class Transition:
    """An alarm's state changed at the end of minute `minute`. `told` are the topics that hear of it, at `told_at`."""

    minute: int
    alarm: str
    before: str
    after: str
    told: tuple[str, ...] = ()
    told_at: int | None = None
    value: float | None = None


@dataclass(frozen=True)
class Evaluation:
    """The states [T] of every alarm by name, the values [T] that metric alarms compared, and the transitions."""

    states: Mapping[str, States]
    values: Mapping[str, Floats]
    transitions: tuple[Transition, ...]


def evaluate_all(alarms: Sequence[Alarm], metrics: Metrics, *, minutes: int, start_s: int = 0) -> Evaluation:
    """Evaluate alarms at the end of each of `minutes` minutes, the first of which begins at `start_s` (since 1970).

    A metric that isn't in `metrics` has no data. Raises UnknownSemanticsError.
    """
    states: dict[str, States] = {}
    values: dict[str, Floats] = {}
    for alarm in alarms:
        if isinstance(alarm, MetricAlarm):
            values[alarm.name] = alarm_values(alarm, metrics, minutes=minutes, start_s=start_s)
            states[alarm.name] = metric_states(alarm, values[alarm.name], metrics, start_s=start_s)
    composites = [alarm for alarm in alarms if isinstance(alarm, CompositeAlarm)]
    for composite in in_order(composites, set(states)):
        states[composite.name] = np.where(holds(composite.rule, states, minutes), ALARM, OK).astype(np.int8)
    transitions = [each for alarm in alarms for each in _transitions(alarm, states, values)]
    return Evaluation(states, values, tuple(sorted(transitions, key=lambda each: each.minute)))


def alarm_values(alarm: MetricAlarm, metrics: Metrics, *, minutes: int, start_s: int = 0) -> Floats:
    """[T]: what the alarm compares with its threshold, for the window that ends with each minute."""
    times = start_s + MINUTE * np.arange(1, minutes + 1, dtype=np.float64)
    found: dict[str, Floats] = {}
    for query in alarm.queries:
        if query.metric:
            series = metrics.get(query.metric) or Series.empty(minutes)
            found[query.id] = statistic(series, query.statistic, query.period_s)
    ids = tuple(found)
    periods = {query.id: query.period_s for query in alarm.queries}
    quotas = {query.id: QUOTAS[query.metric] for query in alarm.queries if query.metric in QUOTAS}
    waiting = [query for query in alarm.queries if query.expression]
    while waiting:
        ready = [query for query in waiting if not _names(query.expression) & {each.id for each in waiting}]
        if not ready:
            raise UnknownSemanticsError(f"{alarm.name}: its expressions refer to each other in a circle.")
        for query in ready:
            # An expression's window starts where its metrics' does, and is named by its beginning.
            found[query.id] = calculate(query.expression, Scope(found, ids, periods, times - alarm.period_s, quotas))
        waiting = [query for query in waiting if query not in ready]
    return found[alarm.returned.id]


def metric_states(alarm: MetricAlarm, values: Floats, metrics: Metrics, *, start_s: int = 0) -> States:
    """[T]: the alarm's state at the end of each minute, INSUFFICIENT_DATA before the first verdict."""
    step = alarm.period_s // MINUTE
    reach = alarm.periods + EXTRA_POINTS
    breaching = np.where(np.isnan(values), np.nan, _breaches(alarm, np.nan_to_num(values)))
    decisions = decide(_lagged(breaching, step, reach), alarm.periods, alarm.datapoints, alarm.missing)
    if alarm.ignore_low_samples:
        decisions = np.where(_has_few_samples(alarm, metrics, len(values), step), RETAIN, decisions).astype(np.int8)
    if alarm.is_multi_day:
        # Evaluated a few minutes after each hour, over data up to the hour.
        ends = start_s // MINUTE + np.arange(1, len(values) + 1)
        decisions = np.where(ends % HOUR_MINUTES == 0, decisions, RETAIN).astype(np.int8)
    return carry(decisions)


def in_order(composites: Sequence[CompositeAlarm], known: set[str]) -> list[CompositeAlarm]:
    """Each composite after those it looks at. Raises UnknownSemanticsError for a circle, or an alarm that isn't."""
    ordered: list[CompositeAlarm] = []
    waiting, names = list(composites), set(known)
    while waiting:
        ready = [each for each in waiting if set(children(each.rule)) <= names]
        if not ready:
            missing = sorted(set(children(waiting[0].rule)) - names)
            raise UnknownSemanticsError(f"{waiting[0].name} looks at {', '.join(missing)}: no such alarm, or a circle.")
        ordered += ready
        names |= {each.name for each in ready}
        waiting = [each for each in waiting if each not in ready]
    return ordered


def _names(expression: str) -> set[str]:
    tokens = Tokens.of(expression)
    names = set()
    while (token := tokens.take()).kind != "end":
        if token.kind == "name":
            names.add(token.value)
    return names


def _breaches(alarm: MetricAlarm, values: Floats) -> Floats:
    match alarm.comparison:
        case "GreaterThanThreshold":
            return (values > alarm.threshold).astype(np.float64)
        case "GreaterThanOrEqualToThreshold":
            return (values >= alarm.threshold).astype(np.float64)
        case "LessThanThreshold":
            return (values < alarm.threshold).astype(np.float64)
        case "LessThanOrEqualToThreshold":
            return (values <= alarm.threshold).astype(np.float64)


def _lagged(values: Floats, step: int, reach: int) -> Floats:
    """[T, reach]: the value now, `step` minutes ago, twice that, ...; NaN before the beginning."""
    points = np.full((len(values), reach), np.nan)
    for place in range(reach):
        lag = place * step
        if lag < len(values):
            points[lag:, place] = values[: len(values) - lag]
    return points


def _has_few_samples(alarm: MetricAlarm, metrics: Metrics, minutes: int, step: int) -> Truths:
    """[T]: whether one of the evaluated points has fewer than 10/(1-p) samples (10/p below the median)."""
    few = np.zeros(minutes, dtype=np.bool_)
    for query in alarm.queries:
        share = percentile_of(query.statistic)
        if share is None or query.metric is None:
            continue
        needed = 10 / (1 - share) if share >= 0.5 else 10 / share
        count = sample_count(metrics.get(query.metric) or Series.empty(minutes), query.period_s)
        low = np.where(count > 0, count < needed - 1e-9, False).astype(np.float64)
        few |= np.nan_to_num(_lagged(low, step, alarm.periods)).any(axis=1)
    return few


def _transitions(alarm: Alarm, states: Mapping[str, States], values: Mapping[str, Floats]) -> list[Transition]:
    own = states[alarm.name]
    before = np.concatenate([[INSUFFICIENT_DATA], own[:-1]])
    suppressor = states.get(alarm_name(alarm.suppressor)) if isinstance(alarm, CompositeAlarm) else None
    told = acted(alarm, own, suppressor)
    value = values.get(alarm.name)
    found = []
    for minute in map(int, np.flatnonzero(own != before)):
        told_at, topics = told.get(minute, (None, ()))
        known = value is not None and not np.isnan(value[minute])
        found.append(
            Transition(
                minute,
                alarm.name,
                NAMES[before[minute]],
                NAMES[own[minute]],
                told=topics,
                told_at=told_at if topics else None,
                value=float(value[minute]) if value is not None and known else None,
            )
        )
    return found
