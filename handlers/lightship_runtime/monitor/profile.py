"""The profile: what a set of rows comes down to. Profiles of disjoint sets add up to their union's, exactly.

Integers only: counts of bin codes, of score bins by predicted and actual class, a confusion matrix, fixed-point sums of
calibrated probabilities and exact sums of errors. `accumulate.py` fills them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from lightship_runtime.monitor.baseline import Baseline, Track

CODES = 128
"""Bin codes are ASCII characters; counts are indexed by their number."""
FIXED_POINT = 1 << 30
"""Calibrated probabilities are summed in units of 2**-30: 8e9 rows fit into 64 bits."""
UNLABELLED, NEGATIVE, POSITIVE = 0, 1, 2

BATCH_ROWS = "batch_rows"
"""The note of rows that came from batches: they have no ids, so that no label is expected of them."""

type Counts = NDArray[np.int64]


@dataclass
class Profile:
    """Counts of a set of rows under a baseline with T tracks, K scored classes of B score bins, and C classes.

    `codes` (T, 128): rows by bin code, for the columns' tracks and then the outputs' own. `scores` (K, B, 2, 3): rows
    by score bin, by whether this class was predicted, and by unlabelled / another class / this class. `expected`
    (K, B, 2): sums of calibrated probabilities in units of 2**-30. `confusion` (C+1, C+1): labelled rows by actual and
    predicted class, the last place being any class not seen at training. `segments` (S, 128, 2): labelled and correct
    rows by a segment column's bin code. `sums`: exact sums of errors (`exact.py`) by name. `notes`: plain counters.
    """

    rows: int
    labelled: int
    codes: Counts
    scores: Counts
    expected: Counts
    confusion: Counts
    segments: Counts
    sums: dict[str, int] = field(default_factory=dict)
    notes: dict[str, int] = field(default_factory=dict)

    @classmethod
    def empty(cls, baseline: Baseline) -> Self:
        outputs = baseline.outputs
        scored = len(outputs.calibration)
        bins = max((len(entry.edges) + 1 for entry in outputs.calibration), default=0)
        classes = len(outputs.classes) + 1 if outputs.classes else 0
        return cls(
            rows=0,
            labelled=0,
            codes=np.zeros((len(all_tracks(baseline)), CODES), np.int64),
            scores=np.zeros((scored, bins, 2, 3), np.int64),
            expected=np.zeros((scored, bins, 2), np.int64),
            confusion=np.zeros((classes, classes), np.int64),
            segments=np.zeros((len(baseline.segments), CODES, 2), np.int64),
        )

    def add(self, other: "Profile") -> None:
        """Make this the profile of both sets of rows, which have to be disjoint."""
        self.rows += other.rows
        self.labelled += other.labelled
        for name in _ARRAYS:
            getattr(self, name)[...] += getattr(other, name)
        add_counts(self.sums, other.sums)
        add_counts(self.notes, other.notes)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; arrays as the flat positions and values of what isn't zero, exact sums in hexadecimal."""
        arrays = {}
        for name in _ARRAYS:
            flat = getattr(self, name).ravel()
            filled = np.flatnonzero(flat)
            arrays[name] = [filled.tolist(), flat[filled].tolist()]
        sums = {name: hex(total) for name, total in sorted(self.sums.items())}
        return {"rows": self.rows, "labelled": self.labelled, **arrays, "sums": sums, "notes": self.notes}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any], baseline: Baseline) -> Self:
        """The profile that `to_dict` wrote under the same baseline."""
        profile = cls.empty(baseline)
        profile.rows, profile.labelled = document["rows"], document["labelled"]
        for name in _ARRAYS:
            positions, values = document[name]
            getattr(profile, name).ravel()[positions] = values
        profile.sums = {name: int(total, 16) for name, total in document["sums"].items()}
        profile.notes = dict(document["notes"])
        return profile


_ARRAYS = ("codes", "scores", "expected", "confusion", "segments")


def add_counts(total: dict[str, int], more: Mapping[str, int]) -> None:
    """Add counters by name."""
    for name, count in more.items():
        total[name] = total.get(name, 0) + count


def all_tracks(baseline: Baseline) -> tuple[Track, ...]:
    """The columns' tracks in the order of a code string, then the outputs' own."""
    return (*(track for column in baseline.columns for track in column.tracks), *baseline.outputs.tracks)
