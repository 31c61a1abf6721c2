"""The monitor's run over a store: counts what is new, publishes the windows that closed or changed, tells what holds.

The same store gives the same bytes, whenever and however often it is run.
"""

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

from lightship_runtime.batch.stores import Store
from lightship_runtime.documents import dump_document
from lightship_runtime.errors import LightshipError
from lightship_runtime.monitor.baseline import Baseline
from lightship_runtime.monitor.breaches import Acceptance, State, breaches, read_acceptances
from lightship_runtime.monitor.cells import HOUR
from lightship_runtime.monitor.counting import LATEST_ARRIVAL, HourCounter, Remaining
from lightship_runtime.monitor.days import Days, weights_of
from lightship_runtime.monitor.ledger import Ledger
from lightship_runtime.monitor.listing import Listing, announced_hours
from lightship_runtime.monitor.places import (
    ACCEPTED,
    LATE,
    LATEST,
    baseline_name,
    day_of,
    days_between,
    hour_in,
)
from lightship_runtime.monitor.profile import Profile, add_counts
from lightship_runtime.monitor.windows import WEEK, Span, closed_spans, span_result

VOLUME_HOURS = 24
"""The last hours whose volume is compared with the week before."""


@dataclass(frozen=True)
class Report:
    """What a run did, and what holds. `windows` are those published for the first time or with other content; `behind`
    says that time ran short."""

    version: str
    until: float
    breaches: dict[str, State]
    windows: tuple[Span, ...]
    rows: int
    skipped: int
    waiting: int
    last: dict[str, Any] | None
    behind: bool = False

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "time": self.until,
            "version": self.version,
            "breaches": self.breaches,
            "windows": [[span.version, span.start, span.end] for span in self.windows],
            "rows": self.rows,
            "skipped": self.skipped,
            "labels_waiting": self.waiting,
            "behind": self.behind,
        }


class Baselines:
    """Each version's baseline: the release's own, saved for later releases, and those that earlier ones saved."""

    def __init__(self, store: Store, own: tuple[str, Baseline] | None) -> None:
        self._store = store
        self._known: dict[str, Baseline | None] = {}
        if own is not None:
            version, baseline = own
            self._known[version] = baseline
            data = baseline.to_json()
            found = store.read(baseline_name(version))
            if found is None or found[0] != data:
                store.write(baseline_name(version), data)

    def __call__(self, version: str) -> Baseline | None:
        if version not in self._known:
            found = self._store.read(baseline_name(version))
            self._known[version] = None
            with contextlib.suppress(LightshipError):
                self._known[version] = Baseline.from_json(found[0]) if found else None
        return self._known[version]


def run_monitor(
    store: Store,
    until: float,
    scratch: Path,
    *,
    own: tuple[str, Baseline] | None = None,
    floor: float | None = None,
    hours: int = 1,
    remaining: Remaining = lambda: inf,
) -> Report:
    """Bring the store's results up to `until`, in seconds since 1970.

    `own` is this release's version and baseline, `scratch` a folder for temporary files about the size of the
    telemetry, `floor` an accuracy below which a window is a breach, `hours` what a window's length is a multiple of.
    Hours that end after `until` are left for later. When the seconds that `remaining` tells run short, what was read by
    then is published, and the next run goes on from there.
    """
    baselines = Baselines(store, own)
    latest = _read_latest(store)
    listing = Listing(store, until)
    days = Days(store)
    last_run = latest.get("complete")
    first = listing.first_day() if last_run is None else day_of(min(until, last_run) - LATEST_ARRIVAL)
    recent = list(days_between(until if first is None else first, until))
    late = () if last_run is None else announced_hours(store, LATE, last_run - HOUR, until)
    counter = HourCounter(store, days, listing, baselines, scratch, until, remaining)
    counter.run(recent, {hour for hour in late if hour < recent[0]})
    first_hour = _first_hour(latest, days, recent)
    publisher = _Publisher(store, days, baselines, counter.reached, first_hour, str(latest.get("version", "")))
    windows = publisher.publish(recent, counter.counted, hours)
    version = publisher.current()
    entries = publisher.ledgers[version].until(until) if version else []
    state = breaches(
        entries,
        version=version,
        now=until,
        accepted=_acceptances(store),
        floor=floor,
        hours=publisher.volumes(),
    )
    complete = last_run if counter.behind else until
    _write_latest(store, until, version, state, len(entries), publisher.first, complete)
    return Report(
        version=version,
        until=until,
        breaches=state,
        windows=tuple(windows),
        rows=counter.rows,
        skipped=counter.skipped,
        behind=counter.behind,
        waiting=sum(hour.problems.get("labels_waiting", 0) for _, hour in days.hours(recent)),
        last=dict(entries[-1]) if entries else None,
    )


