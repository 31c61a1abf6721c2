"""What a release says of its baseline: counts and metrics, no values."""

from collections.abc import Mapping
from typing import Any

FEW_ROWS = 500
_NAMES = {"accuracy": "accuracy", "roc_auc": "ROC AUC", "mae": "mean absolute error", "r2": "R2"}


def baseline_sentence(note: Mapping[str, Any]) -> str:
    """The baseline in a sentence or three, from the release's notes."""
    of = f" (evenly spaced among {note['of']:,})" if note["of"] > note["rows"] else ""
    where = "of the sample" if note["source"] == "sample" else "of the baseline's own file"
    told = f"{note['rows']:,} rows {where}{of}"
    if note["labelled"]:
        metrics = [f"{name} {note['metrics'][key]:.3g}" for key, name in _NAMES.items() if key in note["metrics"]]
        told += f", {note['labelled']:,} of them with labels: {', '.join(metrics)}"
    told += "."
    if note["segments"]:
        told += f" Accuracy is also told by {', '.join(note['segments'])}."
    if note["rows"] < FEW_ROWS:
        told += f" That is little to compare with: give {FEW_ROWS} rows or more with --baseline."
    return told
