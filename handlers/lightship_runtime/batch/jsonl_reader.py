"""JSON Lines, block by block: one object a line, with JSON's own types."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from lightship_runtime.batch.block import Block, make_block
from lightship_runtime.batch.columns import Checked, Checker
from lightship_runtime.batch.errors import UnreadableError
from lightship_runtime.batch.layout import Layout
from lightship_runtime.batch.records import Reject

_ABSENT = object()


def first_names(line: bytes, file: str) -> list[str]:
    """The keys of a file's first row. Raises UnreadableError when that isn't an object."""
    try:
        row = _loads(line.decode())
    except (ValueError, RecursionError) as error:
        raise UnreadableError(file, f"its first line is not JSON ({error}). Each line must hold one object.") from error
    if not isinstance(row, dict):
        raise UnreadableError(file, f"its first line is a JSON {type(row).__name__}, not an object.")
    return list(row)


class JsonLinesReader:
    """Reads the blocks of one file. A name that is kept may be absent from a row; a column of the contract may not."""

    def __init__(self, layout: Layout, *, as_json: bool) -> None:
        """With `as_json`, what is kept passes through as JSON text, for an output that is JSON itself."""
        self._layout = layout
        self._text: Callable[[Any], str | None] = _as_json if as_json else _as_text

    def key_texts(self, record: bytes) -> dict[str, str]:
        """The keys of one line, fit or not; text within JSON stays what it is."""
        row = _loads(record.decode())
        return {name: str(row[name]) for name in self._layout.keys if type(row.get(name)) is int}

    def read(self, data: memoryview, first_row: int) -> tuple[Block, int]:
        """(the rows of a block that begins with line `first_row` of the file, how many lines it holds)."""
        lines = bytes(data).split(b"\n")
        if not lines[-1]:
            lines.pop()
        numbers: list[int] = []
        rows: list[dict[str, Any]] = []
        others: list[Reject] = []
        for number, line in enumerate(lines, first_row):
            if not line.strip():
                continue
            try:
                row = _loads(line.decode())
            except UnicodeDecodeError:
                others.append(Reject(number, None, line[:100].decode(errors="replace"), "UTF-8"))
                continue
            except (ValueError, RecursionError):
                others.append(Reject(number, None, line[:100].decode(errors="replace"), "a JSON object"))
                continue
            if isinstance(row, dict):
                numbers.append(number)
                rows.append(row)
            else:
                others.append(Reject(number, None, line[:100].decode(errors="replace"), "a JSON object"))
        layout = self._layout
        checked = [_checked(each, rows) for each in layout.checkers]
        kept = [pa.array([self._text(row.get(name)) for row in rows], pa.string()) for name in layout.kept]
        block = make_block(np.array(numbers, dtype=np.int64), layout.checkers, checked, kept, layout.keys, others)
        return block, len(lines)


def _checked(checker: Checker, rows: list[dict[str, Any]]) -> Checked:
    name = checker.column.name
    values = [row.get(name, _ABSENT) for row in rows]
    absent = [i for i, value in enumerate(values) if value is _ABSENT]
    for i in absent:
        values[i] = None
    checked = checker.of_values(values)
    return Checked(checked.values, {**checked.faults, **dict.fromkeys(absent)}) if absent else checked


def _as_text(value: Any) -> str | None:
    """Text as it is, anything else as its JSON."""
    return value if isinstance(value, str) else _as_json(value)


def _as_json(value: Any) -> str | None:
    # A lone surrogate can't be written as UTF-8, so ASCII it stays.
    return None if value is None else json.dumps(value, separators=(",", ":"))


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON; write null")


_loads: Callable[[str], Any] = json.JSONDecoder(parse_constant=_refuse).decode
