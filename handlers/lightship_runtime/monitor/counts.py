"""Counts of rows that were scored without telemetry: a batch run adds them to the hour it belongs to.

    bins = Baseline.from_bins(data)                       # bins.json with outputs
    profile = count_rows(bins, columns, predicted, scores)  # for each chunk
    total.add(profile)                                    # Profile.empty(bins), or the first chunk's
    store.write(counts_name(hour, run), encode_counts(total, version=version, hour=hour, rejected=rejects))

A run that is written again under its own name is counted once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightship_runtime.documents import dump_document, load_document
from lightship_runtime.engine import Distinct
from lightship_runtime.errors import LightshipError
from lightship_runtime.monitor.accumulate import Batch, add_batch, scored_classes
from lightship_runtime.monitor.baseline import Baseline
from lightship_runtime.monitor.profile import BATCH_ROWS, Profile
from lightship_runtime.monitor.vector import Floats, class_positions, column_codes

SCHEMA = 1
HOUR = 3600


@dataclass(frozen=True)
class Counts:
    """What a counts file holds, but for its profile, which takes the baseline of `version` to read."""

    version: str
    hour: int
    rejected: int
    document: Mapping[str, Any]

    def profile(self, baseline: Baseline) -> Profile | None:
        """The profile under the version's baseline; None when it was made under another one."""
        try:
            return Profile.from_dict(self.document, baseline)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError):
            return None


def count_rows(
    bins: Baseline,
    columns: Sequence[Sequence[Any] | NDArray[Any] | Distinct],
    predicted: Sequence[Any] | Distinct,
    scores: Floats | None = None,
) -> Profile:
    """The profile of n rows without labels.

    `bins` is a baseline, blank or whole; `columns` are its columns' values, in its order; `predicted` n values as
    callers see them; `scores` (n, K) in the order of `score_places`, or None.
    """
    profile = Profile.empty(bins)
    rows = len(predicted)
    if not rows:
        return profile
    codes = [column_codes(column, values) for column, values in zip(bins.columns, columns, strict=True)]
    width = len(bins.outputs.calibration)
    if scores is None or scores.shape[1] != width:
        scores = np.full((rows, width), np.nan)
    whole = np.column_stack(codes) if codes else np.empty((rows, 0), np.uint8)
    add_batch(profile, bins, Batch(whole, predicted, scores))
    profile.notes[BATCH_ROWS] = rows
    return profile


def score_places(bins: Baseline, classes: Sequence[Any]) -> tuple[int, ...]:
    """Which columns of a model's probabilities, given its classes in their order, are the scores of the baseline.

    Empty where the baseline has no scores or lacks one of the classes.
    """
    if not bins.outputs.calibration:
        return ()
    found = class_positions(bins.outputs.classes, classes).tolist()
    wanted = scored_classes(bins)
    return tuple(found.index(place) for place in wanted) if set(wanted) <= set(found) else ()


def counts_name(hour: float, run: str) -> str:
    """Where in the monitoring store a run's counts lie. `hour` is any time of the hour, in seconds since 1970."""
    return f"{datetime.fromtimestamp(hour, UTC):counts/%Y/%m/%d/%H}/{run}.json"


def encode_counts(profile: Profile, *, version: str, hour: float, rejected: int = 0) -> bytes:
    """The file's content: a run's rows under the model version, and how many rows it rejected."""
    start = int(hour // HOUR) * HOUR
    return dump_document(
        {"schema": SCHEMA, "version": version, "hour": start, "rejected": rejected, "profile": profile.to_dict()}
    )


def decode_counts(data: bytes | str) -> Counts | None:
    """Read a counts file; None when it is not one."""
    try:
        document = load_document(data, what="The counts", schema=SCHEMA)
        counts = Counts(document["version"], document["hour"], document["rejected"], document["profile"])
    except (LightshipError, KeyError, UnicodeDecodeError):
        return None
    kinds = (type(counts.version), type(counts.hour), type(counts.rejected))
    whole = kinds == (str, int, int) and counts.hour >= 0 and counts.hour % HOUR == 0 and counts.rejected >= 0
    return counts if whole and isinstance(counts.document, dict) else None
