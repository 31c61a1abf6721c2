"""What the engineer on call receives: CloudWatch's message through the stack's own notifier, over the drill's facts.

The notifier's code is the one that ships. The AWS it asks is the drill: the alarms' states at that minute, the one
version that is deployed, and what the monitor wrote down last.
"""

import contextlib
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from lightship.drill.cloudwatch.alarms import Alarm, CompositeAlarm, MetricAlarm
from lightship.drill.cloudwatch.decide import NAMES
from lightship.drill.cloudwatch.evaluate import Evaluation, Transition
from lightship.drill.cloudwatch.template import ACCOUNT, LIVE_VERSION, REGION, Resource
from lightship.drill.deployment import FUNCTION, VERSION, Deployment, variables_of
from lightship.drill.outcome import Outcome, Received
from lightship.drill.timeline import START_S, Timeline
from lightship.rehearsal.emulator.alarm_messages import document, subject
from lightship_runtime.notify.facts import Service
from lightship_runtime.notify.handler import explain

NOTIFIER = "lightship_runtime.notify"
LONG_REGION = "US East (N. Virginia)"
TABLE = "alarms.json"
# The live version was deployed this long before an incident, over another that it can be rolled back to.
DEPLOYED_BEFORE = timedelta(days=2)
EARLIER = "release 0000000000000000"


type Latest = Callable[[Timeline, int], Mapping[str, Any] | None]


@dataclass(frozen=True)
class Messages:
    """The notifier of one deployment; `service` is None where the template has none, and messages then are plain."""

    deployment: Deployment
    service: Service | None

    def received(self, timeline: Timeline, outcome: Outcome, latest: Latest) -> tuple[Received, ...]:
        """Every message of the incident, in the order of its sending. `latest` gives the monitor's last document."""
        if outcome.evaluation is None:
            return ()
        told = [each for each in outcome.evaluation.transitions if each.told and each.minute >= timeline.lead]
        facts = _Facts(self.deployment, outcome.evaluation, lambda minute: latest(timeline, minute), timeline.lead)
        return tuple(self._one(timeline, each, facts) for each in told)

    def _one(self, timeline: Timeline, transition: Transition, facts: "_Facts") -> Received:
        minute = transition.told_at if transition.told_at is not None else transition.minute
        at = facts.at(minute)
        alarm = next(each for each in self.deployment.stack.alarms if each.name == transition.alarm)
        described = at.described(alarm)
        plain = document(
            described,
            before=transition.before,
            account=ACCOUNT,
            region=LONG_REGION,
            triggering=[at.described(each) for each in at.sounding(alarm)],
        )
        topic = transition.told[0]
        to = self.deployment.topic_kind(topic)
        seconds = 60 * (minute + 1 - timeline.lead)
        if self.service is not None:
            told = {"Message": plain, "TopicArn": topic}
            # What the notifier can't learn it says on stdout, which leaves a function with its log.
            with contextlib.redirect_stdout(io.StringIO()) as said:
                message = explain(told, self.service, at.client, at.time, lambda: False)
            if message is not None:
                return Received(seconds, to, message.subject, message.text, tuple(said.getvalue().splitlines()))
        return Received(seconds, to, subject(described, LONG_REGION), str(described["AlarmDescription"]))


def messages_of(deployment: Deployment, assets: Path) -> Messages:
    """The notifier that the template deploys, with the table that its asset holds."""
    for each in deployment.stack.of_type(FUNCTION):
        if NOTIFIER in str(each.properties.get("Handler")):
            environment = {"AWS_REGION": REGION, **variables_of(each)}
            try:
                return Messages(deployment, Service.from_environment(environment, _table(each, assets)))
            except KeyError:
                break
    return Messages(deployment, None)


def _table(notifier: Resource, assets: Path) -> Mapping[str, Mapping[str, str]]:
    place = assets / notifier.asset / TABLE
    if not notifier.asset or not place.is_file():
        return {}
    table: Mapping[str, Mapping[str, str]] = json.loads(place.read_bytes())
    return table


@dataclass(frozen=True)
class _Facts:
    """What an evaluation knows of the alarms."""

    deployment: Deployment
    evaluation: Evaluation
    latest: Callable[[int], Mapping[str, Any] | None]
    begin: int

    def at(self, minute: int) -> "_Moment":
        return _Moment(self, minute)


