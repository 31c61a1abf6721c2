"""Windows: successive hours of one model version, joined until there is enough to judge."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lightship_runtime.monitor.baseline import Baseline
from lightship_runtime.monitor.cells import DAY, HOUR, CellKey, Cells
from lightship_runtime.monitor.drift import LEAST_ROWS
from lightship_runtime.monitor.profile import Profile, add_counts
from lightship_runtime.monitor.results import Result, Window, evaluate
from lightship_runtime.monitor.traffic import REJECTED

WEEK = 7 * DAY
AT_MOST = WEEK


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A window's version and time, from `start` up to `end` in seconds since 1970."""

    version: str
    start: int
    end: int

    def holds(self, hour: int) -> bool:
        return self.start <= hour < self.end


def closed_spans(
    rows: Mapping[CellKey, int], until: float, published: Iterable[Span] = (), hours: int = 1
) -> tuple[Span, ...]:
    """The closed windows among hours that ended by `until`, given each hour's rows.

    A version's windows are disjoint and successive. One opens with the first hour that has rows and closes at the end
    of the hour in which it reaches 500 rows, or after seven days with what it has. So it spans an hour to a day where
    traffic allows that. The same rows give the same windows, whenever they are asked for.

    With `hours`, windows span a multiple of so many hours, and from a day on they begin at midnight (UTC): then columns
    that follow the clock or the week are compared like with like.

    `published` windows stay as they are, whatever rows come late: others begin after the last of them.
    """
    spans = sorted(published)
    ends: dict[str, int] = {}
    for span in spans:
        ends[span.version] = max(ends.get(span.version, 0), span.end)
    for version in sorted({version for version, _ in rows}):
        after = ends.get(version, 0)
        found = {hour: count for (name, hour), count in rows.items() if name == version and hour >= after}
        spans += [Span(version, start, end) for start, end in _successive(found, until, hours * HOUR, after)]
    return tuple(sorted(spans))


def _successive(rows: Mapping[int, int], until: float, step: int, after: int) -> list[tuple[int, int]]:
    """Start and end of each window. `step` is the shortest one's seconds, `after` the end of the last one before."""
    spans: list[tuple[int, int]] = []
    for hour in sorted(hour for hour, count in rows.items() if count):
        if spans and hour < spans[-1][1]:
            continue
        begun = hour // DAY * DAY if step >= DAY else hour
        start = max(begun, spans[-1][1] if spans else after)
        end = _end(rows, start, step)
        if end > until:
            break
        spans.append((start, end))
    return spans


def _end(rows: Mapping[int, int], start: int, step: int) -> int:
    """The end of the first multiple of `step` that holds 500 rows, or of the last that isn't over seven days."""
    last = start + max(step, AT_MOST // step * step)
    gathered = 0
    for end in range(start + step, last + 1, step):
        gathered += sum(rows.get(hour, 0) for hour in range(end - step, end, HOUR))
        if gathered >= LEAST_ROWS:
            return end
    return last


def weight(profile: Profile) -> int:
    """The rows that an hour counts towards closing its window: refused ones too, which must not go unseen."""
    return profile.rows + profile.notes.get(REJECTED, 0)


def span_result(
    baseline: Baseline,
    span: Span,
    profiles: Sequence[Profile],
    problems: Mapping[str, int],
    last_week: int | None,
) -> Result:
    """The window's result from the profiles and problems of its hours, and the rows of the same hours a week before."""
    total = Profile.empty(baseline)
    for profile in profiles:
        total.add(profile)
    rejected = total.notes.get(REJECTED, 0)
    window = Window(span.version, span.start, span.end, rejected, dict(sorted(problems.items())), last_week)
    return evaluate(baseline, total, window)


def window_results(baseline: Baseline, cells: Cells, until: float) -> list[Result]:
    """The result of every closed window of cells under one baseline, in the order of version and time."""
    rows = {key: weight(profile) for key, profile in cells.profiles.items()}
    results = []
    for span in closed_spans(rows, until):
        profiles = [cells.profiles[key] for key in sorted(rows) if key[0] == span.version and span.holds(key[1])]
        problems: dict[str, int] = {}
        for hour, found in cells.hourly.items():
            if span.holds(hour):
                add_counts(problems, found)
        results.append(span_result(baseline, span, profiles, problems, _rows_week_before(span, cells)))
    return results


def _rows_week_before(span: Span, cells: Cells) -> int | None:
    """Rows of all versions in the same hours a week before; None when nothing reaches back that far."""
    rows = {key: profile.rows for key, profile in cells.profiles.items()}
    if not rows or min(hour for _, hour in rows) > span.start - WEEK:
        return None
    return sum(count for (_, hour), count in rows.items() if span.holds(hour + WEEK))
