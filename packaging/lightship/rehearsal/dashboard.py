"""The live page of a stack in the emulated AWS: the function's log as CloudWatch Logs has it, and its alarms."""

import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightship.config import Config
from lightship.page import PATH, Drift, Live, Site
from lightship.page.monitored import LATEST, clock, monitored_words
from lightship.rehearsal.checks import ALIAS
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


def show(
    front: ApiFront, clients: Clients, stack: str, outputs: Mapping[str, str], config: Config, release: Path
) -> str:
    """Serve the page beside the stack's API, and give its address."""
    live, function = Live(), outputs["FunctionName"]
    group = clients("lambda").get_function_configuration(FunctionName=function)["LoggingConfig"]["LogGroup"]
    resources = stack_resources(clients, stack)
    names = frozenset(name for kind in ALARM_TYPES for name in resources.get(kind, ()))

    def alarms() -> list[dict[str, Any]]:
        return read_alarms(clients, names)

    objectives = (config.monitoring.latency_ms, config.monitoring.availability)
    tail = Tail(clients, group, live)

    def words() -> dict[str, str]:
        return read_stack(clients, resources, outputs)

    site = Site(stack, live, Drift(live, release), objectives=objectives, alarms=alarms, stack=words, refresh=tail)
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


def read_stack(clients: Clients, resources: Mapping[str, Sequence[str]], outputs: Mapping[str, str]) -> dict[str, str]:
    """What is live, the last shift of traffic, batch run and look of the monitor, each in words."""
    alias = clients("lambda").get_alias(FunctionName=outputs["FunctionName"], Name=ALIAS)
    told = {
        "Live": f"version {alias['FunctionVersion']}",
        "Last shift of traffic": _last_shift(clients, resources, outputs),
    }
    if machine := outputs.get("BatchStateMachine"):
        runs = clients("stepfunctions").list_executions(stateMachineArn=machine, maxResults=1)["executions"]
        told["Last batch run"] = f"{runs[0]['status']}, begun {clock(runs[0]['startDate'])}" if runs else "none yet"
    if bucket := outputs.get("MonitoringBucket"):
        told |= _last_look(clients, bucket)
    return told


def _last_shift(clients: Clients, resources: Mapping[str, Sequence[str]], outputs: Mapping[str, str]) -> str:
    codedeploy, (application,) = clients("codedeploy"), resources["AWS::CodeDeploy::Application"]
    names = codedeploy.list_deployments(applicationName=application, deploymentGroupName=outputs["DeploymentGroup"])
    if not names["deployments"]:
        return "none: this is the first deployment"
    found = codedeploy.get_deployment(deploymentId=names["deployments"][0])["deploymentInfo"]
    return f"{found['status']}, begun {clock(found['createTime'])}"


def _last_look(clients: Clients, bucket: str) -> dict[str, str]:
    s3 = clients("s3")
    try:
        return monitored_words(s3.get_object(Bucket=bucket, Key=LATEST)["Body"].read())
    except s3.exceptions.NoSuchKey:
        return monitored_words(None)
