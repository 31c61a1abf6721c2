"""Whether labels still come: a window's share of labelled predictions against that of earlier windows at the same age.

How long labels take is learned from when they came: a window is judged once it is old enough for nearly all labels that
ever come. So a nightly upload, or one that waits for Monday, is no breach.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from math import sqrt
from typing import Any

from lightship_runtime.monitor.traffic import AGES

HOUR = 3600
MEMORY = 60 * 24 * HOUR
"""Seconds of earlier windows that tell what is usual."""
LEAST_EXPECTED = 500
LEAST_USUAL = 0.01
SETTLED = 0.95
"""The share of all labels that have come once a window is judged."""
FALLEN = 0.5
"""A window with less than this share of the usual coverage is flagged."""
SURE = 3.1
"""Standard errors, for a one-sided chance of one in a thousand."""
FLUCTUATION = 0.1
"""How much coverage varies between windows of itself, as a share of the usual one."""

type Entry = Mapping[str, Any]
type TwoOfThree = Callable[[Iterable[tuple[float, bool]]], tuple[bool, float | None]]


def judge_coverage(entries: Sequence[Entry], now: float, two_of_three: TwoOfThree) -> dict[str, Any]:
    """The state of label coverage: `on`, `since`, and of the last judged window `value`, the `usual` one and `hours`,
    the age both were taken at."""
    history = _History(entries)
    judged = [(entry, found) for place, entry in enumerate(entries) if (found := _judge(entry, place, history, now))]
    on, since = two_of_three((entry["start"], bool(found["fallen"])) for entry, found in judged)
    state: dict[str, Any] = {"on": on, "since": since, "columns": []}
    if judged:
        last = judged[-1][1]
        return {**state, **{name: last[name] for name in ("value", "usual", "hours", "n")}}
    expected = sum(entry["labels"]["expected"] for entry in entries)
    if expected:
        state |= {"value": sum(entry["labels"]["rows"] for entry in entries) / expected, "n": expected}
    return state


class _History:
    """Running totals over windows in order: predictions that expect a label, and those that had one by each age."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._ends = [entry["end"] for entry in entries]
        self._expected = [0, *accumulate(entry["labels"]["expected"] for entry in entries)]
        self._within = {age: [0, *accumulate(_within(entry, age) for entry in entries)] for age in AGES}

    def before(self, place: int) -> tuple[int, dict[int, int]]:
        """The totals of the windows of sixty days before the one at this place."""
        first = bisect_right(self._ends, self._ends[place] - MEMORY)
        found = {age: totals[place] - totals[first] for age, totals in self._within.items()}
        return self._expected[place] - self._expected[first], found


def _judge(entry: Entry, place: int, history: _History, now: float) -> dict[str, Any] | None:
    """None where the window is too young or too little is known of earlier ones."""
    expected = entry["labels"]["expected"]
    known, labelled = history.before(place)
    if not expected or known < LEAST_EXPECTED:
        return None
    most = labelled[AGES[-1]]
    age = next(age for age in AGES if labelled[age] >= SETTLED * most)
    if most < LEAST_USUAL * known or now < entry["end"] + age * HOUR:
        return None
    value, then = _within(entry, age) / expected, labelled[age] / known
    error = sqrt(then * (1 - then) * (1 / expected + 1 / known) + (FLUCTUATION * then) ** 2)
    return {
        "fallen": value < FALLEN * then and then - value > SURE * error,
        "value": value,
        "usual": then,
        "hours": age,
        "n": expected,
    }


def _within(entry: Entry, age: int) -> int:
    found: int = entry["labels"]["within"].get(str(age), 0)
    return found
