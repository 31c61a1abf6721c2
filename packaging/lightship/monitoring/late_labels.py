"""`lightship feedback`: labels from a file, to a deployed endpoint or into a store on this machine."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from lightship.monitoring.errors import MonitoringError
from lightship.monitoring.frames import plain_values
from lightship.operate.calling import Answer, CallError
from lightship.samples import read_sample
from lightship_runtime.batch.stores import Store
from lightship_runtime.labels import MAX_HOURS, Label, check_labels, store_labels
from lightship_runtime.problems import Fault

COLUMNS = ("id", "actual", "time")
BATCH = 5_000
"""Labels in one request: under a megabyte, and answered within a second or two."""
ATTEMPTS = 5
_AGAIN = (429, 500, 502, 503, 504)
MOST_SHOWN = 20

type Say = Callable[[str], None]
type Send = Callable[[bytes], Answer]


@dataclass
class Delivered:
    """What became of a file's labels: how many were taken and refused, and why (of at most twenty)."""

    accepted: int = 0
    refused: int = 0
    faults: list[Fault] = field(default_factory=list)

    def refuse(self, count: int, faults: Sequence[Fault]) -> None:
        self.refused += count
        self.faults = [*self.faults, *faults][:MOST_SHOWN]

    def to_dict(self) -> dict[str, Any]:
        return {
            "accepted": self.accepted,
            "refused": self.refused,
            "errors": [fault.to_dict() for fault in self.faults],
        }


def read_labels(path: Path) -> list[dict[str, Any]]:
    """The labels of a file with the columns id, actual and perhaps time; rows without an actual are left out.

    Raises SampleError for a file that can't be read, MonitoringError for one without these columns.
    """
    frame = read_sample(path)
    lacking = [name for name in COLUMNS[:2] if name not in frame.columns]
    if lacking:
        raise MonitoringError(
            f"{path} has no column {lacking[0]!r}; it has {', '.join(map(str, frame.columns))[:200]}. "
            "Give one with id and actual, and time where it matters."
        )
    frame = frame[frame["actual"].notna()]
    columns = {name: _values(frame[name]) for name in COLUMNS if name in frame.columns}
    return [
        {name: value for name, value in zip(columns, row, strict=True) if value is not None}
        for row in zip(*columns.values(), strict=True)
    ]


def _values(series: "pd.Series[Any]") -> list[Any]:
    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        aware = series if series.dt.tz is not None else series.dt.tz_localize("UTC")
        return [None if pd.isna(each) else each.timestamp() for each in aware]
    return plain_values(series)


def checked(items: Sequence[Any], delivered: Delivered, now: float) -> list[Label]:
    """The labels among the items, by their predictions' time; what isn't one is noted."""
    found = check_labels(items, now)
    delivered.refuse(found.refused, found.faults)
    return sorted(found.labels)


def batches(labels: Sequence[Label]) -> Iterator[Sequence[Label]]:
    """As many at a time as a request takes."""
    start, hours = 0, set[int]()
    for place, label in enumerate(labels):
        hours.add(label.hour)
        if place - start >= BATCH or len(hours) > MAX_HOURS:
            yield labels[start:place]
            start, hours = place, {label.hour}
    if start < len(labels):
        yield labels[start:]


def keep(labels: Sequence[Label], store: Store, delivered: Delivered, now: float, say: Say) -> None:
    """Write the labels into a store."""
    for batch in batches(labels):
        store_labels(batch, now, store.write)
        delivered.accepted += len(batch)
        say(f"{delivered.accepted:,} of {len(labels):,} labels")


def deliver(
    labels: Sequence[Label], send: Send, delivered: Delivered, say: Say, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Send the labels to an endpoint. What it couldn't store is sent again: a label sent twice counts once.

    Raises CallError when it refuses a request, or keeps failing.
    """
    for batch in batches(labels):
        items = [{"id": each.id, "actual": each.actual, "time": each.time} for each in batch]
        answer = _sent(json.dumps({"labels": items}, separators=(",", ":")).encode(), send, sleep, delivered)
        document = json.loads(answer.body)
        delivered.accepted += document["accepted"]
        faults = [Fault(**fault) for fault in document.get("errors", ())]
        delivered.refuse(document["refused"], faults)
        say(f"{delivered.accepted:,} of {len(labels):,} labels")


def _sent(body: bytes, send: Send, sleep: Callable[[float], None], delivered: Delivered) -> Answer:
    for attempt in range(ATTEMPTS):
        try:
            answer = send(body)
            if answer.ok:
                return answer
            trouble = f"answered {answer.status}: {answer.body.decode(errors='replace')[:500]}"
            again = answer.status in _AGAIN
        except CallError as error:
            trouble, again = f"wasn't reached: {error}", True
        if not again or attempt == ATTEMPTS - 1:
            break
        sleep(2.0**attempt / 2)
    raise CallError(
        f"The endpoint {trouble}. {delivered.accepted:,} labels are there; "
        "send the file again once that is mended: none counts twice."
    )
