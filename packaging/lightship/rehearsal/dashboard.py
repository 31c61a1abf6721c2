"""The live page of a stack in the emulated AWS: the function's log as CloudWatch Logs has it, and its alarms."""

import threading
import time
from pathlib import Path
from typing import Any

from lightship.config import Config
from lightship.page import PATH, Drift, Live, Site
from lightship.rehearsal.clients import stack_resources
from lightship.rehearsal.emulator.clients import Clients
from lightship.rehearsal.front.server import ApiFront

PAUSE_S = 1.0
ALARM_TYPES = ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")


class Tail:
    """Reads on in a log group, from now, and passes each new message to `live`."""

    def __init__(self, clients: Clients, group: str, live: Live) -> None:
        self._logs = clients("logs")
        self._group = group
        self._live = live
        self._from = time.time_ns() // 1_000_000
        self._seen: set[str] = set()
        self._read = 0.0
        self._lock = threading.Lock()

    def __call__(self) -> None:
        """Read what is new, once a second at most."""
        with self._lock:
            if time.monotonic() - self._read < PAUSE_S:
                return
            self._read = time.monotonic()
            pages = self._logs.get_paginator("filter_log_events").paginate(
                logGroupName=self._group, startTime=self._from
            )
            events = [event for page in pages for event in page["events"] if event["eventId"] not in self._seen]
            for event in sorted(events, key=lambda each: each["timestamp"]):
                self._live.take(event["message"].rstrip("\n"))
            # Further events of the same millisecond may still come.
            newest = max((event["timestamp"] for event in events), default=self._from)
            kept = self._seen if newest == self._from else set()
            self._seen = kept | {event["eventId"] for event in events if event["timestamp"] == newest}
            self._from = newest


def show(front: ApiFront, clients: Clients, stack: str, function: str, config: Config, release: Path) -> str:
    """Serve the page beside the stack's API, and give its address."""
    live = Live()
    group = clients("lambda").get_function_configuration(FunctionName=function)["LoggingConfig"]["LogGroup"]
    resources = stack_resources(clients, stack)
    names = frozenset(name for kind in ALARM_TYPES for name in resources.get(kind, ()))

    def alarms() -> list[dict[str, Any]]:
        return read_alarms(clients, names)

    objectives = (config.monitoring.latency_ms, config.monitoring.availability)
    tail = Tail(clients, group, live)
    site = Site(stack, live, Drift(live, release), objectives=objectives, alarms=alarms, refresh=tail)
    front.pages.update(site.pages)
    front.answered = live.answered
    return f"{front.root}{PATH}"


def read_alarms(clients: Clients, names: frozenset[str]) -> list[dict[str, Any]]:
    """Each alarm's name and state, and since when and why it has it."""
    found = clients("cloudwatch").describe_alarms(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    return [
        {
            "name": each["AlarmName"],
            "state": each["StateValue"],
            "since": each["StateUpdatedTimestamp"].timestamp(),
            "reason": each.get("StateReason", ""),
        }
        for each in (*found["CompositeAlarms"], *found["MetricAlarms"])
        if each["AlarmName"] in names
    ]
