"""CloudWatch's alarm mute rules, which moto has no operations for: kept, told, and checked by the real ones' limits."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

_AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d)\)")
_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?")
MOST_ALARMS = 100


class MuteRules:
    """The rules of one region, by name."""

    def __init__(self) -> None:
        self._rules: dict[str, dict[str, Any]] = {}

    def put(self, given: dict[str, Any], known_alarms: frozenset[str]) -> str | None:
        """Make or replace a rule; what is wrong with it, or None."""
        targets = (given.get("MuteTargets") or {}).get("AlarmNames", [])
        schedule = given["Rule"]["Schedule"]
        if len(targets) > MOST_ALARMS:
            return f"A mute rule can target at most {MOST_ALARMS} alarms."
        if unknown := [name for name in targets if name not in known_alarms]:
            return f"Alarms don't exist: {', '.join(unknown)}"
        if not _AT.fullmatch(schedule["Expression"]):
            return f"The emulation mutes once, at(yyyy-MM-ddThh:mm), not by {schedule['Expression']}."
        length = _length(schedule["Duration"])
        if length is None or not timedelta(minutes=1) <= length <= timedelta(days=15):
            return f"Invalid duration {schedule['Duration']}: PT1M to P15D."
        if schedule.get("Timezone", "UTC") != "UTC":
            return f"The emulation knows UTC, not {schedule['Timezone']}."
        self._rules[given["Name"]] = given
        return None

    def get(self, name: str, now: datetime) -> dict[str, Any] | None:
        rule = self._rules.get(name)
        return rule and {**rule, "Status": _status(rule, now), "MuteType": "ONE_TIME"}

    def find(self, alarm: str | None, statuses: list[str], now: datetime) -> list[dict[str, Any]]:
        """The rules over an alarm, or all, in one of these states."""
        told = [self.get(name, now) or {} for name in self._rules]
        return [
            rule
            for rule in told
            if (not statuses or rule["Status"] in statuses)
            and (alarm is None or alarm in (rule.get("MuteTargets") or {}).get("AlarmNames", []))
        ]

    def delete(self, name: str) -> None:
        self._rules.pop(name, None)


def _status(rule: dict[str, Any], now: datetime) -> str:
    schedule = rule["Rule"]["Schedule"]
    found = _AT.fullmatch(schedule["Expression"])
    length = _length(schedule["Duration"])
    if found is None or length is None:
        raise ValueError(f"a rule that was never put: {rule}")
    begin = datetime.fromisoformat(found[1]).replace(tzinfo=UTC)
    if now < begin:
        return "SCHEDULED"
    return "ACTIVE" if now < begin + length else "EXPIRED"


def _length(text: str) -> timedelta | None:
    found = _DURATION.fullmatch(text)
    if found is None:
        return None
    days, hours, minutes = (int(each or 0) for each in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes)
