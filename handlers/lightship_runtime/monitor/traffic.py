"""What a profile notes beside its rows: requests, their latency, and how old predictions were when labels came.

Notes are counters by name, so that they add up as profiles do. A latency falls into one of 24 bins for each power of
ten, which leaves a quantile an error of at most five percent.
"""

from collections.abc import Mapping
from itertools import accumulate
from math import floor, log10
from typing import Any

from lightship_runtime.labels import id_time

BINS_A_DECADE = 24
SHORTEST_BIN, LONGEST_BIN = -2 * BINS_A_DECADE, 6 * BINS_A_DECADE
AGES = (1, 2, 4, 8, 12, 16, 24, 32, 48, 72, 120, 168, 336, 720)
"""Hours from a prediction to its label, as upper bounds."""
OLDER = "older"
_LATENCY, _AGE = "latency:", "label_age:"
_COUNTS: Mapping[str, str] = {
    "Requests": "requests",
    "Refused": "refused",
    "Failed": "failed",
    "ColdStarts": "cold_starts",
}
REJECTED = "rejected"


def request_notes(rejected: int, metrics: Mapping[str, float]) -> dict[str, int]:
    """The notes of one request."""
    notes = {note: 1 for name, note in _COUNTS.items() if metrics.get(name, 0) > 0}
    if rejected:
        notes[REJECTED] = rejected
    latency = metrics.get("Latency")
    if latency is not None and latency >= 0:
        place = floor(BINS_A_DECADE * log10(latency)) if latency > 0 else SHORTEST_BIN
        notes[f"{_LATENCY}{min(max(place, SHORTEST_BIN), LONGEST_BIN)}"] = 1
    return notes


def requests_of(notes: Mapping[str, int]) -> dict[str, Any] | None:
    """Requests by outcome and quantiles of their latency in milliseconds; None without any."""
    if not notes.get("requests"):
        return None
    found: dict[str, Any] = {note: notes.get(note, 0) for note in _COUNTS.values()}
    bins = sorted(
        (int(name.removeprefix(_LATENCY)), count) for name, count in notes.items() if name.startswith(_LATENCY)
    )
    if bins:
        found["latency_ms"] = {f"p{share}": _quantile(bins, share / 100) for share in (50, 90, 99)}
    return found


def _quantile(bins: list[tuple[int, int]], share: float) -> float:
    wanted = share * sum(count for _, count in bins)
    reached = accumulate(count for _, count in bins)
    place = next(place for (place, _), count in zip(bins, reached, strict=True) if count >= wanted)
    return float(f"{10 ** ((place + 0.5) / BINS_A_DECADE):.3g}")


def label_age(identifier: str, hour: int, received: float) -> str:
    """The note of a label that came at `received` for a prediction of this id and hour (seconds since 1970)."""
    made = id_time(identifier)
    hours = (received - (hour if made is None else made)) / 3600
    return f"{_AGE}{next((age for age in AGES if hours <= age), OLDER)}"


def labels_by_age(notes: Mapping[str, int]) -> dict[str, int]:
    """How many predictions had a label within so many hours: cumulative, by the hours of `AGES`. Empty without any."""
    found: dict[str, int] = {}
    reached = 0
    for age in AGES:
        reached += notes.get(f"{_AGE}{age}", 0)
        found[str(age)] = reached
    return found if reached or notes.get(f"{_AGE}{OLDER}") else {}
