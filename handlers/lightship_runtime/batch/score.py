"""Scores one chunk: reads, checks, predicts and writes block by block, and counts what it did."""

import io
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO, Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lightship_runtime.batch.block import Block
from lightship_runtime.batch.counting import Counter
from lightship_runtime.batch.errors import BatchError, UnreadableError
from lightship_runtime.batch.inputs import Input, open_input
from lightship_runtime.batch.outputs import OutputColumns
from lightship_runtime.batch.records import Chunk, ChunkResult, Reject, Settings
from lightship_runtime.batch.stores import Store
from lightship_runtime.batch.writers import EXTENSIONS, PartWriter, RejectWriter, open_writer
from lightship_runtime.contract import Contract
from lightship_runtime.engine import Engine, Outputs, RefusedRowsError

REJECTS = "_rejects"

type Progress = Callable[[int], None]
"""Is told how many rows were read since it was last told."""


@dataclass(frozen=True)
class Model:
    """What scores: `version` is the release's. `counter` counts rows for the monitor, if there is one."""

    contract: Contract
    engine: Engine
    version: str
    counter: Counter | None = None


@dataclass(frozen=True)
class Place:
    """Where a chunk comes from, and the folder of the sink where its part goes."""

    source: Store
    sink: Store
    folder: str


def score_chunk(
    chunk: Chunk, settings: Settings, model: Model, place: Place, progress: Progress = lambda _rows: None
) -> ChunkResult:
    """Score a chunk. Same chunk, same bytes, whoever asks and however often.

    An object that can't be read gives a result that says so. Raises InputChangedError, BatchError where the settings
    don't fit the object, and what the engine raises.
    """
    try:
        try:
            return _Pass(chunk, settings, model, place, progress).run(typed=settings.format != "csv")
        except _KeyIsTextError:
            return _Pass(chunk, settings, model, place, progress).run(typed=False)
    except UnreadableError as error:
        return ChunkResult(chunk.number, chunk.file, 0, 0, 0, unreadable=error.reason)


class _KeyIsTextError(Exception):
    """A key was an integer in the file's first row and isn't one here."""


