"""Late labels: what a caller sends, checked, and the files it becomes in the monitoring store.

A label is `{"id": ..., "actual": ..., "time": ...}`. It lies by the hour of its prediction, which its id carries, so
that the monitor finds the labels of an hour without reading others:

    labels/YYYY/MM/DD/HH/DIGEST.jsonl        one label a line
    labels/late/YYYY/MM/DD/HH/HOUR           empty: in this hour labels came for the long past HOUR (seconds since 1970)

Sent again, the same labels become the same files. Of several labels of one prediction the one with the latest `time`
holds; a label without one gets the time it was received.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, NamedTuple

from lightship_runtime.identifiers import id_time_ms
from lightship_runtime.problems import Fault, Problem

LABELS = "labels/"
LATE = "labels/late/"
HOUR = 3600
DAY = 24 * HOUR
LATE_AFTER = 6 * DAY
"""Labels of predictions older than this are announced: the monitor looks at the files of seven days by itself."""
MAX_LABELS = 10_000
MAX_HOURS = 200
"""Hours of predictions in one request: each becomes a file."""
MAX_TEXT = 200
WRITERS = 8
_LARGEST = 1e300
_DIGITS = frozenset("0123456789abcdef")

type Write = Callable[[str, bytes], None]


class Label(NamedTuple):
    """A checked label; `hour` is its prediction's, both times in seconds since 1970."""

    hour: int
    id: str
    time: float
    actual: str | int | float | bool


class Checked(NamedTuple):
    """Labels that are taken, how many aren't, and why, of at most Problem.FAULTS of these."""

    labels: list[Label]
    refused: int
    faults: tuple[Fault, ...]


def check_labels(items: Sequence[Any], now: float) -> Checked:
    """Tell labels from what isn't one."""
    labels: list[Label] = []
    faults: list[Fault] = []
    refused = 0
    for row, item in enumerate(items):
        found = check_label(item, row, now)
        if isinstance(found, Label):
            labels.append(found)
        else:
            refused += 1
            if len(faults) < Problem.FAULTS:
                faults.append(found)
    return Checked(labels, refused, tuple(faults))


def check_label(item: Any, row: int, now: float) -> Label | Fault:
    """The label, or why it isn't one. `now` is when it was received, in seconds since 1970."""
    if not isinstance(item, Mapping):
        return Fault(row, None, _shown(item), 'an object {"id": ..., "actual": ...}')
    if unknown := sorted(map(str, item.keys() - {"id", "actual", "time"})):
        return Fault(row, unknown[0][:MAX_TEXT], _shown(item[unknown[0]]), 'no key but "id", "actual" and "time"')
    identifier: Any = item.get("id")
    actual: Any = item.get("actual")
    made = id_time(identifier)
    if made is None or made > now + DAY:
        return Fault(row, "id", _shown(identifier), "an id that a prediction was answered with")
    if not _is_label(actual):
        return Fault(row, "actual", _shown(actual), f"a class or a finite number, at most {MAX_TEXT} characters")
    time = now if item.get("time") is None else read_time(item["time"])
    if time is None or not 0 <= time <= now + DAY:
        return Fault(row, "time", _shown(item["time"]), "seconds since 1970 or an ISO 8601 time, and not in the future")
    return Label(int(made // HOUR) * HOUR, identifier, time, actual)


def id_time(identifier: Any) -> float | None:
    """When the prediction with this id was made, in seconds since 1970; None when the id isn't one of ours."""
    if not isinstance(identifier, str) or not _DIGITS.issuperset(identifier):
        return None
    try:
        return id_time_ms(identifier) / 1000
    except ValueError:
        return None


def read_time(value: Any) -> float | None:
    """A number of seconds since 1970, or an ISO 8601 time (UTC unless it says otherwise); None for anything else."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return float(value) if _is_number(value) else None


def _is_label(value: Any) -> bool:
    return len(value) <= MAX_TEXT if isinstance(value, str) else isinstance(value, bool) or _is_number(value)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < _LARGEST


def _shown(value: Any) -> Any:
    return value if value is None or isinstance(value, bool) or _is_number(value) else str(value)[:MAX_TEXT]


def label_files(labels: Sequence[Label], now: float) -> dict[str, bytes]:
    """What is to be written, by name."""
    hours: dict[int, list[Label]] = {}
    for label in labels:
        hours.setdefault(label.hour, []).append(label)
    files = {}
    for hour, members in sorted(hours.items()):
        lines = [
            json.dumps({"id": each.id, "actual": each.actual, "time": each.time}, separators=(",", ":"))
            for each in sorted(members, key=lambda label: (label.id, label.time, json.dumps(label.actual)))
        ]
        data = "".join(f"{line}\n" for line in lines).encode()
        files[f"{LABELS}{folder_of(hour)}{hashlib.sha256(data).hexdigest()[:32]}.jsonl"] = data
        if hour < now - LATE_AFTER:
            files[f"{LATE}{folder_of(now)}{hour}"] = b""
    return files


def folder_of(time: float) -> str:
    """`YYYY/MM/DD/HH/` of a time in seconds since 1970, in UTC."""
    return f"{datetime.fromtimestamp(time, UTC):%Y/%m/%d/%H}/"


def store_labels(labels: Sequence[Label], now: float, write: Write) -> None:
    """Write the labels, several files at a time. A file is announced once it is there; raises what `write` raises."""
    files = label_files(labels, now)
    announced = [name for name in files if name.startswith(LATE)]
    with ThreadPoolExecutor(WRITERS) as pool:
        for names in ([name for name in files if name not in announced], announced):
            for written in [pool.submit(write, name, files[name]) for name in names]:
                written.result()
