"""What a replayed incident came to: which alarms sounded, when, whom they told, and whether that is as it should be."""

from dataclasses import dataclass, field

import numpy as np

from lightship.drill.cloudwatch.decide import ALARM
from lightship.drill.cloudwatch.evaluate import Evaluation, Metrics, evaluate_all
from lightship.drill.deployment import Deployment
from lightship.drill.incident import Incident
from lightship.drill.timeline import START_S, Timeline

PAGES = "pages"


@dataclass(frozen=True, slots=True)
class Fired:
    """One alarm that went into ALARM, `seconds` after the incident began. `told` are `pages`, `tickets` or topics'
    names; `resolved` is when it went back, in seconds too."""

    title: str
    name: str
    seconds: int
    value: float | None
    told: tuple[str, ...]
    resolved: int | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """A message that an engineer got, `seconds` after the incident began: `to` is `pages` or `tickets`.

    `lacks` are the facts that the notifier couldn't learn, though all of them could be asked for.
    """

    seconds: int
    to: str
    subject: str
    text: str
    lacks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """The verdict on one incident. `executed` says what was run to make its metrics."""

    incident: Incident
    fired: tuple[Fired, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    silent: tuple[str, ...]
    pages: int
    executed: tuple[str, ...] = ()
    messages: tuple[Received, ...] = ()
    evaluation: Evaluation | None = field(default=None, repr=False)

    @property
    def too_many_pages(self) -> bool:
        return self.incident.pages is not None and self.pages > self.incident.pages

    @property
    def lacking(self) -> tuple[str, ...]:
        """What is wrong with its messages, each once."""
        return tuple(dict.fromkeys(lack for message in self.messages for lack in message.lacks))

    @property
    def passed(self) -> bool:
        return not self.missing and not self.unexpected and not self.too_many_pages and not self.lacking


def judge(timeline: Timeline, deployment: Deployment, metrics: Metrics) -> Outcome:
    """Evaluate every alarm of the template over an incident's metrics, and compare with what the incident says."""
    found = evaluate_all(deployment.stack.alarms, metrics, minutes=timeline.minutes, start_s=START_S)
    incident = timeline.incident
    before = {deployment.title(name) for name, own in found.states.items() if own[timeline.lead - 1] == ALARM}
    fired = fired_alarms(timeline, deployment, found)
    titles = {each.title for each in fired} | before
    wanted = [title for title in incident.must_fire if title in deployment.titles]
    allowed = {*incident.must_fire, *incident.may_fire}
    return Outcome(
        incident=incident,
        fired=fired,
        missing=tuple(title for title in wanted if title not in titles - before),
        # What sounds already in the calm proves nothing about the incident.
        unexpected=tuple(sorted((titles - allowed) | before)),
        silent=tuple(title for title in deployment.titles if title not in titles),
        pages=sum(PAGES in each.told for each in fired),
        evaluation=found,
    )


def fired_alarms(timeline: Timeline, deployment: Deployment, found: Evaluation) -> tuple[Fired, ...]:
    """The alarms that went into ALARM during the incident, each at its first time, in order."""
    first: dict[str, Fired] = {}
    for each in found.transitions:
        if each.after != "ALARM" or each.minute < timeline.lead or each.alarm in first:
            continue
        states = found.states[each.alarm][each.minute :]
        calm = np.flatnonzero(states != ALARM)
        first[each.alarm] = Fired(
            title=deployment.title(each.alarm),
            name=each.alarm,
            seconds=_since(timeline, each.minute),
            value=each.value,
            told=tuple(deployment.topic_kind(topic) for topic in each.told),
            resolved=_since(timeline, each.minute + int(calm[0])) if len(calm) else None,
        )
    return tuple(first.values())


def _since(timeline: Timeline, minute: int) -> int:
    """An alarm is evaluated at the end of its minute."""
    return 60 * (minute + 1 - timeline.lead)
