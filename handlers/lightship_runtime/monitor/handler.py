"""The monitor as Lambda calls it, once an hour, with `{"time": ...}`: when it was scheduled (ISO 8601), or now.

Its environment: LIGHTSHIP_MONITORING (`s3://bucket`, or `s3://bucket/prefix`), LIGHTSHIP_SERVICE, LIGHTSHIP_STAGE; and
where they are wanted LIGHTSHIP_ACCURACY_FLOOR and LIGHTSHIP_WINDOW_HOURS (windows span a multiple of so many hours; 1
by default). A folder in place of the bucket does as well.
"""

import os
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

from lightship_runtime.labels import read_time
from lightship_runtime.loader import read_model_document
from lightship_runtime.monitor.baseline import Baseline
from lightship_runtime.monitor.emf import metrics_line
from lightship_runtime.monitor.opening import open_store
from lightship_runtime.monitor.run import run_monitor
from lightship_runtime.telemetry import Source

FOLDER = Path(__file__).resolve().parent.parent.parent / "model"
BASELINE = "baseline.json"
SETTLE_S = 600
"""An hour is counted once its telemetry has had this long to arrive."""


def handle(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Bring the results up to the last hour that ended ten minutes before the event's time.

    With `"settled": true` the time itself is taken: everything that will come has come.
    """
    started = time.perf_counter()
    address = os.environ["LIGHTSHIP_MONITORING"]
    moment = read_time(event["time"]) if event.get("time") is not None else time.time()
    until = (time.time() if moment is None else moment) - (0 if event.get("settled") else SETTLE_S)
    version, service, baseline = _release()
    with tempfile.TemporaryDirectory(prefix="lightship-monitor-") as scratch:
        report = run_monitor(
            open_store(address, _client),
            until,
            Path(scratch),
            own=(version, baseline),
            floor=_floor(),
            hours=int(os.environ.get("LIGHTSHIP_WINDOW_HOURS", "1")),
            remaining=lambda: float(context.get_remaining_time_in_millis()) / 1000,
        )
    source = Source(
        os.environ.get("LIGHTSHIP_SERVICE", service), os.environ.get("LIGHTSHIP_STAGE", "local"), report.version
    )
    line = metrics_line(source, time.time_ns() // 1_000_000, report, time.perf_counter() - started)
    print(line, flush=True)  # noqa: T201 - stdout is how metrics leave a function
    return report.to_dict()


@cache
def _release() -> tuple[str, str, Baseline]:
    document = read_model_document(FOLDER)
    return document["version"], document["name"], Baseline.from_json((FOLDER / BASELINE).read_bytes())


def _floor() -> float | None:
    said = os.environ.get("LIGHTSHIP_ACCURACY_FLOOR")
    return float(said) if said else None


@cache
def _client() -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client("s3", config=Config(retries={"mode": "standard", "total_max_attempts": 2}, read_timeout=60))
