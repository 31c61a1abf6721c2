"""`lightship forget`: takes single predictions and their labels out of a monitoring store.

Only telemetry and labels tell of single predictions; results are counts of many. The next run of the monitor counts
the hours anew, as far as they lie within the eight days that it looks at.
"""

import gzip
import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from lightship.monitoring.errors import MonitoringError
from lightship_runtime.batch.stores import Store
from lightship_runtime.labels import id_time
from lightship_runtime.monitor.cells import HOUR
from lightship_runtime.monitor.days import Days
from lightship_runtime.monitor.places import LABELS, TELEMETRY, folder_of

ARRIVES_WITHIN = 2
"""Hours after its prediction in which a line usually arrives; where the monitor has been, it knows better."""
_GZIP = b"\x1f\x8b"

type Say = Callable[[str], None]


@dataclass
class Forgotten:
    """How many records and labels were taken out, of how many files."""

    predictions: int = 0
    labels: int = 0
    files: int = 0


def forget(store: Store, ids: Sequence[str], say: Say) -> Forgotten:
    """Rewrite the files that tell of these predictions. Raises MonitoringError for an id that isn't one of ours."""
    hours: dict[int, set[str]] = {}
    for each in ids:
        made = id_time(each)
        if made is None:
            raise MonitoringError(f"{each[:80]!r} is no prediction's id. Give one that a prediction was answered with.")
        hours.setdefault(int(made // HOUR) * HOUR, set()).add(each)
    forgotten = Forgotten()
    days = Days(store)
    for hour, wanted in sorted(hours.items()):
        for name in _files(store, days, hour):
            say(f"looking into {name}")
            found = store.read(name)
            if found is None:
                continue
            data, taken = _without(found[0], wanted)
            if taken:
                store.write(name, data)
                forgotten.files += 1
                if name.startswith(LABELS):
                    forgotten.labels += taken
                else:
                    forgotten.predictions += taken
    return forgotten


def _files(store: Store, days: Days, hour: int) -> Iterator[str]:
    """The telemetry that may hold an hour's predictions, and its labels."""
    known = days.find(hour)
    names = set(known.files if known else ())
    for later in range(ARRIVES_WITHIN + 1):
        names |= {stored.name for stored in store.list(TELEMETRY + folder_of(hour + later * HOUR))}
    yield from sorted(names)
    yield from sorted(stored.name for stored in store.list(LABELS + folder_of(hour)))


def _without(data: bytes, ids: Collection[str]) -> tuple[bytes, int]:
    """The file's content without these ids, packed as it was, and how often they were there."""
    packed = data.startswith(_GZIP)
    lines, taken = [], 0
    for line in (gzip.decompress(data) if packed else data).split(b"\n"):
        kept, gone = _line(line, ids)
        taken += gone
        if kept is not None:
            lines.append(kept)
    whole = b"\n".join(lines)
    return (gzip.compress(whole, mtime=0) if packed else whole), taken


def _line(line: bytes, ids: Collection[str]) -> tuple[bytes | None, int]:
    """A telemetry line without records of these ids, or None in place of a label of theirs. Others stay as they are."""
    if not any(each.encode() in line for each in ids):
        return line, 0
    try:
        document = json.loads(line)
    except ValueError:
        return None, 1
    if not isinstance(document, dict) or document.get("id") in ids:
        return None, 1
    records = document.get("predictions", [])
    kept = [record for record in records if not (isinstance(record, dict) and record.get("i") in ids)]
    document["predictions"] = kept
    return json.dumps(document, separators=(",", ":")).encode(), len(records) - len(kept)
