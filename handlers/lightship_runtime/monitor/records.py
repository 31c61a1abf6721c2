"""The prediction record: what one prediction leaves behind for the monitor, and how a telemetry line is read.

A record is a JSON object with single-letter keys, since a million of them are paid for by the byte:

    {"i": "0198c3...", "p": 1, "c": "03-7A?+", "s": 0.831246}

`i` is the prediction's id, `s` its score (a number, a list with one for each class, or absent), `p` what was predicted
and `c` the row's code string (`bins.encode_row`). It may have `u`, the id that the caller gave, and `x`, raw values by
column. A record of a binary model takes 66 bytes without its codes, given an id of 32 characters; each column adds one
byte, or two for a text or a date. A telemetry line carries the records of one request in `predictions`, and once for
all of them the model's `version` and `time`, in seconds since 1970 (or the Embedded Metric Format's `_aws.Timestamp`,
in milliseconds). It may say how many rows it `rejected`.

`encode` writes them. Standard library only.

Labels come as `{"id": ..., "actual": ..., "time": ...}`, `time` being when the label was received.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from lightship_runtime.monitor.encode import Label

METRICS = ("Requests", "Refused", "Failed", "Latency", "ColdStarts")
"""The metrics of a request that the monitor reads."""
_LATEST = 1e11
_LARGEST = 1e300
_NUMBERS = (float, int)


class Record(NamedTuple):
    """One prediction as the monitor reads it: `time` in seconds since 1970, `score` with one number for each class."""

    id: str
    version: str
    time: float
    predicted: Label | None
    score: tuple[float, ...] | None
    codes: str


class LabelRecord(NamedTuple):
    """One late label. The label with the largest `time` is the one that holds."""

    id: str
    actual: Label
    time: float


class Line(NamedTuple):
    """What a telemetry line held: good records, how many records or rows it lost, and the request's metrics."""

    records: tuple[Record, ...] = ()
    rejected: int = 0
    broken: int = 0
    version: str | None = None
    time: float | None = None
    metrics: Mapping[str, float] = {}


def decode_line(text: str | bytes, width: int | None) -> Line | None:
    """Read one telemetry line; None when it is not a telemetry line at all (half written, not JSON, another log line).

    `width` is the length of a code string under the baseline; a record with another length is broken. None takes any.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    predictions = document.get("predictions", [])
    version, time = document.get("version"), _time(document)
    rejected = document.get("rejected", 0)
    rejected = rejected if type(rejected) is int and rejected > 0 else 0
    if not isinstance(predictions, list) or version is None or time is None:
        return None
    if "predictions" not in document and not rejected:
        return None
    version = str(version)
    records = [record for item in predictions if (record := _record(item, version, time, width)) is not None]
    metrics: Mapping[str, float] = {}
    if "Requests" in document:
        metrics = {name: document[name] for name in METRICS if _is_number(document.get(name))}
    return Line(tuple(records), rejected, len(predictions) - len(records), version, time, metrics)


def _time(document: Mapping[str, Any]) -> float | None:
    time: Any = document.get("time")
    if time is None:
        aws = document.get("_aws")
        milliseconds: Any = aws.get("Timestamp") if isinstance(aws, dict) else None
        time = milliseconds / 1000 if _is_number(milliseconds) else None
    return float(time) if _is_number(time) and 0 <= time < _LATEST else None


def _record(item: Any, version: str, time: float, width: int | None) -> Record | None:
    if not isinstance(item, dict):
        return None
    identifier, codes, predicted, score = item.get("i"), item.get("c"), item.get("p"), item.get("s")
    if not isinstance(identifier, str) or not identifier or not isinstance(codes, str):
        return None
    if (
        (width is not None and len(codes) != width)
        or not codes.isascii()
        or not (predicted is None or _is_label(predicted))
    ):
        return None
    if score is None:
        return Record(identifier, version, time, predicted, None, codes)
    scores = score if isinstance(score, list) else [score]
    if not all(map(_is_number, scores)):
        return None
    return Record(identifier, version, time, predicted, tuple([float(value) for value in scores]), codes)


def decode_label(text: str | bytes) -> LabelRecord | None:
    """Read one label line; None when it is not one. A label without `time` counts as the oldest."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    identifier, time = document.get("id"), document.get("time", 0)
    actual: Any = document.get("actual")
    if not isinstance(identifier, str) or not identifier or not _is_label(actual) or not _is_number(time):
        return None
    return LabelRecord(identifier, actual, float(time))


def _is_number(value: Any) -> bool:
    return type(value) in _NUMBERS and abs(value) < _LARGEST


def _is_label(value: Any) -> bool:
    return isinstance(value, str | bool) or _is_number(value)
