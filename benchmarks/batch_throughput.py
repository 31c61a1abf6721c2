"""Batch scoring against what one would write by hand: pandas reads, the pipeline predicts, pandas writes.

Scores the flights of 2013 as CSV and as Parquet, each way in one process of its own, as it would be, and one thread,
taking turns. Times are of the processor, the best of ROUNDS, so that a busy machine weighs on neither side. "Without
the model" is everything but the call of predict. Needs `make demo`.
Run: .venv/bin/python benchmarks/batch_throughput.py [--memory | --counts]
"""

# ruff: noqa: E402 - threads are bounded before NumPy loads, and Arrow's allocator is set up before Arrow does
import os
import sys

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_variable] = "1"
ALLOCATOR = "MIMALLOC_PURGE_DELAY"
if "hand" not in sys.argv:
    os.environ[ALLOCATOR] = "-1"  # as lightship_runtime.batch has it

import argparse
import json
import resource
import shutil
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from threadpoolctl import threadpool_limits

from lightship.loading import load_model
from lightship_runtime.batch.counting import Counter
from lightship_runtime.batch.records import Chunk, Settings
from lightship_runtime.batch.score import Model, Place, score_chunk
from lightship_runtime.batch.stores import LocalStore
from lightship_runtime.contract import Contract
from lightship_runtime.engine import Outputs
from lightship_runtime.loader import open_engine
from lightship_runtime.manifest import Release, read_contract

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "flights"
ROUNDS = 5
KEY = "id"
PASSED = [KEY, "flight", "scheduled"]
LARGE = 2_000_000_000
MEMORY_LIMIT_MB = 512


class Timed:
    """An engine that keeps the time spent in it."""

    name = "timed"

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self.spent = 0.0

    def predict(self, columns: Sequence[Any]) -> Outputs:
        begun = time.process_time()
        outputs: Outputs = self._engine.predict(columns)
        self.spent += time.process_time() - begun
        return outputs


def release_folder() -> Path:
    found = (ROOT / "dist" / "flights-delay").glob("*/release.json")
    releases = sorted(found, key=lambda path: path.stat().st_mtime)
    if not releases:
        raise SystemExit("There is no release of flights-delay yet: run `make demo`.")
    return releases[-1].parent


def open_model(folder: Path, scratch: Path) -> tuple[Contract, Any]:
    """The contract, and the release's engine for batches."""
    release, contract = Release.read(folder), read_contract(folder)
    use = "batch" if "batch" in release.artifacts else "realtime"
    zipfile.ZipFile(folder / release.artifacts[use].file).extractall(scratch / "task")
    return contract, open_engine(scratch / "task" / "model", contract, release.engine.batch, {})


def write_year(scratch: Path) -> None:
    sys.path.insert(0, str(EXAMPLE))
    from data import FEATURES, load_flights

    flights = load_flights()
    flights.insert(0, KEY, np.arange(len(flights)))
    flights = flights[[*PASSED, *FEATURES]]
    flights.to_csv(scratch / "year.csv", index=False)
    flights.to_parquet(scratch / "year.parquet", index=False)


def by_hand(
    pipeline: Any, source: Path, sink: Path, columns: Sequence[str], keep: Sequence[str]
) -> tuple[float, float]:
    """(seconds of everything but the model, of the model)."""
    sink.unlink(missing_ok=True)
    begun = time.process_time()
    frame = pd.read_csv(source) if source.suffix == ".csv" else pd.read_parquet(source, use_threads=False)
    asked = time.process_time()
    chances = pipeline.predict_proba(frame[list(columns)])
    answered = time.process_time()
    scored = frame[list(keep)].copy()
    scored["prediction"] = pipeline.classes_[chances.argmax(axis=1)]
    for place, label in enumerate(pipeline.classes_):
        scored[f"probability_{label}"] = chances[:, place]
    scored["model_version"] = "1"
    if source.suffix == ".csv":
        scored.to_csv(sink, index=False)
    else:
        scored.to_parquet(sink, index=False)
    whole = time.process_time() - begun
    return whole - (answered - asked), answered - asked


def by_lightship(model: Model, source: Path, sink: LocalStore, keep: tuple[str, ...] | None) -> tuple[float, float]:
    engine = Timed(model.engine)
    store = LocalStore(source.parent)
    stored = store.stored(source.name)
    kind = "csv" if source.suffix == ".csv" else "parquet"
    chunk = Chunk(0, stored.name, stored.etag, stored.size, kind)
    # Replacing a file costs the system's time for freeing it, which a first run doesn't have.
    shutil.rmtree(sink.root, ignore_errors=True)
    begun = time.process_time()
    settings = Settings(key=(KEY,), format=kind, keep=keep)
    timed = Model(model.contract, engine, "1", model.counter)
    result = score_chunk(chunk, settings, timed, Place(store, sink, "run"))
    whole = time.process_time() - begun
    if result.rows_rejected or not result.rows_scored:
        raise SystemExit(f"Rows were lost: {result}")
    return whole - engine.spent, engine.spent


def same_answers(pipeline: Any, contract: Contract, source: Path, part: Path) -> float:
    """The largest difference of any probability, by key; stops where a row is missing or a label differs."""
    frame = pd.read_csv(source) if source.suffix == ".csv" else pd.read_parquet(source)
    found = pd.read_csv(part) if part.suffix == ".csv" else pd.read_parquet(part)
    chances = pipeline.predict_proba(frame[list(contract.names)])
    wanted = pd.DataFrame(chances, index=frame[KEY], columns=[f"probability_{each}" for each in pipeline.classes_])
    found = found.set_index(KEY).loc[wanted.index]
    labels = pipeline.classes_[chances.argmax(axis=1)]
    if not (found["prediction"].to_numpy() == labels).all():
        raise SystemExit("A prediction differs from the pipeline's.")
    return float(np.abs(found[wanted.columns].to_numpy() - wanted.to_numpy()).max())


