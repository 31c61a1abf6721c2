"""Opens a chunk of any format as blocks of checked rows."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from lightship_runtime.batch.block import Block
from lightship_runtime.batch.csv_reader import CsvReader, parse_header
from lightship_runtime.batch.jsonl_reader import JsonLinesReader, first_names
from lightship_runtime.batch.layout import make_layout
from lightship_runtime.batch.parquet_reader import ParquetSource
from lightship_runtime.batch.records import Chunk, Settings
from lightship_runtime.batch.stores import Store, Stored
from lightship_runtime.batch.streams import Text, blocks
from lightship_runtime.batch.text_head import read_head, skip
from lightship_runtime.contract import Contract

LONGEST_INTEGER = 18
"""Digits that surely fit 64 bits."""


@dataclass(frozen=True)
class Input:
    """`kept` names what passes through. Of text, `raw` are the names that hold JSON already, and `integers` the keys
    that look like integers in the file's first row."""

    blocks: Iterator[Block]
    kept: tuple[str, ...] = ()
    raw: tuple[str, ...] = ()
    integers: tuple[str, ...] = ()


def open_input(chunk: Chunk, settings: Settings, contract: Contract, source: Store, stack: ExitStack) -> Input:
    """Open a chunk until the stack closes. Raises UnreadableError, InputChangedError."""
    stored = Stored(chunk.file, chunk.size, chunk.etag)
    if chunk.format == "parquet":
        return _open_parquet(chunk, settings, contract, source, stored, stack)
    return _open_text(chunk, settings, contract, source, stored, stack)


def _open_parquet(
    chunk: Chunk, settings: Settings, contract: Contract, source: Store, stored: Stored, stack: ExitStack
) -> Input:
    opened = ParquetSource(stack.enter_context(source.open(stored)), chunk.file)
    layout = make_layout(chunk.file, opened.names, contract, settings)
    end = opened.metadata.num_row_groups if chunk.end is None else chunk.end
    return Input(opened.blocks(layout, range(chunk.start, end)), layout.kept)


def _open_text(
    chunk: Chunk, settings: Settings, contract: Contract, source: Store, stored: Stored, stack: ExitStack
) -> Input:
    delimiter = settings.delimiter if chunk.format == "csv" else None
    with source.open(stored) as stream:
        head = read_head(Text(stream, chunk.file, settings.encoding).read, chunk.file, delimiter)
    if not head.names_record.strip():
        return Input(iter(()))
    reader: CsvReader | JsonLinesReader
    raw: tuple[str, ...] = ()
    first = head.first_record
    if delimiter is not None:
        layout = make_layout(chunk.file, parse_header(head.names_record, chunk.file, delimiter), contract, settings)
        reader = CsvReader(layout, delimiter)
    else:
        layout = make_layout(chunk.file, first_names(head.names_record, chunk.file), contract, settings)
        first = head.names_record
        raw = layout.kept if settings.format == "jsonl" else ()
        reader = JsonLinesReader(layout, as_json=bool(raw))
    text = Text(stack.enter_context(source.open(stored, chunk.start, chunk.end)), chunk.file, settings.encoding)
    if chunk.start == 0 and delimiter is not None:
        skip(text.read, len(head.names_record))
    integers = _integer_keys(reader.key_texts(first)) if first.strip() and not raw else ()
    return Input(
        _read(blocks(text.readinto, chunk.file, delimiter), reader, chunk.first_row), layout.kept, raw, integers
    )


def _read(found: Iterator[memoryview], reader: CsvReader | JsonLinesReader, row: int) -> Iterator[Block]:
    for data in found:
        block, records = reader.read(data, row)
        row += records
        yield block


def _integer_keys(texts: Mapping[str, str]) -> tuple[str, ...]:
    """The keys whose text is an integer written as JSON would."""
    names = []
    for name, text in texts.items():
        digits = text.removeprefix("-")
        if digits.isascii() and digits.isdigit() and len(digits) <= LONGEST_INTEGER and str(int(text)) == text:
            names.append(name)
    return tuple(names)
