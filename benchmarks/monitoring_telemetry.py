"""What telemetry costs: start and latency of releases side by side, and bytes and dollars for a million predictions.

Run: python benchmarks/monitoring_telemetry.py RELEASE [EARLIER_RELEASE ...] [--boots 11] [--capture codes,raw,off]

All zips are booted in turns under AWS's own runtime client; medians are printed. The first release's golden rows are
sent to all of them, one a request.
"""

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from lightship.costs import LOG_INGESTED_GB
from lightship.gateway import HttpRequest
from lightship.gateway.http_api import to_event
from lightship.lambda_host import Worker
from lightship.serving import unpacked_function
from lightship_runtime.golden import read_golden
from lightship_runtime.manifest import GOLDEN, Release, read_contract

REQUESTS = 300
MANY = 1_000
HEADERS = (("content-type", "application/json"),)


def event(instances: list[dict[str, Any]]) -> bytes:
    body = json.dumps({"instances": instances}).encode()
    return json.dumps(to_event(HttpRequest("POST", "/predict", "", HEADERS, body))).encode()


def boot(folder: Path, mode: str, events: list[bytes], many: bytes) -> tuple[float, float, float, list[str], list[str]]:
    """Start in ms, median latency of one row and latency of many in ms, and the lines that both left."""
    release = Release.read(folder)
    environment = {"LIGHTSHIP_CAPTURE": mode, "LIGHTSHIP_STAGE": "prod"}
    with unpacked_function(folder, release, environment=environment) as function, Worker.start(function) as worker:
        done = [worker.invoke(each) for each in events]
        large = [worker.invoke(many) for _ in range(3)][-1]
        lines = [line for each in done for line in each.logs if '"predictions"' in line]
        return worker.init_ms, statistics.median(each.ms for each in done), large.ms, lines, list(large.logs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("releases", nargs="+", type=Path)
    parser.add_argument("--boots", type=int, default=11)
    parser.add_argument("--capture", default="codes,off")
    arguments = parser.parse_args()
    names = read_contract(arguments.releases[0]).names
    golden = read_golden(arguments.releases[0] / GOLDEN)
    rows = [dict(zip(names, row, strict=True)) for row in golden.rows[: golden.sampled]]
    events = [event([rows[place % len(rows)]]) for place in range(REQUESTS)]
    many = event([rows[place % len(rows)] for place in range(MANY)])
    subjects = [(arguments.releases[0], mode) for mode in arguments.capture.split(",")]
    subjects += [(folder, "codes") for folder in arguments.releases[1:]]
    found: dict[tuple[Path, str], list[tuple[float, float, float]]] = {subject: [] for subject in subjects}
    sizes: dict[tuple[Path, str], tuple[float, float]] = {}
    for _ in range(arguments.boots):
        for subject in subjects:
            init, single, large, lines, large_lines = boot(*subject, events, many)
            found[subject].append((init, single, large))
            bytes_many = sum(len(line) + 1 for line in large_lines if '"predictions"' in line)
            sizes[subject] = (sum(len(line) + 1 for line in lines) / REQUESTS, bytes_many / MANY)
    print(
        f"| release | capture | start ms | one row ms | {MANY:,} rows ms | bytes a request of one row | bytes a row |"
    )
    print("|---|---|---|---|---|---|---|")
    for (folder, mode), times in found.items():
        start, single, large = (statistics.median(column) for column in zip(*times, strict=True))
        alone, row = sizes[folder, mode]
        print(f"| {folder.name} | {mode} | {start:.1f} | {single:.2f} | {large:.1f} | {alone:.0f} | {row:.0f} |")
        print(
            f"  log ingestion of a million predictions: ${alone * LOG_INGESTED_GB / 1e3:.2f} one a request, "
            f"${row * LOG_INGESTED_GB / 1e3:.2f} {MANY:,} a request"
        )


if __name__ == "__main__":
    main()
