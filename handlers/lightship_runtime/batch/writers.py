"""Parts of the output: CSV, JSON Lines or Parquet, written block by block to any stream."""

import json
from collections.abc import Collection, Sequence
from typing import IO, Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from lightship_runtime.batch.fields import constant, csv_text, joined, json_text
from lightship_runtime.batch.records import Format, Reject

EXTENSIONS: dict[str, str] = {"csv": ".csv", "jsonl": ".jsonl", "parquet": ".parquet"}


class PartWriter(Protocol):
    """Writes columns of equal length, again and again, then closes."""

    def write(self, columns: Sequence[pa.Array]) -> None: ...
    def close(self) -> None: ...


def open_writer(
    format: Format,  # noqa: A002 - the setting's own name
    sink: IO[bytes],
    names: Sequence[str],
    *,
    delimiter: str = ",",
    raw: Collection[str] = (),
    indexed: Collection[str] = (),
) -> PartWriter:
    """A writer of rows with these columns. `raw` are those that hold JSON text already (JSON Lines only); of those
    `indexed`, Parquet gets statistics by which readers skip row groups."""
    match format:
        case "csv":
            return CsvWriter(sink, names, delimiter)
        case "jsonl":
            return JsonLinesWriter(sink, names, raw)
        case "parquet":
            return ParquetWriter(sink, names, indexed)


class CsvWriter:
    """RFC 4180 but for line ends, which are newlines."""

    def __init__(self, sink: IO[bytes], names: Sequence[str], delimiter: str) -> None:
        self._sink = sink
        self._delimiter = delimiter
        header = csv_text(pa.array(list(names)), delimiter).to_pylist()
        sink.write(delimiter.join(header).encode() + b"\n")

    def write(self, columns: Sequence[pa.Array]) -> None:
        texts = [self._texts(column) for column in columns]
        ended = pc.binary_join_element_wise(texts[-1], "\n", "")
        self._sink.write(joined([*texts[:-1], ended], len(columns[0]), self._delimiter))

    def _texts(self, column: pa.Array) -> Any:
        """The fields of a column, or the one field that all rows have."""
        single = constant(column)
        return csv_text(column, self._delimiter) if single is None else csv_text(pa.array([single]), self._delimiter)[0]

    def close(self) -> None:
        """Nothing is held back."""


class JsonLinesWriter:
    """One object a line."""

    def __init__(self, sink: IO[bytes], names: Sequence[str], raw: Collection[str]) -> None:
        self._sink = sink
        self._names = names
        self._raw = frozenset(raw)

    def write(self, columns: Sequence[pa.Array]) -> None:
        pieces: list[Any] = []
        for place, (name, column) in enumerate(zip(self._names, columns, strict=True)):
            texts = column.fill_null("null") if name in self._raw else json_text(column)
            pieces += [("," if place else "{") + json.dumps(name) + ":", texts]
        self._sink.write(joined([*pieces, "}\n"], len(columns[0])))

    def close(self) -> None:
        """Nothing is held back."""


class ParquetWriter:
    """One row group a block. Dictionaries only where values repeat: trying them on floats costs most of the time."""

    def __init__(self, sink: IO[bytes], names: Sequence[str], indexed: Collection[str]) -> None:
        self._sink = sink
        self._names = list(names)
        self._indexed = [name for name in names if name in indexed]
        self._writer: Any = None

    def write(self, columns: Sequence[pa.Array]) -> None:
        table = pa.Table.from_arrays([_settled(column) for column in columns], self._names)
        if self._writer is None:
            repeating = [
                name
                for name, column in zip(self._names, columns, strict=True)
                if name not in self._indexed and _repeats(column.type)
            ]
            self._writer = parquet.ParquetWriter(
                self._sink,
                table.schema,
                compression="snappy",
                use_dictionary=repeating or False,
                write_statistics=self._indexed or False,
            )
        self._writer.write_table(table)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


def _repeats(kind: pa.DataType) -> bool:
    """Whether values of this type are likely to repeat: texts do, measurements and times don't."""
    return bool(pa.types.is_dictionary(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _settled(column: pa.Array) -> pa.Array:
    """Dictionaries of 32-bit indices only, so that every block has the first one's type."""
    if pa.types.is_dictionary(column.type) and column.type.index_type != pa.int32():
        return column.cast(pa.dictionary(pa.int32(), column.type.value_type))
    return column


class RejectWriter:
    """Rejects as JSON Lines."""

    def __init__(self, sink: IO[bytes], file: str) -> None:
        self._sink = sink
        self._file = file

    def write(self, rejects: Sequence[Reject]) -> None:
        lines = [
            json.dumps(
                {"file": self._file, "row": each.row, "column": each.column, "value": each.value,
                 "expected": each.expected}
            )
            for each in rejects
        ]  # fmt: skip
        self._sink.write("".join(line + "\n" for line in lines).encode())
