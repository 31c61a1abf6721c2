"""Numbers with what they count, and lengths of time, as a person says them."""

from datetime import datetime

# What an alarm over the monitor's own verdict counts: the verdict is the news, not its number.
VERDICT = "breach"
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400


def shown(value: float, unit: str) -> str:
    """`12.4% of requests`, `640 ms`, `3 throttled invocations`, `1 run`, `2 hours`."""
    if unit == "ms" and abs(value) >= 1_000:
        return f"{number(value / 1000)} s"
    if unit == "s" and abs(value) >= 2 * MINUTE_S:
        return lasting(value)
    if unit.startswith("%"):
        return f"{number(value)}{unit}"
    if value == 1 and unit not in ("s", "ms"):
        return f"1 {unit.removesuffix('s')}"
    return f"{number(value)} {unit}".rstrip()


def short(value: float, unit: str) -> str:
    """For a subject: the number, and its unit where that is a sign."""
    if unit.startswith("%"):
        return f"{number(value)}%"
    return shown(value, unit) if unit in ("ms", "s") else number(value)


def number(value: float) -> str:
    """Three digits that count, thousands set apart."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def lasting(seconds: float) -> str:
    """`45 seconds`, `12 minutes`, `3 hours 20 minutes`, `2 days 4 hours`."""
    seconds = max(0, round(seconds))
    if seconds < 2 * MINUTE_S:
        return plural(seconds, "second")
    if seconds < HOUR_S:
        return plural(seconds // MINUTE_S, "minute")
    large, small = (("hour", HOUR_S), ("minute", MINUTE_S)) if seconds < DAY_S else (("day", DAY_S), ("hour", HOUR_S))
    rest = seconds % large[1] // small[1]
    return plural(seconds // large[1], large[0]) + (f" {plural(rest, small[0])}" if rest else "")


def clock(time: datetime, now: datetime) -> str:
    """`14:02 UTC`, with the day where it isn't today."""
    return f"{time:%H:%M} UTC" if time.date() == now.date() else f"{time:%d %b %H:%M} UTC"


def plural(count: int, noun: str) -> str:
    """`1 window`, `12 windows`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
