"""Where the time of a batch goes: CPU seconds of each step over the flights of 2013, the best of ROUNDS runs.

Each step's own time, without that of the steps inside it. The clock itself costs some milliseconds, which fall to the
steps. Needs `make demo`. Run: .venv/bin/python benchmarks/batch_where.py
"""

import functools
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import batch_throughput as throughput
import pyarrow as pa
from pyarrow import csv as arrow_csv
from threadpoolctl import threadpool_limits

from lightship_runtime.batch import csv_reader, fields, outputs, parquet_reader, score, streams, writers
from lightship_runtime.batch.score import Model
from lightship_runtime.batch.stores import LocalStore

ROUNDS = 5
MODEL = "the model"
REST = "everything else"

STEPS: tuple[tuple[Any, str, str], ...] = (
    (streams.Text, "readinto", "reading the file"),
    (streams, "last_boundary", "finding where records end"),
    (arrow_csv, "read_csv", "parsing CSV (Arrow)"),
    (csv_reader.CsvReader, "read", "checking columns"),
    (parquet_reader.ParquetSource, "_batches", "reading Parquet (Arrow)"),
    (parquet_reader, "_block", "checking columns"),
    (throughput.Timed, "predict", MODEL),
    (outputs.OutputColumns, "of", "columns of the outputs"),
    (fields, "_digits", "floats as text"),
    (writers, "joined", "joining columns to lines"),
    (writers.CsvWriter, "write", "other columns as text"),
    (writers.ParquetWriter, "write", "writing Parquet (Arrow)"),
    (score._Counting, "write", "writing the file"),
)


class Clock:
    """Adds up the CPU seconds of what it wraps, each without what is wrapped inside it."""

    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()
        self._inside = [0.0]

    def wrap(self, owner: Any, name: str, label: str) -> None:
        timed: Callable[..., Any] = getattr(owner, name)

        @functools.wraps(timed)
        def wrapped(*arguments: Any, **options: Any) -> Any:
            found = self._time(label, timed, *arguments, **options)
            return self._steps(label, found) if isinstance(found, Iterator) else found

        setattr(owner, name, wrapped)

    def _steps(self, label: str, steps: Iterator[Any]) -> Iterator[Any]:
        while (step := self._time(label, next, steps, None)) is not None:
            yield step

    def _time(self, label: str, action: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        self._inside.append(0.0)
        begun = time.process_time()
        try:
            return action(*arguments, **options)
        finally:
            whole = time.process_time() - begun
            self.spent[label] += whole - self._inside.pop()
            self._inside[-1] += whole


def main() -> None:
    pa.set_cpu_count(1)
    clock = Clock()
    for owner, name, label in STEPS:
        clock.wrap(owner, name, label)
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        scratch = Path(folder)
        contract, engine = throughput.open_model(throughput.release_folder(), scratch)
        model = Model(contract, engine, "1")
        throughput.write_year(scratch)
        for suffix in ("csv", "parquet"):
            for name, keep in (("key and passthrough", None), ("every column", ("*",))):
                runs = [one_run(clock, model, scratch, suffix, keep) for _ in range(ROUNDS)]
                spent = min(runs, key=lambda run: sum(run.values()) - run[MODEL])
                print(f"\n{suffix}, {name}: {sum(spent.values()) - spent[MODEL]:.3f} s without the model")
                for label, seconds in spent.most_common():
                    print(f"  {seconds:.3f}  {label}")


def one_run(clock: Clock, model: Model, scratch: Path, suffix: str, keep: tuple[str, ...] | None) -> Counter[str]:
    clock.spent.clear()
    shutil.rmtree(scratch / "out", ignore_errors=True)
    begun = time.process_time()
    throughput.by_lightship(model, scratch / f"year.{suffix}", LocalStore(scratch / "out"), keep)
    whole = time.process_time() - begun
    return clock.spent + Counter({REST: whole - sum(clock.spent.values())})


if __name__ == "__main__":
    main()
