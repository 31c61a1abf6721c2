"""A model's outputs in a frame: which task it is, its classes, its scores and their calibration."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lightship.monitoring.calibration import fit_calibration, score_edges
from lightship.monitoring.errors import MissingColumnError, MonitoringError
from lightship.monitoring.frames import floats, frame_codes, plain_values
from lightship.monitoring.tracks import category_track, numeric_track
from lightship_runtime.monitor.accumulate import Batch, as_floats, largest
from lightship_runtime.monitor.baseline import Baseline, Calibration, Outputs, Track
from lightship_runtime.monitor.bins import category_key
from lightship_runtime.monitor.vector import Floats, class_positions

type Score = str | Sequence[str] | Mapping[Any, str] | None
type Roles = Mapping[str, str | None]

MOST_CLASSES = 50
_FEW_VALUES = 20


def score_roles(score: Score) -> dict[str, str | None]:
    """The names of the score columns by role: `score` for one, `score:` and its class (or place) for several."""
    if score is None or isinstance(score, str):
        return {"score": score}
    if isinstance(score, Mapping):
        return {f"score:{category_key(name)}": column for name, column in score.items()}
    return {f"score#{place}": column for place, column in enumerate(score)}


def stored_roles(names: Mapping[str, str]) -> dict[str, str | None]:
    """The score columns that the baseline was made with."""
    return {role: name for role, name in names.items() if role.startswith("score")}


def check_columns(frame: pd.DataFrame, roles: Roles, segments: Sequence[str] = ()) -> None:
    """Raises MissingColumnError for the first named column that the frame lacks."""
    for role, name in [*roles.items(), *(("segment", segment) for segment in segments)]:
        if name is not None and name not in frame.columns:
            raise MissingColumnError(role, name, list(frame.columns))


def make_outputs(frame: pd.DataFrame, roles: Roles, labels: Sequence[Any] | None, positive: Any) -> Outputs:
    """Decide the task and make the outputs' tracks and calibration.

    One score: binary. Several: multiclass. None: regression when predictions (or labels) are numbers with more than
    twenty distinct values or fractions, else `labels`, which also fits clusters and outlier flags.
    """
    several = [role for role, name in roles.items() if role.startswith(("score:", "score#")) and name]
    prediction = roles.get("prediction")
    if several:
        return _multiclass(frame, roles, several, labels)
    if roles.get("score"):
        return _binary(frame, roles, labels, positive)
    names = {role: name for role, name in roles.items() if name}
    if prediction is None:
        return Outputs("none", names=names)
    values = plain_values(frame[prediction])
    if _is_regression(frame[prediction], values):
        return Outputs("regression", tracks=(numeric_track("prediction", as_floats(values)),), names=names)
    classes = _classes(values, labels)
    return Outputs("labels", classes, tracks=(prediction_track(values),), names=names)


def _is_regression(series: "pd.Series[Any]", values: Sequence[Any]) -> bool:
    if pd.api.types.is_bool_dtype(series.dtype) or not pd.api.types.is_numeric_dtype(series.dtype):
        return False
    finite = [value for value in values if value is not None]
    return len(set(finite)) > _FEW_VALUES or any(float(value) != int(value) for value in finite if np.isfinite(value))


def _classes(*groups: Sequence[Any] | None) -> tuple[str, ...]:
    """The classes that occur, in the sorted order of their values."""
    found: dict[str, Any] = {}
    for group in groups:
        for value in {(type(value), value): value for value in group or () if value is not None}.values():
            key = category_key(value)
            key = {"true": "1", "false": "0"}.get(key, key) if {"0", "1"} & found.keys() else key
            found.setdefault(key, value)
    if len(found) > MOST_CLASSES:
        raise MonitoringError(
            f"There are {len(found)} classes; at most {MOST_CLASSES} are watched. Group them, or give no prediction."
        )
    try:
        return tuple(sorted(found, key=lambda key: found[key]))
    except TypeError:
        return tuple(sorted(found))


def prediction_track(values: Sequence[Any]) -> Track:
    """The track of predicted classes, None where there is none."""
    present = np.array([value is not None for value in values], np.bool_)
    return category_track("prediction", values, present)


def _binary(frame: pd.DataFrame, roles: Roles, labels: Sequence[Any] | None, positive: Any) -> Outputs:
    scores = floats(frame[str(roles["score"])])
    given = predictions(frame, roles, ("0", "1")) if roles.get("prediction") or labels is None else None
    classes = _classes(given, labels)
    if len(classes) == 1:
        classes = tuple(sorted({*classes, "0", "1"})) if classes[0] in ("0", "1") else (*classes, f"not {classes[0]}")
    if len(classes) != 2:
        raise MonitoringError(
            f"One score column was named, but there are {len(classes)} classes: {', '.join(classes[:10])}. "
            "Name one score column for each class."
        )
    target = category_key(positive) if positive is not None else _positive(classes, given, labels, scores)
    if target not in classes:
        raise MonitoringError(f"The positive class {target!r} is not among {', '.join(classes)}. Name one of these.")
    other = classes[1 - classes.index(target)]
    predicted = given if given is not None else predictions(frame, roles, (other, target))
    calibration = calibration_of(scores, labels, classes, target)
    tracks = (prediction_track(predicted), numeric_track("score", scores))
    names = {role: name for role, name in roles.items() if name}
    return Outputs("binary", classes, target, tracks, (calibration,), names)


def _positive(
    classes: tuple[str, ...], predicted: Sequence[Any] | None, labels: Sequence[Any] | None, scores: Floats
) -> str:
    """The class with the higher mean score among its predictions, or else among its labels; the last by default."""
    for values in (predicted, labels):
        places = class_positions(classes, values if values is not None else [None] * len(scores))
        means = [scores[(places == place) & np.isfinite(scores)] for place in (0, 1)]
        if all(len(group) for group in means):
            return classes[int(means[1].mean() >= means[0].mean())]
    return classes[1]


def calibration_of(scores: Floats, labels: Sequence[Any] | None, classes: tuple[str, ...], target: str) -> Calibration:
    """The calibration of one class's scores; only its bins where there are no labels."""
    finite = np.isfinite(scores)
    several = len(classes) if len(classes) > 2 else 1
    edges = score_edges(scores[finite], several)
    if labels is None:
        return Calibration(edges)
    places = class_positions(classes, labels)
    known = (places >= 0) & finite
    hits = places[known] == classes.index(target)
    return fit_calibration(scores[known], hits, edges, several)