def _read_latest(store: Store) -> dict[str, Any]:
    found = store.read(LATEST)
    with contextlib.suppress(ValueError, RecursionError):
        document = json.loads(found[0]) if found else {}
        if isinstance(document, dict) and type(document.get("complete")) in (int, float, type(None)):
            return document
    return {}


def _write_latest(
    store: Store,
    until: float,
    version: str,
    state: dict[str, State],
    windows: int,
    first: int | None,
    complete: float | None,
) -> None:
    """`first` is the first hour that ever had rows, `complete` the time of the last run that wasn't short of time."""
    document = {
        "time": until,
        "version": version,
        "breaches": state,
        "windows": windows,
        "first": first,
        "complete": complete,
    }
    store.write(LATEST, dump_document(document))


def _acceptances(store: Store) -> tuple[Acceptance, ...]:
    found = store.read(ACCEPTED)
    return read_acceptances(found[0] if found else None)


def _first_hour(latest: dict[str, Any], days: Days, recent: Sequence[int]) -> int | None:
    """The first hour that ever had rows."""
    known = [first] if type(first := latest.get("first")) is int else []
    return min([*known, *(hour for hour, each in days.hours(recent) if each.rows)], default=None)


class _Publisher:
    """Windows and their documents."""

    def __init__(
        self, store: Store, days: Days, baselines: Baselines, until: float, first: int | None, version: str
    ) -> None:
        self._store = store
        self._days = days
        self._baselines = baselines
        self._until = until
        self._version = version
        self.first = first
        self.ledgers: dict[str, Ledger] = {}

    def publish(self, recent: Sequence[int], counted: set[int], hours: int) -> list[Span]:
        """Write the windows that are new, and those whose hours, or the hours a week before, were counted anew."""
        weights = weights_of(self._days.hours(recent))
        cells = [hour.cells for start in counted if (hour := self._days.find(start))]
        versions = {version for version, _ in weights}.union(*cells, [self._version] if self._version else ())
        self.ledgers = {version: Ledger(self._store, version) for version in sorted(versions)}
        known = [span for ledger in self.ledgers.values() for span in ledger.spans()]
        published = set(known)
        touched = counted | {hour + WEEK for hour in counted}
        changed = []
        for span in closed_spans(weights, self._until, known, hours):
            baseline = self._baselines(span.version)
            due = span not in published or any(span.holds(hour) for hour in touched)
            if due and span.end <= self._until and baseline is not None and self._publish(span, baseline):
                changed.append(span)
        for ledger in self.ledgers.values():
            ledger.save()
        return changed

    def _publish(self, span: Span, baseline: Baseline) -> bool:
        profiles, problems = [], dict[str, int]()
        for start in range(span.start, span.end, HOUR):
            hour = self._days.find(start)
            if hour is None or not hour.counted:
                continue
            add_counts(problems, hour.problems)
            if span.version in hour.cells:
                profiles.append(Profile.from_dict(hour.cells[span.version], baseline))
        add_counts(problems, {"lines_skipped": skipped} if (skipped := self._skipped(span)) else {})
        last_week = self._rows(span.start - WEEK, span.end - WEEK)
        return self.ledgers[span.version].publish(span, span_result(baseline, span, profiles, problems, last_week))

    def _skipped(self, span: Span) -> int:
        """Lines that weren't telemetry, in the files that arrived meanwhile."""
        return sum(
            file.skipped
            for day in days_between(span.start, span.end - 1)
            for name, file in self._days.day(day).files.items()
            if (arrived := hour_in(name)) is not None and span.holds(arrived)
        )

    def _rows(self, start: int, end: int) -> int | None:
        """Rows of all versions in hours; None where they lie before the first one ever."""
        if self.first is None or start < self.first:
            return None
        found = (self._days.find(hour) for hour in range(start, end, HOUR))
        return sum(hour.rows for hour in found if hour)

    def volumes(self) -> list[tuple[int, int, int | None]]:
        """The last closed hours: when each began, its rows, and those of the same hour a week before."""
        last = int(self._until // HOUR) * HOUR
        hours = range(last - VOLUME_HOURS * HOUR, last, HOUR)
        return [
            (hour, self._rows(hour, hour + HOUR) or 0, self._rows(hour - WEEK, hour + HOUR - WEEK)) for hour in hours
        ]

    def current(self) -> str:
        """The version of the latest window; of several that end together, the one with most rows."""
        last = [(each[-1], ledger.version) for ledger in self.ledgers.values() if (each := ledger.until(self._until))]
        newest = max(last, key=lambda pair: (pair[0]["end"], pair[0]["rows"], pair[1]), default=None)
        return newest[1] if newest else ""
