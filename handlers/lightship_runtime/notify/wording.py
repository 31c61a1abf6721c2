"""A metric alarm's value against its threshold, in words."""

from lightship_runtime.notify.alarm import Condition, read_datapoints
from lightship_runtime.notify.units import MINUTE_S, lasting, short, shown, unit_of

_PERIODS = {MINUTE_S: "minute", 300: "5 minutes", 3600: "hour", 86_400: "day"}
NO_VALUE = "CloudWatch gave no value"


def latest(condition: Condition, reason: str, *, sounding: bool) -> float | None:
    """The newest value that CloudWatch judged; while the alarm sounds, the newest one that is off."""
    values = [each.value for each in read_datapoints(reason)]
    off = [value for value in values if condition.breaks(value)]
    if sounding and off:
        return off[0]
    return values[0] if values else None


def against(condition: Condition, reason: str, *, sounding: bool = True) -> str:
    """`12.4%, over the threshold of 5%`, or what is missing instead."""
    unit = unit_of(condition)
    limit = "a threshold that moves" if condition.threshold is None else shown(condition.threshold, unit)
    value = latest(condition, reason, sounding=sounding)
    if value is None and "no datapoints were received" in reason:
        waited = lasting(condition.period_s * condition.datapoints)
        return f"nothing was measured for {waited} (the threshold is {limit})"
    if value is None:
        return f"{NO_VALUE} (the threshold is {limit})"
    if not sounding:
        return f"{shown(value, unit)} (the threshold is {limit})"
    return f"{shown(value, unit)}, {condition.words} the threshold of {limit}"


def briefly(condition: Condition, reason: str) -> str:
    """For a subject: `12.4% (limit 5%)`."""
    unit = unit_of(condition)
    value = latest(condition, reason, sounding=True)
    if value is None:
        return "no data"
    return short(value, unit) if condition.threshold is None else f"{short(value, unit)} (limit {_limit(condition)})"


def judged(condition: Condition) -> str:
    """`p90 of Latency, 3 of 3 minutes`: what was compared, and how often it has to be off."""
    period = _PERIODS.get(condition.period_s, lasting(condition.period_s))
    what = condition.metric if condition.expression else f"{condition.statistic} of {condition.metric}"
    if condition.periods == 1:
        return f"{what} in one {period}" if not period[0].isdigit() else f"{what} in {period}"
    several = f"{condition.datapoints} of {condition.periods}"
    return f"{what}, {several} {period}s" if not period[0].isdigit() else f"{what}, {several} times {period}"


def _limit(condition: Condition) -> str:
    return short(condition.threshold or 0.0, unit_of(condition))
