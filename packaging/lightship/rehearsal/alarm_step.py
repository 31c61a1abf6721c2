"""An alarm of the deployed stack, set off and ended again: what its topics deliver, with nothing simulated in between.

Each topic gets a queue that listens as a person would. The plain message has to come whatever the function makes of it.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from lightship.rehearsal.emulator.clients import Clients
from lightship.rehearsal.findings import CheckFailedError

PLAIN, EXPLAINED = "PagesTopic", "ExplainedPagesTopic"
WAIT_S = 60
POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Told:
    """What one topic delivered."""

    subject: str
    message: str


@dataclass(frozen=True, slots=True)
class Ear:
    """A queue that listens to a topic. It goes with the emulated AWS."""

    clients: Clients
    url: str

    @classmethod
    def to(cls, clients: Clients, topic: str, name: str) -> "Ear":
        url = clients("sqs").create_queue(QueueName=name)["QueueUrl"]
        arn = clients("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        clients("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        return cls(clients, url)

    def hear(self, seconds: float = WAIT_S) -> Told:
        """The next message. Raises CheckFailedError when none comes."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for message in self.clients("sqs").receive_message(QueueUrl=self.url).get("Messages", ()):
                self.clients("sqs").delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
                body = json.loads(message["Body"])
                return Told(body.get("Subject", ""), body["Message"])
            time.sleep(POLL_S)
        raise CheckFailedError(f"No message reached {self.url} within {seconds:.0f} s.")


@dataclass(frozen=True, slots=True)
class Page:
    """A composite alarm that pages somebody, and the members by which it is set off."""

    name: str
    members: tuple[Mapping[str, Any], ...]


def page_of(clients: Clients, outputs: Mapping[str, str], names: Sequence[str]) -> Page:
    """The first of the stack's composites that pages. Raises CheckFailedError when none does."""
    kinds = ["MetricAlarm", "CompositeAlarm"]
    found = clients("cloudwatch").describe_alarms(AlarmNames=list(names), AlarmTypes=kinds)
    for composite in found["CompositeAlarms"]:
        members = [each for each in found["MetricAlarms"] if f'ALARM("{each["AlarmArn"]}")' in composite["AlarmRule"]]
        if outputs[PLAIN] in composite["AlarmActions"] and members:
            return Page(composite["AlarmName"], tuple(members[:2]))
    raise CheckFailedError("None of the stack's composite alarms pages anybody.")


def sound_and_end(clients: Clients, outputs: Mapping[str, str], page: Page) -> tuple[Told, Told, Told]:
    """Set off a page and end it: its plain message, the explained one, and the one of its end.

    Raises CheckFailedError when a message doesn't come, or the plain one isn't the composite's: members tell nobody.
    """
    plain = Ear.to(clients, outputs[PLAIN], "plain")
    explained = Ear.to(clients, outputs[EXPLAINED], "explained")
    cloudwatch, now = clients("cloudwatch"), datetime.now(UTC)
    for member in page.members:
        why = reason(member, now)
        cloudwatch.set_alarm_state(AlarmName=member["AlarmName"], StateValue="ALARM", StateReason=why)
    first = page.members[0]["AlarmArn"]
    why = f"{first} transitioned to ALARM at {now:%A %d %B, %Y %H:%M:%S UTC}"
    cloudwatch.set_alarm_state(AlarmName=page.name, StateValue="ALARM", StateReason=why)
    raw = plain.hear()
    document: Any = json.loads(raw.message)
    if (document["AlarmName"], document["NewStateValue"]) != (page.name, "ALARM") or raw.subject[:7] != "ALARM: ":
        raise CheckFailedError(f"The plain message isn't {page.name}'s: {raw}")
    sounding = explained.hear()
    for name in (*(member["AlarmName"] for member in page.members), page.name):
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="The rehearsal ended it.")
    plain.hear()
    return raw, sounding, explained.hear()


def reason(alarm: Mapping[str, Any], now: datetime) -> str:
    """What CloudWatch says when the last values were twice the threshold, or nought where that sets the alarm off."""
    count = int(alarm.get("DatapointsToAlarm") or alarm["EvaluationPeriods"])
    threshold, under = float(alarm["Threshold"]), alarm["ComparisonOperator"].startswith("Less")
    value = 0.0 if under else 2 * threshold or 1.0
    stats = [each["MetricStat"] for each in alarm.get("Metrics") or () if "MetricStat" in each]
    # Too much may have begun a minute ago; silence has lasted for all of its periods.
    period = int(alarm.get("Period") or stats[0]["Period"]) if under else 60
    begun = [now - timedelta(seconds=period * (place + 1)) for place in range(count)]
    values = ", ".join(f"{value} ({time:%d/%m/%y %H:%M}:00)" for time in begun)
    side = "less" if under else "greater"
    return (
        f"Threshold Crossed: {count} out of the last {count} datapoints [{values}] was {side} "
        f"than the threshold ({threshold}) (minimum {count} datapoints for OK -> ALARM transition)."
    )
