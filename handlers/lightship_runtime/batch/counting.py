"""What a run leaves for the monitor: counts of bin codes, made where rows are scored and merged by addition."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from lightship_runtime.batch.stores import Store
from lightship_runtime.contract import Contract, Scalar
from lightship_runtime.engine import Distinct, Outputs
from lightship_runtime.monitor.baseline import Baseline
from lightship_runtime.monitor.bins import BINS
from lightship_runtime.monitor.counts import count_rows, counts_name, encode_counts, score_places
from lightship_runtime.monitor.profile import Profile


@dataclass(frozen=True)
class Counter:
    """Counts scored rows under a release's bins. `places` are the contract's positions of the bins' columns (None:
    the contract lacks it), `scores` the probabilities that the bins know, `labels` the classes as callers see them."""

    bins: Baseline
    places: tuple[int | None, ...]
    scores: tuple[int, ...]
    labels: tuple[Scalar, ...] | None

    @classmethod
    def open(cls, folder: Path, contract: Contract) -> Self | None:
        """Of a model's folder; None where the release has no baseline, or one that doesn't know the outputs."""
        file = folder / BINS
        if not file.is_file():
            return None
        return cls.of(Baseline.from_bins(file.read_bytes()), contract)

    @classmethod
    def of(cls, bins: Baseline, contract: Contract) -> Self:
        classes = contract.output.classes
        labels = classes if contract.output.task in ("binary", "multiclass") else None
        places = tuple(contract.positions.get(column.name) for column in bins.columns)
        return cls(bins, places, score_places(bins, classes), labels)

    def empty(self) -> Profile:
        return Profile.empty(self.bins)

    def count(self, columns: Sequence[Any], outputs: Outputs) -> Profile:
        """The profile of scored rows: the engine's columns, and what it said of them."""
        predictions = np.asarray(outputs.predictions)
        rows = len(predictions)
        gap = np.full(rows, None, dtype=object)
        wanted = [gap if place is None else columns[place] for place in self.places]
        predicted: Any = predictions if self.labels is None else Distinct(self.labels, predictions)
        if predictions.ndim > 1:
            predicted = gap
        scores = None
        if self.scores and outputs.probabilities is not None:
            scores = np.asarray(outputs.probabilities, dtype=np.float64)[:, list(self.scores)]
        elif self.labels is None and self.bins.outputs.calibration and outputs.scores is not None:
            # How usual a row is, of a detector of outliers.
            scores = np.asarray(outputs.scores, dtype=np.float64).reshape(rows, 1)
        return count_rows(self.bins, wanted, predicted, scores)

    def merged(self, documents: Iterable[Mapping[str, Any]]) -> Profile:
        total = self.empty()
        for document in documents:
            total.add(Profile.from_dict(document, self.bins))
        return total


@dataclass(frozen=True)
class Monitoring:
    """The monitoring store, and the counter whose counts a run of the release `version` puts there."""

    store: Store
    counter: Counter
    version: str

    def report(self, run: str, time: float, profile: Profile, rejected: int) -> None:
        """Write a run's counts under its hour. Written again, they lie in the same place."""
        data = encode_counts(profile, version=self.version, hour=time, rejected=rejected)
        self.store.write(counts_name(time, run), data)
