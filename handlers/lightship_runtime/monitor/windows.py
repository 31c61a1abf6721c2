"""Windows: successive hours of one model version, joined until there is enough to judge."""

from collections.abc import Mapping
from dataclasses import dataclass

from lightship_runtime.monitor.baseline import Baseline
from lightship_runtime.monitor.cells import HOUR, CellKey, Cells
from lightship_runtime.monitor.drift import LEAST_ROWS
from lightship_runtime.monitor.profile import Profile
from lightship_runtime.monitor.results import Result, Window, evaluate

DAY = 24 * HOUR
WEEK = 7 * DAY
AT_MOST = WEEK


@dataclass(frozen=True, slots=True)
class Span:
    """A window's version and time, from `start` up to `end` in seconds since 1970."""

    version: str
    start: int
    end: int


def closed_spans(rows: Mapping[CellKey, int], until: float) -> tuple[Span, ...]:
    """The closed windows among hours that ended by `until`, given each hour's rows.

    A version's windows are disjoint and successive. One opens with the first hour that has rows and closes at the end
    of the hour in which it reaches 500 rows, or after seven days with what it has. So it spans an hour to a day where
    traffic allows that. The same rows give the same windows, whenever they are asked for.
    """
    spans = []
    for version in sorted({version for version, _ in rows}):
        hours = sorted(hour for name, hour in rows if name == version and hour + HOUR <= until)
        start, gathered = None, 0
        for hour in hours:
            if start is not None and hour >= start + AT_MOST:
                spans.append(Span(version, start, start + AT_MOST))
                start, gathered = None, 0
            start = hour if start is None else start
            gathered += rows[version, hour]
            if gathered >= LEAST_ROWS:
                spans.append(Span(version, start, hour + HOUR))
                start, gathered = None, 0
        if start is not None and start + AT_MOST <= until:
            spans.append(Span(version, start, start + AT_MOST))
    return tuple(spans)


def window_results(baseline: Baseline, cells: Cells, until: float) -> list[Result]:
    """The result of every closed window, in the order of version and time."""
    rows = {key: profile.rows for key, profile in cells.profiles.items()}
    return [_result(baseline, cells, span, rows) for span in closed_spans(rows, until)]


def _result(baseline: Baseline, cells: Cells, span: Span, rows: Mapping[CellKey, int]) -> Result:
    profile = Profile.empty(baseline)
    for key in sorted(rows):
        if _inside(key, span):
            profile.add(cells.profiles[key])
    rejected = sum(count for key, count in cells.rejected.items() if _inside(key, span))
    window = Window(span.version, span.start, span.end, rejected, cells.problems, _rows_week_before(span, rows))
    return evaluate(baseline, profile, window)


def _inside(key: CellKey, span: Span) -> bool:
    return key[0] == span.version and span.start <= key[1] < span.end


def _rows_week_before(span: Span, rows: Mapping[CellKey, int]) -> int | None:
    """Rows of all versions in the same hours a week before; None when nothing reaches back that far."""
    if not rows or min(hour for _, hour in rows) > span.start - WEEK:
        return None
    return sum(count for (_, hour), count in rows.items() if span.start <= hour + WEEK < span.end)
