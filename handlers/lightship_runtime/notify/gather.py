"""Looks the facts up. Each may fail by itself: the message is then sent with words in its place."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from lightship_runtime.notify.alarm import Alarm, Condition, read_time, trouble_since
from lightship_runtime.notify.facts import (
    Breach,
    Column,
    Deployment,
    Facts,
    Member,
    Monitored,
    Releases,
    Service,
    Severity,
    Unknown,
    Version,
)
from lightship_runtime.notify.units import VERDICT
from lightship_runtime.notify.wording import against, briefly

LATEST = "results/latest.json"
UNDER_WAY = frozenset({"Created", "Queued", "InProgress", "Baking", "Ready"})
UNDONE = frozenset({"Failed", "Stopped"})
# What DescribeAlarms takes by name in one call; no message is better for more.
MOST_MEMBERS = 100
# The history and the message may name one change by moments that differ.
_SAME_CHANGE = timedelta(seconds=1)

type Clients = Callable[[str], Any]


def gather(
    alarm: Alarm, severity: Severity, service: Service, clients: Clients, now: datetime, hurried: Callable[[], bool]
) -> Facts:
    """Everything about an alarm. Once `hurried` says so, nothing more is looked up."""

    def ask[T](what: str, look: Callable[[], T | Unknown]) -> T | Unknown:
        if hurried():
            return Unknown(f"{what} isn't known: AWS answered too slowly.")
        try:
            return look()
        except Exception as error:  # noqa: BLE001 - a message with one fact less is better than none
            print(json.dumps({"notify": "a fact is missing", "what": what, "error": repr(error)[:500]}))  # noqa: T201
            return Unknown(f"{what} isn't known: {_why(error)}")

    monitored: Monitored | Unknown = Unknown("The data isn't monitored by this stack.")
    if service.monitoring_bucket:
        monitored = ask("What the monitor sees", lambda: read_monitored(service, clients))
    return Facts(
        service=service,
        severity=severity,
        now=now,
        releases=ask("Which version is live", lambda: read_releases(service, clients)),
        deployment=ask("When it was last deployed", lambda: read_deployment(service, clients)),
        monitored=monitored,
        members=ask("Which of its members sound", lambda: read_members(alarm, service, clients)),
        began=ask("When it began", lambda: read_beginning(alarm, clients)),
    )


def _why(error: Exception) -> str:
    """AWS's own code for an error, or its kind: what it says may hold names of accounts and roles."""
    response = getattr(error, "response", None)
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    return f"{code or type(error).__name__}."


def read_releases(service: Service, clients: Clients) -> Releases:
    """What the alias points to, and what was live before."""
    lambda_ = clients("lambda")
    alias = lambda_.get_alias(FunctionName=service.function, Name=service.alias)
    weights = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    pages = lambda_.get_paginator("list_versions_by_function").paginate(FunctionName=service.function)
    found = [_version(each) for page in pages for each in page["Versions"] if each["Version"] != "$LATEST"]
    number = int(alias["FunctionVersion"])
    live = next((each for each in found if each.number == number), Version(number, ""))
    older = [each for each in found if each.number < number and each.release and each.release != live.release]
    shares = {int(each): float(share) for each, share in weights.items()}
    return Releases(live, max(older, key=lambda each: each.number, default=None), shares)


def _version(told: Mapping[str, Any]) -> Version:
    release = re.match(r"release (\S+)", told.get("Description") or "")
    return Version(int(told["Version"]), release[1] if release else "", read_time(told.get("LastModified")))


def read_deployment(service: Service, clients: Clients) -> Deployment:
    """The newest shift of traffic. Before there was one, the live version's own beginning."""
    codedeploy = clients("codedeploy")
    names = codedeploy.list_deployments(
        applicationName=service.application, deploymentGroupName=service.deployment_group
    )["deployments"]
    if not names:
        found = clients("lambda").get_function_configuration(FunctionName=service.function, Qualifier=service.alias)
        published = read_time(found["LastModified"])
        if published is None:
            raise ValueError(f"LastModified is {found['LastModified']!r}")
        return Deployment(published, "first", int(found["Version"]))
    told = codedeploy.get_deployment(deploymentId=names[0])["deploymentInfo"]
    status = told["status"]
    time = read_time(told.get("completeTime") if status not in UNDER_WAY else None) or read_time(told["createTime"])
    if time is None:
        raise ValueError(f"createTime is {told['createTime']!r}")
    state = "under way" if status in UNDER_WAY else "undone" if status in UNDONE else "done"
    return Deployment(time, state, _target(told))  # type: ignore[arg-type]


