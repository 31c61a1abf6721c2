"""From an alarm and its facts to the message. Nothing here asks anybody anything.

A fact that isn't known has words of its own, so that no line is ever empty.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from lightship_runtime.notify.alarm import Alarm, trouble_since
from lightship_runtime.notify.data import briefly_found, data_lines, findings
from lightship_runtime.notify.description import Description, read_description
from lightship_runtime.notify.facts import Deployment, Facts, Member, Releases, Unknown
from lightship_runtime.notify.units import VERDICT, clock, lasting
from lightship_runtime.notify.wording import against, briefly, judged

# SNS: at most 100 characters of ASCII, beginning with a letter, digit or punctuation, without line breaks.
# https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
SUBJECT_LIMIT = 100
# A message holds 256 KB, a text for Slack 40,000 characters; nobody reads that much.
TEXT_LIMIT = 8_000
SUSPECT = timedelta(hours=1)
ROLLBACK = "lightship rollback"
# A period is named by its beginning, which may lie before the deployment that spoilt it.
EARLY = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Message:
    """A subject for telephones, and the text as plain lines."""

    subject: str
    text: str


def render(alarm: Alarm, facts: Facts) -> Message:
    """The message of an alarm that sounds, or that is over."""
    told = read_description(alarm.description)
    resolved = alarm.state != "ALARM"
    lines = _resolved(alarm, facts, told) if resolved else _sounding(alarm, facts, told)
    subject = _resolved_subject(alarm, facts) if resolved else _sounding_subject(alarm, facts)
    return Message(_ascii(subject), "\n".join(lines)[:TEXT_LIMIT] + "\n")


def _sounding_subject(alarm: Alarm, facts: Facts) -> str:
    service, title = facts.service, facts.service.title_of(alarm.name)
    start = f"{facts.severity.upper()} {service.name}: "
    head = start + title
    if finding := briefly_found(alarm, facts):
        return start + finding if finding.startswith(title.replace("-", " ")) else f"{head}: {finding}"
    if alarm.condition is not None:
        unit = service.unit_of(alarm.name)
        return head if unit == VERDICT else f"{head} {briefly(alarm.condition, alarm.reason, unit)}"
    members = _members(facts)
    more = f" and {len(members) - 1} more" if len(members) > 1 else ""
    return f"{head}: {members[0].brief}{more}" if members else head


def _resolved_subject(alarm: Alarm, facts: Facts) -> str:
    title = facts.service.title_of(alarm.name)
    length = _length(alarm, facts)
    return f"RESOLVED {facts.service.name}: {title}" + (f" after {lasting(length)}" if length is not None else "")


def _sounding(alarm: Alarm, facts: Facts, told: Description) -> Iterator[str]:
    """What it is and what to do first, since a telephone shows ten lines; the circumstances after that."""
    since = _began(alarm, facts)
    yield f"{facts.severity.upper()}: {told.meaning}"
    yield ""
    yield from _values(alarm, facts)
    yield f"Since: {_since(since, alarm.changed, facts.now)}"
    yield f"Likely: {''.join(_suspicion(alarm, facts, since))}{told.likely}"
    yield f"First: {told.first}"
    yield from (f"  {each}" for each in facts.service.commands_of(alarm.name) if not each.startswith(ROLLBACK))
    yield ""
    yield from _undo(alarm, facts, since)
    yield ""
    yield from _versions(facts)
    yield f"Last deployment: {_deployed(facts, since)}"
    yield from data_lines(alarm, facts)
    yield f"Judged: {_judged(alarm)}"
    yield ""
    yield from _links(alarm, facts, told)
    yield f"The query behind it: {facts.service.query_of(alarm.name)}"
    if not facts.service.commands_of(alarm.name):
        yield f"State of everything: lightship status{facts.service.options}"


def _resolved(alarm: Alarm, facts: Facts, told: Description) -> Iterator[str]:
    length = _length(alarm, facts)
    yield f"RESOLVED: {facts.service.title_of(alarm.name)}. Nothing has to be done at once."
    yield f"It was: {told.meaning}"
    yield ""
    if length is None:
        yield f"It lasted: {_why(facts.began)}"
    else:
        end = alarm.changed or facts.now
        begin = end - timedelta(seconds=length)
        yield f"It lasted: {lasting(length)}, from {clock(begin, facts.now)} to {clock(end, facts.now)}"
    yield from _values(alarm, facts)
    yield from _versions(facts)
    yield f"Last deployment: {_deployed(facts, None)}"
    yield ""
    yield from _links(alarm, facts, told)


def _began(alarm: Alarm, facts: Facts) -> datetime | None:
    """When the trouble began: for the monitor, or with the first of a composite's members that still sound."""
    starts = [*(each.since for each in findings(alarm, facts)), *(each.since for each in _members(facts))]
    return min(
        (each for each in starts if each is not None),
        default=trouble_since(alarm.condition, alarm.reason, alarm.changed),
    )


def _members(facts: Facts) -> tuple[Member, ...]:
    return () if isinstance(facts.members, Unknown) else facts.members


def _judged(alarm: Alarm) -> str:
    return f"the states of {len(alarm.members)} alarms" if alarm.condition is None else judged(alarm.condition)