class Side:
    """One of the two ways, in a process of its own that measures when it is asked."""

    def __init__(self, name: str, scratch: Path) -> None:
        environment = {key: value for key, value in os.environ.items() if key != ALLOCATOR}
        command = [sys.executable, __file__, "--side", name, "--scratch", str(scratch)]
        pipe = subprocess.PIPE
        self._process: Any = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment)

    def measure(self, suffix: str, *, every: bool) -> tuple[float, float]:
        """(seconds of everything but the model, of the model)."""
        print(json.dumps([suffix, every]), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit("A side stopped; its error is above.")
        without, inside = json.loads(answer)
        return without, inside

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()


def serve(side: str, scratch: Path) -> None:
    """Measure once for each line of standard input."""
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    with threadpool_limits(1):
        if side == "hand":
            pipeline = load_pipeline()
            names = read_contract(release_folder()).names
        else:
            contract, engine = open_model(release_folder(), scratch)
            model = Model(contract, engine, "1")
        for line in sys.stdin:
            suffix, every = json.loads(line)
            source = scratch / f"year.{suffix}"
            if side == "hand":
                kept = [*PASSED, *names] if every else PASSED
                measured = by_hand(pipeline, source, scratch / f"hand.{suffix}", names, kept)
            else:
                measured = by_lightship(model, source, LocalStore(scratch / "out"), ("*",) if every else None)
            print(json.dumps(measured), flush=True)


def load_pipeline() -> Any:
    return load_model(EXAMPLE / "out" / "delay.skops", trust=(), trust_pickle=False).model


def compare(rounds: int) -> None:
    pipeline = load_pipeline()
    contract = read_contract(release_folder())
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        write_year(scratch)
        hand, ours = Side("hand", scratch), Side("ours", scratch)
        print(f"{'':32}{'by hand':>22}{'Lightship':>22}{'ratio':>16}")
        print(f"{'CPU seconds':32}{'without model':>14}{'model':>8}{'without model':>14}{'model':>8}{'':8}{'model':>8}")
        for name, every in (("key and passthrough", False), ("every column", True)):
            for suffix in ("csv", "parquet"):
                turns = [(hand.measure(suffix, every=every), ours.measure(suffix, every=every)) for _ in range(rounds)]
                (h, hm), (o, om) = (tuple(map(min, zip(*side, strict=True))) for side in zip(*turns, strict=True))
                print(f"{suffix + ', ' + name:32}{h:14.3f}{hm:8.2f}{o:14.3f}{om:8.2f}{h / o:8.1f}{hm / om:8.1f}")
                source, part = scratch / f"year.{suffix}", scratch / f"out/run/part-000000.{suffix}"
                difference = same_answers(pipeline, contract, source, part)
                print(f"{'':32}largest difference of a probability over all rows, by key: {difference:.1e}")
        hand.close()
        ours.close()


def measure_counting(rounds: int) -> None:
    """What counting rows for the monitor adds, in a release that has bins."""
    pa.set_cpu_count(1)
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        scratch = Path(folder)
        contract, engine = open_model(release_folder(), scratch)
        counter = Counter.open(scratch / "task" / "model", contract)
        if counter is None:
            raise SystemExit("The release has no bins.json in its batch.zip. Package it again: make demo.")
        write_year(scratch)
        sink = LocalStore(scratch / "out")
        for suffix in ("csv", "parquet"):
            source = scratch / f"year.{suffix}"
            times: dict[bool, list[float]] = {False: [], True: []}
            for _ in range(rounds):
                for counted, found in times.items():
                    model = Model(contract, engine, "1", counter if counted else None)
                    found.append(sum(by_lightship(model, source, sink, None)))
            plain, whole = min(times[False]), min(times[True])
            print(
                f"{suffix}: {plain:.2f} s of CPU, with counts for the monitor {whole:.2f} s ({whole / plain - 1:+.1%})"
            )


def measure_memory() -> None:
    """Score a CSV of 2 GB in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        write_year(scratch)
        header, _, body = (scratch / "year.csv").read_bytes().partition(b"\n")
        with (scratch / "large.csv").open("wb") as sink:
            sink.write(header + b"\n")
            while sink.tell() < LARGE:
                sink.write(body)
        subprocess.run([sys.executable, __file__, "--one", str(scratch / "large.csv")], check=True)


def score_one(path: Path) -> None:
    pa.set_cpu_count(1)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        contract, engine = open_model(release_folder(), scratch)
        begun = time.perf_counter()
        without, inside = by_lightship(Model(contract, engine, "1"), path, LocalStore(scratch / "out"), None)
        wall = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{path.stat().st_size / 1e9:.2f} GB of CSV in {wall:.0f} s ({without:.0f} s without the model, {inside:.0f} "
          f"in it, of CPU): at most {peak:.0f} MB of memory")  # fmt: skip
    if peak > MEMORY_LIMIT_MB:
        raise SystemExit(f"That is over {MEMORY_LIMIT_MB} MB.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--memory", action="store_true", help="score 2 GB of CSV and print the peak memory")
    parser.add_argument("--counts", action="store_true", help="print what counting for the monitor costs")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--side", choices=("hand", "ours"), help=argparse.SUPPRESS)
    parser.add_argument("--scratch", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.side:
        serve(asked.side, asked.scratch)
    elif asked.one:
        score_one(asked.one)
    elif asked.memory:
        measure_memory()
    elif asked.counts:
        measure_counting(asked.rounds)
    else:
        compare(asked.rounds)
