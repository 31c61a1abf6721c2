"""The proof's own steps: golden rows through reader, engine and writer, and every format in and out."""

import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
from pyarrow import csv, parquet

from lightship_runtime.batch.errors import BatchError
from lightship_runtime.batch.records import Chunk, ChunkResult, Format, Settings
from lightship_runtime.batch.score import Model, Place, score_chunk
from lightship_runtime.batch.stores import LocalStore

KEY = "lightship_row"

type Rows = Sequence[Sequence[Any]]


def prove(rows: Rows, model: Model) -> dict[str, Any]:
    """JSON Lines in, Parquet out and read back: the output columns, and the seconds it took. Raises BatchError."""
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        result = _scored(rows, model, Path(folder), "jsonl", "parquet")
        seconds = time.perf_counter() - begun
        if result.rows_rejected or result.part is None:
            store = LocalStore(Path(folder))
            rejects = store.read(f"run/{result.rejects}") or (str(result.unreadable).encode(), "")
            raise BatchError(f"{result.rows_rejected} golden rows were rejected: {rejects[0][:300].decode()}")
        table = parquet.read_table(Path(folder) / "run" / result.part)
    return {"seconds": seconds, "columns": {name: table.column(name).to_pylist() for name in table.column_names}}


def probe(rows: Rows, model: Model) -> dict[str, Any]:
    """Each format in and out, twice each: rows are read and end as predictions or rejects. Raises BatchError."""
    formats = get_args(Format.__value__)
    for reads, writes in zip(formats, (*formats[1:], formats[0]), strict=True):
        with tempfile.TemporaryDirectory() as folder:
            result = _scored(rows, model, Path(folder), reads, writes)
        if result.unreadable or result.rows_in != len(rows) or not result.reconciled:
            raise BatchError(f"{reads} in and {writes} out lost rows: {result.to_dict()}. Report this.")
    return {"formats": list(formats)}


def _scored(rows: Rows, model: Model, folder: Path, reads: Format, writes: Format) -> ChunkResult:
    names = (KEY, *model.contract.names)
    numbered = [dict(zip(names, (number, *row), strict=True)) for number, row in enumerate(rows)]
    file = folder / f"rows.{reads}"
    match reads:
        case "jsonl":
            file.write_text("\n".join(map(json.dumps, numbered)))
        case "csv":
            csv.write_csv(_table(names, numbered), file)
        case "parquet":
            parquet.write_table(_table(names, numbered), file)
    store = LocalStore(folder)
    stored = store.stored(file.name)
    chunk = Chunk(0, stored.name, stored.etag, stored.size, reads, end=1 if reads == "parquet" else None)
    settings = Settings(key=(KEY,), keep=(), format=writes)
    return score_chunk(chunk, settings, model, Place(store, store, "run"))


def _table(names: Sequence[str], rows: Sequence[dict[str, Any]]) -> pa.Table:
    return pa.table({name: _array([row[name] for row in rows]) for name in names})


def _array(values: list[Any]) -> pa.Array:
    """A column of these values; of values of several kinds their text."""
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if value is None else str(value) for value in values])
