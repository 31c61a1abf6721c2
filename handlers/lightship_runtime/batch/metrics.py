"""What a committed run tells CloudWatch, in one line of Embedded Metric Format. Failed runs are counted by AWS."""

import json
from collections.abc import Mapping
from typing import Any

from lightship_runtime.telemetry import NAMESPACE, Source

_UNITS = {"BatchSeconds": "Seconds", "BatchRejectedPercent": "Percent"}


def success_line(source: Source, now_ms: int, manifest: Mapping[str, Any], *, seconds: float | None) -> str:
    """`BatchSucceeded` is 1, so that an alarm on its absence tells of a run that didn't happen."""
    rows = manifest["rows_in"]
    metrics: dict[str, float] = {
        "BatchSucceeded": 1,
        "BatchRows": rows,
        "BatchRejected": manifest["rows_rejected"],
        "BatchRejectedPercent": 100 * manifest["rows_rejected"] / rows if rows else 0.0,
    }
    if seconds is not None:
        metrics["BatchSeconds"] = seconds
    return _line(source, now_ms, metrics, {"run": manifest["run"]})


def _line(source: Source, now_ms: int, metrics: Mapping[str, float], properties: Mapping[str, Any]) -> str:
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [["Service", "Stage"]],
        "Metrics": [{"Name": name, "Unit": _UNITS.get(name, "Count")} for name in metrics],
    }
    head = {
        "_aws": {"Timestamp": now_ms, "CloudWatchMetrics": [directive]},
        "Service": source.service,
        "Stage": source.stage,
        "version": source.version,
    }
    return json.dumps({**head, **metrics, **properties}, separators=(",", ":"))
