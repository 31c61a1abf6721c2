"""The latest predictions against the release's baseline, judged as the deployed monitor judges a window."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lightship.page.live import RECENT, Live
from lightship_runtime.manifest import BASELINE
from lightship_runtime.monitor.baseline import Baseline
from lightship_runtime.monitor.records import Record

PAUSE_S = 5.0
SHOWN = 12
METRICS = ("accuracy", "f1")
OUTPUTS = ("prediction", "score")
FLAGGED = ("warn", "high")
ABSENT = "This release has no baseline, so there is nothing to compare with. Package the model again to make one."


class Drift:
    """Compares what `live` has. The comparison takes some tens of milliseconds, so it is made again after five seconds
    at the earliest, and only when somebody looks and rows have come."""

    def __init__(self, live: Live, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._live = live
        file = folder / BASELINE
        self.baseline = Baseline.from_json(file.read_bytes()) if file.is_file() else None
        self._clock = clock
        self._lock = threading.Lock()
        self._made = -PAUSE_S
        self._rows_then = -1
        self._found: dict[str, Any] = {}

    def snapshot(self) -> dict[str, Any]:
        """JSON-ready: `state` is absent, waiting or judged; then `why` in words, the rows, and columns, worst first."""
        if self.baseline is None:
            return {"state": "absent", "why": ABSENT, "rows": 0, "columns": []}
        with self._lock:
            taken, records = self._live.records()
            if self._clock() - self._made >= PAUSE_S and taken != self._rows_then:
                self._found = judged(self.baseline, records)
                self._made, self._rows_then = self._clock(), taken
            return self._found


def judged(baseline: Baseline, records: Sequence[Record]) -> dict[str, Any]:
    """What the monitor says of these records as one window."""
    # NumPy is loaded when there is something to compare.
    from lightship_runtime.monitor.drift import LEAST_ROWS
    from lightship_runtime.monitor.profile import Profile, all_tracks
    from lightship_runtime.monitor.results import evaluate

    width = len(all_tracks(baseline)) - len(baseline.outputs.tracks)
    scored = len(baseline.outputs.calibration)
    fitting = [each for each in records if len(each.codes) == width and len(each.score or ()) in (0, scored)]
    if len(fitting) < LEAST_ROWS:
        why = f"{len(fitting)} of the {LEAST_ROWS} predictions that a comparison needs have come."
        return {"state": "waiting", "why": why, "rows": len(fitting), "columns": []}
    profile = Profile.empty(baseline)
    _add(profile, baseline, fitting)
    document = evaluate(baseline, profile).to_dict()
    found = {**document["columns"], **{f"({name})": document[name] for name in OUTPUTS if name in document}}
    columns = [[name, entry["drift"]["effect"], entry["drift"]["level"]] for name, entry in found.items()]
    columns.sort(key=lambda each: (each[2] not in FLAGGED, -(each[1] or 0.0)))
    flagged = sum(each[2] in FLAGGED for each in columns)
    why = f"{flagged} of {len(columns)} have drifted" if flagged else "Nothing has drifted"
    return {
        "state": "judged",
        "estimated": _estimated(document["estimated"], baseline),
        "why": f"{why}, by the last {len(fitting):,} predictions (at most {RECENT:,}).",
        "rows": len(fitting),
        "columns": columns[:SHOWN],
    }


def _estimated(found: Mapping[str, Any], baseline: Baseline) -> dict[str, Any] | None:
    """The metric that the model's own confidence lets expect, its 95% interval, and what it was when the baseline was
    made; None where the model gives no probabilities."""
    name = next((name for name in METRICS if name in found), None)
    if name is None:
        return None
    then = baseline.performance.metrics.get(name, {}).get("value")
    return {"name": name, **{key: found[name][key] for key in ("value", "low", "high")}, "baseline": then}


def _add(profile: Any, baseline: Baseline, records: Sequence[Record]) -> None:
    import numpy as np

    from lightship_runtime.monitor.accumulate import Batch, add_batch

    scored = len(baseline.outputs.calibration)
    scores = np.array([each.score or (np.nan,) * scored for each in records], np.float64).reshape(len(records), scored)
    codes = np.frombuffer("".join(each.codes for each in records).encode("ascii"), np.uint8).reshape(len(records), -1)
    add_batch(profile, baseline, Batch(codes, [each.predicted for each in records], scores))
