"""`make_baseline` and `monitor`: monitoring statistics for any DataFrame with a model's outputs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from lightship.monitoring.errors import MonitoringError
from lightship.monitoring.frames import column_kind, make_column, plain_values
from lightship.monitoring.outputs import Score, check_columns, frame_batch, make_outputs, score_roles, stored_roles
from lightship_runtime.monitor.accumulate import Batch, add_batch, as_floats
from lightship_runtime.monitor.baseline import Baseline, ColumnBaseline, Outputs, Performance
from lightship_runtime.monitor.performance import by_class, observed
from lightship_runtime.monitor.profile import Profile
from lightship_runtime.monitor.results import Result, Window, evaluate

type Labels = "Sequence[Any] | pd.Series[Any] | str | None"


def make_baseline(
    frame: pd.DataFrame,
    *,
    prediction: str | None = None,
    score: Score = None,
    label: str | None = None,
    positive: Any = None,
    segments: Sequence[str] = (),
    ignore: Sequence[str] = (),
    kinds: Mapping[str, str] | None = None,
) -> Baseline:
    """The baseline of a frame with a model's inputs and outputs, one row a prediction.

    `prediction`, `score` and `label` name columns; every other column, less `ignore`, is an input. `score` is the
    probability (or any score) of the positive class; for several classes, a list of columns in the sorted order of the
    classes, or a mapping from class to column. `positive` names the positive class where it isn't the one with the
    higher scores. `segments` names input columns to report accuracy by; `kinds` overrides what a column is taken for.
    Rows may lack a label. Raises MonitoringError when the frame doesn't fit.
    """
    roles = {"prediction": prediction, "label": label, **score_roles(score)}
    check_columns(frame, roles, segments)
    if frame.empty:
        raise MonitoringError("The frame has 0 rows. Give the rows that the model was trained or tested on.")
    taken = {name for name in roles.values() if name is not None} | set(ignore)
    kinds = kinds or {}
    columns = tuple(
        make_column(frame[name], column_kind(frame[name], kinds.get(str(name))))
        for name in frame.columns
        if name not in taken
    )
    labels = None if label is None else plain_values(frame[label])
    outputs = make_outputs(frame, roles, labels, positive)
    bare = Baseline(len(frame), columns, outputs, Performance())
    return build_baseline(columns, outputs, frame_batch(bare, frame, roles, labels), tuple(segments))


def build_baseline(
    columns: tuple[ColumnBaseline, ...], outputs: Outputs, batch: Batch, segments: tuple[str, ...]
) -> Baseline:
    """The baseline of these columns and outputs, with the model's performance on the batch, which are its rows."""
    mean = _mean(batch.actual) if outputs.task == "regression" and batch.actual is not None else 0.0
    bare = Baseline(len(batch.codes), columns, outputs, Performance(label_mean=mean), segments)
    profile = Profile.empty(bare)
    add_batch(profile, bare, batch)
    return replace(bare, performance=_performance(bare, profile))


def monitor(
    baseline: Baseline,
    frame: pd.DataFrame,
    labels: Labels = None,
    *,
    prediction: str | None = None,
    score: Score = None,
    window: Window | None = None,
) -> Result:
    """What changed in a frame against the baseline, and how the model does on it.

    `labels` are the true outcomes, in the frame's order (None or NaN where not known yet), or the name of a column that
    holds them. The output columns are found under the names the baseline was made with; `prediction` and `score` name
    others. The result's `to_dict()` is the window document. Raises MonitoringError when the frame doesn't fit.
    """
    if isinstance(labels, str):
        check_columns(frame, {"label": labels}, ())
        labels = frame[labels]
    names = baseline.outputs.names
    roles = {
        "prediction": prediction or names.get("prediction"),
        **(stored_roles(names) if score is None else score_roles(score)),
    }
    check_columns(frame, roles)
    if labels is None and names.get("label") in frame.columns:
        labels = names["label"]
    profile = Profile.empty(baseline)
    add_batch(profile, baseline, frame_batch(baseline, frame, roles, _label_values(frame, labels)))
    return evaluate(baseline, profile, window)


def _mean(labels: Sequence[Any]) -> float:
    values = as_floats(labels)
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else 0.0


def _label_values(frame: pd.DataFrame, labels: Labels) -> list[Any] | None:
    """Labels in the frame's order. A Series of another length is matched by index."""
    if labels is None:
        return None
    if isinstance(labels, str):
        check_columns(frame, {"label": labels})
        labels = frame[labels]
    if isinstance(labels, pd.Series):
        labels = labels if len(labels) == len(frame) else labels.reindex(frame.index)
        return plain_values(labels)
    if len(labels) != len(frame):
        raise MonitoringError(
            f"There are {len(labels)} labels for {len(frame)} rows. Give one for each row, None where it isn't known."
        )
    return plain_values(pd.Series(labels, index=frame.index))


def _performance(baseline: Baseline, profile: Profile) -> Performance:
    """The baseline's own metrics, from its labelled rows."""
    metrics = observed(profile, baseline)
    classes = by_class(profile, baseline) if profile.labelled and baseline.outputs.classes else {}
    return replace(
        baseline.performance,
        rows=profile.labelled,
        correct=int(np.trace(profile.confusion[:-1, :-1])) if profile.confusion.size else 0,
        metrics={name: metric.to_dict() for name, metric in metrics.items()},
        by_class={
            name: {key: entry[key]["value"] for key in ("precision", "recall", "f1") if key in entry}
            for name, entry in classes.items()
        },
        segments=_segments(baseline, profile),
    )


def _segments(baseline: Baseline, profile: Profile) -> dict[str, dict[str, tuple[int, int]]]:
    found = {}
    for place, name in enumerate(baseline.segments):
        counts = profile.segments[place]
        found[name] = {chr(code): (int(counts[code, 0]), int(counts[code, 1])) for code in np.flatnonzero(counts[:, 0])}
    return found
