"""A report for people: each drill as a timeline, then what is proved and what isn't."""

import textwrap
from collections.abc import Iterator

from lightship.drill.outcome import Outcome
from lightship.drill.report import Report, problems
from lightship.drill.world import DERIVED, derived


def told(report: Report, *, messages: bool) -> Iterator[str]:
    """The lines of a report. With `messages` the engineer's messages are in it whole, else their subjects."""
    for name, outcome in report.outcomes.items():
        yield from _drill(name, outcome, messages=messages)
        yield ""
    for month in report.months:
        verdict = f"fired {', '.join(month.fired)}" if month.fired else "silent"
        stirred = f" (stirred, telling nobody: {len(month.stirred)})" if month.stirred else ""
        yield (
            f"A healthy month at {month.level:,} requests an hour ({month.requests:,} requests, {month.failed:,} "
            f"failed): {verdict}, {month.pages} pages{stirred}"
        )
    yield f"Derived in every drill: {'; '.join(DERIVED)}."
    if report.skipped:
        yield f"Skipped, for want of what they are about: {', '.join(report.skipped)}"
    for title, why in report.unprovable.items():
        yield f"Can't sound for this release: {title} ({why})"
    fired = report.fired_by
    proved = sum(bool(drills) for drills in fired.values())
    yield f"{proved} of {len(fired)} alarms are fired by a drill." if report.whole else f"{proved} alarms were fired."
    if report.failed:
        yield ""
        yield from (f"FAILED  {line}" for line in report.failed)


def _drill(name: str, outcome: Outcome, *, messages: bool) -> Iterator[str]:
    incident = outcome.incident
    yield f"{'ok    ' if outcome.passed else 'FAILED'}  {name}: {incident.title}"
    for line in outcome.executed:
        yield f"        run      {line}"
    for line in derived(incident)[len(DERIVED) :]:
        yield f"        derived  {line}"
    yield f"        {_clock(0)}    it begins"
    for transition in _during(outcome):
        yield f"        {_clock(transition[0])}    {transition[1]}"
    known: set[str] = set()
    for message in outcome.messages:
        # Subjects begin with the severity and, once it is over, with RESOLVED; the alarm follows the service.
        head = " ".join(message.subject.split()[:3])
        if head in known and not messages:
            continue
        known.add(head)
        yield f"        {_clock(message.seconds)}    to {message.to}: {message.subject}"
        if messages:
            yield from (f"                      {line}" for line in message.text.rstrip().split("\n"))
    yield f"        silent, as they should be: {len(outcome.silent)} alarms"
    if messages:
        yield from textwrap.wrap(
            ", ".join(outcome.silent), 110, break_on_hyphens=False, initial_indent=" " * 12, subsequent_indent=" " * 12
        )
    yield from (f"        FAILED: {line}" for line in problems(name, outcome))


def _during(outcome: Outcome) -> Iterator[tuple[int, str]]:
    """First times that alarms sounded, and when they were over."""
    lines: list[tuple[int, str]] = []
    for each in outcome.fired:
        value = "" if each.value is None else f" at {each.value:.4g}"
        to = f", told to {' and '.join(each.told)}" if each.told else ""
        lines.append((each.seconds, f"{each.title} sounds{value}{to}"))
        if each.resolved is not None:
            lines.append((each.resolved, f"{each.title} is over"))
    yield from sorted(lines)


def _clock(seconds: int) -> str:
    """Hours, minutes and seconds since the beginning."""
    return f"+{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