class _Pass:
    """One pass over one chunk."""

    def __init__(self, chunk: Chunk, settings: Settings, model: Model, place: Place, progress: Progress) -> None:
        self._chunk = chunk
        self._settings = settings
        self._model = model
        self._place = place
        self._progress = progress
        self._outputs = OutputColumns(model.contract, model.version)
        self._part = f"part-{chunk.number:06d}{EXTENSIONS[settings.format]}"
        self._rejects = f"{REJECTS}/part-{chunk.number:06d}.jsonl"
        self._clock = {"model": 0.0, "write": 0.0, "count": 0.0}
        self._profile = model.counter.empty() if model.counter else None

    def run(self, *, typed: bool) -> ChunkResult:
        started = time.perf_counter()
        rows_in = scored = rejected = 0
        with ExitStack() as stack:
            source = open_input(self._chunk, self._settings, self._model.contract, self._place.source, stack)
            integers = frozenset(source.integers if typed else ())
            part = _Sink(stack, self._place, self._part)
            refused = _Sink(stack, self._place, self._rejects)
            writer: PartWriter | None = None
            for read in source.blocks:
                rows_in += read.rows
                outputs, block = self._predict(read)
                self._count(outputs, block)
                begun = time.perf_counter()
                if outputs is not None:
                    if writer is None:
                        writer = self._writer(part.stream(), source)
                        # Closed while its sink is still open, whatever happens.
                        stack.callback(writer.close)
                    writer.write([*_passed(source.kept, block.kept, integers), *self._outputs.of(outputs)])
                    scored += len(block.numbers)
                if block.rejects:
                    RejectWriter(refused.stream(), self._chunk.file).write(block.rejects)
                    rejected += len(block.rejects)
                self._clock["write"] += time.perf_counter() - begun
                self._progress(read.rows)
            if writer is not None:
                writer.close()
        spent = time.perf_counter() - started
        read_s = spent - sum(self._clock.values())
        return ChunkResult(
            self._chunk.number,
            self._chunk.file,
            rows_in,
            scored,
            rejected,
            part=self._part if scored else None,
            part_bytes=part.written,
            rejects=self._rejects if rejected else None,
            seconds={"read": round(read_s, 4), **{step: round(taken, 4) for step, taken in self._clock.items()}},
            counts=self._profile.to_dict() if self._profile else None,
        )

    def _predict(self, block: Block) -> tuple[Outputs | None, Block]:
        """The engine's outputs, and the block without the rows that the model refused, which join the rejects."""
        if not len(block.numbers):
            return None, block
        begun = time.perf_counter()
        refusal: RefusedRowsError | None = None
        try:
            outputs = self._model.engine.predict(block.columns)
        except RefusedRowsError as error:
            refusal = error
        self._clock["model"] += time.perf_counter() - begun
        return (outputs, block) if refusal is None else self._predict(_without(block, refusal))

    def _count(self, outputs: Outputs | None, block: Block) -> None:
        counter = self._model.counter
        if counter is None or self._profile is None or outputs is None:
            return
        begun = time.perf_counter()
        try:
            self._profile.add(counter.count(block.columns, outputs))
        except Exception:  # noqa: BLE001 - rows that were scored aren't lost for the monitor's counts
            traceback.print_exc(file=sys.stderr)
            self._profile = None
        self._clock["count"] += time.perf_counter() - begun

    def _writer(self, sink: IO[bytes], source: Input) -> PartWriter:
        names = (*source.kept, *self._outputs.names)
        double = {name for name in names if names.count(name) > 1}
        if double:
            raise BatchError(
                f"The column {min(double)!r} of {self._chunk.file} would be written twice, as it came and as the "
                "model's own. Choose what passes through with --keep."
            )
        return open_writer(
            self._settings.format,
            sink,
            names,
            delimiter=self._settings.delimiter,
            raw=source.raw,
            indexed=self._settings.key,
        )


def _passed(names: Sequence[str], kept: Sequence[pa.Array], integers: frozenset[str]) -> list[pa.Array]:
    return [_as_integers(array) if name in integers else array for name, array in zip(names, kept, strict=True)]


def _as_integers(texts: pa.Array) -> pa.Array:
    try:
        numbers = pc.cast(texts, pa.int64())
    except pa.ArrowInvalid as error:
        raise _KeyIsTextError from error
    if not pc.all(pc.equal(pc.cast(numbers, pa.string()), texts)).as_py():
        raise _KeyIsTextError
    return numbers


def _without(block: Block, refusal: RefusedRowsError) -> Block:
    """The block with the rows that the model refused among its rejects."""
    keep = np.ones(len(block.numbers), dtype=bool)
    keep[list(refusal.rows)] = False
    refused = [
        Reject(int(block.numbers[place]), None, None, f"a row that the model takes; {refusal.reason_of(place)}")
        for place in sorted(set(refusal.rows))
    ]
    return block.only(keep, [*block.rejects, *refused])


class _Sink:
    """An object that is begun with its first bytes, so that there is none where there is nothing to say."""

    def __init__(self, stack: ExitStack, place: Place, name: str) -> None:
        self._stack = stack
        self._place = place
        self._name = name
        self._stream: _Counting | None = None

    def stream(self) -> IO[bytes]:
        if self._stream is None:
            opened = self._stack.enter_context(self._place.sink.writer(f"{self._place.folder}/{self._name}"))
            self._stream = _Counting(opened)
        return cast("IO[bytes]", self._stream)

    @property
    def written(self) -> int:
        return self._stream.tell() if self._stream else 0


class _Counting(io.RawIOBase):
    """Passes writes on, and knows how many bytes they were: Parquet asks where it is."""

    def __init__(self, sink: IO[bytes]) -> None:
        self._sink = sink
        self._count = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._count

    def write(self, data: Any) -> int:
        self._sink.write(data)
        self._count += len(data)
        return len(data)
