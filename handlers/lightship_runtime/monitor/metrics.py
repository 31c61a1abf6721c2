"""Metrics and their intervals from counts alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, isfinite, log, sqrt

import numpy as np
from numpy.typing import NDArray

from lightship_runtime.monitor.exact import exact_mean
from lightship_runtime.monitor.special import normal_quantile, wilson

CONFIDENCE = 0.95
Z = normal_quantile(0.5 + CONFIDENCE / 2)

type Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric's value with its 95% interval. All three are NaN-free; `value` lies in the interval."""

    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float]:
        return {"value": self.value, "low": self.low, "high": self.high}


def normal_interval(value: float, error: float, least: float = -np.inf, most: float = np.inf) -> Metric:
    """value +- 1.96 standard errors, cut to the metric's range."""
    return Metric(value, max(least, value - Z * error), min(most, value + Z * error))


def proportion(successes: int, trials: int) -> Metric:
    """A share with Wilson's interval."""
    return Metric(successes / trials, *wilson(successes, trials))


def f1_binary(hits: int, misses_and_false_alarms: int) -> Metric:
    """F1 = 2J / (1 + J) of Jaccard's J = hits / (hits + misses + false alarms), which is a proportion.

    So Wilson's interval of J, carried through the increasing map, is F1's.
    """
    share = proportion(hits, hits + misses_and_false_alarms)
    return Metric(*(2 * j / (1 + j) for j in (share.value, share.low, share.high)))


def f1_macro(confusion: NDArray[np.int64]) -> Metric:
    """The mean F1 of the classes that occur, with the delta method's error for multinomial counts (as in Takahashi,
    Yamamoto, Kuchiba and Koyama 2022)."""
    total = confusion.sum()
    shares = confusion / total
    hits, margins = np.diag(shares), shares.sum(axis=0) + shares.sum(axis=1)
    occurs = margins > 0
    count = int(occurs.sum())
    safe = np.where(occurs, margins, 1.0)
    value = float((2 * hits / safe)[occurs].sum() / count)
    slope = np.where(occurs, -2 * hits / safe**2, 0.0)
    gradient = slope[:, None] + slope[None, :]
    gradient[np.diag_indices_from(gradient)] += np.where(occurs, 2 / safe, 0.0)
    gradient /= count
    mean = float((shares * gradient).sum())
    variance = max(0.0, float((shares * gradient**2).sum()) - mean**2)
    return normal_interval(value, sqrt(variance / total), 0.0, 1.0)


def auc_parts(positives: Array, negatives: Array) -> tuple[float, float]:
    """ROC AUC and its variance, from counts by ascending score bin; equal bins count one half.

    DeLong, DeLong and Clarke-Pearson 1988: the variances of each side's placements among the other.
    """
    p_total, n_total = positives.sum(), negatives.sum()
    below = (np.cumsum(negatives) - negatives / 2) / n_total
    above = 1 - (np.cumsum(positives) - positives / 2) / p_total
    value = float((positives * below).sum() / p_total)
    spread_p = float((positives * (below - value) ** 2).sum() / max(1.0, p_total - 1))
    spread_n = float((negatives * (above - value) ** 2).sum() / max(1.0, n_total - 1))
    return value, spread_p / p_total + spread_n / n_total


def auc_metric(value: float, error: float) -> Metric:
    """An interval on the log-odds scale, so that it stays between 0 and 1."""
    if not 0 < value < 1:
        return Metric(value, value, value)
    middle, width = log(value / (1 - value)), Z * error / (value * (1 - value))
    low, high = (
        1 / (1 + exp(-bound)) if abs(bound) < 700 else float(bound > 0) for bound in (middle - width, middle + width)
    )
    return Metric(value, low, high)


def mean_metric(total: int, squares: int, count: int) -> Metric:
    """A mean and its interval from exact sums of the values and of their squares."""
    mean = exact_mean(total, count)
    variance = max(0.0, exact_mean(squares, count) - mean * mean)
    return normal_interval(mean, sqrt(variance / count), 0.0)


def regression_metrics(sums: Mapping[str, int], rows: int) -> dict[str, Metric]:
    """MAE, RMSE, R2 and bias from exact sums; errors of RMSE and R2 by the delta method."""
    mean = {name: exact_mean(total, rows) for name, total in sums.items() if not name.startswith("segment:")}
    square, spread_mean = mean["square"], mean["spread"]
    square_variance = max(0.0, mean["fourth"] - square**2)
    rmse = sqrt(square)
    metrics = {
        "mae": mean_metric(sums["absolute"], sums["square"], rows),
        "rmse": normal_interval(rmse, sqrt(square_variance / rows) / (2 * rmse) if rmse else 0.0, 0.0),
        "bias": normal_interval(mean["error"], sqrt(max(0.0, square - mean["error"] ** 2) / rows)),
    }
    variance = mean["spread_square"] - spread_mean**2
    if variance > 0:
        ratio = square / variance
        label_variance = max(0.0, mean["spread_fourth"] - mean["spread_square"] ** 2)
        covariance = mean["square_times_spread"] - square * mean["spread_square"]
        spread = max(0.0, square_variance + ratio**2 * label_variance - 2 * ratio * covariance)
        metrics["r2"] = normal_interval(1 - ratio, sqrt(spread / rows) / variance, -np.inf, 1.0)
    return {name: metric for name, metric in metrics.items() if isfinite(metric.value)}
