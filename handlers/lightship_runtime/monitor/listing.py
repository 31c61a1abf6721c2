"""What lies in the store, listed a day at a time, once a run."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from hashlib import blake2b

from lightship_runtime.batch.stores import Store, Stored
from lightship_runtime.monitor.cells import HOUR
from lightship_runtime.monitor.places import COUNTS, LABELS, TELEMETRY, day_folder, day_of, days_between, hour_in

HIDDEN = "."


class Listing:
    """Files by prefix and hour. `until` is the run's time: what lies under later hours isn't seen."""

    def __init__(self, store: Store, until: float) -> None:
        self._store = store
        self._until = until
        self._days: dict[tuple[str, int], dict[int, list[Stored]]] = {}

    def first_day(self) -> int | None:
        """The first day that has anything, by listing everything."""
        hours = [
            hour
            for prefix in (TELEMETRY, COUNTS, LABELS)
            for stored in self._store.list(prefix)
            if (hour := hour_in(stored.name)) is not None
        ]
        return day_of(min(hours)) if hours else None

    def day(self, prefix: str, time: float) -> dict[int, list[Stored]]:
        """A day's files by hour, in the order of their names."""
        start = day_of(time)
        if (prefix, start) not in self._days:
            found: dict[int, list[Stored]] = defaultdict(list)
            for stored in self._store.list(prefix + day_folder(start)):
                hour = hour_in(stored.name)
                if hour is not None and hour < self._until and not stored.name.rpartition("/")[2].startswith(HIDDEN):
                    found[hour].append(stored)
            self._days[prefix, start] = {hour: sorted(files, key=_name) for hour, files in sorted(found.items())}
        return self._days[prefix, start]

    def hour(self, prefix: str, hour: int) -> Sequence[Stored]:
        return self.day(prefix, hour).get(hour, ())

    def find(self, name: str) -> Stored | None:
        """The file of that name, if it is still there."""
        hour = hour_in(name)
        if hour is None:
            return None
        prefix = f"{name.partition('/')[0]}/"
        return next((stored for stored in self.hour(prefix, hour) if stored.name == name), None)

    def digest(self, prefix: str, hour: int) -> str:
        """Changes with the hour's files; empty without any."""
        return digest_of(self.hour(prefix, hour))


def digest_of(files: Sequence[Stored]) -> str:
    """Changes with the names and contents of files; empty without any."""
    if not files:
        return ""
    told = "\n".join(f"{stored.name} {stored.etag}" for stored in files)
    return blake2b(told.encode(errors="surrogatepass"), digest_size=8).hexdigest()


def announced_hours(store: Store, prefix: str, first: float, last: float) -> Iterator[int]:
    """The long past hours for which labels came between two times."""
    for day in days_between(first, last):
        for stored in store.list(prefix + day_folder(day)):
            came, said = hour_in(stored.name), stored.name.rpartition("/")[2]
            if came is not None and came + HOUR > first and said.isdigit() and len(said) < 12:
                yield int(said) // HOUR * HOUR


def _name(stored: Stored) -> str:
    return stored.name
