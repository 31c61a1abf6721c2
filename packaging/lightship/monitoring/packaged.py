"""The baseline of a model that is packaged: its inputs by the contract, and what the original model makes of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lightship.describe import Described
from lightship.monitoring.api import build_baseline
from lightship.monitoring.baseline_rows import Rows, rows_of_frame, rows_of_sample
from lightship.monitoring.errors import BaselineError
from lightship.monitoring.frames import column_kind, make_column
from lightship.monitoring.outputs import MOST_CLASSES, calibration_of, prediction_track
from lightship.monitoring.tracks import numeric_track
from lightship_runtime.contract import Column, Contract
from lightship_runtime.engine import Engine, RefusedRowsError
from lightship_runtime.manifest import BASELINE
from lightship_runtime.monitor.accumulate import Batch, as_floats, largest
from lightship_runtime.monitor.baseline import Baseline, ColumnBaseline, ColumnKind, Outputs, Track
from lightship_runtime.monitor.bins import category_key
from lightship_runtime.monitor.encode import PREDICTION_DIGITS, rounded
from lightship_runtime.monitor.vector import Floats, class_positions, column_codes
from lightship_runtime.predict import as_list, finite

MAX_ROWS = 20_000
"""More rows make the bins no better; those used lie evenly between the first and the last."""
_BLOCK = 2_000


@dataclass(frozen=True)
class Wanted:
    """What was asked of the baseline: other rows than the sample's, the name of their column of labels, and the columns
    to report accuracy by."""

    frame: pd.DataFrame | None = None
    label: str | None = None
    segments: tuple[str, ...] = ()


def write_baseline(folder: Path, original: Engine, described: Described, labels: Any, wanted: Wanted) -> dict[str, Any]:
    """Write the baseline into `folder`; what is told of it in the release's notes.

    `labels` are the sample's. Raises BaselineError.
    """
    contract = described.contract
    if wanted.frame is None:
        rows, source = rows_of_sample(described, labels), "sample"
    else:
        rows, source = rows_of_frame(wanted.frame, contract, wanted.label), "file"
    baseline = baseline_of(original, contract, rows, wanted.segments)
    (folder / BASELINE).write_bytes(baseline.to_json())
    return {
        "source": source,
        "rows": baseline.rows,
        "of": len(rows),
        "labelled": baseline.performance.rows,
        "metrics": {name: metric["value"] for name, metric in baseline.performance.metrics.items()},
        "segments": list(baseline.segments),
    }


def baseline_of(original: Engine, contract: Contract, rows: Rows, segments: Sequence[str] = ()) -> Baseline:
    """The baseline of these rows, with what the original model predicts of them; rows that it refuses are left out.

    Raises BaselineError for segments or labels that don't fit the model, and where it refuses most of the rows.
    """
    for name in segments:
        if name not in contract.names:
            raise BaselineError(f"The segment {name!r} is no column of the model: {', '.join(contract.names[:20])}.")
    rows = rows.finite().thinned(MAX_ROWS)
    if not len(rows):
        raise BaselineError("The baseline has 0 rows of finite values. Give rows as the model will see them.")
    rows, answers = _ask(original, rows)
    columns = tuple(map(_column, contract.columns, rows.columns))
    codes = np.concatenate([column_codes(*each) for each in zip(columns, rows.columns, strict=True)], axis=1)
    labels = _labels(contract, rows.labels)
    outputs, predicted, scores = _outputs(contract, answers, labels)
    if outputs.task == "none" or (outputs.task == "labels" and contract.output.task == "clustering"):
        labels = None
    return build_baseline(columns, outputs, Batch(codes, predicted, scores, labels), tuple(segments))


def _column(column: Column, values: list[Any]) -> ColumnBaseline:
    kind = _kind(column, values)
    series = pd.Series(values, name=column.name, dtype=np.float64 if kind == "numeric" else object)
    return make_column(series, kind)


def _kind(column: Column, values: Sequence[Any]) -> ColumnKind:
    match column.type:
        case "number" | "integer":
            return "numeric"
        case "boolean" | "category" | "datetime":
            return column.type
        case "text":
            # Names and numbers of things are texts to the contract when they are many; they have no words to count.
            return "text" if column_kind(pd.Series(values, dtype=object)) == "text" else "category"


@dataclass(frozen=True)
class _Answers:
    """What the model says of n rows, None where it isn't finite: predictions, probabilities or decision values."""

    predictions: list[Any]
    probabilities: list[Any] | None
    scores: list[Any] | None


