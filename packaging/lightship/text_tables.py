"""CSV and JSON Lines into columns, with the types that `lightship.samples` promises."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd

type _Failure = Callable[[str], Exception]

_INTEGER = re.compile(r"-?(0|[1-9]\d{0,18})")
_FLOAT = re.compile(r"[+-]?(((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][+-]?\d+)?|inf|Inf|Infinity)")
_MISSING_NUMBERS = frozenset({"NA", "N/A", "#N/A", "NaN", "nan", "null", "NULL", "None"})
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT64 = range(-(2**63), 2**63)
_MAX_FIELD_CHARACTERS = 10_000_000


def parse_csv(data: bytes, file: str, failure: _Failure) -> pd.DataFrame:
    """Comma-separated, quoted by ", the first row naming the columns. Raises `failure` with file and line."""
    csv.field_size_limit(_MAX_FIELD_CHARACTERS)
    reader = csv.reader(io.StringIO(_text(data, file, failure), newline=""), strict=True)
    try:
        header = next(reader, [])
        _check_header(header, file, failure)
        columns: list[list[str]] = [[] for _ in header]
        for row in reader:
            if not row and len(header) > 1:
                continue
            if len(row) != len(header) and (row or len(header) > 1):
                raise failure(
                    f"{file}, line {reader.line_num}: {len(row)} fields where the header has {len(header)}. "
                    "Quote fields that hold a comma or a line break, or repair the line."
                )
            for values, value in zip(columns, row or [""], strict=True):
                values.append(value)
    except csv.Error as error:
        raise failure(f"{file}, line {reader.line_num}: {error}. Repair the quoting there.") from error
    return pd.DataFrame({name: _typed(values) for name, values in zip(header, columns, strict=True)})


def parse_json_lines(data: bytes, file: str, failure: _Failure) -> pd.DataFrame:
    """One JSON object a line; empty lines are skipped. Raises `failure` with file and line."""
    columns: dict[str, list[Any]] = {}
    kinds: dict[str, tuple[str, int]] = {}
    for count, (line, row) in enumerate(_json_rows(_text(data, file, failure), file, failure)):
        for name, value in row.items():
            where = f"{file}, line {line}, column {name!r}"
            kind = _json_kind(value)
            if kind == "nested":
                raise failure(f"{where}: a {type(value).__name__} where a number, text, boolean or null belongs.")
            if kind == "number" and isinstance(value, int) and value not in _INT64:
                raise failure(f"{where}: {str(value)[:30]} needs more than 64 bits. Write it as text.")
            first, first_line = kinds.setdefault(name, (kind, line)) if kind else ("", 0)
            if kind and kind != first:
                raise failure(f"{where}: a {kind}, after a {first} in line {first_line}. Keep one type a column.")
            columns.setdefault(name, [None] * count).append(value)
        for values in columns.values():
            values.extend([None] * (count + 1 - len(values)))
    return pd.DataFrame({name: _series(values, kinds.get(name, ("", 0))[0]) for name, values in columns.items()})


def _text(data: bytes, file: str, failure: _Failure) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise failure(
            f"{file}, line {line}: byte 0x{data[error.start]:02x} is not UTF-8. Save the file as UTF-8 "
            "(in pandas: to_csv(path, encoding='utf-8'))."
        ) from error


def _check_header(header: list[str], file: str, failure: _Failure) -> None:
    if not header:
        raise failure(f"{file} has no header. Its first line must name the columns.")
    if "" in header:
        raise failure(
            f"{file}, line 1: column {header.index('') + 1} has no name. Name it, or, if it is pandas' index, write "
            "the file with to_csv(path, index=False)."
        )
    double = [name for name in header if header.count(name) > 1] if len(set(header)) < len(header) else []
    if double:
        raise failure(f"{file}, line 1: the column {double[0]!r} is named more than once. Rename or drop one.")
    for mark, word in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if len(header) == 1 and header[0].count(mark) >= 1:
            raise failure(f"{file} separates its columns with {word}. Save it with commas (in pandas: sep=',').")


def _typed(values: list[str]) -> "pd.Series[Any]":
    present = {value for value in values if value}
    if present and present <= _BOOLEANS.keys():
        return _series([_BOOLEANS.get(value) for value in values], "boolean")
    numbers = present - _MISSING_NUMBERS
    if numbers and all(map(_is_integer, numbers)):
        # With a value missing the column becomes float64, which is exact up to 2 ** 53.
        complete = "" not in values and len(present) == len(numbers)
        if complete or all(abs(int(value)) <= 2**53 for value in numbers):
            return _series([int(value) if value in numbers else None for value in values], "number")
        return _series([value or None for value in values], "text")
    if numbers and all(_is_number(value) for value in numbers):
        return _series([float(value) if value in numbers else None for value in values], "number")
    return _series([value or None for value in values], "text")


def _is_integer(value: str) -> bool:
    return _INTEGER.fullmatch(value) is not None and int(value) in _INT64


def _is_number(value: str) -> bool:
    # Digits beyond 64 bits are an identifier: as a float it would lose its end.
    return _FLOAT.fullmatch(value) is not None and (not value.lstrip("+-").isdigit() or _is_integer(value.lstrip("+")))


def _series(values: list[Any], kind: str) -> "pd.Series[Any]":
    """Whole numbers become int64, or float64 where some are missing, as pandas has it; text pandas' own text dtype."""
    missing = None in values
    match kind:
        case "number" if not missing and all(isinstance(value, int) for value in values):
            return pd.Series(values, dtype="int64")
        case "number":
            return pd.Series(values, dtype="float64")
        case "boolean":
            return pd.Series(values, dtype=object if missing else "bool")
        case "text":
            return pd.Series(values)
        case _:
            return pd.Series(values, dtype=object)


def _json_rows(text: str, file: str, failure: _Failure) -> Iterator[tuple[int, dict[str, Any]]]:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON; write null")

    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, parse_constant=refuse)
        except (ValueError, RecursionError) as error:
            raise failure(
                f"{file}, line {number}: not JSON ({error}). Each line must hold one JSON object, as "
                "to_json(path, orient='records', lines=True) writes them."
            ) from error
        if not isinstance(row, dict):
            raise failure(f"{file}, line {number}: a JSON {type(row).__name__}. Each line must be an object, {{...}}.")
        yield number, row


def _json_kind(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "text"
        case _:
            return "nested"
