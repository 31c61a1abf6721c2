"""The state that data points give: M of N, the evaluation range, missing data, and premature transitions.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lightship.drill.cloudwatch.series import Floats

type MissingData = Literal["missing", "ignore", "breaching", "notBreaching"]
type States = NDArray[np.int8]

OK, ALARM, INSUFFICIENT_DATA, RETAIN = range(4)
NAMES = ("OK", "ALARM", "INSUFFICIENT_DATA")

# How many points more than asked for CloudWatch fetches isn't published; in its examples it is 5 for 3.
EXTRA_POINTS = 2


def decide(points: Floats, periods: int, datapoints: int, missing: MissingData) -> States:
    """[T]: OK, ALARM, INSUFFICIENT_DATA or RETAIN (the state stays).

    `points` [T, R] are the data points of the evaluation range, newest first: 1 breaching, 0 not, NaN missing.
    """
    real = ~np.isnan(points)
    breaching = points == 1
    existing = real.sum(axis=1)
    # The newest real points are the evaluated ones; missing points are filled in as rarely as possible.
    evaluated = real & (np.cumsum(real, axis=1) <= periods)
    bad = (evaluated & breaching).sum(axis=1)
    filled = np.maximum(periods - existing, 0)
    if missing == "breaching":
        return np.where(bad + filled >= datapoints, ALARM, OK).astype(np.int8)
    plain = np.where(bad >= datapoints, ALARM, OK)
    if missing == "notBreaching":
        return plain.astype(np.int8)
    short = (filled > 0) & (bad < datapoints)
    all_bad = (existing > 0) & (bad == existing)
    age = points.shape[1] - np.argmax(real[:, ::-1], axis=1)
    retained = RETAIN if missing == "ignore" else INSUFFICIENT_DATA
    premature = RETAIN if missing == "ignore" else ALARM
    state = np.where(short & all_bad, np.where(age >= datapoints, premature, retained), plain)
    return np.where(existing == 0, retained, state).astype(np.int8)


def carry(states: States, before: int = INSUFFICIENT_DATA) -> States:
    """[T]: the states with RETAIN replaced by the last one that was set."""
    places = np.maximum.accumulate(np.where(states == RETAIN, -1, np.arange(len(states))))
    return np.where(places < 0, before, states[np.maximum(places, 0)]).astype(np.int8)
