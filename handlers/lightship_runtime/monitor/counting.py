"""Counts hours: reads the files that are new, and again those of hours that labels or batches have touched."""

import shutil
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from math import inf
from pathlib import Path

from lightship_runtime.batch.stores import Store, Stored
from lightship_runtime.monitor.cells import DAY, HOUR, Baselines, CellFiller, Cells
from lightship_runtime.monitor.counts import decode_counts
from lightship_runtime.monitor.days import Days, Hour, ReadFile
from lightship_runtime.monitor.listing import Listing
from lightship_runtime.monitor.places import COUNTS, LABELS, TELEMETRY, hour_in
from lightship_runtime.monitor.profile import Profile, add_counts
from lightship_runtime.monitor.telemetry_files import Reading
from lightship_runtime.monitor.traffic import REJECTED

LATEST_ARRIVAL = 8 * DAY
"""Telemetry that comes later than this after its hour is not believed."""
PORTION = 256_000_000
"""About as many bytes of telemetry are spread over the scratch folder at a time, however much there is to do."""
SPARE_S = 30.0
"""Seconds that are kept for windows, results and metrics when the time is short."""
_UNPACKED = 8
"""A gzipped file is taken for so many times its size."""

type Remaining = Callable[[], float]
"""The seconds left; infinite where nothing presses."""


