"""Runs a batch on all cores of this machine: plan, scan, score and commit, as in the cloud."""

import contextlib
import hashlib
import json
import multiprocessing
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lightship.batch.artifact import BatchModel, unpack_model
from lightship.batch.locations import Location, open_source, refuse_overlap
from lightship_runtime.batch.committing import commit, is_done
from lightship_runtime.batch.counting import Monitoring
from lightship_runtime.batch.errors import BatchError
from lightship_runtime.batch.places import MANIFEST, run_folder
from lightship_runtime.batch.planning import CHUNK, Request, begin, cut, read_items, scan
from lightship_runtime.batch.records import Chunk, Format, Settings
from lightship_runtime.batch.stores import Store
from lightship_runtime.batch.work import score_item
from lightship_runtime.documents import dump_document

POLL_S = 0.2
SMALLEST_CHUNK = 4 << 20
CHUNKS_A_WORKER = 3
"""Small enough pieces that all cores end at about the same time."""

type Report = Callable[["Progress"], None]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: rows read so far, bytes of finished items, and all bytes."""

    rows: int
    done_bytes: int
    total_bytes: int


@dataclass(frozen=True)
class Job:
    """What `lightship batch run` was asked for. `monitoring` is the monitoring store that gets the run's counts."""

    source: Location
    sink: Location
    release: Path
    settings: Settings
    format: Format | None = None
    run: str | None = None
    workers: int = 0
    chunk_bytes: int | None = None
    monitoring: Location | None = None


@dataclass(frozen=True)
class Outcome:
    """A committed run. `parts` are the addresses of the parts, `rejects` those of the rejects."""

    run: str
    rows_in: int
    rows_scored: int
    rows_rejected: int
    parts: tuple[str, ...]
    rejects: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "run": self.run,
            "rows_in": self.rows_in,
            "rows_scored": self.rows_scored,
            "rows_rejected": self.rows_rejected,
            "parts": list(self.parts),
            "rejects": list(self.rejects),
        }


def run_job(job: Job, report: Report = lambda _progress: None) -> Outcome:
    """Run to the end, or on from where an earlier attempt stopped. Raises BatchError and what scoring raises.

    Interrupted, it leaves whole parts and their results, and no `_SUCCESS`.
    """
    refuse_overlap(job.source, job.sink)
    source, sink = open_source(job.source), job.sink.open()
    with tempfile.TemporaryDirectory(prefix="lightship-batch-") as scratch:
        model = unpack_model(job.release, Path(scratch))
        request = _request(job, model, source)
        if not is_done(sink, request.run):
            monitoring = None
            if job.monitoring:
                monitoring = Monitoring(job.monitoring.open(), model.counter(), model.version)
            _run(job, request, model, source, sink, report)
            commit(request.run, sink, monitoring)
    found = sink.read(f"{run_folder(request.run)}/{MANIFEST}")
    if found is None:
        raise BatchError(f"The run {request.run} has a _SUCCESS but no manifest. Remove its folder and run again.")
    return _outcome(job.sink, request.run, json.loads(found[0]))


def _run(job: Job, request: Request, model: BatchModel, source: Store, sink: Store, report: Report) -> None:
    with _pool(job, model) as pool:
        begun = begin(request, source, sink)
        if begun.scans:
            ranges = json.loads((sink.read(begun.ranges) or (b"[]", ""))[0])
            pool.all([(_scan, (job, piece, request.settings, request.run)) for piece in ranges])
        plan = cut(request.run, source, sink)
        items = read_items(sink, plan)
        calls = [(_score, (job, request, number, chunks)) for number, chunks in enumerate(items)]
        done = 0

        def finished(place: int) -> None:
            nonlocal done
            done += sum(map(_weight, items[place]))

        pool.all(calls, finished, lambda rows: report(Progress(rows, done, plan.total_bytes)))


def _weight(chunk: Chunk) -> int:
    """Bytes of a chunk; of Parquet, whose chunks count row groups, the whole object's with its first chunk."""
    if chunk.format == "parquet" or chunk.end is None:
        return chunk.size if chunk.start == 0 else 0
    return chunk.end - chunk.start


