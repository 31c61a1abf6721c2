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

_UNITS = {"Latency": "Milliseconds"}


class Source(NamedTuple):
    """Who speaks: the dimensions of every metric. The version is a property, never a dimension."""

    service: str
    stage: str
    version: str


def request_lines(
    source: Source, *, now_ms: int, status: int, latency_ms: float, predictions: Sequence[dict[str, Any]]
) -> list[str]:
    """The lines of one request: the metrics once, the predictions split over as many lines as they need."""
    metrics = {
        "Requests": 1,
        "Predictions": len(predictions),
        "Refused": int(400 <= status < 500),
        "Failed": int(status >= 500),
        "Latency": round(latency_ms, 3),
    }
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
    first, *rest = _chunks(predictions)
    tail = {"Service": source.service, "Stage": source.stage, "version": source.version, "time": now_ms}
    return [_line({**head, "predictions": first}), *(_line({**tail, "predictions": chunk}) for chunk in rest)]


def _chunks(predictions: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    chunks: list[list[dict[str, Any]]] = [[]]
    room = MAX_LINE - 2_000
    for prediction in predictions:
        size = len(_line(prediction).encode()) + 1
        if size > room and chunks[-1]:
            chunks.append([])
            room = MAX_LINE - 2_000
        chunks[-1].append(prediction)
        room -= size
    return chunks


def _line(document: dict[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"))
