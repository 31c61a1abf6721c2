"""What the monitor keeps of each day: the hours it has counted, and the telemetry files it has read.

A file is read again only when it was rewritten, or when an hour that it is about has to be counted again.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from lightship_runtime.batch.stores import Store
from lightship_runtime.documents import dump_document, load_document
from lightship_runtime.errors import LightshipError
from lightship_runtime.monitor.places import day_name, day_of
from lightship_runtime.monitor.traffic import REJECTED

SCHEMA = 1


@dataclass
class Hour:
    """One hour of predictions.

    `files` are the telemetry files with records of it; `labels` and `counts` digest the files it was counted with.
    `cells` has each version's profile as a document, `unknown` the versions that had no baseline.
    """

    files: list[str] = field(default_factory=list)
    labels: str = ""
    counts: str = ""
    counted: bool = False
    cells: dict[str, Any] = field(default_factory=dict)
    problems: dict[str, int] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Rows of all versions."""
        return sum(profile["rows"] for profile in self.cells.values())

    def weights(self) -> dict[str, int]:
        """Each version's rows, refused ones too."""
        return {version: each["rows"] + each["notes"].get(REJECTED, 0) for version, each in self.cells.items()}


@dataclass
class ReadFile:
    """A telemetry file that was read: its tag then, the lines that weren't telemetry, and the hours it is about."""

    etag: str
    skipped: int
    hours: list[int]


@dataclass
class Day:
    hours: dict[int, Hour] = field(default_factory=dict)
    files: dict[str, ReadFile] = field(default_factory=dict)

    def to_json(self) -> bytes:
        return dump_document(
            {
                "schema": SCHEMA,
                "hours": {str(start): vars(hour) for start, hour in self.hours.items()},
                "files": {name: vars(file) for name, file in self.files.items()},
            }
        )

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """An unreadable document is an empty day, which is counted anew."""
        with contextlib.suppress(LightshipError, KeyError, TypeError, ValueError, AttributeError):
            document = load_document(data, what="The day", schema=SCHEMA)
            hours = {int(start): Hour(**hour) for start, hour in document["hours"].items()}
            return cls(hours, {name: ReadFile(**file) for name, file in document["files"].items()})
        return cls()


class Days:
    """The days of a store, read when they are asked for and written by `save` where they changed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._days: dict[int, Day] = {}
        self._written: dict[int, bytes] = {}
        self._touched: set[int] = set()

    def day(self, time: float) -> Day:
        start = day_of(time)
        if start not in self._days:
            found = self._store.read(day_name(start))
            self._written[start] = found[0] if found else b""
            self._days[start] = Day.from_json(found[0]) if found else Day()
        return self._days[start]

    def find(self, hour: int) -> Hour | None:
        return self.day(hour).hours.get(hour)

    def hour(self, hour: int) -> Hour:
        """The hour, to be changed; made where there was none."""
        self._touched.add(day_of(hour))
        return self.day(hour).hours.setdefault(hour, Hour())

    def keep(self, arrived: float, name: str, file: ReadFile) -> None:
        """Note that a telemetry file was read. `arrived` is a time of the hour it lies under."""
        self._touched.add(day_of(arrived))
        self.day(arrived).files[name] = file

    def hours(self, days: Iterable[int]) -> Iterator[tuple[int, Hour]]:
        """The hours of these days, in order."""
        for day in days:
            yield from sorted(self.day(day).hours.items())

    def save(self) -> None:
        """Write the days that changed."""
        for start in sorted(self._touched):
            data = self._days[start].to_json()
            if data != self._written[start]:
                self._store.write(day_name(start), data)
                self._written[start] = data
        self._touched.clear()


def weights_of(hours: Iterable[tuple[int, Hour]]) -> Mapping[tuple[str, int], int]:
    """What each counted hour weighs, by version."""
    return {(version, start): each for start, hour in hours for version, each in hour.weights().items() if hour.counted}
