"""A metric alarm's value against its threshold, in words."""

from lightship_runtime.notify.alarm import Condition, read_datapoints
from lightship_runtime.notify.units import MINUTE_S, VERDICT, lasting, short, shown

_PERIODS = {MINUTE_S: "minute", 3600: "hour", 86_400: "day"}


def latest(condition: Condition, reason: str, *, sounding: bool) -> float | None:
    """The newest value that CloudWatch judged; while the alarm sounds, the newest one that is off."""
    values = [each.value for each in read_datapoints(reason)]
    off = [value for value in values if condition.breaks(value)]
    if sounding and off:
        return off[0]
    return values[0] if values else None


def against(condition: Condition, reason: str, unit: str, *, sounding: bool = True) -> str:
    """`12.4% of requests, over the threshold of 5%`, or what is missing instead."""
    value = latest(condition, reason, sounding=sounding)
    if unit == VERDICT:
        return "the monitor says so" if sounding else "the monitor doesn't say so any more"
    limit = "one that moves" if condition.threshold is None else short(condition.threshold, unit)
    whole = limit if condition.threshold is None else shown(condition.threshold, unit)
    if value is None and "no datapoints were received" in reason:
        waited = lasting(condition.period_s * condition.datapoints)
        return f"nothing was measured for {waited}, where {condition.words} {whole} sets it off"
    if value is None:
        return f"CloudWatch gave none; {condition.words} {whole} sets it off"
    if not sounding:
        return f"{shown(value, unit)}, where {condition.words} {limit} sets it off"
    return f"{shown(value, unit)}, {condition.words} the threshold of {limit}"


def briefly(condition: Condition, reason: str, unit: str) -> str:
    """For a subject: `12.4% (limit 5%)`."""
    value = latest(condition, reason, sounding=True)
    if value is None:
        return "no data"
    limit = "" if condition.threshold is None else f" (limit {short(condition.threshold, unit)})"
    return short(value, unit) + limit


def judged(condition: Condition) -> str:
    """`p90 of Latency, 3 of 3 minutes`: what was compared, and how often it has to be off."""
    statistic = condition.statistic.capitalize() if condition.statistic.isupper() else condition.statistic
    what = condition.metric if condition.expression else f"{statistic} of {condition.metric}"
    period = _PERIODS.get(condition.period_s, lasting(condition.period_s))
    if condition.periods == 1:
        return f"{what}, over {period}" if period[0].isdigit() else f"{what}, over one {period}"
    times = f"{condition.datapoints} of {condition.periods}"
    return f"{what}, {times} values of {period}" if period[0].isdigit() else f"{what}, {times} {period}s"
