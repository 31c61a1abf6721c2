"""Which columns drifted: effect size and significance together, corrected for sample size and number of columns.

A column is flagged when Benjamini and Hochberg's procedure over all columns finds it significant and one of its
components has an effect, freed of sampling bias, over that component's gate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import pi, sqrt
from typing import Any, Literal

from lightship_runtime.monitor.baseline import ColumnBaseline, Track
from lightship_runtime.monitor.bins import (
    ABOVE,
    BELOW,
    DIGITS,
    FAR_ABOVE,
    FAR_BELOW,
    GAPS,
    INVALID,
    MISSING,
    OTHER,
    UNSEEN,
)
from lightship_runtime.monitor.distance import Distance, compare_bins, compare_shares
from lightship_runtime.monitor.moves import is_fine

type Level = Literal["none", "warn", "high", "insufficient"]
type CodeCounts = Mapping[str, int]

LEAST_ROWS = 500
LEAST_VALUES = 200
"""Rows with a value that the comparison of bins takes; missing values are compared all the same."""
FALSE_DISCOVERY_RATE = 0.002
WARN, HIGH = 0.11, 0.25
"""Gates of the index: a move of a normal column by a third and by half of a standard deviation."""
SHARE_WARN, SHARE_HIGH = 0.04, 0.10
"""Gates of missing, invalid, unseen and far values: from none to 1.0% and to 2.5% of the rows, or from 5% to 10.3%."""
MOVED_ON = 0.9
"""A date column with this share of values after the last baseline date follows the calendar, and isn't judged."""
CALENDAR = "calendar"
"""The measure of such a date column."""
_LEVELS: tuple[Level, ...] = ("none", "warn", "high")


@dataclass(frozen=True, slots=True)
class Component:
    """One aspect of a column: its `distribution` (of a track), or its share of `missing`, `invalid`, `unseen` (new
    categories) or `far` (well outside the range seen) values."""

    measure: str
    effect: float
    p_value: float
    gates: tuple[float, float]
    then: float | None = None
    now: float | None = None

    @property
    def ratio(self) -> float:
        return self.effect / self.gates[0]

    @property
    def grew(self) -> bool:
        """Whether it is a share of values that shouldn't be there, and is larger now."""
        return self.now is not None and self.then is not None and self.now > self.then


@dataclass(frozen=True, slots=True)
class Drift:
    """A column's drift: its `level`, and the `effect` and `measure` of the component that decided.

    `values` is the level of its distributions alone, `quality` that of missing, invalid, unseen and far values that
    have become more.
    """

    level: Level
    effect: float
    p_value: float
    measure: str
    rows: int
    components: tuple[Component, ...]
    values: Level = "insufficient"
    quality: Level = "insufficient"

    def to_dict(self) -> dict[str, Any]:
        return {
            "level": self.level,
            "values": self.values,
            "quality": self.quality,
            "effect": self.effect,
            "p_value": self.p_value,
            "measure": self.measure,
            "rows": self.rows,
            "components": [
                {
                    "measure": part.measure,
                    "effect": part.effect,
                    "p_value": part.p_value,
                    **({} if part.now is None else {"then": part.then, "now": part.now}),
                }
                for part in self.components
            ],
        }


def body_codes(track: Track) -> list[str]:
    """For each bin of the comparison, the codes that count into it. Values out of range belong to the outer bins."""
    if track.kind == "numeric":
        groups = list(DIGITS[: len(track.edges) + 1])
        if track.step:
            groups = [digit + GAPS[place] for place, digit in enumerate(groups[:-1])] + groups[-1:]
        groups[0] += BELOW + FAR_BELOW
        groups[-1] += ABOVE + FAR_ABOVE
        return groups
    if track.kind == "category":
        return [*DIGITS[: len(track.values)], OTHER]
    return list(DIGITS[: 2 if track.kind == "boolean" else 8])


def grouped(groups: Sequence[str], counts: CodeCounts) -> list[int]:
    """The counts of each group of codes."""
    return [sum(counts.get(code, 0) for code in group) for group in groups]


def body_counts(track: Track, counts: CodeCounts) -> list[float]:
    """The rows of each bin of the comparison; what lies between two bins counts half for either."""
    rows: list[float] = [*grouped(body_codes(track), counts)]
    if track.step:
        for place in range(len(rows) - 1):
            half = counts.get(GAPS[place], 0) / 2
            rows[place] -= half
            rows[place + 1] += half
    return rows


def information_kept(bins: int) -> float:
    """The share of the squared distance between two near normal distributions that a cut into equal bins keeps.

    2/pi for a cut at the median (the efficiency of the sign test), rising to 1; a gate for categories is lower by it,
    because a category is often a cut of something continuous.
    """
    return 1 - (1 - 2 / pi) * float((2 / bins) ** 1.37)


