"""Read a sample of rows, or labels, from a file or from Python, as a pandas DataFrame.

What a text file says and nothing more: in CSV an empty field is missing. Words such as NA or null are missing only in
a column whose every other value is a number; in a column of text they stay text, because NA is also Namibia. Digits
with leading zeros (postal codes) or beyond what 64 bits hold (account numbers) make their column text. true and false
are booleans. Dates stay text, as JSON would bring them. JSON Lines keep their JSON types; a key left out is missing.
Parquet and NumPy files keep the types that they store.
"""

import gzip
import io
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from lightship.text_tables import parse_csv, parse_json_lines
from lightship_runtime.errors import LightshipError

MAX_SAMPLE_BYTES = 1_000_000_000
"""The largest file read, and the most that a gzipped one may unpack to."""
MAX_SAMPLE_ROWS = 5_000_000
MAX_SAMPLE_COLUMNS = 10_000

type SampleLayout = Literal["frame", "matrix", "series"]
_LAYOUT = "lightship_layout"
_FORMATS = "Parquet (.parquet), CSV (.csv), JSON Lines (.jsonl, .ndjson), either gzipped (.gz), and NumPy (.npy)"


class SampleError(LightshipError):
    """A sample or labels can't be read. Names the file, the row or line where there is one, and what to do."""


def read_sample(path: str | Path) -> pd.DataFrame:
    """The rows of a file, n x columns, index 0..n-1, column names as text. Raises SampleError.

    The kind is told by the name, and Parquet, NumPy and gzip also by their first bytes. Columns of a NumPy matrix are
    named x0, x1, ...; `sample_layout` tells that they have no names of their own.
    """
    path = Path(path)
    file = str(path)
    data = _unzipped(_read(path), file)
    suffix = Path(path.stem).suffix.lower() if path.suffix.lower() == ".gz" else path.suffix.lower()
    if data.startswith(b"PAR1"):
        frame = _parquet(data, file)
    elif data.startswith(b"\x93NUMPY"):
        return _numpy_file(data, file)
    elif suffix in (".jsonl", ".ndjson"):
        frame = parse_json_lines(data, file, SampleError)
    elif suffix == ".csv":
        frame = parse_csv(data, file, SampleError)
    else:
        raise SampleError(f"{file} is none of the kinds of file read for a sample: {_FORMATS}. Save the rows as one.")
    return _checked(frame, file, "frame")


def as_sample(data: Any) -> pd.DataFrame:
    """The same from Python: a DataFrame, a Series, a NumPy array of one or two dimensions, a list of dicts (rows), of
    texts, or of lists of numbers. Dtypes and categories of pandas stay. Raises SampleError."""
    what = "The sample"
    match data:
        case pd.DataFrame():
            return _from_frame(data, what)
        case pd.Series():
            return _checked(data.to_frame(name=str(data.name or "x0")), what, "series")
        case np.ndarray():
            return _from_array(data, what)
        case str() | bytes() | Mapping():
            pass
        case Sequence() if data and all(isinstance(row, Mapping) for row in data):
            return _checked(pd.DataFrame([dict(row) for row in data]), what, "frame")
        case Sequence() if data and all(isinstance(row, str) for row in data):
            return _checked(pd.DataFrame({"x0": list(data)}), what, "series")
        case Sequence() if data and all(isinstance(row, Sequence) and not isinstance(row, str | bytes) for row in data):
            return _from_array(_matrix(data, what), what)
    raise SampleError(
        f"{what} is a {type(data).__name__}{' without rows' if isinstance(data, list) else ''}. Give a pandas "
        "DataFrame or Series, a NumPy array, a list of dicts or of texts, or the path of a file."
    )


def read_labels(path: str | Path, *, column: str | None = None) -> pd.Series | pd.DataFrame:
    """Labels, one row to each row of the sample: a Series, or a DataFrame when there are several outputs.

    The same files as `read_sample`. `column` picks one column of several. Raises SampleError, also for missing labels.
    """
    return _labels(read_sample(path), str(path), column)


def as_labels(data: Any, *, column: str | None = None) -> pd.Series | pd.DataFrame:
    """The same from Python: what `as_sample` takes, and plain lists of labels."""
    if isinstance(data, list | tuple) and data and not isinstance(data[0], Mapping | list | tuple):
        data = pd.Series(data, name="label")
    return _labels(as_sample(data), "The labels", column)


def sample_layout(frame: pd.DataFrame) -> SampleLayout:
    """How the rows came: a frame with column names, a bare matrix, or a series of single values."""
    layout: SampleLayout = frame.attrs.get(_LAYOUT, "frame")
    return layout


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SAMPLE_BYTES + 1)
    except FileNotFoundError as error:
        raise SampleError(f"There is no file at {path}. Check the path.") from error
    except IsADirectoryError as error:
        raise SampleError(f"{path} is a folder. Name one file of rows: {_FORMATS}.") from error
    except OSError as error:
        raise SampleError(f"{path} can't be read: {error.strerror}. Check its permissions.") from error
    return _within_limit(data, str(path))


