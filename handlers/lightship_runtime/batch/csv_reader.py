"""CSV, block by block: parsed by Arrow where a block is clean, field by field where it isn't."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from lightship_runtime.batch.block import Block, make_block
from lightship_runtime.batch.columns import MAX_EXACT, Checked, Checker
from lightship_runtime.batch.errors import UnreadableError
from lightship_runtime.batch.layout import Layout
from lightship_runtime.batch.records import Reject
from lightship_runtime.batch.streams import MAX_RECORD
from lightship_runtime.batch.texts import FALSE, MISSING, TRUE, values_of

_SEPARATORS = ((";", "semicolons"), ("\t", "tabs"), ("|", "bars"))


def parse_header(record: bytes, file: str, delimiter: str) -> list[str]:
    """The names in a file's first record. Raises UnreadableError."""
    try:
        text = record.decode()
    except UnicodeDecodeError as error:
        raise UnreadableError(
            file, f"its header is not UTF-8 ({error}). Name its encoding, or save it as UTF-8."
        ) from error
    names = next(_fields(text, delimiter), [])
    if not names:
        raise UnreadableError(file, "it has no header. Its first line must name the columns.")
    for mark, word in _SEPARATORS:
        if len(names) == 1 and mark != delimiter and mark in names[0]:
            raise UnreadableError(file, f"its columns are separated by {word}. Name that delimiter, or use commas.")
    return names


class CsvReader:
    """Reads the blocks of one file."""

    def __init__(self, layout: Layout, delimiter: str) -> None:
        self._layout = layout
        self._delimiter = delimiter
        # What is passed through stays the very text, so a kept column is read as text and converted afterwards.
        typed = {each.column.name: _arrow_type(each) for each in layout.checkers if each.column.name not in layout.kept}
        wanted = [name for name in layout.names if name in typed or name in layout.kept]
        self._read_options = arrow_csv.ReadOptions(
            use_threads=False, column_names=list(layout.names), block_size=MAX_RECORD * 2
        )
        # Rows and records must count alike: a blank line becomes a row, which its empty key gives away.
        self._parse_options = arrow_csv.ParseOptions(
            delimiter=delimiter, newlines_in_values=True, ignore_empty_lines=False
        )
        self._convert_options = {
            ascii_only: arrow_csv.ConvertOptions(
                check_utf8=not ascii_only,
                column_types={name: typed.get(name, pa.string()) for name in wanted},
                include_columns=wanted,
                null_values=list(MISSING),
                true_values=list(TRUE),
                false_values=list(FALSE),
                strings_can_be_null=False,
            )
            for ascii_only in (False, True)
        }

    def key_texts(self, record: bytes) -> dict[str, str]:
        """The keys of one record, fit or not."""
        fields = next(_fields(record.decode(errors="replace"), self._delimiter), [])
        found = dict(zip(self._layout.names, fields, strict=False))
        return {name: found[name] for name in self._layout.keys if name in found}

    def read(self, data: memoryview, first_row: int) -> tuple[Block, int]:
        """(the rows of a block that begins with row `first_row`, how many records it holds, blank lines included)."""
        # ASCII is UTF-8, and one look at the block costs less than one at each field.
        convert_options = self._convert_options[bool(np.frombuffer(data, np.uint8).max() < 128)]
        try:
            table = arrow_csv.read_csv(pa.BufferReader(data), self._read_options, self._parse_options, convert_options)
            checked = [self._checked(each, table) for each in self._layout.checkers]
        except pa.ArrowInvalid:
            return self._read_slowly(data, first_row)
        numbers = np.arange(first_row, first_row + table.num_rows)
        kept = [_one_chunk(table.column(name)) for name in self._layout.kept]
        kept[: len(self._layout.keys)] = map(_null_if_empty, kept[: len(self._layout.keys)])
        if all(key.null_count for key in kept[: len(self._layout.keys)]) and _may_be_blank(bytes(data)):
            return self._read_slowly(data, first_row)
        return make_block(numbers, self._layout.checkers, checked, kept, self._layout.keys), table.num_rows

    def _checked(self, checker: Checker, table: pa.Table) -> Checked:
        if checker.column.name in self._layout.absent:
            return checker.missing(table.num_rows)
        array = _one_chunk(table.column(checker.column.name))
        if checker.is_text:
            return checker.of_texts(array, empty_is_missing=True)
        wanted = _arrow_type(checker)
        if pa.types.is_string(wanted):
            return checker.of_values(values_of(array.to_pylist(), checker))
        array = array if array.type == wanted else _converted(array, wanted)
        if checker.column.type == "integer" and not _exact(array):
            raise pa.ArrowInvalid("an integer has more digits than a float")
        return checker.of_arrow(array)

    def _read_slowly(self, data: memoryview, first_row: int) -> tuple[Block, int]:
        """The same by Python's own parser, which tells which row is at fault."""
        width = len(self._layout.names)
        numbers: list[int] = []
        rows: list[list[str]] = []
        others: list[Reject] = []
        count = 0
        for number, fields in enumerate(_fields(str(data, "utf-8", "surrogateescape"), self._delimiter), first_row):
            count += 1
            if not fields:
                continue
            fault = self._fault(number, fields, width)
            if fault is not None:
                others.append(fault)
            else:
                numbers.append(number)
                rows.append(fields)
        columns = dict(zip(self._layout.names, map(list, zip(*rows, strict=True)), strict=True)) if rows else {}
        checked = [self._checked_texts(each, columns, len(rows)) for each in self._layout.checkers]
        kept = [pa.array(columns.get(name, []), pa.string()) for name in self._layout.kept]
        kept[: len(self._layout.keys)] = map(_null_if_empty, kept[: len(self._layout.keys)])
        layout = self._layout
        block = make_block(np.array(numbers, dtype=np.int64), layout.checkers, checked, kept, layout.keys, others)
        return block, count

    def _fault(self, number: int, fields: Sequence[str], width: int) -> Reject | None:
        if len(fields) != width:
            return Reject(number, None, f"{len(fields)} fields", f"{width} fields, as the header has")
        for name, text in zip(self._layout.names, fields, strict=True):
            if not text.isascii() and not _encodable(text):
                return Reject(
                    number, name, text.encode(errors="surrogateescape").decode(errors="replace")[:100], "UTF-8"
                )
        return None

    def _checked_texts(self, checker: Checker, columns: dict[str, list[str]], rows: int) -> Checked:
        if checker.column.name in self._layout.absent:
            return checker.missing(rows)
        return checker.of_values(values_of(columns.get(checker.column.name, []), checker))


