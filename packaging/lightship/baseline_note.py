"""What a release says of its baseline: counts and metrics, no values."""

from collections.abc import Mapping
from typing import Any

FEW_ROWS = 500
_NAMES = {"accuracy": "accuracy", "roc_auc": "ROC AUC", "mae": "mean absolute error", "r2": "R2"}


_SOURCES = {
    "sample": "of the sample",
    "file": "of the baseline's own file",
    "synthetic": "made up from the contract, with which drift can't be told",
}


def baseline_sentence(note: Mapping[str, Any]) -> str:
    """The baseline in a sentence or three, from the release's notes."""
    what = "the sample" if note["source"] == "sample" else "the baseline's own file"
    whole = note["of"] == note["rows"]
    told = f"{note['rows']:,} rows of {what}" if whole else f"{note['rows']:,} of the {note['of']:,} rows of {what}"
    if note["labelled"]:
        metrics = [f"{name} {note['metrics'][key]:.3g}" for key, name in _NAMES.items() if key in note["metrics"]]
        told += f", {note['labelled']:,} of them with labels: {', '.join(metrics)}"
    told += "."
    if note["segments"]:
        told += f" Accuracy is also told by {', '.join(note['segments'])}."
    if note["rows"] < FEW_ROWS:
        told += f" That is little to compare with: give {FEW_ROWS} rows or more with --baseline."
    return told