def _unzipped(data: bytes, file: str) -> bytes:
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            return _within_limit(stream.read(MAX_SAMPLE_BYTES + 1), file)
    except (OSError, EOFError, zlib.error) as error:
        raise SampleError(f"{file} is gzipped and damaged or cut short ({error}). Write it again.") from error


def _within_limit(data: bytes, file: str) -> bytes:
    if len(data) > MAX_SAMPLE_BYTES:
        raise SampleError(
            f"{file} holds more than {MAX_SAMPLE_BYTES:,} bytes, the limit. Take a random part of the rows."
        )
    if not data:
        raise SampleError(f"{file} is empty. Write rows into it.")
    return data


def _parquet(data: bytes, file: str) -> pd.DataFrame:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise SampleError(
            f"{file} is Parquet, and pyarrow is not installed here. Run: uv pip install 'lightship[parquet]'"
        ) from error
    try:
        source = parquet.ParquetFile(pa.BufferReader(data))
        if source.metadata.num_rows > MAX_SAMPLE_ROWS:
            raise _too_many(source.metadata.num_rows, file)
        table = source.read()
        for column in table.schema:
            if pa.types.is_nested(column.type) or pa.types.is_binary(column.type) or pa.types.is_time(column.type):
                raise SampleError(
                    f"{file}: the column {column.name!r} is of type {column.type}, which no request could carry. Turn "
                    "it into numbers, text, booleans or timestamps."
                )
            if pa.types.is_decimal(column.type):
                position = table.schema.get_field_index(column.name)
                table = table.set_column(position, column.name, table.column(position).cast(pa.float64()))
        frame: pd.DataFrame = table.to_pandas(date_as_object=False)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise SampleError(f"{file} is a damaged Parquet file ({error}). Write it again.") from error
    return frame


def _numpy_file(data: bytes, file: str) -> pd.DataFrame:
    try:
        array = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise SampleError(
            f"{file} is a NumPy file that can't be read ({error}). It must hold numbers, not Python objects."
        ) from error
    return _from_array(array, file)


def _matrix(rows: Sequence[Any], what: str) -> Any:
    try:
        return np.asarray(rows)
    except ValueError as error:
        raise SampleError(
            f"{what} has rows of different lengths ({error}). Give every row the same columns."
        ) from error


def _from_frame(frame: pd.DataFrame, what: str) -> pd.DataFrame:
    if isinstance(frame.columns, pd.MultiIndex):
        raise SampleError(f"{what} has column names of several levels. Flatten them: one name a column.")
    if all(isinstance(name, int) for name in frame.columns):
        return _checked(frame.set_axis([f"x{i}" for i in range(frame.shape[1])], axis=1), what, "matrix")
    return _checked(frame, what, "frame")


def _from_array(array: Any, what: str) -> pd.DataFrame:
    if array.ndim not in (1, 2) or array.dtype.kind not in "biufUO" or array.dtype.names:
        raise SampleError(
            f"{what} is an array of {array.ndim} dimensions and type {array.dtype}. Give rows by columns, of numbers."
        )
    layout: SampleLayout = "matrix" if array.ndim == 2 else "series"
    matrix = array.reshape(len(array), -1) if len(array) else array.reshape(0, 1)
    return _checked(pd.DataFrame(matrix, columns=[f"x{i}" for i in range(matrix.shape[1])]), what, layout)


def _checked(frame: pd.DataFrame, what: str, layout: SampleLayout) -> pd.DataFrame:
    """The frame with a plain index, when it has rows and columns within the limits and names to tell them by."""
    if not len(frame) or not frame.shape[1]:
        raise SampleError(f"{what} has {len(frame)} rows and {frame.shape[1]} columns. Give at least one of each.")
    if len(frame) > MAX_SAMPLE_ROWS:
        raise _too_many(len(frame), what)
    if frame.shape[1] > MAX_SAMPLE_COLUMNS:
        raise SampleError(f"{what} has {frame.shape[1]:,} columns; at most {MAX_SAMPLE_COLUMNS:,} are read.")
    strange = [name for name in frame.columns if not isinstance(name, str) or not name]
    if strange:
        raise SampleError(f"{what} has the column name {strange[0]!r}; every column needs a name that is text.")
    double = frame.columns[frame.columns.duplicated()]
    if len(double):
        raise SampleError(f"{what} has the column {double[0]!r} more than once. Rename or drop one.")
    frame = frame.reset_index(drop=True)
    frame.attrs = {_LAYOUT: layout}
    return frame


def _too_many(rows: int, what: str) -> SampleError:
    return SampleError(f"{what} has {rows:,} rows; at most {MAX_SAMPLE_ROWS:,} are read. Take a random part of them.")


def _labels(frame: pd.DataFrame, what: str, column: str | None) -> pd.Series | pd.DataFrame:
    if column is not None:
        if column not in frame:
            raise SampleError(f"{what} has no column {column!r}; it has {', '.join(frame.columns)}.")
        frame = frame[[column]]
    missing = frame.isna().any(axis=1)
    if missing.any():
        raise SampleError(
            f"{what} lacks {int(missing.sum()):,} labels, the first in row {int(missing.to_numpy().argmax()) + 1}. "
            "Drop those rows from the labels and from the sample."
        )
    return frame.iloc[:, 0] if frame.shape[1] == 1 else frame
