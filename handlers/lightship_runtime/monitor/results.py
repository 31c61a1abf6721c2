"""The result document of a window: everything the alarms, the report and the Python API read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightship_runtime.monitor.baseline import Baseline, ColumnBaseline, Track
from lightship_runtime.monitor.bins import ABOVE, BELOW, FAR_ABOVE, FAR_BELOW, INVALID, MISSING, UNSEEN
from lightship_runtime.monitor.drift import LEAST_ROWS, Drift, column_components, judge
from lightship_runtime.monitor.estimate import estimate_breach, estimated
from lightship_runtime.monitor.performance import breach, by_class, by_segment, observed
from lightship_runtime.monitor.profile import BATCH_ROWS, Profile, all_tracks
from lightship_runtime.monitor.special import normal_cdf, wilson
from lightship_runtime.monitor.traffic import labels_by_age, requests_of

SCHEMA = 1
MOST_REJECTED = 0.05
"""The share of refused rows from which they are a breach of quality."""
REJECTED_SURE = 0.998
_QUALITY: Mapping[str, str] = {
    "missing": MISSING,
    "invalid": INVALID,
    "unseen": UNSEEN,
    "out_of_range": BELOW + FAR_BELOW + ABOVE + FAR_ABOVE,
}


@dataclass(frozen=True)
class Window:
    """What a result is about: a model version, and seconds since 1970 from `start` up to `end`."""

    version: str = ""
    start: float | None = None
    end: float | None = None
    rejected: int = 0
    problems: Mapping[str, int] = field(default_factory=dict)
    last_week: int | None = None


@dataclass(frozen=True)
class Result:
    """A window's result. `document` is what is stored; `columns`, `score` and the others are parts of it."""

    document: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, with the schema version."""
        return {"schema": SCHEMA, **self.document}

    @property
    def flagged(self) -> tuple[str, ...]:
        """Columns whose drift is `warn` or `high`."""
        columns = self.document["columns"]
        return tuple(name for name, entry in columns.items() if entry["drift"]["level"] in ("warn", "high"))


def evaluate(baseline: Baseline, profile: Profile, window: Window | None = None) -> Result:
    """Everything that the window's profile says against the baseline."""
    window = window or Window()
    counts = [_by_code(row) for row in profile.codes]
    columns, outputs = _split(baseline, counts)
    drifts = judge({c.name: column_components(c, columns[c.name]) for c in baseline.columns}, profile.rows)
    metrics = observed(profile, baseline)
    guesses = estimated(profile, baseline)
    document: dict[str, Any] = {
        "window": _window(window),
        "rows": profile.rows,
        "columns": {c.name: _column(c, columns[c.name], drifts[c.name]) for c in baseline.columns},
        "quality": _quality(baseline, columns, profile, window),
        "labels": _labels(profile),
        "observed": {name: metric.to_dict() for name, metric in metrics.items()},
        "estimated": {name: metric.to_dict() for name, metric in guesses.items()},
        "breach": breach(profile, baseline, metrics),
        "estimated_breach": estimate_breach(guesses, baseline),
    }
    document |= _outputs(baseline, outputs, profile.rows)
    if requests := requests_of(profile.notes):
        document["requests"] = requests
    if profile.labelled and baseline.outputs.classes:
        document["by_class"] = by_class(profile, baseline)
    if profile.labelled and baseline.segments:
        document["by_segment"] = by_segment(profile, baseline)
    return Result(document)


def _labels(profile: Profile) -> dict[str, Any]:
    """Labelled rows, and the share of those that a label is expected of; where known, how many had it within hours."""
    expected = profile.rows - profile.notes.get(BATCH_ROWS, 0)
    ages = labels_by_age(profile.notes)
    return {
        "rows": profile.labelled,
        "coverage": profile.labelled / expected if expected > 0 else 0.0,
        "expected": expected,
        **({"within_hours": ages} if ages else {}),
    }


def _by_code(row: NDArray[np.int64]) -> dict[str, int]:
    return {chr(code): int(row[code]) for code in np.flatnonzero(row)}


