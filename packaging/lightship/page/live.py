"""The last minutes of a function's telemetry, in memory that doesn't grow and at a cost for each line that doesn't
either."""

import json
import re
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, log
from typing import Any

from lightship_runtime.monitor.records import Record, decode_line
from lightship_runtime.telemetry import is_telemetry

BUCKET_S = 5
BUCKETS = 120
RECENT = 2_000
REFUSALS = 20
LONGEST_REASON = 300
MOST_CLASSES = 12
SCORE_BINS = 20
# Latencies are counted in steps of a tenth, so that a percentile is off by a twentieth at most.
STEP = log(1.1)
LEAST_MS = 0.01
PERCENTILES = (50, 90, 99)
HEAD = 2_000
_PREDICTIONS = re.compile(r'"Predictions":(\d+)')


@dataclass
class Bucket:
    """What was answered within `BUCKET_S` seconds from `start`, in seconds since 1970. `latencies` counts requests by
    the step that their milliseconds fall into; `version` is the release that answered last."""

    start: int
    requests: int = 0
    predictions: int = 0
    refused: int = 0
    failed: int = 0
    cold: int = 0
    version: str = ""
    latencies: Counter[int] = field(default_factory=Counter[int])


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that wasn't answered with predictions, and why."""

    time: float
    status: int
    reason: str


class Live:
    """Takes lines that a function prints and answers that callers get; tells about the last ten minutes.

    `clock` gives seconds since 1970. May be called from several threads.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: deque[Bucket] = deque(maxlen=BUCKETS)
        self._refusals: deque[Refusal] = deque(maxlen=REFUSALS)
        self.recent: deque[Record] = deque(maxlen=RECENT)
        self.version = ""
        self.since = clock()
        self.taken = 0

    def take(self, text: str) -> None:
        """Count a line, if it is telemetry. Its time is its own, as long as it isn't older than what is kept."""
        line = decode_line(text, None) if is_telemetry(text) else None
        if line is None or line.time is None:
            return
        predictions = _number(text)
        with self._lock:
            bucket = self._bucket(line.time)
            if bucket is None:
                return
            self.version = bucket.version = line.version or self.version
            self.recent.extend(line.records)
            self.taken += len(line.records)
            if "Requests" in line.metrics:
                _count(bucket, line.metrics, predictions)

    def answered(self, status: int, body: bytes) -> None:
        """Note an answer that isn't a success, with the reason that its body gives."""
        if status < 400:
            return
        refusal = Refusal(self._clock(), status, reason_of(body))
        with self._lock:
            self._refusals.appendleft(refusal)

    def snapshot(self) -> dict[str, Any]:
        """JSON-ready: the time, a row for each bucket with requests, oldest first, totals, outputs and refusals."""
        with self._lock:
            now = self._clock()
            buckets = [each for each in self._buckets if each.start > now - BUCKET_S * BUCKETS]
            return {
                "now": now,
                "since": self.since,
                "version": self.version,
                "bucket_s": BUCKET_S,
                "window_s": BUCKET_S * BUCKETS,
                "buckets": [_row(each) for each in buckets],
                "total": _row(_sum(buckets)),
                "outputs": outputs(self.recent),
                "refusals": [[each.time, each.status, each.reason] for each in self._refusals],
            }

    def records(self) -> tuple[int, list[Record]]:
        """How many records were ever taken, and the latest of them."""
        with self._lock:
            return self.taken, list(self.recent)

    def _bucket(self, at: float) -> Bucket | None:
        start = int(at // BUCKET_S) * BUCKET_S
        if not self._buckets or start > self._buckets[-1].start:
            self._buckets.append(Bucket(start))
            return self._buckets[-1]
        # Workers' lines may pass each other.
        return next((each for each in reversed(self._buckets) if each.start == start), None)


def _count(bucket: Bucket, metrics: Mapping[str, float], predictions: int) -> None:
    bucket.requests += int(metrics["Requests"])
    bucket.predictions += predictions
    bucket.refused += int(metrics.get("Refused", 0))
    bucket.failed += int(metrics.get("Failed", 0))
    bucket.cold += int(metrics.get("ColdStarts", 0))
    bucket.latencies[step_of(metrics.get("Latency", 0.0))] += 1


def _number(text: str) -> int:
    """The rows that were answered, whether or not their records are kept. It stands before the records."""
    found = _PREDICTIONS.search(text, 0, HEAD)
    return int(found[1]) if found else 0


def _sum(buckets: Sequence[Bucket]) -> Bucket:
    total = Bucket(buckets[0].start if buckets else 0)
    for each in buckets:
        total.requests += each.requests
        total.predictions += each.predictions
        total.refused += each.refused
        total.failed += each.failed
        total.cold += each.cold
        total.latencies.update(each.latencies)
    return total


def _row(bucket: Bucket) -> dict[str, Any]:
    return {
        "t": bucket.start,
        "requests": bucket.requests,
        "predictions": bucket.predictions,
        "refused": bucket.refused,
        "failed": bucket.failed,
        "cold": bucket.cold,
        "version": bucket.version,
        **{f"p{share}": percentile(bucket.latencies, share) for share in PERCENTILES},
    }


def step_of(milliseconds: float) -> int:
    """The step that a latency is counted in."""
    return round(log(max(milliseconds, LEAST_MS)) / STEP)


def percentile(latencies: Mapping[int, int], share: float) -> float | None:
    """The latency in milliseconds that `share` percent stay under; None where nothing was counted."""
    total, seen = sum(latencies.values()), 0
    for step in sorted(latencies):
        seen += latencies[step]
        if 100 * seen >= share * total:
            return float(f"{exp(step * STEP):.3g}")
    return None


def outputs(records: Sequence[Record] | deque[Record]) -> dict[str, Any]:
    """How the latest predictions are distributed: counts by class, or of numbers in bins; and of scores in bins."""
    predicted = [each.predicted for each in records if each.predicted is not None]
    found: dict[str, Any] = {"rows": len(records), "classes": [], "numbers": None, "scores": None}
    if predicted and all(type(each) is float for each in predicted):
        found["numbers"] = histogram([float(each) for each in predicted])
    else:
        counts = Counter(json.dumps(each) if not isinstance(each, str) else each for each in predicted)
        found["classes"] = counts.most_common(MOST_CLASSES)
        if rest := len(predicted) - sum(count for _, count in found["classes"]):
            found["classes"].append((f"{len(counts) - MOST_CLASSES} others", rest))
    scores = [max(each.score) for each in records if each.score]
    if scores:
        chances = all(0 <= each <= 1 for each in scores)
        found["scores"] = histogram(scores, 0.0, 1.0) if chances else histogram(scores)
    return found


def histogram(values: Sequence[float], low: float | None = None, high: float | None = None) -> dict[str, Any]:
    """Counts in `SCORE_BINS` equal bins from the lowest to the highest value, or between those that are given."""
    low = min(values) if low is None else low
    high = max(values) if high is None else high
    width = (high - low) / SCORE_BINS or 1.0
    counts = [0] * SCORE_BINS
    for value in values:
        counts[min(int((value - low) / width), SCORE_BINS - 1)] += 1
    return {"low": low, "high": high, "counts": counts}


def reason_of(body: bytes) -> str:
    """What a problem document or a message of API Gateway's says, and of the first faulty value where."""
    try:
        told = json.loads(body[:65_536])
    except ValueError:
        return "The answer has no reason."
    if not isinstance(told, dict):
        return "The answer has no reason."
    text = str(told.get("detail") or told.get("title") or told.get("message") or "The answer has no reason.")
    return text[:LONGEST_REASON]