def _request(job: Job, model: BatchModel, source: Store) -> Request:
    """The run's id is given, or a digest of everything that decides the result: the same question finds its answer."""
    digest = hashlib.sha256()
    total = 0
    for each in source.list():
        digest.update(f"{each.name}\0{each.size}\0{each.etag}\n".encode())
        total += each.size
    shared = total // (CHUNKS_A_WORKER * (job.workers or os.cpu_count() or 1))
    chunk_bytes = job.chunk_bytes or min(CHUNK, max(SMALLEST_CHUNK, shared))
    request = Request("", job.settings, model.version, model.name, format=job.format, chunk_bytes=chunk_bytes)
    digest.update(dump_document(request.to_dict()))
    return replace(request, run=job.run or digest.hexdigest()[:16])


def _outcome(sink: Location, run: str, manifest: dict[str, Any]) -> Outcome:
    folder = f"{sink.address.rstrip('/')}/{run_folder(run)}"
    return Outcome(
        run=run,
        rows_in=manifest["rows_in"],
        rows_scored=manifest["rows_scored"],
        rows_rejected=manifest["rows_rejected"],
        parts=tuple(f"{folder}/{each['name']}" for each in manifest["parts"]),
        rejects=tuple(f"{folder}/{each}" for each in manifest["rejects"]),
    )


class _Pool:
    """Worker processes, and the rows they have read."""

    def __init__(self, executor: ProcessPoolExecutor, rows: Any) -> None:
        self._executor = executor
        self._rows = rows

    def all(
        self,
        calls: list[tuple[Callable[..., Any], tuple[Any, ...]]],
        finished: Callable[[int], None] = lambda _place: None,
        tick: Callable[[int], None] = lambda _rows: None,
    ) -> None:
        """Make every call. The first error ends the others that haven't begun."""
        running: dict[Future[Any], int] = {
            self._executor.submit(function, *arguments): place for place, (function, arguments) in enumerate(calls)
        }
        try:
            while running:
                done, _ = wait(running, POLL_S, FIRST_COMPLETED)
                for each in done:
                    each.result()
                    finished(running.pop(each))
                tick(self._rows.value)
        except BrokenProcessPool as error:
            raise BatchError(
                "A worker process ended, perhaps for want of memory. Run again with fewer --workers; what is done "
                "isn't done again."
            ) from error
        finally:
            for each in running:
                each.cancel()


@contextmanager
def _pool(job: Job, model: BatchModel) -> Iterator[_Pool]:
    """Worker processes that end with the context. On Ctrl-C they stop within a block, leaving nothing half-written."""
    context = multiprocessing.get_context("spawn")
    rows, stop = context.Value("q", 0), context.Event()
    workers = job.workers or os.cpu_count() or 1
    executor = ProcessPoolExecutor(workers, context, _begin_worker, (job, model, rows, stop))
    try:
        yield _Pool(executor, rows)
    finally:
        stop.set()
        executor.shutdown(wait=True, cancel_futures=True)


@dataclass
class _Worker:
    """What a worker process holds on to."""

    model: Any
    source: Store
    sink: Store
    rows: Any
    stop: Any


class _StoppedError(Exception):
    """The run was interrupted."""


_worker: list[_Worker] = []


def _begin_worker(job: Job, model: BatchModel, rows: Any, stop: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import pyarrow as pa

    pa.set_cpu_count(1)
    with contextlib.suppress(ImportError):
        from threadpoolctl import threadpool_limits

        threadpool_limits(1)
    _worker[:] = [
        _Worker(model.open(counted=job.monitoring is not None), open_source(job.source), job.sink.open(), rows, stop)
    ]


def _scan(_job: Job, piece: dict[str, Any], settings: Settings, run: str) -> None:
    worker = _worker[0]
    scan(piece, settings, run, worker.source, worker.sink)


def _score(_job: Job, request: Request, item: int, chunks: list[Chunk]) -> None:
    worker = _worker[0]

    def progress(rows: int) -> None:
        if worker.stop.is_set():
            raise _StoppedError
        with worker.rows.get_lock():
            worker.rows.value += rows

    score_item(request.run, item, chunks, request.settings, worker.model, worker.source, worker.sink, progress)
