"""From telemetry and labels to hour cells: one profile for each model version and hour, each prediction counted once.

Memory stays bounded however many lines there are: records are spread over partition files by their id, labels with
them, and one partition at a time is read, freed of duplicates, joined with its labels and counted. Two lines with one
id can't land in different partitions, and neither the order of lines nor their grouping into files changes a count.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from lightship_runtime.labels import id_time
from lightship_runtime.monitor.baseline import Baseline
from lightship_runtime.monitor.partition import LABEL, PREDICTION, REQUEST, count_partition
from lightship_runtime.monitor.profile import Profile, all_tracks
from lightship_runtime.monitor.records import Line, Record, decode_label, decode_line
from lightship_runtime.monitor.spread import Spread

HOUR = 3600
DAY = 24 * HOUR
PARTITIONS = 64
ID_LENGTH = 32

type CellKey = tuple[str, int]
"""A model version, and the start of an hour in seconds since 1970."""

type Baselines = Callable[[str], Baseline | None]
"""The baseline of a model version; None where there is none."""


@dataclass
class Cells:
    """Profiles by version and hour, and what was wrong with the input.

    `problems` counts: `lines_skipped` (not telemetry: half written, corrupt), `records_skipped` (broken records inside
    good lines, or of a time that can't be), `unknown_version` (records of a version without a baseline), `duplicates`,
    `conflicts` (one id with different contents; the first in byte order was kept), `labels_skipped`, `labels_replaced`
    (corrected or repeated) and `labels_waiting` (their prediction isn't there yet). `hourly` has the same by hour, as
    far as the hour is known. `unknown` are the versions without a baseline, by hour.
    """

    profiles: dict[CellKey, Profile] = field(default_factory=dict)
    problems: dict[str, int] = field(default_factory=dict)
    hourly: dict[int, dict[str, int]] = field(default_factory=dict)
    unknown: dict[int, set[str]] = field(default_factory=dict)

    def count(self, problem: str, hour: int | None = None, more: int = 1) -> None:
        if more:
            self.problems[problem] = self.problems.get(problem, 0) + more
        if more and hour is not None:
            at = self.hourly.setdefault(hour, {})
            at[problem] = at.get(problem, 0) + more


class Seen(NamedTuple):
    """What reading some lines came to: the hours that they are about, and how many aren't telemetry."""

    hours: frozenset[int]
    skipped: int


class _Shape(NamedTuple):
    """What a version's records look like: characters of codes, and scores."""

    codes: int
    scores: int


type Hours = Callable[[int], bool]


def _every(_hour: int) -> bool:
    return True


class CellFiller:
    """Takes lines and labels, and then gives their cells. Context manager; `scratch` is an empty folder."""

    def __init__(self, baselines: Baselines, scratch: Path, partitions: int = PARTITIONS) -> None:
        self._baselines = baselines
        self._shapes: dict[str, _Shape | None] = {}
        self._spread = Spread(scratch, partitions)
        self._cells = Cells()

    def __enter__(self) -> Self:
        self._spread.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._spread.__exit__(kind, error, trace)

    def add_lines(self, lines: Iterable[str | bytes], *, wanted: Hours = _every, plausible: Hours = _every) -> Seen:
        """Take the records of the hours that are wanted. Records of hours that aren't plausible are broken."""
        hours: set[int] = set()
        skipped = 0
        for text in lines:
            line = decode_line(text, None)
            if line is None or line.version is None or line.time is None:
                skipped += 1
                continue
            self._add_line(line, line.version, _start(line.time), text, wanted, plausible, hours)
        self._cells.count("lines_skipped", more=skipped)
        return Seen(frozenset(hours), skipped)

    def _add_line(
        self, line: Line, version: str, hour: int, text: str | bytes, wanted: Hours, plausible: Hours, hours: set[int]
    ) -> None:
        if not plausible(hour):
            self._cells.count("records_skipped", more=max(1, len(line.records) + line.broken))
            return
        here = wanted(hour)
        hours.add(hour)
        if here:
            self._cells.count("records_skipped", hour, line.broken)
        shape = self._shape(version)
        if shape is None:
            if here and line.records:
                self._cells.count("unknown_version", hour, len(line.records))
                self._cells.unknown.setdefault(hour, set()).add(version)
            return
        if here and (line.rejected or "Requests" in line.metrics):
            self._spread_request(line, version, hour, text)
        for record in line.records:
            at = record_hour(record)
            if (at != hour and not plausible(at)) or not shape_fits(record, shape):
                self._cells.count("records_skipped", hour if here else None, int(here))
                continue
            hours.add(at)
            if wanted(at):
                self._put(record, version, at)

    def _put(self, record: Record, version: str, hour: int) -> None:
        item = [PREDICTION, record.id, version, hour, record.predicted, record.score, record.codes]
        self._spread.put(record.id, item)

    def _spread_request(self, line: Line, version: str, hour: int, text: str | bytes) -> None:
        """A request has no id: its line's digest tells it from others."""
        key = blake2b(text.encode(errors="surrogatepass") if isinstance(text, str) else text, digest_size=8).hexdigest()
        self._spread.put(key, [REQUEST, key, version, hour, line.rejected, dict(line.metrics)])

    def _shape(self, version: str) -> _Shape | None:
        if version not in self._shapes:
            baseline = self._baselines(version)
            self._shapes[version] = None if baseline is None else _shape_of(baseline)
        return self._shapes[version]

    def add_labels(self, lines: Iterable[str | bytes], hour: int | None = None) -> None:
        """Take labels. `hour` is that of their predictions, where it is known."""
        for text in lines:
            label = decode_label(text)
            if label is None:
                self._cells.count("labels_skipped", hour)
            else:
                self._spread.put(label.id, [LABEL, label.id, label.time, label.actual, hour])

    def cells(self) -> Cells:
        """Count everything that was taken."""
        for items in self._spread.partitions():
            count_partition(self._cells, self._baselines, items)
        return self._cells


def _shape_of(baseline: Baseline) -> _Shape:
    tracks = len(all_tracks(baseline)) - len(baseline.outputs.tracks)
    return _Shape(tracks, len(baseline.outputs.calibration))


def shape_fits(record: Record, shape: _Shape) -> bool:
    """Whether the record was written under the bins of its version."""
    return len(record.codes) == shape.codes and (record.score is None or len(record.score) == shape.scores)


def record_hour(record: Record) -> int:
    """The hour of a prediction: that of its id, as labels find it, unless the line contradicts it by a day or more."""
    made = id_time(record.id) if len(record.id) == ID_LENGTH else None
    return _start(record.time if made is None or abs(made - record.time) >= DAY else made)


def _start(time: float) -> int:
    return int(time // HOUR) * HOUR


def fill_cells(
    baseline: Baseline,
    lines: Iterable[str | bytes],
    labels: Iterable[str | bytes],
    scratch: Path,
    partitions: int = PARTITIONS,
) -> Cells:
    """Count all telemetry lines and labels under one baseline. `scratch` is an empty folder, and is so again."""
    with CellFiller(lambda _version: baseline, scratch, partitions) as filler:
        filler.add_lines(lines)
        filler.add_labels(labels)
        return filler.cells()


def merge_cells(parts: Iterable[Mapping[CellKey, Profile]], baseline: Baseline) -> dict[CellKey, Profile]:
    """Cells of disjoint sets of predictions, added up."""
    merged: dict[CellKey, Profile] = {}
    for part in parts:
        for key, profile in part.items():
            merged.setdefault(key, Profile.empty(baseline)).add(profile)
    return merged
