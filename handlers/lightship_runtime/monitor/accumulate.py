"""Adding rows to a profile."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightship_runtime.engine import Distinct
from lightship_runtime.monitor.baseline import Baseline
from lightship_runtime.monitor.exact import exact_sum
from lightship_runtime.monitor.profile import CODES, FIXED_POINT, NEGATIVE, POSITIVE, UNLABELLED, Profile, add_counts
from lightship_runtime.monitor.vector import (
    Codes,
    Floats,
    class_positions,
    numeric_codes,
    object_codes,
    probabilities,
)

SMALLEST_PROBABILITY = 1e-15
LARGEST = 1e75
"""Labels and predictions beyond this have no fourth power as a float."""


@dataclass(frozen=True)
class Batch:
    """n rows as arrays. `codes` (n, columns' tracks) are the code strings; `predicted` n values; `scores` (n, K), NaN
    where there is none; `actual` n values, None or NaN where no label has come, or None for no labels at all."""

    codes: Codes
    predicted: Sequence[Any] | Distinct
    scores: Floats
    actual: Sequence[Any] | None = None


def add_batch(profile: Profile, baseline: Baseline, batch: Batch) -> None:
    """Count the batch's rows into the profile."""
    rows = len(batch.codes)
    if rows == 0:
        return
    profile.rows += rows
    outputs = _output_codes(baseline, batch)
    codes = np.column_stack([batch.codes, *outputs]) if outputs else batch.codes
    offsets = np.arange(codes.shape[1], dtype=np.int64) * CODES
    profile.codes += np.bincount((codes + offsets).ravel(), minlength=profile.codes.size).reshape(profile.codes.shape)
    if baseline.outputs.task == "regression":
        _add_errors(profile, baseline, batch)
    elif baseline.outputs.classes:
        _add_classes(profile, baseline, batch)


def as_floats(values: Sequence[Any] | Distinct) -> Floats:
    """Numbers as floats; NaN for what isn't a number."""
    if isinstance(values, Distinct):
        return values.spread(as_floats(values.values))
    if isinstance(values, np.ndarray) and values.dtype.kind in "fiub":
        return values.astype(np.float64)
    return np.array([_as_float(value) for value in values], np.float64)


def _as_float(value: Any) -> float:
    return float(value) if isinstance(value, int | float | np.number) else np.nan


def _output_codes(baseline: Baseline, batch: Batch) -> list[Codes]:
    codes = []
    for track in baseline.outputs.tracks:
        if track.name == "score":
            codes.append(numeric_codes(track, largest(batch.scores)))
        elif track.kind == "numeric":
            codes.append(numeric_codes(track, as_floats(batch.predicted)))
        else:
            codes.append(object_codes(track, batch.predicted))
    return codes


def largest(scores: Floats) -> Floats:
    """Each row's largest score; NaN where a row has a gap."""
    return scores[:, 0] if scores.shape[1] == 1 else scores.max(axis=1)


def _add_classes(profile: Profile, baseline: Baseline, batch: Batch) -> None:
    outputs = baseline.outputs
    unknown = len(outputs.classes)
    predicted = class_positions(outputs.classes, batch.predicted, missing=unknown)
    actual = np.full(len(predicted), -1) if batch.actual is None else class_positions(outputs.classes, batch.actual)
    known = actual >= 0
    profile.labelled += int(known.sum())
    width = unknown + 1
    pairs = actual[known] * width + predicted[known]
    profile.confusion += np.bincount(pairs, minlength=width * width).reshape(width, width)
    _add_segments(profile, baseline, batch.codes, known, actual == predicted)
    if outputs.calibration:
        _add_scores(profile, baseline, batch.scores, predicted, actual)


def _add_scores(
    profile: Profile, baseline: Baseline, scores: Floats, predicted: NDArray[np.int64], actual: NDArray[np.int64]
) -> None:
    outputs = baseline.outputs
    whole = np.isfinite(scores).all(axis=1)
    if not whole.all():
        add_counts(profile.notes, {"rows_without_score": int((~whole).sum())})
        scores, predicted, actual = scores[whole], predicted[whole], actual[whole]
    chances = probabilities(outputs.calibration, scores)
    fixed = np.rint(chances * FIXED_POINT).astype(np.int64)
    targets = scored_classes(baseline)
    bins = profile.scores.shape[1]
    for k, place in enumerate(targets):
        bin_of = np.searchsorted(np.asarray(outputs.calibration[k].edges), scores[:, k], side="right")
        chosen = (predicted == place).astype(np.int64)
        state = np.where(actual < 0, UNLABELLED, np.where(actual == place, POSITIVE, NEGATIVE))
        cell = bin_of * 2 + chosen
        counted = np.bincount(cell * 3 + state, minlength=bins * 6)
        profile.scores[k] += counted.reshape(bins, 2, 3)
        np.add.at(profile.expected[k].reshape(-1), cell, fixed[:, k])
    _add_log_loss(profile, baseline, scores, actual, targets)


def scored_classes(baseline: Baseline) -> tuple[int, ...]:
    """The classes that have scores, as places among the classes: the positive one, or all of them."""
    outputs = baseline.outputs
    if outputs.task == "binary" and outputs.positive is not None:
        return (outputs.classes.index(outputs.positive),)
    return tuple(range(len(outputs.calibration)))


def _add_log_loss(
    profile: Profile, baseline: Baseline, scores: Floats, actual: NDArray[np.int64], targets: tuple[int, ...]
) -> None:
    """Only where the scores are probabilities, and the label is a class known at training."""
    track = next(track for track in baseline.outputs.tracks if track.name == "score")
    if track.minimum < 0 or track.maximum > 1:
        return
    usable = (actual >= 0) & (actual < len(baseline.outputs.classes)) & ((scores >= 0) & (scores <= 1)).all(axis=1)
    chosen, labels = scores[usable], actual[usable]
    if len(targets) == 1:
        chance = np.where(labels == targets[0], chosen[:, 0], 1 - chosen[:, 0])
    else:
        chance = chosen[np.arange(len(chosen)), labels]
    loss = -np.log(np.clip(chance, SMALLEST_PROBABILITY, 1.0))
    add_counts(
        profile.sums, {"loss": exact_sum(loss), "loss_squared": exact_sum(loss * loss), "loss_rows": int(usable.sum())}
    )


def _add_segments(
    profile: Profile, baseline: Baseline, codes: Codes, known: NDArray[np.bool_], right: NDArray[np.bool_]
) -> None:
    for s, place in enumerate(segment_places(baseline)):
        for outcome, chosen in ((0, known), (1, known & right)):
            profile.segments[s, :, outcome] += np.bincount(codes[chosen, place], minlength=CODES)


def segment_places(baseline: Baseline) -> tuple[int, ...]:
    """Where each segment column's first track stands in a code string."""
    places, place = {}, 0
    for column in baseline.columns:
        places[column.name] = place
        place += len(column.tracks)
    return tuple(places[name] for name in baseline.segments)


def _add_errors(profile: Profile, baseline: Baseline, batch: Batch) -> None:
    """Sums of the errors' and labels' powers; labels less the baseline's mean, so that R2 keeps its digits."""
    if batch.actual is None:
        return
    actual, predicted = as_floats(batch.actual), as_floats(batch.predicted)
    known = (np.abs(actual) < LARGEST) & (np.abs(predicted) < LARGEST)
    profile.labelled += int(known.sum())
    error = predicted[known] - actual[known]
    spread = actual[known] - baseline.performance.label_mean
    square, spread_square = error * error, spread * spread
    powers = {
        "error": error,
        "absolute": np.abs(error),
        "square": square,
        "fourth": square * square,
        "spread": spread,
        "spread_square": spread_square,
        "spread_fourth": spread_square * spread_square,
        "square_times_spread": square * spread_square,
    }
    add_counts(profile.sums, {name: exact_sum(values) for name, values in powers.items()})
    for name, place in zip(baseline.segments, segment_places(baseline), strict=True):
        code = batch.codes[known, place]
        for number in np.unique(code):
            inside = code == number
            key = f"segment:{name}:{chr(number)}"
            add_counts(
                profile.sums, {f"{key}:rows": int(inside.sum()), f"{key}:absolute": exact_sum(np.abs(error[inside]))}
            )
