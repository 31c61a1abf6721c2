"""Would a drill notice? An alarm that was broken on purpose, evaluated over the metrics that were made already."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from lightship.drill.cloudwatch.alarms import Alarm, MetricAlarm
from lightship.drill.cloudwatch.errors import UnknownSemanticsError
from lightship.drill.cloudwatch.evaluate import Metrics
from lightship.drill.cloudwatch.rules import children
from lightship.drill.deployment import Deployment
from lightship.drill.outcome import Outcome, judge
from lightship.drill.timeline import Timeline

UNREACHABLE = 1e12
LOOSER = 10.0
_FILLED = re.compile(r"FILL\((\w+), 0\)")


@dataclass(frozen=True, slots=True)
class Mutation:
    """One alarm with one thing broken: `what` says which."""

    what: str
    alarm: Alarm


def mutations_of(alarm: Alarm) -> Iterator[Mutation]:
    """A threshold ten times as loose and one out of reach, wrong metric names, a wrong dimension; a composite that
    looks at nothing."""
    if not isinstance(alarm, MetricAlarm):
        yield Mutation("a rule that never holds", replace(alarm, rule="FALSE"))
        return
    if alarm.missing == "breaching":
        # Such an alarm is about silence, and its threshold about values that never come.
        unfilled = tuple(replace(each, expression=_FILLED.sub(r"\1", each.expression)) for each in alarm.queries)
        yield Mutation("silence taken for good", replace(alarm, missing="notBreaching", queries=unfilled))
    else:
        low = alarm.comparison.startswith("Less")
        yield Mutation("a threshold out of reach", replace(alarm, threshold=-UNREACHABLE if low else UNREACHABLE))
        if alarm.threshold > 1:
            loose = alarm.threshold / LOOSER if low else alarm.threshold * LOOSER
            yield Mutation("a threshold ten times as loose", replace(alarm, threshold=loose))
    for place, query in enumerate(alarm.queries):
        if query.metric is None:
            continue
        for what, metric in (
            (f"{query.id} of another name", query.metric._replace(name=f"{query.metric.name}X")),
            (f"{query.id} of another resource", query.metric._replace(dimensions=(("Nothing", "there"),))),
        ):
            broken = replace(query, metric=metric)
            yield Mutation(what, replace(alarm, queries=(*alarm.queries[:place], broken, *alarm.queries[place + 1 :])))
    for place, query in enumerate(alarm.queries):
        if query.expression:
            broken = replace(query, expression=f"0 * ({query.expression})")
            yield Mutation(
                "an expression that is nought",
                replace(alarm, queries=(*alarm.queries[:place], broken, *alarm.queries[place + 1 :])),
            )


def is_noticed(
    mutation: Mutation,
    deployment: Deployment,
    replayed: Mapping[str, tuple[Timeline, Metrics]],
    outcomes: Mapping[str, Outcome],
) -> bool:
    """Whether some drill that passed with the alarm as it is doesn't pass with the broken one.

    Only drills about the alarm are evaluated again, with it and what looks at it.
    """
    title = deployment.title(mutation.alarm.name)
    changed = _with(deployment, mutation.alarm)
    for name, outcome in outcomes.items():
        about = {*outcome.incident.must_fire, *(each.title for each in outcome.fired)}
        if title in about and outcome.passed:
            timeline, metrics = replayed[name]
            try:
                if not judge(timeline, changed, metrics).passed:
                    return True
            except UnknownSemanticsError:
                # An alarm that can't be evaluated stops every drill.
                return True
    return False


def _with(deployment: Deployment, alarm: Alarm) -> Deployment:
    """The deployment with one alarm in another's place, and of the others those that it needs or that need it."""
    alarms = tuple(alarm if each.name == alarm.name else each for each in deployment.stack.alarms)
    wanted = {alarm.name}
    while True:
        more = {each.name for each in alarms if _looks_at(each) & wanted} | {
            child for each in alarms if each.name in wanted for child in _looks_at(each)
        }
        if more <= wanted:
            break
        wanted |= more
    kept = tuple(each for each in alarms if each.name in wanted)
    return Deployment(replace(deployment.stack, alarms=kept), deployment.service, deployment.model)


def _looks_at(alarm: Alarm) -> set[str]:
    return set() if isinstance(alarm, MetricAlarm) else set(children(alarm.rule))
