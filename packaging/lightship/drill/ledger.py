"""What CloudWatch would have received: samples of metrics, minute by minute, gathered into series."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

import numpy as np

from lightship.drill.cloudwatch.series import Floats, MetricId, Series

type Columns = Mapping[MetricId, Floats]


class Ledger:
    """Samples over `minutes` minutes. `add` takes single ones, `spread` a table of answers and how often each came.

    What isn't `wanted`, if that is given, isn't kept.
    """

    def __init__(self, minutes: int, wanted: Collection[MetricId] | None = None) -> None:
        self.minutes = minutes
        self._wanted = wanted
        self._single: dict[MetricId, list[tuple[int, float, float]]] = defaultdict(list)
        self._tables: dict[MetricId, list[Series]] = defaultdict(list)

    def add(self, metric: MetricId, minute: int, value: float, count: float = 1.0) -> None:
        """`count` samples of a value; outside of the time looked at it is left out."""
        if 0 <= minute < self.minutes and self._wants(metric):
            self._single[metric].append((minute, value, count))

    def gauge(self, metric: MetricId, values: Floats) -> None:
        """[minutes]: one sample each minute, none where it is NaN."""
        if self._wants(metric):
            self._tables[metric].append(Series.of_values(values))

    def spread(self, columns: Columns, counts: Floats) -> None:
        """`columns` [B] are a metric's value in each of B answers (NaN: none), `counts` [minutes, B] how many came."""
        for metric, values in columns.items():
            if self._wants(metric):
                self._tables[metric].append(Series.of_table(values, counts))

    def _wants(self, metric: MetricId) -> bool:
        return self._wanted is None or metric in self._wanted

    def series(self) -> dict[MetricId, Series]:
        """All metrics that were ever given, each a series."""
        found = dict.fromkeys([*self._single, *self._tables])
        return {metric: self._series(metric) for metric in found}

    def _series(self, metric: MetricId) -> Series:
        parts = list(self._tables.get(metric, ()))
        if single := self._single.get(metric):
            parts.append(_from_samples(single, self.minutes))
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total


def _from_samples(samples: Iterable[tuple[int, float, float]], minutes: int) -> Series:
    places, values, counts = (np.array(each) for each in zip(*samples, strict=True))
    levels, columns = np.unique(values, return_inverse=True)
    table = np.zeros((minutes, len(levels)))
    np.add.at(table, (places.astype(int), columns), counts)
    return Series(levels.astype(np.float64), table)
