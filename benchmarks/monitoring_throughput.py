"""Telemetry lines a second through the monitor, with memory; and a window as a frame, beside Evidently where it is.

Run: python benchmarks/monitoring_throughput.py [--lines 1000000] [--columns 20] [--evidently /path/to/python]

`--evidently` names a Python interpreter that has Evidently installed; it is run on the very same windows.
"""

import argparse
import json
import resource
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from lightship.monitoring import make_baseline, monitor
from lightship_runtime.monitor.baseline import Baseline
from lightship_runtime.monitor.bins import column_coders, encode_row
from lightship_runtime.monitor.cells import HOUR, fill_cells
from lightship_runtime.monitor.encode import encode_record
from lightship_runtime.monitor.windows import window_results

START = 1_700_000_000 // HOUR * HOUR
POOL = 5_000
EVIDENTLY = """
import json, resource, sys, time
import pandas as pd
start = time.perf_counter()
from evidently import Dataset, DataDefinition, Report
from evidently.presets import DataDriftPreset
imported = time.perf_counter()
reference, windows = pd.read_pickle(sys.argv[1])
for window in windows:
    report = Report([DataDriftPreset()])
    report.run(window, reference).dict()
done = time.perf_counter()
print(json.dumps({"import": imported - start, "window": (done - imported) / len(windows),
                  "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""


def frame(random: np.random.Generator, rows: int, columns: int) -> pd.DataFrame:
    made: dict[str, object] = {}
    for i in range(columns):
        if i % 4 == 3:
            made[f"c{i}"] = random.choice(np.array(["red", "green", "blue"], object), rows)
        else:
            made[f"c{i}"] = random.normal(size=rows)
    score = random.random(rows)
    return pd.DataFrame(
        {**made, "p": score, "predicted": (score > 0.5).astype(int), "label": (random.random(rows) < score).astype(int)}
    )


def lines(baseline: Baseline, rows: pd.DataFrame, count: int) -> Iterator[str]:
    """Telemetry lines of one prediction each over a day; one in fifty comes twice, one in a thousand is cut in half."""
    coders = column_coders(baseline)
    pool = [
        json.dumps(encode_record("@", row["predicted"], row["p"], encode_row(coders, row)), separators=(",", ":"))
        for row in rows.to_dict("records")
    ]
    for i in range(count):
        record = pool[i % POOL].replace("@", f"0198c3e2{i:018x}")
        time_of = (START + 24 * HOUR * i // count) * 1000
        line = f'{{"_aws":{{"Timestamp":{time_of}}},"version":"v1","predictions":[{record}]}}'
        yield line if i % 1000 else line[: len(line) // 2]
        if i % 50 == 0:
            yield line


def labels(count: int) -> Iterator[str]:
    for i in range(0, count, 2):
        yield f'{{"id":"0198c3e2{i:018x}","actual":{i % 2},"time":{START}}}'


def memory() -> float:
    """The most memory this process has held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def stream(count: int, columns: int) -> None:
    random = np.random.default_rng(0)
    baseline = make_baseline(frame(random, 20_000, columns), prediction="predicted", score="p", label="label")
    rows = frame(random, POOL, columns)
    before = memory()
    print(f"{count:,} lines of one prediction and {columns} columns, {count // 2:,} labels")
    one = next(lines(baseline, rows, 2))
    next_line = list(lines(baseline, rows, 2))[-1]
    print(f"bytes a line: {len(max(one, next_line, key=len))}")
    start = time.process_time()
    made = sum(1 for _ in lines(baseline, rows, count)) + sum(1 for _ in labels(count))
    making = time.process_time() - start
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        cells = fill_cells(baseline, lines(baseline, rows, count), labels(count), Path(folder))
        counting = time.process_time() - start - making
    start = time.perf_counter()
    results = window_results(baseline, cells, START + 48 * HOUR)
    judging = time.perf_counter() - start
    print(f"counted in {counting:.1f} s of one core, making the lines excluded")
    print(f"{made / counting:,.0f} lines and labels a second")
    print(f"{len(results)} windows judged in {judging:.2f} s; problems: {cells.problems}")
    print(f"memory: {before:.0f} MiB before, {memory():.0f} MiB at most")


def windows_beside_evidently(columns: int, interpreter: str | None) -> None:
    random = np.random.default_rng(1)
    inputs = [f"c{i}" for i in range(columns)]
    reference = frame(random, 20_000, columns)[inputs]
    windows = [frame(random, 10_000, columns)[inputs] for _ in range(5)]
    baseline = make_baseline(reference)
    start = time.perf_counter()
    for window in windows:
        monitor(baseline, window)
    took = (time.perf_counter() - start) / len(windows)
    print(
        f"\nA window of 10,000 rows and {columns} columns against 20,000\n| | s a window | memory, MiB |\n|---|---|---|"
    )
    print(f"| lightship | {took:.3f} | {memory():.0f} |")
    if interpreter is None:
        print("(no --evidently interpreter given)")
        return
    with tempfile.TemporaryDirectory() as folder:
        for table in (reference, *windows):
            for name in table.columns:
                if table[name].dtype.kind not in "fi":
                    table[name] = table[name].astype(object)
        source = Path(folder) / "windows.pickle"
        pd.to_pickle((reference, windows), source)
        done = subprocess.run([interpreter, "-c", EVIDENTLY, str(source)], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.strip().splitlines()[-1])
    print(f"| Evidently | {found['window']:.3f} | {found['memory']:.0f} | import {found['import']:.1f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--evidently")
    arguments = parser.parse_args()
    stream(arguments.lines, arguments.columns)
    windows_beside_evidently(arguments.columns, arguments.evidently)


if __name__ == "__main__":
    main()