def _target(told: Mapping[str, Any]) -> int | None:
    """The version that a deployment leads to; None where its specification can't be read."""
    revision = told.get("revision") or {}
    content = (revision.get("appSpecContent") or revision.get("string") or {}).get("content") or ""
    found = re.search(r'"?TargetVersion"?\s*:\s*"?(\d+)', content)
    return int(found[1]) if found else None


def read_monitored(service: Service, clients: Clients) -> Monitored | Unknown:
    """What the monitor wrote down at its last run."""
    s3 = clients("s3")
    try:
        answer = s3.get_object(Bucket=service.monitoring_bucket, Key=LATEST)
    except s3.exceptions.NoSuchKey:
        return Unknown("The monitor hasn't finished a run yet.")
    return monitored_of(json.loads(answer["Body"].read()))


def monitored_of(document: Mapping[str, Any]) -> Monitored:
    """The monitor's document, as far as a message tells it."""
    breaches = [_breach(kind, told) for kind, told in document["breaches"].items() if told.get("on")]
    return Monitored(datetime.fromtimestamp(document["time"], UTC), int(document["windows"]), tuple(breaches))


def _breach(kind: str, told: Mapping[str, Any]) -> Breach:
    since = told.get("since")
    columns = [
        Column(str(each["name"]), float(each["effect"]), int(each["n"]), str(each.get("level", "")))
        for each in told.get("columns") or ()
    ]
    return Breach(
        kind=kind,
        since=None if since is None else datetime.fromtimestamp(since, UTC),
        columns=tuple(columns),
        count=max(int(told.get("count") or 0), len(columns)),
        metric=str(told.get("metric") or "accuracy"),
        value=told.get("value"),
        low=told.get("low"),
        high=told.get("high"),
        rows=told.get("n"),
    )


def read_members(alarm: Alarm, service: Service, clients: Clients) -> tuple[Member, ...]:
    """A composite's members that sound, in the order of its rule; nothing for a metric alarm."""
    if not alarm.members:
        return ()
    names = list(alarm.members[:MOST_MEMBERS])
    kinds = ["MetricAlarm", "CompositeAlarm"]
    answer = clients("cloudwatch").describe_alarms(AlarmNames=names, AlarmTypes=kinds, MaxRecords=MOST_MEMBERS)
    found = {each["AlarmName"]: each for each in (*answer["MetricAlarms"], *answer.get("CompositeAlarms", ()))}
    return tuple(
        member_of(found[name], service) for name in names if name in found and found[name]["StateValue"] == "ALARM"
    )


def member_of(described: Mapping[str, Any], service: Service) -> Member:
    """A member as DescribeAlarms has it."""
    condition, reason = Condition.of(described), described.get("StateReason") or ""
    name, changed = service.title_of(described["AlarmName"]), read_time(described.get("StateUpdatedTimestamp"))
    if condition is None:
        return Member(name, "it sounds", name, changed)
    unit = service.unit_of(described["AlarmName"])
    return Member(
        name=name,
        told=against(condition, reason, unit),
        brief=name if unit == VERDICT else f"{name} {briefly(condition, reason, unit)}",
        since=trouble_since(condition, reason, changed),
    )


def read_beginning(alarm: Alarm, clients: Clients) -> datetime | None:
    """When the alarm had begun to sound before this change; None when it hadn't sounded since it was last all right.

    The history has every change of state for 30 days. INSUFFICIENT_DATA in between ends nothing.
    """
    if alarm.state == "ALARM":
        return None
    answer = clients("cloudwatch").describe_alarm_history(
        AlarmName=alarm.name,
        AlarmTypes=["MetricAlarm", "CompositeAlarm"],
        HistoryItemType="StateUpdate",
        ScanBy="TimestampDescending",
        MaxRecords=100,
    )
    began, left_ok = None, False
    for item in answer["AlarmHistoryItems"]:
        time = read_time(item["Timestamp"])
        if time is None or (alarm.changed and time > alarm.changed + _SAME_CHANGE):
            continue
        state = json.loads(item["HistoryData"])["newState"]["stateValue"]
        if state == "OK" and left_ok:
            break
        left_ok = left_ok or state != "OK"
        if state == "ALARM":
            began = time
    return began
