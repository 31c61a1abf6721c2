"""Muting a service's alarms for a stated time, by a mute rule of CloudWatch's that ends by itself.

The rule mutes what alarms do, not their states: a shift is undone all the same, and what still sounds when the time is
over is told then. No deployment makes, changes or removes it.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-mute-rules-behaviour.html
"""

import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from lightship.operate.aws import Clients, OperateError, code_of
from lightship.operate.stacks import DeployedStack

# CloudWatch's own limits.
SHORTEST, LONGEST = timedelta(minutes=1), timedelta(days=15)
MOST_ALARMS = 100
DESCRIPTION = 1024
KINDS = ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_MARK = "alarm-mute-rule:"


@dataclass(frozen=True, slots=True)
class Mute:
    """A rule over some of a stack's alarms. `status` is CloudWatch's: SCHEDULED, ACTIVE or EXPIRED."""

    name: str
    reason: str
    status: str
    until: str
    alarms: int

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def parse_duration(text: str) -> timedelta:
    """`90m`, `2h`, `1d`, `1d12h`. Raises OperateError for anything else, and beyond what CloudWatch mutes."""
    if not re.fullmatch(r"(\d+[mhd])+", text):
        raise OperateError(f"{text!r} isn't a time. Write 30m, 2h or 1d12h.")
    found = timedelta()
    for count, unit in re.findall(r"(\d+)([mhd])", text):
        found += timedelta(**{_UNITS[unit]: int(count)})
    if not SHORTEST <= found <= LONGEST:
        raise OperateError(f"{text} can't be muted: CloudWatch mutes for a minute to 15 days.")
    return found


def mute(aws: Clients, stack: DeployedStack, length: timedelta, reason: str, now: datetime) -> Mute:
    """Mute every alarm but those that undo a shift, from the next full minute on, in place of an earlier mute.

    Raises OperateError.
    """
    names = mutable_alarms(aws, stack)
    if not names:
        raise OperateError(f"The stack {stack.name} has no alarms to mute.")
    if len(names) > MOST_ALARMS:
        raise OperateError(f"{stack.name} has {len(names)} alarms; one rule mutes {MOST_ALARMS}. Mute them by hand.")
    # A time that has passed would mute nothing.
    start = now.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
    aws("cloudwatch").put_alarm_mute_rule(
        Name=rule_name(stack),
        Description=reason[:DESCRIPTION],
        Rule={
            "Schedule": {
                "Expression": f"at({start:%Y-%m-%dT%H:%M})",
                "Duration": iso_duration(length),
                "Timezone": "UTC",
            }
        },
        MuteTargets={"AlarmNames": names},
        ExpireDate=start + length,
    )
    return Mute(rule_name(stack), reason, "SCHEDULED", _told(start + length), len(names))


def unmute(aws: Clients, stack: DeployedStack) -> bool:
    """Let the alarms speak again; False when this tool's rule wasn't there."""
    from botocore.exceptions import ClientError

    client = aws("cloudwatch")
    try:
        client.get_alarm_mute_rule(AlarmMuteRuleName=rule_name(stack))
        client.delete_alarm_mute_rule(AlarmMuteRuleName=rule_name(stack))
    except ClientError as error:
        if code_of(error) in ("ResourceNotFoundException", "ResourceNotFound"):
            return False
        raise
    return True


def read_mutes(aws: Clients, stack: DeployedStack) -> tuple[Mute, ...]:
    """The rules that mute some of the stack's messages now or soon, whoever made them."""
    client = aws("cloudwatch")
    found: dict[str, Mute] = {}
    # One page and ticket after the other: a rule over any of them is told, and few alarms are asked for.
    for alarm in stack.of_type("AWS::CloudWatch::CompositeAlarm"):
        told = client.list_alarm_mute_rules(AlarmName=alarm.physical, Statuses=["ACTIVE", "SCHEDULED"])
        for each in told.get("AlarmMuteRuleSummaries", ()):
            name = str(each["AlarmMuteRuleArn"]).partition(_MARK)[2]
            if name not in found:
                found[name] = _read(client, name)
    return tuple(found.values())


def mutable_alarms(aws: Clients, stack: DeployedStack) -> list[str]:
    """The names of the stack's alarms, without those that CodeDeploy watches."""
    undoing: set[str] = set()
    for group in stack.of_type("AWS::CodeDeploy::DeploymentGroup"):
        for application in stack.of_type("AWS::CodeDeploy::Application"):
            told = aws("codedeploy").get_deployment_group(
                applicationName=application.physical, deploymentGroupName=group.physical
            )
            watched = told["deploymentGroupInfo"].get("alarmConfiguration") or {}
            undoing |= {each["name"] for each in watched.get("alarms") or ()}
    return sorted(each.physical for kind in KINDS for each in stack.of_type(kind) if each.physical not in undoing)


def rule_name(stack: DeployedStack) -> str:
    return f"{stack.name}-muted"


def iso_duration(length: timedelta) -> str:
    """`PT2H`, `P1DT30M`: as ISO 8601 has it, in whole minutes."""
    days, minutes = length.days, length.seconds // 60
    hours, minutes = divmod(minutes, 60)
    time = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "")
    return "P" + (f"{days}D" if days else "") + (f"T{time}" if time else "")


def _read(client: Any, name: str) -> Mute:
    told = client.get_alarm_mute_rule(AlarmMuteRuleName=name)
    until = told.get("ExpireDate")
    return Mute(
        name=name,
        reason=str(told.get("Description") or ""),
        status=str(told.get("Status") or ""),
        # A rule made elsewhere may come again and again.
        until=_told(until) if until else f"by its schedule, {told['Rule']['Schedule']['Expression']}",
        alarms=len((told.get("MuteTargets") or {}).get("AlarmNames") or ()),
    )


def _told(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
