"""A run of drills: what each came to, which alarms are proved, and whether a healthy month stayed silent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lightship.drill.deployment import Deployment
from lightship.drill.healthy import Month
from lightship.drill.outcome import Fired, Outcome
from lightship.drill.world import derived


@dataclass(frozen=True)
class Report:
    """`skipped` are incidents about alarms that the template hasn't; `whole` says that all incidents were run, so that
    an alarm that none of them fires is a failure, unless it is among the `unprovable`: titles, and why."""

    deployment: Deployment
    outcomes: Mapping[str, Outcome]
    skipped: tuple[str, ...]
    months: tuple[Month, ...]
    whole: bool
    unprovable: Mapping[str, str] = field(default_factory=dict)

    @property
    def fired_by(self) -> dict[str, list[str]]:
        """By alarm name: the drills that have to fire it and did."""
        found: dict[str, list[str]] = {alarm.name: [] for alarm in self.deployment.stack.alarms}
        for name, outcome in self.outcomes.items():
            for each in outcome.fired:
                if each.title in outcome.incident.must_fire:
                    found[each.name].append(name)
        return found

    @property
    def seconds_to_fire(self) -> dict[str, int]:
        """By alarm name: the fewest seconds from an incident's beginning."""
        fastest: dict[str, int] = {}
        for outcome in self.outcomes.values():
            for each in outcome.fired:
                if each.title in outcome.incident.must_fire:
                    fastest[each.name] = min(each.seconds, fastest.get(each.name, each.seconds))
        return fastest

    @property
    def unproved(self) -> tuple[str, ...]:
        """Alarms that no drill fires, when all were run."""
        if not self.whole:
            return ()
        found = [name for name, drills in self.fired_by.items() if not drills]
        return tuple(name for name in found if self.deployment.title(name) not in self.unprovable)

    @property
    def healthy_fired(self) -> tuple[str, ...]:
        return tuple(sorted({name for month in self.months for name in month.fired}))

    @property
    def failed(self) -> tuple[str, ...]:
        """What is wrong, a line each."""
        lines = [line for name, outcome in self.outcomes.items() for line in problems(name, outcome)]
        lines += [f"{name} is fired by no drill" for name in self.unproved]
        lines += [f"{name} sounds in a healthy month" for name in self.healthy_fired]
        return tuple(lines)

    def to_dict(self) -> dict[str, Any]:
        """As `--json` prints it."""
        seconds = self.seconds_to_fire
        return {
            "service": self.deployment.service,
            "passed": not self.failed,
            "failed": list(self.failed),
            "alarms": {
                name: {
                    "title": self.deployment.title(name),
                    "fired_by": drills,
                    "seconds_to_fire": seconds.get(name),
                    "silent_in_healthy_months": sum(name not in (*each.fired, *each.stirred) for each in self.months),
                }
                for name, drills in self.fired_by.items()
            },
            "healthy": {
                "fired": list(self.healthy_fired),
                "months": [
                    {
                        "requests_per_hour": month.level,
                        "requests": month.requests,
                        "failed": month.failed,
                        "pages": month.pages,
                        "fired": list(month.fired),
                        "stirred": list(month.stirred),
                    }
                    for month in self.months
                ],
            },
            "drills": {name: _told(outcome) for name, outcome in self.outcomes.items()},
            "skipped": list(self.skipped),
            "unprovable": dict(self.unprovable),
        }


def problems(name: str, outcome: Outcome) -> list[str]:
    """What is wrong with one drill, a line each."""
    lines = [f"{name}: {title} stayed silent" for title in outcome.missing]
    lines += [f"{name}: {title} sounded, though the incident doesn't allow it" for title in outcome.unexpected]
    if outcome.too_many_pages:
        lines.append(f"{name}: {outcome.pages} pages for one incident, over {outcome.incident.pages}")
    lines += [f"{name}: a message lacks a fact: {lack}" for lack in outcome.lacking]
    return lines


def _told(outcome: Outcome) -> dict[str, Any]:
    return {
        "title": outcome.incident.title,
        "passed": outcome.passed,
        "fired": [_fired(each) for each in outcome.fired],
        "missing": list(outcome.missing),
        "unexpected": list(outcome.unexpected),
        "silent": list(outcome.silent),
        "pages": outcome.pages,
        "messages": [{"to": each.to, "subject": each.subject, "text": each.text} for each in outcome.messages],
        "executed": list(outcome.executed),
        "derived": list(derived(outcome.incident)),
    }


def _fired(fired: Fired) -> dict[str, Any]:
    return {
        "alarm": fired.name,
        "title": fired.title,
        "seconds": fired.seconds,
        "value": fired.value,
        "told": list(fired.told),
        "resolved_seconds": fired.resolved,
    }