def _split(
    baseline: Baseline, counts: Sequence[dict[str, int]]
) -> tuple[dict[str, list[dict[str, int]]], list[dict[str, int]]]:
    columns, place = {}, 0
    for column in baseline.columns:
        columns[column.name] = list(counts[place : place + len(column.tracks)])
        place += len(column.tracks)
    return columns, list(counts[place : len(all_tracks(baseline))])


def _window(window: Window) -> dict[str, Any]:
    return {"version": window.version, "start": window.start, "end": window.end}


def _column(column: ColumnBaseline, counts: Sequence[dict[str, int]], drift: Drift) -> dict[str, Any]:
    return {
        "kind": column.kind,
        "drift": drift.to_dict(),
        "quality": _shares(column, counts[0]),
        "counts": {track.name: found for track, found in zip(column.tracks, counts, strict=True)},
    }


def _shares(column: ColumnBaseline, counts: Mapping[str, int]) -> dict[str, float]:
    """Shares of rows that are missing, of the wrong type, in categories not seen, or out of the range seen."""
    rows = sum(counts.values())
    return {
        name: sum(counts.get(code, 0) for code in codes) / rows if rows else 0.0
        for name, codes in _QUALITY.items()
        if name in ("missing", "invalid") or _has(column, name)
    }


def _has(column: ColumnBaseline, quality: str) -> bool:
    track = column.tracks[0]
    if quality == "unseen":
        return track.kind == "category" and not track.open
    return track.kind == "numeric"


def _quality(
    baseline: Baseline, columns: Mapping[str, Sequence[dict[str, int]]], profile: Profile, window: Window
) -> dict[str, Any]:
    cells = max(1, profile.rows * len(baseline.columns))
    totals = {
        name: sum(found[0].get(code, 0) for found in columns.values() for code in codes) / cells
        for name, codes in _QUALITY.items()
    }
    return {
        **totals,
        "rejected": window.rejected,
        "rejected_level": rejected_level(profile.rows, window.rejected),
        "problems": dict(window.problems),
        "volume": volume(profile.rows, window.last_week),
    }


def rejected_level(rows: int, rejected: int) -> str:
    """`high` when more than a twentieth of the rows sent were refused, by more than chance (one-sided 99.9%)."""
    total = rows + rejected
    if total < LEAST_ROWS:
        return "insufficient"
    low = wilson(rejected, total, REJECTED_SURE)[0]
    return "high" if low > MOST_REJECTED else "none"


def volume(rows: int, last_week: int | None) -> dict[str, Any]:
    """The rows against the same hours a week before. Requests come in bursts, so that their counts are taken to vary
    by a quarter beyond Poisson's; `warn` when they doubled or halved beyond that (two-sided p under .001)."""
    if last_week is None:
        return {"rows": rows, "last_week": None, "level": "insufficient"}
    spread = sqrt(rows + last_week + (0.25 * (rows + last_week) / 2) ** 2) or 1.0
    p_value = 2 * normal_cdf(-abs(rows - last_week) / spread)
    changed = max(rows, last_week) >= 2 * min(rows, last_week)
    return {
        "rows": rows,
        "last_week": last_week,
        "p_value": p_value,
        "level": "warn" if changed and p_value < 0.001 else "none",
    }


def _outputs(baseline: Baseline, counts: Sequence[dict[str, int]], rows: int) -> dict[str, Any]:
    """The drift of `score` and `prediction`, as far as the model gives them."""
    tracks = baseline.outputs.tracks
    views = {track.name: _as_column(track) for track in tracks}
    found = dict(zip(views, counts, strict=True))
    drifts = judge({name: column_components(view, [found[name]]) for name, view in views.items()}, rows)
    return {name: {"drift": drift.to_dict(), "counts": {"value": found[name]}} for name, drift in drifts.items()}


def _as_column(track: Track) -> ColumnBaseline:
    return ColumnBaseline(track.name, "numeric" if track.kind == "numeric" else "category", (track,))
