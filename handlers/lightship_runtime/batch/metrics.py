"""What a committed run tells CloudWatch, in one line of Embedded Metric Format. Failed runs are counted by AWS."""

import json
from collections.abc import Mapping
from typing import Any

from lightship_runtime.batch.account import Account
from lightship_runtime.telemetry import Source, metrics_document

_UNITS = {
    "BatchSeconds": "Seconds",
    "BatchLagSeconds": "Seconds",
    "BatchRejectedPercent": "Percent",
    "BatchCost": "None",
}


def success_line(
    source: Source, now_ms: int, manifest: Mapping[str, Any], account: Account | None, *, memory_mb: int
) -> str:
    """`BatchSucceeded` is 1, so that an alarm on its absence tells of a run that didn't happen.

    `BatchSeconds` is the time from the run's beginning to its commit, `BatchLagSeconds` that from the schedule's time,
    `BatchCost` an estimate in USD for functions of `memory_mb`.
    """
    rows, rejects = manifest["rows_in"], manifest["rows_rejected"]
    metrics: dict[str, float] = {
        "BatchSucceeded": 1,
        "BatchRows": rows,
        "BatchRejects": rejects,
        "BatchRejectedPercent": 100 * rejects / rows if rows else 0.0,
    }
    if account is not None:
        metrics["BatchSeconds"] = round(account.seconds, 3)
        metrics["BatchCost"] = round(account.cost_usd(memory_mb), 6)
        lag = account.lag_s(manifest["run"])
        if lag is not None:
            metrics["BatchLagSeconds"] = round(lag, 3)
    document = metrics_document(source.dimensions, now_ms, metrics, _UNITS)
    return json.dumps({**document, "version": source.version, "run": manifest["run"]}, separators=(",", ":"))