class HourCounter:
    """Keeps the hour cells of a store up to date. `until` is the run's time: later hours stay open.

    `reached` is the time up to which all telemetry has been read: `until`, unless the time that `remaining` tells ran
    short. Then the next run goes on.
    """

    def __init__(
        self,
        store: Store,
        days: Days,
        listing: Listing,
        baselines: Baselines,
        scratch: Path,
        until: float,
        remaining: Remaining,
    ) -> None:
        self._store = store
        self._days = days
        self._listing = listing
        self._baselines = baselines
        self._scratch = scratch
        self._until = until
        self._remaining = remaining
        self._longest = 0.0
        self.reached = until
        self.behind = False
        self.counted: set[int] = set()
        self.skipped = 0
        self.rows = 0

    def run(self, days: Sequence[int], late: Collection[int]) -> None:
        """Count what these days have that is new, and the long past hours that labels came for. Saved by portions."""
        for portion in _portions(self._fresh(days), weight_of):
            if not self._has_time():
                self.reached = min(self._until, *(hour_in(stored.name) or 0 for stored in portion))
                return
            self._count(portion, ())
        touched = {hour for hour in late if not self._is_current(hour, self._days.find(hour))}
        stale = sorted({*self._stale(days), *touched} - self.counted)
        for hours in _portions(stale, self._hour_weight):
            if not self._has_time():
                return
            self._count((), hours)

    def _has_time(self) -> bool:
        """Whether another portion can be counted: the first one always is, so that every run gets on."""
        left = self._remaining()
        self.behind = self._longest > 0 and left < SPARE_S + 2 * self._longest
        return not self.behind

    def _fresh(self, days: Sequence[int]) -> Iterator[Stored]:
        """Telemetry files that weren't read, or were rewritten since."""
        for day in days:
            read = self._days.day(day).files
            for files in self._listing.day(TELEMETRY, day).values():
                yield from (each for each in files if each.name not in read or read[each.name].etag != each.etag)

    def _stale(self, days: Sequence[int]) -> Iterator[int]:
        """Closed hours that were never counted, or whose labels, counts or baselines have changed."""
        for day in days:
            known = self._days.day(day).hours
            for hour in sorted({*known, *self._listing.day(LABELS, day), *self._listing.day(COUNTS, day)}):
                if self._closed(hour) and not self._is_current(hour, known.get(hour)):
                    yield hour

    def _is_current(self, hour: int, known: Hour | None) -> bool:
        return (
            known is not None
            and known.counted
            and known.labels == self._listing.digest(LABELS, hour)
            and known.counts == self._listing.digest(COUNTS, hour)
            and not any(self._baselines(version) for version in known.unknown)
        )

    def _closed(self, hour: int) -> bool:
        return hour + HOUR <= self._until

    def _hour_weight(self, hour: int) -> int:
        known = self._days.find(hour)
        found = [self._listing.find(name) for name in known.files] if known else []
        return sum(weight_of(stored) for stored in found if stored)

    def _count(self, fresh: Sequence[Stored], hours: Sequence[int]) -> None:
        before = self._remaining()
        self._count_portion(fresh, hours)
        if before < inf:
            self._longest = max(self._longest, before - self._remaining())

    def _count_portion(self, fresh: Sequence[Stored], hours: Sequence[int]) -> None:
        with _folder(self._scratch) as scratch, CellFiller(self._baselines, scratch) as filler:
            wanted = {*hours, *self._read_fresh(filler, fresh)}
            gone = {hour for hour in wanted if self._is_gone(hour)}
            self._read_others(filler, {each.name for each in fresh}, wanted - gone)
            for hour in sorted(wanted - gone):
                for stored in self._listing.hour(LABELS, hour):
                    filler.add_labels(Reading(self._store, stored).lines(), hour)
            cells = filler.cells()
        for hour in sorted(wanted):
            self._keep(hour, None if hour in gone else cells)
        self._days.save()

    def _read_fresh(self, filler: CellFiller, fresh: Sequence[Stored]) -> set[int]:
        """Read new files; the closed hours that they are about, or were about before they were rewritten."""
        touched: set[int] = set()
        for stored in fresh:
            arrived = hour_in(stored.name) or 0
            reading = Reading(self._store, stored)
            plausible = range(arrived - LATEST_ARRIVAL, arrived + 2 * HOUR).__contains__
            seen = filler.add_lines(reading.lines(), wanted=self._closed, plausible=plausible)
            before = self._days.day(arrived).files.get(stored.name)
            for hour in seen.hours:
                self._note(hour, stored.name)
            touched |= {*seen.hours, *(before.hours if before else ())}
            self.skipped += seen.skipped + reading.damaged
            etag = "" if reading.changed else stored.etag
            self._days.keep(arrived, stored.name, ReadFile(etag, seen.skipped + reading.damaged, sorted(seen.hours)))
        return {hour for hour in touched if self._closed(hour)}

    def _note(self, hour: int, name: str) -> None:
        known = self._days.hour(hour)
        if name not in known.files:
            known.files = sorted([*known.files, name])
        known.counted = known.counted and self._closed(hour)

    def _is_gone(self, hour: int) -> bool:
        """Whether telemetry that the hour was counted with has been deleted: then its counts stay as they are."""
        known = self._days.find(hour)
        return bool(known and known.counted and any(self._listing.find(name) is None for name in known.files))

    def _read_others(self, filler: CellFiller, fresh: Collection[str], hours: Collection[int]) -> None:
        """Read the files of these hours that aren't new, for these hours alone."""
        needed: dict[str, set[int]] = {}
        for hour in sorted(hours):
            known = self._days.find(hour)
            for name in known.files if known else ():
                if name not in fresh:
                    needed.setdefault(name, set()).add(hour)
        for name, about in needed.items():
            stored = self._listing.find(name)
            if stored is not None:
                filler.add_lines(Reading(self._store, stored).lines(), wanted=about.__contains__)

    def _keep(self, hour: int, cells: Cells | None) -> None:
        kept = self._days.hour(hour)
        kept.labels = self._listing.digest(LABELS, hour)
        kept.counts = self._listing.digest(COUNTS, hour)
        if cells is None:
            return
        before = kept.rows
        profiles = {version: profile for (version, at), profile in cells.profiles.items() if at == hour}
        problems = dict(cells.hourly.get(hour, {}))
        self._add_counts(hour, profiles, problems)
        kept.cells = {version: profile.to_dict() for version, profile in sorted(profiles.items())}
        kept.problems = problems
        kept.unknown = sorted(cells.unknown.get(hour, ()))
        kept.counted = True
        self.counted.add(hour)
        self.rows += max(0, kept.rows - before)

    def _add_counts(self, hour: int, profiles: dict[str, Profile], problems: dict[str, int]) -> None:
        """What batches counted in this hour."""
        for stored in self._listing.hour(COUNTS, hour):
            found = self._store.read(stored.name)
            counts = decode_counts(found[0]) if found else None
            baseline = self._baselines(counts.version) if counts else None
            profile = counts.profile(baseline) if counts and baseline else None
            if counts is None or baseline is None or profile is None:
                add_counts(problems, {"counts_skipped": 1})
                continue
            if counts.rejected:
                add_counts(profile.notes, {REJECTED: counts.rejected})
            profiles.setdefault(counts.version, Profile.empty(baseline)).add(profile)


def weight_of(stored: Stored) -> int:
    """About its bytes when it is unpacked."""
    return stored.size * (_UNPACKED if stored.name.endswith(".gz") else 1)


def _portions[Item](items: Iterable[Item], weight: Callable[[Item], int]) -> Iterator[list[Item]]:
    portion: list[Item] = []
    held = 0
    for item in items:
        each = weight(item)
        if portion and held + each > PORTION:
            yield portion
            portion, held = [], 0
        portion.append(item)
        held += each
    if portion:
        yield portion


@contextmanager
def _folder(scratch: Path) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(dir=scratch))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