def _may_be_blank(data: bytes) -> bool:
    """Whether there may be a blank line among the records."""
    return data[:1] in (b"\r", b"\n") or any(each in data for each in (b"\n\n", b"\n\r", b"\r\r"))


def _converted(texts: pa.Array, wanted: pa.DataType) -> pa.Array:
    """Text as numbers or booleans, by the rules that Arrow's CSV reader follows. Raises pa.ArrowInvalid."""
    missing = pc.is_in(texts, pa.array(MISSING))
    return pc.cast(pc.if_else(missing, pa.scalar(None, pa.string()), texts), wanted)


def _exact(floats: pa.Array) -> bool:
    """Whether every number is below those at which floats skip integers."""
    return not (np.abs(floats.to_numpy(zero_copy_only=False)) > MAX_EXACT).any()


def _fields(text: str, delimiter: str) -> Iterator[list[str]]:
    csv.field_size_limit(MAX_RECORD * 4)
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _arrow_type(checker: Checker) -> pa.DataType:
    match checker.column.type:
        # As integers Arrow would take hexadecimal too, which nobody else does.
        case "number" | "integer":
            return pa.float64()
        case "boolean":
            return pa.bool_()
        case _ if checker.is_text and checker.column.categories:
            return pa.dictionary(pa.int32(), pa.string())
        case _:
            return pa.string()


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _null_if_empty(array: Any) -> pa.Array:
    if not pa.types.is_string(array.type):
        return array
    empty = pc.equal(array, "")
    return pc.if_else(empty, pa.scalar(None, pa.string()), array) if pc.any(empty).as_py() else array
