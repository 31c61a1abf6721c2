"""One JSON line on stdout for each request: CloudWatch Embedded Metric Format, and what the monitor reads.

Lambda ships stdout to CloudWatch Logs, so this costs no call and no permission on the request path. The format:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

NAMESPACE = "Lightship"
# Subscriptions and Firehose cut long records; a line stays under this many bytes or is split.
MAX_LINE = 200_000
_HEAD = 2_000

_UNITS = {"Latency": "Milliseconds"}


class Source(NamedTuple):
    """Who speaks: the dimensions of every metric. The version is a property, never a dimension."""

    service: str
    stage: str
    version: str


def request_lines(
    source: Source,
    *,
    now_ms: int,
    status: int,
    latency_ms: float,
    predictions: int = 0,
    rejected: int = 0,
    cold: bool = False,
    records: Sequence[str] = (),
) -> list[str]:
    """The lines of one request: the metrics once, the records split over as many lines as they need.

    `predictions` and `rejected` count rows; `cold` says that it is the process's first request; `records` are JSON
    texts in ASCII (see `capture.Recorder`).
    """
    metrics = {
        "Requests": 1,
        "Predictions": predictions,
        "Refused": int(400 <= status < 500),
        "Failed": int(status >= 500),
        "Latency": round(latency_ms, 3),
    }
    if cold:
        metrics["ColdStarts"] = 1
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [["Service", "Stage"]],
        "Metrics": [{"Name": name, "Unit": _UNITS.get(name, "Count")} for name in metrics],
    }
    head: dict[str, Any] = {
        "_aws": {"Timestamp": now_ms, "CloudWatchMetrics": [directive]},
        "Service": source.service,
        "Stage": source.stage,
        "version": source.version,
        "status": status,
        **metrics,
    }
    if rejected:
        head["rejected"] = rejected
    first, *rest = _chunks(records)
    tail = {"Service": source.service, "Stage": source.stage, "version": source.version, "time": now_ms / 1000}
    return [_line(head, first), *(_line(tail, chunk) for chunk in rest)]


def is_telemetry(line: str) -> bool:
    """Whether a line that a function printed is one of these, told by how they begin and end."""
    return line.startswith(('{"_aws":', '{"Service":')) and '"predictions":[' in line and line.endswith("]}")


def _chunks(records: Sequence[str]) -> list[list[str]]:
    chunks: list[list[str]] = [[]]
    room = MAX_LINE - _HEAD
    for record in records:
        size = len(record) + 1
        if size > room and chunks[-1]:
            chunks.append([])
            room = MAX_LINE - _HEAD
        chunks[-1].append(record)
        room -= size
    return chunks


def _line(head: dict[str, Any], records: Sequence[str]) -> str:
    return f'{json.dumps(head, separators=(",", ":"))[:-1]},"predictions":[{",".join(records)}]}}'