def _ask(original: Engine, rows: Rows) -> tuple[Rows, _Answers]:
    """The rows that the model answers, and its answers. Raises BaselineError where it fails, or refuses most rows."""
    kept: list[int] = []
    found = _Answers([], [], [])
    for start in range(0, len(rows), _BLOCK):
        places = list(range(start, min(start + _BLOCK, len(rows))))
        answer = None
        while places and answer is None:
            try:
                answer = original.predict(rows.at(places).columns)
            except RefusedRowsError as error:
                places = [place for i, place in enumerate(places) if i not in error.rows]
            except Exception as error:
                raise BaselineError(
                    f"The model can't predict the baseline's rows {start} to {start + _BLOCK} "
                    f"({type(error).__name__}: {error}). Give rows as the model will see them."
                ) from error
        if answer is not None:
            kept += places
            found = _Answers(
                found.predictions + finite(as_list(answer.predictions)),
                _longer(found.probabilities, answer.probabilities),
                _longer(found.scores, answer.scores),
            )
    if len(kept) < len(rows) / 2:
        raise BaselineError(
            f"The model refuses {len(rows) - len(kept)} of the baseline's {len(rows)} rows. "
            "Give rows as the model will see them."
        )
    return rows.at(kept), found


def _longer(found: list[Any] | None, more: Any) -> list[Any] | None:
    return None if found is None or more is None else found + finite(as_list(more))


def _labels(contract: Contract, labels: list[Any] | None) -> list[Any] | None:
    """The labels, where the model's task has any. Raises BaselineError when none of them can be one."""
    output = contract.output
    if labels is None or output.width or all(value is None for value in labels):
        return None
    known = [value for value in labels if value is not None]
    match output.task:
        case "binary" | "multiclass":
            keys = [category_key(label) for label in output.classes]
            fits = bool((class_positions(keys, known) < len(keys)).any())
            wanted = "one of " + ", ".join(keys[:10])
        case "regression":
            fits = all(isinstance(value, int | float) and not isinstance(value, bool) for value in known)
            wanted = "a number"
        case "outlier":
            fits = bool((class_positions(("-1", "1"), known) < 2).any())
            wanted = "-1 or 1"
        case _:
            return None
    if not fits:
        raise BaselineError(
            f"The baseline's labels aren't what the model predicts: they are like {known[0]!r}, but a prediction is "
            f"{wanted}. Name the column of the outcomes."
        )
    return labels


type _Given = tuple[Outputs, list[Any], Floats]


def _outputs(contract: Contract, answers: _Answers, labels: list[Any] | None) -> _Given:
    """The outputs' part of the baseline, the predictions and the scores (n, K), rounded as telemetry rounds them."""
    predictions = answers.predictions
    none = np.zeros((len(predictions), 0))
    output = contract.output
    if output.width:
        return Outputs("none"), [None] * len(predictions), none
    match output.task:
        case "regression":
            values = [None if value is None else rounded(float(value), PREDICTION_DIGITS) for value in predictions]
            track = _output_track("prediction", as_floats(values), as_floats(predictions))
            return Outputs("regression", tracks=(track,), names={"prediction": "prediction"}), values, none
        case "binary" | "multiclass":
            predicted = [output.classes[place] for place in predictions]
            return _classifier(tuple(map(category_key, output.classes)), predicted, answers.probabilities, labels)
        case "outlier":
            # The score of a usual row is the larger one.
            scores = answers.scores and [[None, score] for score in answers.scores]
            return _classifier(("-1", "1"), predictions, scores, labels)
        case "clustering":
            return _classifier(tuple(map(str, sorted(set(predictions)))), predictions, None, None)
        case _:
            return Outputs("none"), [None] * len(predictions), none


def _output_track(name: str, values: Floats, exact: Floats) -> Track:
    """A track of rounded outputs. Batches count them unrounded: their range holds both."""
    track = numeric_track(name, values)
    found = exact[np.isfinite(exact)]
    if not len(found):
        return track
    low, high = min(track.minimum, float(found.min())), max(track.maximum, float(found.max()))
    return replace(track, minimum=low, maximum=high)


def _classifier(
    classes: tuple[str, ...], predicted: list[Any], probabilities: list[Any] | None, labels: list[Any] | None
) -> _Given:
    names = {"prediction": "prediction"}
    none = np.zeros((len(predicted), 0))
    prediction = prediction_track(predicted)
    if len(classes) > MOST_CLASSES:
        return Outputs("none", tracks=(prediction,), names=names), predicted, none
    if probabilities is None:
        return Outputs("labels", classes, tracks=(prediction,), names=names), predicted, none
    exact = np.array([[np.nan if p is None else p for p in row] for row in probabilities], np.float64)
    matrix = np.vectorize(rounded, otypes=[np.float64])(exact)
    binary = len(classes) == 2
    scores, unrounded = (each[:, 1:] if binary else each for each in (matrix, exact))
    scored = classes[1:] if binary else classes
    names |= {"score": "score"} if binary else {f"score:{name}": f"score {name}" for name in classes}
    calibration = tuple(calibration_of(scores[:, k], labels, classes, name) for k, name in enumerate(scored))
    tracks = (prediction, _output_track("score", largest(scores), largest(unrounded)))
    positive = classes[1] if binary else None
    outputs = Outputs("binary" if binary else "multiclass", classes, positive, tracks, calibration, names)
    return outputs, predicted, scores
