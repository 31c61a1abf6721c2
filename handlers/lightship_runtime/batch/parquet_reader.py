"""Parquet, row group by row group, in batches of bounded size."""

from collections.abc import Iterator
from typing import IO

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from lightship_runtime.batch.block import Block, make_block
from lightship_runtime.batch.columns import is_text
from lightship_runtime.batch.errors import UnreadableError
from lightship_runtime.batch.layout import Layout

ROWS = 65_536
"""Rows decoded at once."""
PREFETCHED = 64 << 20
"""Row groups up to this many compressed bytes are fetched whole, in few requests; larger ones stream."""
BUFFER = 1 << 20
MAX_REPEATING = 4
"""Bytes a value. Texts stored in fewer are places in a dictionary; reading others as one costs four times as much."""


class ParquetSource:
    """An open Parquet file. Raises UnreadableError for a damaged one."""

    def __init__(self, source: IO[bytes] | str, file: str) -> None:
        self._file = file
        self._source = source
        try:
            self.metadata = parquet.read_metadata(source)
            schema = self.metadata.schema.to_arrow_schema()
        except (pa.ArrowException, OSError, ValueError) as error:
            raise UnreadableError(file, f"it isn't whole Parquet ({error}). Write it again.") from error
        self._schema = schema
        self.names = tuple(schema.names)

    def rows_before(self, group: int) -> int:
        return sum(self.metadata.row_group(i).num_rows for i in range(group))

    def blocks(self, layout: Layout, groups: range) -> Iterator[Block]:
        """The rows of these row groups."""
        wanted = [name for name in layout.names if name in layout.kept or _is_input(layout, name)]
        repeating = [name for name in wanted if name not in layout.keys and self._repeats(name)]
        first = self.rows_before(groups.start) + 1
        for group in groups:
            expected = first + self.metadata.row_group(group).num_rows
            for batch in self._batches(group, wanted, repeating):
                yield _block(batch, layout, first)
                first += batch.num_rows
            if first != expected:
                raise UnreadableError(
                    self._file, f"row group {group} has {expected - first} rows fewer than its footer says."
                )

    def _batches(self, group: int, wanted: list[str], repeating: list[str]) -> Iterator[pa.RecordBatch]:
        small = self.metadata.row_group(group).total_byte_size <= PREFETCHED
        try:
            opened = parquet.ParquetFile(
                self._source,
                metadata=self.metadata,
                read_dictionary=repeating,
                pre_buffer=small,
                buffer_size=0 if small else BUFFER,
            )
            yield from opened.iter_batches(ROWS, row_groups=[group], columns=wanted, use_threads=False)
        except (pa.ArrowException, OSError) as error:
            raise UnreadableError(self._file, f"row group {group} is damaged ({error}). Write it again.") from error

    def _repeats(self, name: str) -> bool:
        """Whether a column holds texts that repeat: in the whole file, as all rows of an output have one type."""
        if not is_text(self._schema.field(name).type):
            return False
        stored = 0
        for number in range(self.metadata.num_row_groups):
            group = self.metadata.row_group(number)
            columns = (group.column(place) for place in range(group.num_columns))
            stored += sum(each.total_uncompressed_size for each in columns if each.path_in_schema == name)
        return bool(stored < MAX_REPEATING * self.metadata.num_rows)


def _is_input(layout: Layout, name: str) -> bool:
    return any(each.column.name == name for each in layout.checkers)


def _block(batch: pa.RecordBatch, layout: Layout, first: int) -> Block:
    checked = [
        each.missing(batch.num_rows)
        if each.column.name in layout.absent
        else each.of_arrow(batch.column(each.column.name))
        for each in layout.checkers
    ]
    kept = [batch.column(name) for name in layout.kept]
    numbers = np.arange(first, first + batch.num_rows)
    return make_block(numbers, layout.checkers, checked, kept, layout.keys)