def _multiclass(frame: pd.DataFrame, roles: Roles, several: Sequence[str], labels: Sequence[Any] | None) -> Outputs:
    prediction = roles.get("prediction")
    keyed = {role.removeprefix("score:"): role for role in several if role.startswith("score:")}
    if keyed:
        classes = tuple(keyed)
    else:
        classes = _classes(None if prediction is None else plain_values(frame[prediction]), labels)
    if len(classes) != len(several):
        raise MonitoringError(
            f"There are {len(several)} score columns for {len(classes)} classes: {', '.join(classes[:10])}. "
            "Name one for each class, as a mapping from class to column."
        )
    names = {role: name for role, name in roles.items() if name and role not in several}
    columns = [str(roles[keyed[name] if keyed else several[place]]) for place, name in enumerate(classes)]
    names |= {f"score:{name}": column for name, column in zip(classes, columns, strict=True)}
    scores = np.column_stack([floats(frame[column]) for column in columns])
    predicted = predictions(frame, names, classes)
    calibration = tuple(calibration_of(scores[:, k], labels, classes, name) for k, name in enumerate(classes))
    tracks = (prediction_track(predicted), numeric_track("score", largest(scores)))
    return Outputs("multiclass", classes, None, tracks, calibration, names)


def predictions(frame: pd.DataFrame, roles: Roles, classes: Sequence[str]) -> list[Any]:
    """The predicted values; without a column for them, the class with the largest score, or a score of one half."""
    prediction = roles.get("prediction")
    if prediction is not None:
        return plain_values(frame[prediction])
    scores = score_matrix(frame, roles)
    places = scores.argmax(axis=1) if scores.shape[1] > 1 else (scores[:, 0] >= 0.5).astype(np.int64)
    gaps = np.isnan(scores).any(axis=1)
    return [None if gap else classes[place] for place, gap in zip(places, gaps, strict=True)]


def score_matrix(frame: pd.DataFrame, roles: Roles) -> Floats:
    """The score columns (n, K) in the order of the roles."""
    columns = [name for role, name in roles.items() if role.startswith("score") and name]
    return np.column_stack([floats(frame[name]) for name in columns]) if columns else np.zeros((len(frame), 0))


def frame_batch(baseline: Baseline, frame: pd.DataFrame, roles: Roles, labels: Sequence[Any] | None) -> Batch:
    """The rows of a frame as monitoring takes them."""
    outputs = baseline.outputs
    if outputs.task == "multiclass":
        roles = _in_class_order(roles, outputs.classes)
    scores = score_matrix(frame, roles)
    if scores.shape[1] != len(outputs.calibration):
        raise MonitoringError(
            f"The baseline has {len(outputs.calibration)} score columns, {scores.shape[1]} were given. Name all."
        )
    if outputs.task == "none" and not outputs.tracks:
        predicted: list[Any] = [None] * len(frame)
    else:
        order = outputs.classes
        if outputs.task == "binary" and outputs.positive is not None:
            order = (*(name for name in order if name != outputs.positive), outputs.positive)
        predicted = predictions(frame, roles, order)
    present = {str(name): frame[name] for name in frame.columns}
    return Batch(frame_codes(baseline, frame, present), predicted, scores, labels)


def _in_class_order(roles: Roles, classes: Sequence[str]) -> dict[str, str | None]:
    places = {f"score:{name}": f"score#{place}" for place, name in enumerate(classes)}
    scores = {role: roles.get(role) or roles.get(place) for role, place in places.items()}
    return {"prediction": roles.get("prediction"), **scores}
