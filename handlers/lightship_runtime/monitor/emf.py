"""What a run of the monitor tells CloudWatch: one line of Embedded Metric Format."""

import json
from collections.abc import Mapping
from typing import Any

from lightship_runtime.monitor.run import Report
from lightship_runtime.telemetry import Source, metrics_document

_UNITS: Mapping[str, str] = {"MonitorSeconds": "Seconds"}
_DIGITS = 6


def metrics_of(report: Report, seconds: float) -> dict[str, float]:
    """The metrics of a run: its heartbeat, the state of each kind of breach, and values as far as they are known."""
    state = report.breaches
    metrics: dict[str, float] = {
        "MonitorRuns": 1,
        "MonitorSeconds": seconds,
        "MonitoredRows": report.rows,
        "MonitorSkipped": report.skipped,
        "LabelsUnknown": report.waiting,
        "QualityBreaches": state["quality"]["count"],
        "DriftBreaches": state["drift"]["count"],
        "ScoreDriftBreach": int(state["score"]["on"]),
        "AccuracyBreach": int(state["accuracy"]["on"]),
        "EstimatedAccuracyBreach": int(state["estimated"]["on"]),
        "CoverageBreach": int(state["coverage"]["on"]),
    }
    metrics |= _accuracy(state["accuracy"])
    known: dict[str, Any] = {
        "EstimatedAccuracy": state["estimated"].get("value"),
        "LabelCoverage": state["coverage"].get("value"),
        "WorstDrift": report.last["worst"] if report.last and report.last["judged"] else None,
    }
    metrics |= {name: value for name, value in known.items() if value is not None}
    return {name: round(value, _DIGITS) for name, value in metrics.items()}


def _accuracy(state: Mapping[str, Any]) -> dict[str, float]:
    if state.get("value") is None:
        return {}
    if state["metric"] == "mae":
        return {"MeanAbsoluteError": state["value"]}
    return {"Accuracy": state["value"], "AccuracyLow": state["low"], "AccuracyHigh": state["high"]}


def metrics_line(source: Source, now_ms: int, report: Report, seconds: float) -> str:
    """The line itself. `source` names service and stage, which are the only dimensions."""
    metrics = metrics_of(report, seconds)
    document = {
        **metrics_document(source.dimensions, now_ms, metrics, _UNITS),
        "model": report.version,
        "until": report.until,
        "windows": len(report.windows),
        "behind": report.behind,
    }
    return json.dumps(document, separators=(",", ":"))