def column_components(column: ColumnBaseline, now: Sequence[CodeCounts]) -> list[Component]:
    """Every comparison that the counts of a column's tracks allow."""
    first, current = column.tracks[0], now[0]
    rows, then_rows = sum(current.values()), sum(first.counts.values())
    if not rows or not then_rows:
        return []
    shares = {"missing": MISSING, "invalid": INVALID}
    if first.kind == "category" and not first.open:
        shares["unseen"] = UNSEEN
    elif first.kind == "numeric" and column.kind == "numeric":
        shares["far"] = FAR_BELOW + FAR_ABOVE
    components = []
    for measure, codes in shares.items():
        a, b = (sum(counts.get(code, 0) for code in codes) for counts in (current, first.counts))
        if measure == "unseen":
            b = _unseen_expected(first)
            if a * then_rows <= b * rows:
                continue
        if a or b:
            found = compare_shares(a, rows, b, then_rows)
            gates = (SHARE_WARN, SHARE_HIGH)
            components.append(Component(measure, found.effect, found.p_value, gates, b / then_rows, a / rows))
    if column.kind == "datetime" and moved_on(current):
        return [*components, Component(CALENDAR, 0.0, 1.0, (WARN, HIGH))]
    for track, counts in zip(column.tracks, now, strict=True):
        components += _body(track, counts)
    return components


def _unseen_expected(track: Track) -> int:
    """The baseline rows that would hold values new to it, were they a second sample: at most, with some certainty."""
    return min(sum(track.counts.values()), track.singles + round(2 * sqrt(track.singles + 1)))


def moved_on(counts: CodeCounts) -> bool:
    """Whether nearly all dates lie after the last one of the baseline."""
    dated = sum(count for code, count in counts.items() if code not in MISSING + INVALID)
    return dated > 0 and counts.get(ABOVE, 0) + counts.get(FAR_ABOVE, 0) >= MOVED_ON * dated


def _body(track: Track, counts: CodeCounts) -> list[Component]:
    now, then = body_counts(track, counts), body_counts(track, track.counts)
    if sum(now) < LEAST_VALUES or not sum(then):
        return []
    found: Distance = compare_bins(track, now, then)
    kept = 1.0 if is_fine(track) else information_kept(max(2, sum(1 for count in then if count)))
    measure = "distribution" if track.name == "value" else f"distribution of {track.name}"
    return [Component(measure, found.effect, found.p_value, (WARN * kept, HIGH * kept))]


def judge(columns: Mapping[str, Sequence[Component]], rows: int) -> dict[str, Drift]:
    """The drift of every column, given each one's components and the rows of the window."""
    p_values = {name: _column_p_value(parts) for name, parts in columns.items()}
    threshold = discovery_threshold(list(p_values.values()), FALSE_DISCOVERY_RATE)
    return {
        name: _drift(tuple(parts), p_values[name], p_values[name] <= threshold, rows) for name, parts in columns.items()
    }


def _column_p_value(parts: Sequence[Component]) -> float:
    """The smallest p-value of the components, by Bonferroni for their number."""
    return min([1.0, *(part.p_value * len(parts) for part in parts)])


def discovery_threshold(p_values: Sequence[float], rate: float) -> float:
    """The largest p-value that counts as a discovery (Benjamini and Hochberg 1995); negative when none does."""
    threshold = -1.0
    for rank, p_value in enumerate(sorted(p_values), 1):
        if p_value <= rate * rank / len(p_values):
            threshold = p_value
    return threshold


def _judges_values(part: Component) -> bool:
    return part.measure == CALENDAR or part.measure.startswith("distribution")


def _drift(parts: tuple[Component, ...], p_value: float, significant: bool, rows: int) -> Drift:
    real = [part for part in parts if part.p_value * len(parts) <= FALSE_DISCOVERY_RATE]
    worst = max(real or parts, key=lambda part: part.ratio, default=None)
    if worst is None:
        return Drift(
            "insufficient", 0.0, 1.0, "distribution", rows, (), quality="none" if rows >= LEAST_ROWS else "insufficient"
        )
    level: Level = "none"
    if rows >= LEAST_ROWS and significant and real:
        level = _LEVELS[sum(worst.effect >= gate for gate in worst.gates)]
    judged = any(_judges_values(part) for part in parts)
    if rows < LEAST_ROWS or (level == "none" and not judged):
        level = "insufficient"
    values: Level = "insufficient"
    quality: Level = "insufficient"
    if rows >= LEAST_ROWS:
        flagged = real if significant else []
        values = _worst_level([part for part in flagged if _judges_values(part)]) if judged else "insufficient"
        quality = _worst_level([part for part in flagged if part.grew])
    return Drift(level, worst.effect, p_value, worst.measure, rows, parts, values, quality)


def _worst_level(parts: Sequence[Component]) -> Level:
    return _LEVELS[max((sum(part.effect >= gate for gate in part.gates) for part in parts), default=0)]
