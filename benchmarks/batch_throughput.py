"""Batch scoring against what one would write by hand: pandas reads, the pipeline predicts, pandas writes.

Scores the flights of 2013 as CSV and as Parquet, both ways in this process, one thread each, taking turns. Times are of
the processor, the best of ROUNDS, so that a busy machine weighs on neither side. "Without the model" is everything but
the call of predict. Needs `make demo`. Run: .venv/bin/python benchmarks/batch_throughput.py [--memory | --counts]
"""

# ruff: noqa: E402 - threads are bounded before NumPy loads, and Arrow's allocator is set up before Arrow does
import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_variable] = "1"
os.environ["MIMALLOC_PURGE_DELAY"] = "-1"  # as lightship_runtime.batch has it

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
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
    flights = flights[[KEY, "flight", "scheduled", *FEATURES]]
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


def best(action: Callable[[], tuple[float, float]], rounds: int) -> tuple[float, float]:
    measured = [action() for _ in range(rounds)]
    return min(each[0] for each in measured), min(each[1] for each in measured)


def compare(rounds: int) -> None:
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    pipeline = load_model(EXAMPLE / "out" / "delay.skops", trust=(), trust_pickle=False).model
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        scratch = Path(folder)
        contract, engine = open_model(release_folder(), scratch)
        model = Model(contract, engine, "1")
        write_year(scratch)
        sink = LocalStore(scratch / "out")
        print(f"{'':32}{'by hand':>22}{'Lightship':>22}{'ratio':>16}")
        print(f"{'CPU seconds':32}{'without model':>14}{'model':>8}{'without model':>14}{'model':>8}{'':8}{'model':>8}")
        for name, keep in (("key and passthrough", None), ("every column", ("*",))):
            for suffix in ("csv", "parquet"):
                source = scratch / f"year.{suffix}"
                every = [KEY, "flight", "scheduled", *contract.names]
                kept = every if keep else every[:3]
                hand: list[tuple[float, float]] = []
                ours: list[tuple[float, float]] = []
                for _ in range(rounds):
                    hand.append(by_hand(pipeline, source, scratch / f"hand.{suffix}", contract.names, kept))
                    ours.append(by_lightship(model, source, sink, keep))
                (h, hm), (o, om) = (tuple(min(column) for column in zip(*side, strict=True)) for side in (hand, ours))
                print(f"{suffix + ', ' + name:32}{h:14.3f}{hm:8.2f}{o:14.3f}{om:8.2f}{h / o:8.1f}{hm / om:8.1f}")
                difference = same_answers(pipeline, contract, source, scratch / f"out/run/part-000000.{suffix}")
                print(f"{'':32}largest difference of a probability over all rows, by key: {difference:.1e}")


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
    asked = parser.parse_args()
    if asked.one:
        score_one(asked.one)
    elif asked.memory:
        measure_memory()
    elif asked.counts:
        measure_counting(asked.rounds)
    else:
        compare(asked.rounds)
