"""A metric's data over a grid of minutes, and the statistics of its sliding windows.

A series is a table of counts: `counts[t, b]` samples of the value `levels[b]` arrived in minute `t`. Every statistic of
CloudWatch's follows from such a table, and a window is the difference of two cumulative sums.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightship.drill.cloudwatch.errors import UnknownSemanticsError

type Floats = NDArray[np.float64]

MINUTE = 60
_PERCENTILE = re.compile(r"[pP](\d{1,2}(?:\.\d+)?|100)$")
_RANGE = re.compile(r"(TC|TS|PR)\((-?[\d.]*)(%?):(-?[\d.]*)(%?)\)$")


class MetricId(NamedTuple):
    """What names a metric: namespace, name, and its dimensions sorted by name."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, namespace: str, name: str, dimensions: Mapping[str, str]) -> "MetricId":
        return cls(namespace, name, tuple(sorted(dimensions.items())))

    def __str__(self) -> str:
        return f"{self.namespace} {self.name} ({', '.join(f'{key}={value}' for key, value in self.dimensions)})"


@dataclass(frozen=True, slots=True)
class Series:
    """`levels` [B] ascending, `counts` [T, B]: how many samples of each value came in each minute."""

    levels: Floats
    counts: Floats

    @classmethod
    def empty(cls, minutes: int) -> "Series":
        return cls(np.zeros(1), np.zeros((minutes, 1)))

    @classmethod
    def of_values(cls, values: Floats) -> "Series":
        """One sample a minute, none where the value is NaN."""
        present = np.isfinite(values)
        levels, places = np.unique(values[present], return_inverse=True)
        if not len(levels):
            return cls.empty(len(values))
        counts = np.zeros((len(values), len(levels)))
        counts[np.flatnonzero(present), places] = 1
        return cls(levels, counts)

    @classmethod
    def of_table(cls, values: Floats, counts: Floats) -> "Series":
        """From columns in any order, some values equal, some NaN (which count as no sample)."""
        present = np.isfinite(values)
        levels, places = np.unique(values[present], return_inverse=True)
        if not len(levels):
            return cls.empty(len(counts))
        merged = np.zeros((len(counts), len(levels)))
        np.add.at(merged.T, places, counts[:, present].T)
        return cls(levels, merged)

    def __add__(self, other: "Series") -> "Series":
        return Series.of_table(
            np.concatenate([self.levels, other.levels]), np.concatenate([self.counts, other.counts], axis=1)
        )

    def window(self, minutes: int) -> Floats:
        """[T, B]: the samples of the last `minutes` minutes, at the end of each minute."""
        if minutes == 1:
            return self.counts
        total = np.vstack([np.zeros((1, self.counts.shape[1])), np.cumsum(self.counts, axis=0)])
        starts = np.maximum(np.arange(len(self.counts)) + 1 - minutes, 0)
        windowed: Floats = np.round(total[1:] - total[starts], 6)
        return windowed


def statistic(series: Series, name: str, period_s: int) -> Floats:
    """[T]: the statistic of the window of `period_s` seconds that ends with each minute; NaN where it has no sample.

    Raises UnknownSemanticsError for a statistic, or a period below a minute, that isn't modelled.
    """
    if period_s < MINUTE or period_s % MINUTE:
        raise UnknownSemanticsError(f"A period of {period_s} s isn't modelled; the drill's grid has whole minutes.")
    calculate = _statistic(name)
    counts = series.window(period_s // MINUTE)
    samples = counts.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = calculate(series.levels, counts, samples)
    return np.where(samples > 0, values, np.nan)


def sample_count(series: Series, period_s: int) -> Floats:
    """[T]: the number of samples in each window."""
    counts: Floats = series.window(period_s // MINUTE).sum(axis=1)
    return counts


def percentile_of(name: str) -> float | None:
    """The share that a percentile statistic is about, such as 0.9 for p90; None for other statistics."""
    found = _PERCENTILE.match(name)
    return float(found[1]) / 100 if found else None


type Calculate = Callable[[Floats, Floats, Floats], Floats]


def _statistic(name: str) -> Calculate:
    if name in _PLAIN:
        return _PLAIN[name]
    share = percentile_of(name)
    if share is not None:
        return lambda levels, counts, samples: _percentile(levels, counts, samples, share)
    found = _RANGE.match(name)
    if found and not found[3] and not found[5]:
        low = float(found[2]) if found[2] else -np.inf
        high = float(found[4]) if found[4] else np.inf
        return lambda levels, counts, samples: _between(found[1], low, high, levels, counts, samples)
    raise UnknownSemanticsError(
        f"The statistic {name!r} isn't modelled. Known are {', '.join(_PLAIN)}, pNN, and TC, TS and PR over values."
    )


def _extreme(levels: Floats, counts: Floats, *, last: bool) -> Floats:
    present = counts > 0
    place = present.shape[1] - 1 - np.argmax(present[:, ::-1], axis=1) if last else np.argmax(present, axis=1)
    return levels[place]


def _percentile(levels: Floats, counts: Floats, samples: Floats, share: float) -> Floats:
    reached = np.cumsum(counts, axis=1) >= (samples * share)[:, None] - 1e-9
    # The share of nothing is reached before the first sample.
    reached &= np.cumsum(counts, axis=1) > 0
    return levels[np.argmax(reached, axis=1)]


def _between(kind: str, low: float, high: float, levels: Floats, counts: Floats, samples: Floats) -> Floats:
    # The lower bound excludes, the upper includes: TC(300:) are the samples over 300, PR(:300) those up to it.
    inside = (levels > low) & (levels <= high)
    count: Floats = counts[:, inside].sum(axis=1)
    match kind:
        case "TC":
            return count
        case "PR":
            return 100 * count / samples
        case _:
            total: Floats = counts[:, inside] @ levels[inside]
            return total


_PLAIN: Mapping[str, Calculate] = {
    "Sum": lambda levels, counts, _samples: counts @ levels,
    "Average": lambda levels, counts, samples: counts @ levels / samples,
    "Minimum": lambda levels, counts, _samples: _extreme(levels, counts, last=False),
    "Maximum": lambda levels, counts, _samples: _extreme(levels, counts, last=True),
    "SampleCount": lambda _levels, _counts, samples: samples,
}
