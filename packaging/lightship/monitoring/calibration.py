"""Fitting what turns scores into probabilities: isotonic regression, where it helps."""

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression

from lightship_runtime.monitor.baseline import Calibration
from lightship_runtime.monitor.vector import Floats

MOST_SCORE_BINS, LEAST_SCORE_BINS = 200, 50
KNOTS = 200
ALL_SCORE_BINS, ALL_KNOTS = 1_000, 1_600
"""Over all classes, so that a baseline of many classes stays small."""
_FOLDS = 5
_SEED = 0


def score_edges(scores: Floats, classes: int = 1) -> tuple[float, ...]:
    """Interior edges of score bins of about equal counts, halfway between neighbouring scores.

    At most 200 bins for one score, fewer for each of several, so that the baseline stays small.
    """
    bins = min(max(LEAST_SCORE_BINS, min(MOST_SCORE_BINS, 600 // classes)), ALL_SCORE_BINS // classes)
    distinct, counts = np.unique(scores, return_counts=True)
    if len(distinct) < 2:
        return ()
    reached = np.cumsum(counts)
    targets = np.arange(1, bins) * len(scores) / bins
    places = np.unique(np.clip(np.searchsorted(reached, targets), 0, len(distinct) - 2))
    return tuple(float(edge) for edge in np.unique(distinct[places] / 2 + distinct[places + 1] / 2))


def fit_calibration(scores: Floats, hits: NDArray[np.bool_], edges: tuple[float, ...], classes: int = 1) -> Calibration:
    """The calibration of one of so many classes, from labelled rows: its score, and whether the row was of it."""
    bins = np.searchsorted(np.asarray(edges), scores, side="right")
    rows = np.bincount(bins, minlength=len(edges) + 1)
    positives = np.bincount(bins[hits], minlength=len(edges) + 1)
    seen = (tuple(rows.tolist()), tuple(positives.tolist()))
    if not len(scores) or not calibration_helps(scores, hits):
        return Calibration(edges, rows=seen[0], positives=seen[1])
    x, y = _isotonic(scores, hits)
    most = min(KNOTS, ALL_KNOTS // classes)
    if len(x) > most:
        chosen = np.unique(np.linspace(0, len(x) - 1, most).round().astype(np.int64))
        x, y = x[chosen], y[chosen]
    knots = (tuple(float(f"{v:.9g}") for v in x), tuple(float(f"{v:.7g}") for v in y))
    return Calibration(edges, *knots, *seen)


def _isotonic(scores: Floats, hits: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    model = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(scores, hits.astype(np.float64))
    return model.X_thresholds_, model.y_thresholds_


def calibration_helps(scores: Floats, hits: NDArray[np.bool_]) -> bool:
    """Whether isotonic regression, fitted on four fifths, has the smaller squared error on the last (Brier's score).

    Scores outside 0..1 are no probabilities, so there the map is always needed.
    """
    if scores.min() < 0 or scores.max() > 1:
        return True
    if len(scores) < _FOLDS * 10 or hits.all() or not hits.any():
        return False
    fold = np.random.default_rng(_SEED).permutation(len(scores)) % _FOLDS
    after = np.empty(len(scores))
    for part in range(_FOLDS):
        inside = fold == part
        after[inside] = np.interp(scores[inside], *_isotonic(scores[~inside], hits[~inside]))
    return bool(np.mean((after - hits) ** 2) < np.mean((scores - hits) ** 2))
