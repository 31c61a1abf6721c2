"""Pictures as inline SVG. Positions across are percentages, so that text keeps its size on every screen."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from math import isfinite

from lightship.monitoring.report.words import percent

ROW = 30
NAME_WIDTH = 34
LONGEST_NAME = 17
"""Characters that fit beside the bars of the narrowest card."""
BAR_WIDTH = 48


def bars(title: str, rows: Sequence[tuple[str, float, float]]) -> str:
    """Then-and-now bars, one pair a bin: its name, and its share of rows then (thin) and now (thick)."""
    largest = max((max(then, now) for _, then, now in rows), default=1) or 1
    parts = []
    for place, (name, then, now) in enumerate(rows):
        y = place * ROW
        short = name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
        shown = escape(name) if short == name else f"<title>{escape(name)}</title>{escape(short)}"
        left = NAME_WIDTH + 1
        end = left + max(then, now) / largest * BAR_WIDTH
        parts.append(
            f'<text x="{NAME_WIDTH}%" y="{y + 18}" class="n" text-anchor="end">{shown}</text>'
            f'<rect x="{left}%" y="{y + 4}" width="{then / largest * BAR_WIDTH:.2f}%" height="7" class="then"/>'
            f'<rect x="{left}%" y="{y + 12}" width="{now / largest * BAR_WIDTH:.2f}%" height="11" class="now"/>'
            f'<text x="{end:.2f}%" dx="4" y="{y + 21}" class="v">{percent(now)}</text>'
        )
    head = f'<svg class="bars" role="img" aria-label="{escape(title)}" height="{len(rows) * ROW + 2}">'
    return f"{head}{''.join(parts)}</svg>"


@dataclass(frozen=True, slots=True)
class Series:
    """A line over the windows; None is a gap. `low` and `high` are its band, where it has one."""

    css: str
    values: Sequence[float | None]
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()


@dataclass(frozen=True, slots=True)
class Mark:
    """A line across time: something new from the window at `place` on."""

    place: int
    text: str


HEIGHT = 180


def lines(
    title: str, series: Sequence[Series], level: float | None, axis: Sequence[str], marks: Sequence[Mark] = ()
) -> str:
    """Lines with bands over the windows, and a horizontal line at `level`.

    `axis` are the texts of the lower and upper border, made by the caller's own formatting of what `borders` gives.
    """
    low, high = borders(series, level)
    inner = "".join(_band(entry, low, high) for entry in series)
    inner += "" if level is None else f'<path class="level" d="M0 {_y(level, low, high):.2f}H100"/>'
    inner += "".join(_line(entry, low, high) for entry in series)
    count = max(len(entry.values) for entry in series)
    points = "".join(
        f'<circle class="{entry.css} dot" cx="{_x(place, count):.2f}%" cy="{_y(value, low, high):.2f}%" r="3"/>'
        for entry in series
        for place, value in enumerate(entry.values)
        if value is not None and count <= 40
    )
    return (
        f'<div class="plot"><span class="top">{escape(axis[1])}</span><span class="bottom">{escape(axis[0])}</span>'
        f'<svg role="img" aria-label="{escape(title)}" height="{HEIGHT}">{_marks(marks, count)}<svg width="100%" '
        f'height="100%" viewBox="0 0 100 100" preserveAspectRatio="none">{inner}</svg>{points}</svg></div>'
    )


def borders(series: Sequence[Series], level: float | None) -> tuple[float, float]:
    """The range that holds every line, band and the level, with a little air."""
    known = [
        value
        for entry in series
        for side in (entry.values, entry.low, entry.high)
        for value in side
        if value is not None and isfinite(value)
    ]
    known += [] if level is None else [level]
    low, high = min(known, default=0.0), max(known, default=1.0)
    air = (high - low) * 0.08 or abs(high) * 0.05 or 1.0
    return low - air, high + air


def _marks(marks: Sequence[Mark], count: int) -> str:
    drawn = []
    for mark in marks:
        x = _x(mark.place, count) - 48 / max(1, count - 1)
        drawn.append(
            f'<line class="mark" x1="{x:.2f}%" x2="{x:.2f}%" y1="0" y2="100%"/>'
            f'<text class="v" x="{x:.2f}%" dx="4" y="11">{escape(mark.text[:12])}</text>'
        )
    return "".join(drawn)


def _x(place: int, count: int) -> float:
    return 50.0 if count == 1 else 2 + 96 * place / (count - 1)


def _y(value: float, low: float, high: float) -> float:
    return 100 * (high - value) / (high - low)


def _runs(values: Sequence[float | None]) -> list[list[int]]:
    """The places of successive values without a gap."""
    runs: list[list[int]] = [[]]
    for place, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append(place)
    return [run for run in runs if run]


def _line(entry: Series, low: float, high: float) -> str:
    count = len(entry.values)
    drawn = []
    for run in _runs(entry.values):
        points = " ".join(f"{_x(place, count):.2f},{_y(entry.values[place] or 0.0, low, high):.2f}" for place in run)
        drawn.append(f'<polyline class="{entry.css}" points="{points}"/>')
    return "".join(drawn)


def _band(entry: Series, low: float, high: float) -> str:
    if not entry.low:
        return ""
    count = len(entry.values)
    drawn = []
    for run in _runs(entry.values):
        upper = [f"{_x(place, count):.2f},{_y(entry.high[place] or 0.0, low, high):.2f}" for place in run]
        lower = [f"{_x(place, count):.2f},{_y(entry.low[place] or 0.0, low, high):.2f}" for place in reversed(run)]
        drawn.append(f'<polygon class="{entry.css} band" points="{" ".join(upper + lower)}"/>')
    return "".join(drawn)


def columns(title: str, values: Sequence[float], marks: Sequence[Mark] = ()) -> str:
    """Upright bars over the windows."""
    largest = max(values, default=1) or 1
    width = 96 / max(1, len(values))
    drawn = "".join(
        f'<rect class="now" x="{2 + place * width + width * 0.1:.2f}%" y="{100 - 94 * value / largest:.2f}%" '
        f'width="{width * 0.8:.2f}%" height="{94 * value / largest:.2f}%"/>'
        for place, value in enumerate(values)
    )
    lines_across = "".join(
        f'<line class="mark" x1="{2 + mark.place * width:.2f}%" x2="{2 + mark.place * width:.2f}%" y1="0" y2="100%"/>'
        for mark in marks
    )
    return f'<svg class="columns" role="img" aria-label="{escape(title)}" height="90">{drawn}{lines_across}</svg>'


def strip(levels: Sequence[str], names: Sequence[str]) -> str:
    """A column's history, coloured by level; successive windows of one level are one block."""
    width = 100 / max(1, len(levels))
    drawn = []
    place = 0
    for level, run in groupby(levels):
        count = len(list(run))
        period = names[place] if count == 1 else f"{names[place]} to {names[place + count - 1]}"
        drawn.append(
            f'<rect class="{level}" x="{place * width:.2f}%" width="{count * width:.2f}%" height="14">'
            f"<title>{escape(period)}: {level}</title></rect>"
        )
        place += count
    return f'<svg class="strip" role="img" aria-label="level over time" height="14">{"".join(drawn)}</svg>'
