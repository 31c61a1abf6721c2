"""monitor.zip as Lambda runs it: start, processor seconds and memory for an hour of predictions, one a request.

Run: python benchmarks/monitoring_function.py RELEASE [--rows 10000 1000000]

Lambda gives processor time by memory, one core at 1,769 MB: at 1,024 MB a run takes 1.7 times its processor seconds.
"""

import argparse
import gzip
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from lightship.lambda_host import Worker
from lightship.monitoring.samples import START
from lightship.serving import unpacked_function
from lightship_runtime.batch.stores import LocalStore
from lightship_runtime.labels import folder_of
from lightship_runtime.manifest import BASELINE, Release
from lightship_runtime.monitor.baseline import Baseline
from lightship_runtime.monitor.encode import encode_record
from lightship_runtime.telemetry import Source, request_lines

FILES = 12
"""A delivery each five minutes."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("release", type=Path)
    parser.add_argument("--rows", type=int, nargs="*", default=[10_000, 1_000_000])
    arguments = parser.parse_args()
    release = Release.read(arguments.release)
    baseline = Baseline.from_json((arguments.release / BASELINE).read_bytes())
    print(f"monitor.zip: {release.artifacts['monitor'].zip_bytes / 1e6:.1f} MB zipped")
    print("| predictions | gzipped telemetry | start | run | processor | peak memory | nothing new |")
    print("|---|---|---|---|---|---|---|")
    for rows in arguments.rows:
        with tempfile.TemporaryDirectory(prefix="lightship-monitoring-") as folder:
            size = fill(LocalStore(Path(folder)), baseline, release.version, rows)
            print(f"| {rows:,} | {size / 1e6:.1f} MB | {measure(arguments.release, release, folder)} |", flush=True)


def fill(store: LocalStore, baseline: Baseline, version: str, rows: int) -> int:
    """An hour of telemetry whose codes are drawn from the baseline's own counts; the bytes it takes."""
    draw = np.random.default_rng(0)
    codes = ["".join(row) for row in zip(*(_codes(baseline, draw, rows)), strict=True)]
    scores = draw.random(rows)
    classes = baseline.outputs.classes or (None,)
    scored = len(baseline.outputs.calibration) == 1
    source = Source("benchmark", "local", version)
    size = 0
    for file, part in enumerate(np.array_split(np.arange(rows), FILES)):
        lines = []
        for row in part.tolist():
            now_ms = START * 1000 + row * 3_599_000 // rows
            score = float(scores[row]) if scored else None
            record = encode_record(f"{now_ms:012x}{row:014x}000000", classes[row % len(classes)], score, codes[row])
            text = json.dumps(record, separators=(",", ":"))
            lines += request_lines(
                source, now_ms=now_ms, status=200, latency_ms=row % 1_000 / 100, predictions=1, records=[text]
            )
        data = gzip.compress("".join(f"{line}\n" for line in lines).encode(), 6)
        store.write(f"telemetry/{folder_of(START)}{file:02d}.gz", data)
        size += len(data)
    return size


def _codes(baseline: Baseline, draw: np.random.Generator, rows: int) -> list[np.ndarray]:
    tracks = [track for column in baseline.columns for track in column.tracks]
    counts = [np.array(list(track.counts.values()), np.float64) for track in tracks]
    return [draw.choice(list(t.counts), rows, p=each / each.sum()) for t, each in zip(tracks, counts, strict=True)]


def measure(folder: Path, release: Release, store: str) -> str:
    environment = {"LIGHTSHIP_MONITORING": store}
    with (
        unpacked_function(folder, release, use="monitor", timeout_s=900, environment=environment) as function,
        Worker.start(function) as worker,
    ):
        start_ms, before = worker.init_ms, processor_s(worker)
        begun = time.perf_counter()
        invocation = worker.invoke(json.dumps({"time": START + 3600, "settled": True}).encode())
        seconds, busy = time.perf_counter() - begun, processor_s(worker) - before
        if invocation.error:
            raise SystemExit(invocation.payload.decode()[:1000])
        idle = worker.invoke(json.dumps({"time": START + 7200, "settled": True}).encode())
        peak = worker.peak_rss_mb()
    return f"{start_ms:.0f} ms | {seconds:.1f} s | {busy:.1f} s | {peak:.0f} MB | {idle.ms:.0f} ms"


def processor_s(worker: Worker) -> float:
    """The processor time of the function's process so far."""
    fields = Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


if __name__ == "__main__":
    main()