def _values(alarm: Alarm, facts: Facts) -> Iterator[str]:
    condition, sounding = alarm.condition, alarm.state == "ALARM"
    if condition is not None:
        unit = facts.service.unit_of(alarm.name)
        yield f"Value: {against(condition, alarm.reason, unit, sounding=sounding)}"
        return
    if isinstance(facts.members, Unknown):
        yield f"Its members: {', '.join(map(facts.service.title_of, alarm.members)) or facts.members.why}"
        return
    if not facts.members:
        yield "Its members: none of them sounds by now." if sounding else "Its members: none of them sounds."
    for member in facts.members:
        yield f"{member.name}: {member.told}"


def _since(since: datetime | None, changed: datetime | None, now: datetime) -> str:
    if since is None:
        return "CloudWatch doesn't say when."
    ago = lasting((now - since).total_seconds())
    if changed is None or changed - since < timedelta(minutes=1):
        return f"{clock(since, now)}, {ago} ago"
    return f"{clock(since, now)}, {ago} ago (the alarm sounds since {clock(changed, now)})"


def _versions(facts: Facts) -> Iterator[str]:
    releases = facts.releases
    if isinstance(releases, Unknown):
        yield f"Live: {releases.why}"
        yield "Before: not known either."
        return
    yield f"Live: {releases.live}{_split(releases)}"
    yield f"Before: {releases.previous or 'nothing, this is the first release.'}"


def _split(releases: Releases) -> str:
    if not releases.shares:
        return ""
    shares = ", ".join(f"{share:.0%} of the traffic goes to version {each}" for each, share in releases.shares.items())
    return f"; {shares}"


def _deployed(facts: Facts, since: datetime | None) -> str:
    deployment = facts.deployment
    if isinstance(deployment, Unknown):
        return deployment.why
    ago = f"{lasting((facts.now - deployment.time).total_seconds())} ago ({clock(deployment.time, facts.now)})"
    before = _before(deployment.time, since)
    to = f" to version {deployment.target}" if deployment.target else ""
    match deployment.status:
        case "under way":
            return f"traffic is being moved{to} right now, since {ago}{before}"
        case "undone":
            return f"an attempt{to} was undone {ago}"
        case "first":
            return f"the first one, {ago}{before}"
        case "done":
            return f"{ago}{to}{before}{_moved(facts.releases, deployment)}"


def _before(time: datetime, since: datetime | None) -> str:
    if since is None or since < time:
        return ""
    return f", {lasting((since - time).total_seconds())} before this began"


def _moved(releases: Releases | Unknown, deployment: Deployment) -> str:
    if isinstance(releases, Unknown) or deployment.target in (None, releases.live.number):
        return ""
    return "; the alias was moved since, by hand or by `lightship rollback --now`"


def _suspicion(alarm: Alarm, facts: Facts, since: datetime | None) -> Iterator[str]:
    deployment = facts.deployment
    if isinstance(deployment, Unknown) or deployment.status == "undone" or since is None:
        return
    waited = since - deployment.time
    if -EARLY <= waited <= SUSPECT:
        near = lasting(max(60.0, waited.total_seconds()))
        suspect = "; suspect that first" if _is_undone_by_rollback(alarm, facts) else ""
        yield f"it began within {near} of the last deployment{suspect}. "


def _undo(alarm: Alarm, facts: Facts, since: datetime | None) -> Iterator[str]:
    options, releases, deployment = facts.service.options, facts.releases, facts.deployment
    if isinstance(releases, Unknown):
        yield "Undo the last deployment, if there was a release before:"
        yield f"  {ROLLBACK} --now{options}"
        return
    status = "" if isinstance(deployment, Unknown) else deployment.status
    if status == "under way":
        yield "Stop the deployment that is under way:"
        yield f"  {ROLLBACK} --now{options}"
        return
    if releases.previous is None:
        yield "Undo the last deployment: not possible, there is no release before this one."
        return
    early = not isinstance(deployment, Unknown) and since is not None and since + EARLY < deployment.time
    if status == "undone":
        yield f"The last deployment is undone already. Further back, to {releases.previous}:"
    elif early:
        yield f"This began before the last deployment, so undoing that may not help. Back to {releases.previous}:"
    elif _is_undone_by_rollback(alarm, facts):
        yield f"Undo the last deployment, back to {releases.previous}, within seconds:"
    else:
        yield f"Should the last deployment be the cause, back to {releases.previous}:"
    yield f"  {ROLLBACK} --now --to {releases.previous.number}{options}"


def _is_undone_by_rollback(alarm: Alarm, facts: Facts) -> bool:
    """Whether the alarm table has the rollback among the commands of this alarm."""
    return any(each.startswith(ROLLBACK) for each in facts.service.commands_of(alarm.name))


def _links(alarm: Alarm, facts: Facts, told: Description) -> Iterator[str]:
    service = facts.service
    yield f"Runbook: {told.runbook or 'the alarm names none.'}"
    yield f"Dashboard: {told.dashboard or service.dashboard}"
    yield f"Logs: {told.logs or service.logs(alarm.name)}"


def _length(alarm: Alarm, facts: Facts) -> float | None:
    if isinstance(facts.began, Unknown) or facts.began is None:
        return None
    return ((alarm.changed or facts.now) - facts.began).total_seconds()


def _why(fact: datetime | Unknown | None) -> str:
    return fact.why if isinstance(fact, Unknown) else "CloudWatch's history doesn't say when it began."


def _ascii(subject: str) -> str:
    """The subject within SNS's rules."""
    clean = "".join(each if " " <= each <= "~" else "?" for each in subject)
    return clean if len(clean) <= SUBJECT_LIMIT else f"{clean[: SUBJECT_LIMIT - 3].rstrip()}..."
