"""One JSON line on stdout for each request: CloudWatch Embedded Metric Format, and what the monitor reads.

Lambda ships stdout to CloudWatch Logs, so this costs no call and no permission on the request path. The format:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

NAMESPACE = "Lightship"
# Subscriptions and Firehose cut long records; a line stays under this many bytes or is split.
MAX_LINE = 200_000
_HEAD = 2_000

_UNITS = {"Latency": "Milliseconds"}
_COUNTS: Mapping[str, str] = {}


class Source(NamedTuple):
    """Who speaks: the dimensions of every metric. The version is a property, never a dimension."""

    service: str
    stage: str
    version: str

    @property
    def dimensions(self) -> dict[str, str]:
        """By their names in CloudWatch."""
        return {"Service": self.service, "Stage": self.stage}


def metrics_document(
    dimensions: Mapping[str, str],
    now_ms: int,
    metrics: Mapping[str, float | Sequence[float]],
    units: Mapping[str, str] = _COUNTS,
) -> dict[str, Any]:
    """The metrics of `now_ms`, in milliseconds since 1970, in Embedded Metric Format. A metric of no named unit counts.

    Further properties may be added: what the directive doesn't name is searchable in the log and no metric.
    """
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [list(dimensions)],
        "Metrics": [{"Name": name, "Unit": units.get(name, "Count")} for name in metrics],
    }
    return {"_aws": {"Timestamp": now_ms, "CloudWatchMetrics": [directive]}, **dimensions, **metrics}


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
    head = {**metrics_document(source.dimensions, now_ms, metrics, _UNITS), "version": source.version, "status": status}
    if rejected:
        head["rejected"] = rejected
    first, *rest = _chunks(records)
    tail = {**source.dimensions, "version": source.version, "time": now_ms / 1000}
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
