"""Numbers, times and changes in words."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from lightship_runtime.monitor.baseline import Track
from lightship_runtime.monitor.bins import DIGITS, INVALID, MISSING, UNSEEN
from lightship_runtime.monitor.drift import body_codes

SPECIAL = {MISSING: "missing", UNSEEN: "never seen at training", INVALID: "wrong type"}
METRICS = {
    "accuracy": "Accuracy",
    "f1": "F1",
    "precision": "Precision",
    "recall": "Recall",
    "roc_auc": "ROC AUC",
    "log_loss": "Log loss",
    "mae": "Mean absolute error",
    "rmse": "Root mean squared error",
    "r2": "R squared",
    "bias": "Mean error",
}
SHARES = ("accuracy", "precision", "recall")
_HOURS = tuple(f"{hour:02d} to {hour + 3:02d} h" for hour in range(0, 24, 3))


def percent(share: float) -> str:
    """A share as a percentage: a decimal below 10%, and never a rounded 0% or 100% that isn't one."""
    number = 100 * share
    if 0 < number < 0.1:
        return "under 0.1%"
    if 99.9 < number < 100:
        return "over 99.9%"
    return f"{number:.1f}%" if 0 < number < 9.95 or 90.05 < number < 100 else f"{number:.0f}%"


def number(value: float) -> str:
    """A number short enough to read: whole thousands with separators, else three significant digits."""
    if value == 0:
        return "0"
    if abs(value) >= 1e7 or abs(value) < 1e-4:
        return f"{value:.2e}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def metric_text(name: str, value: float) -> str:
    """A metric as it is read: accuracy and its kin in percent, the others as numbers."""
    return f"{100 * value:.1f}%" if name in SHARES else number(value)


def moment(seconds: float | None, place: int) -> str:
    """A time as `3 Jan 2024, 14:00` (UTC), or `window 3` where windows have no time."""
    if seconds is None:
        return f"window {place + 1}"
    when = datetime.fromtimestamp(seconds, UTC)
    return f"{when.day} {when:%b %Y, %H:%M}"


def day(seconds: float | None, place: int) -> str:
    """A time without its hour, for axes."""
    if seconds is None:
        return f"window {place + 1}"
    when = datetime.fromtimestamp(seconds, UTC)
    return f"{when.day} {when:%b %Y}"


def bin_names(track: Track) -> list[str]:
    """What the bins of `body_codes` are called."""
    if track.kind == "category":
        return [*track.values, "all others"]
    if track.kind == "boolean":
        return ["false", "true"]
    if track.kind == "clock":
        return list(_HOURS)
    if not track.edges:
        return [number(track.minimum)]
    edges = [number(edge) for edge in track.edges]
    inner = [f"{low} to {high}" for low, high in pairwise(edges)]
    return [f"under {edges[0]}", *inner, f"{edges[-1]} and over"]


def date_names(track: Track) -> list[str]:
    """The bins of a date column, whose edges are seconds."""
    edges = [day(edge, 0) for edge in track.edges]
    if not edges:
        return ["all"]
    inner = [f"from {edge}" for edge in edges[:-1]]
    return [f"before {edges[0]}", *inner, f"from {edges[-1]}"]


def histogram(
    track: Track, now: Mapping[str, int], names: Sequence[str] | None = None
) -> list[tuple[str, float, float]]:
    """Each bin's name and its share of rows then and now. Bins that are empty on both sides are left out."""
    then_rows, now_rows = sum(track.counts.values()) or 1, sum(now.values()) or 1
    bars = [
        (name, sum(track.counts.get(code, 0) for code in codes), sum(now.get(code, 0) for code in codes))
        for name, codes in zip(names or bin_names(track), body_codes(track), strict=True)
    ]
    bars += [(name, track.counts.get(code, 0), now.get(code, 0)) for code, name in SPECIAL.items()]
    return [(name, then / then_rows, found / now_rows) for name, then, found in bars if then or found]


def change_sentence(track: Track, entry: Mapping[str, Any]) -> str:
    """What changed in a column, in one sentence."""
    drift = entry["drift"]
    measure = drift["measure"]
    parts = {part["measure"]: part for part in drift["components"]}
    if measure in ("missing", "unseen", "far", "invalid"):
        then, now = (percent(parts[measure][side]) for side in ("then", "now"))
        return {
            "missing": f"Missing values went from {then} to {now} of the rows.",
            "unseen": f"{now} of the rows have a value that training never saw.",
            "far": f"{now} of the rows lie far outside the range that training saw (then {then}).",
            "invalid": f"{now} of the rows have a value of the wrong type (then {then}).",
        }[measure]
    name = track.name if measure == "distribution" else measure.removeprefix("distribution of ")
    counts = entry["counts"].get(name, entry["counts"].get("value", {}))
    bars = histogram(track, counts)
    worst = max(bars, key=lambda bar: abs(bar[2] - bar[1]))
    moved = f"{worst[0]} went from {percent(worst[1])} to {percent(worst[2])} of the rows"
    return f"{_direction(track, counts)}{moved}."


def _direction(track: Track, now: Mapping[str, int]) -> str:
    if track.kind != "numeric" or len(track.edges) < 2:
        return "The mix changed: "
    means = []
    for counts in (track.counts, now):
        rows = [sum(counts.get(code, 0) for code in group) for group in body_codes(track)]
        means.append(sum(place * count for place, count in enumerate(rows)) / max(1, sum(rows)))
    reach = len(DIGITS[: len(track.edges)])
    if abs(means[1] - means[0]) < 0.05 * reach:
        return "Values spread differently: "
    return "Values are higher: " if means[1] > means[0] else "Values are lower: "
