"""What SNS calls with each alarm: looks the facts up, writes the message, and sends it on.

The alarm itself has gone to its subscribers by then, or goes there at the same time: nothing waits for this.
"""

import json
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lightship_runtime.notify.alarm import Alarm, read_alarm
from lightship_runtime.notify.chat import Post, UndeliveredError, address_of, post, tell
from lightship_runtime.notify.facts import Facts, Service, Severity
from lightship_runtime.notify.gather import Clients, gather
from lightship_runtime.notify.render import Message, render

# What is left for writing and sending when the time runs out.
RESERVE_MS = 25_000
# What the alarm table says of each alarm beyond the alarm itself, by its title.
TABLE = Path(__file__).resolve().parents[2] / "alarms.json"


def handler(event: Mapping[str, Any], context: Any) -> None:
    """Raises UndeliveredError once everything was tried, so that the event ends in the dead-letter queue."""
    service = Service.from_environment(os.environ, json.loads(TABLE.read_bytes()))

    def hurried() -> bool:
        return bool(context.get_remaining_time_in_millis() < RESERVE_MS)

    clients = _clients(service.region)
    failed: list[str] = []
    for record in event["Records"]:
        message = explain(record["Sns"], service, clients, datetime.now(UTC), hurried)
        if message is None:
            continue
        severity = severity_of(record["Sns"]["TopicArn"], service)
        failed += deliver(message, severity, service, clients, post)
    if failed:
        raise UndeliveredError(f"The written message didn't reach {', '.join(failed)}. The alarm itself is out.")


def explain(
    told: Mapping[str, Any], service: Service, clients: Clients, now: datetime, hurried: Callable[[], bool]
) -> Message | None:
    """The message for what a topic delivered; None where there is nothing to add: no alarm, or one that only came
    into being."""
    alarm = read_alarm(told["Message"])
    if alarm is None:
        return None
    facts = gather(alarm, severity_of(told["TopicArn"], service), service, clients, now, hurried)
    return render(alarm, facts) if is_news(alarm, facts) else None


def is_news(alarm: Alarm, facts: Facts) -> bool:
    """A new alarm goes to OK by itself, and an alarm that lacks data tells nobody: only the end of one is news."""
    if alarm.state == "ALARM":
        return True
    return alarm.state == "OK" and (alarm.before == "ALARM" or isinstance(facts.began, datetime))


def severity_of(topic: str, service: Service) -> Severity:
    """By the topic that the alarm went to."""
    return "page" if topic == service.pages_topic else "ticket"


def deliver(message: Message, severity: Severity, service: Service, clients: Clients, send: Post) -> list[str]:
    """Send the message everywhere, and say where it couldn't be."""
    topic = service.written_pages_topic if severity == "page" else service.written_tickets_topic
    failed = []
    try:
        clients("sns").publish(TopicArn=topic, Subject=message.subject, Message=message.text)
    except Exception as error:  # noqa: BLE001 - the other places still have to hear of it
        failed.append(_failed("topic", error))
    for place, written in enumerate(service.chat, 1):
        try:
            tell(address_of(written, clients), message, send)
        except Exception as error:  # noqa: BLE001 - the other places still have to hear of it
            failed.append(_failed(f"chat {place}", error))
    return failed


def _failed(place: str, error: Exception) -> str:
    # Without the error's own words: they may hold a hook's address.
    print(json.dumps({"notify": "not delivered", "place": place, "error": type(error).__name__}))  # noqa: T201
    return place


def _clients(region: str) -> Clients:
    import boto3
    from botocore.config import Config

    config = Config(connect_timeout=2, read_timeout=4, retries={"max_attempts": 2, "mode": "standard"})
    made: dict[str, Any] = {}

    def client(service: str) -> Any:
        if service not in made:
            made[service] = boto3.client(service, region_name=region, config=config)
        return made[service]

    return client