@dataclass(frozen=True)
class _Moment:
    """AWS as it is at the end of one minute, for the clients of the notifier."""

    facts: _Facts
    minute: int
    exceptions: Any = field(default_factory=lambda: _Exceptions)

    @property
    def time(self) -> datetime:
        return _time(self.minute)

    def client(self, name: str) -> Any:
        """The notifier asks every service here."""
        del name
        return self

    def described(self, alarm: Alarm) -> dict[str, Any]:
        """An alarm as DescribeAlarms has it."""
        resource = self.facts.deployment.stack.resources[alarm.logical_id]
        changed = self._changed(alarm)
        return {
            **resource.properties,
            "AlarmName": alarm.name,
            "AlarmArn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{alarm.name}",
            "StateValue": NAMES[self.facts.evaluation.states[alarm.name][self.minute]],
            "StateReason": self._reason(alarm, changed),
            "StateUpdatedTimestamp": _time(changed),
        }

    def sounding(self, alarm: Alarm) -> Sequence[Alarm]:
        """A composite's members in ALARM."""
        if not isinstance(alarm, CompositeAlarm):
            return ()
        return [
            each
            for each in self.facts.deployment.stack.alarms
            if each.name in alarm.rule and NAMES[self.facts.evaluation.states[each.name][self.minute]] == "ALARM"
        ]

    def _changed(self, alarm: Alarm) -> int:
        states = self.facts.evaluation.states[alarm.name][: self.minute + 1]
        other = np.flatnonzero(states != states[-1])
        return int(other[-1]) + 1 if len(other) else 0

    def _reason(self, alarm: Alarm, changed: int) -> str:
        """In CloudWatch's words, which name the values and the beginnings of their periods."""
        if not isinstance(alarm, MetricAlarm):
            return f"{alarm.name} transitioned at {_time(changed):%A %d %B, %Y %H:%M:%S UTC}"
        step = alarm.period_s // 60
        values = self.facts.evaluation.values[alarm.name]
        places = [changed - number * step for number in range(alarm.periods) if changed >= number * step]
        points = [(values[place], _time(place) - timedelta(seconds=alarm.period_s)) for place in places]
        told = ", ".join(f"{value} ({at:%d/%m/%y %H:%M:%S})" for value, at in points if not np.isnan(value))
        if not told:
            return f"Threshold Crossed: no datapoints were received for {alarm.periods} periods."
        return (
            f"Threshold Crossed: {alarm.datapoints} out of the last {alarm.periods} datapoints [{told}] was "
            f"{alarm.comparison} ({alarm.threshold})."
        )

    # The calls of AWS's clients that the notifier makes, by boto3's names.

    def describe_alarms(self, *, AlarmNames: Sequence[str], **_: Any) -> dict[str, Any]:
        named = [each for each in self.facts.deployment.stack.alarms if each.name in AlarmNames]
        return {
            "MetricAlarms": [self.described(each) for each in named if isinstance(each, MetricAlarm)],
            "CompositeAlarms": [self.described(each) for each in named if isinstance(each, CompositeAlarm)],
        }

    def describe_alarm_history(self, *, AlarmName: str, **_: Any) -> dict[str, Any]:
        items = [
            {
                "Timestamp": _time(each.minute),
                "HistoryData": json.dumps({"newState": {"stateValue": each.after}}),
            }
            for each in reversed(self.facts.evaluation.transitions)
            if each.alarm == AlarmName and each.minute <= self.minute
        ]
        return {"AlarmHistoryItems": items}

    def get_alias(self, **_: Any) -> dict[str, Any]:
        return {"FunctionVersion": LIVE_VERSION}

    def get_paginator(self, _name: str) -> "_Moment":
        return self

    def paginate(self, **_: Any) -> Iterator[dict[str, Any]]:
        """The version that the template has, and one before it, which the drill makes up."""
        versions = self.facts.deployment.stack.of_type(VERSION)
        text = str(versions[0].properties.get("Description", "")) if versions else ""
        yield {
            "Versions": [
                {"Version": "1", "Description": EARLIER, "LastModified": self._deployed()},
                {"Version": LIVE_VERSION, "Description": text, "LastModified": self._deployed()},
            ]
        }

    def list_deployments(self, **_: Any) -> dict[str, Any]:
        return {"deployments": []}

    def get_function_configuration(self, **_: Any) -> dict[str, Any]:
        return {"LastModified": self._deployed(), "Version": LIVE_VERSION}

    def get_object(self, **_: Any) -> dict[str, Any]:
        document = self.facts.latest(self.minute)
        if document is None:
            raise self.exceptions.NoSuchKey
        return {"Body": io.BytesIO(json.dumps(document).encode())}

    def _deployed(self) -> str:
        return (_time(self.facts.begin) - DEPLOYED_BEFORE).isoformat()


class _NoSuchKeyError(Exception):
    """There is no such object."""


class _Exceptions:
    """By the names of boto3's client of S3."""

    NoSuchKey = _NoSuchKeyError


def _time(minute: int) -> datetime:
    """The end of a minute."""
    return datetime.fromtimestamp(START_S + 60 * (minute + 1), UTC)
