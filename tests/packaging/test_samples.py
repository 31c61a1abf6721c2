"""Samples and labels from every kind of file, and from Python."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lightship.samples import SampleError, as_labels, as_sample, read_labels, read_sample, sample_layout

MIXED = pd.DataFrame(
    {
        "country": ["NA", "DE", "null"],
        "zip": ["00501", "10115", "20095"],
        "count": [1, 2, 3],
        "share": [0.5, None, 1e-3],
        "late": [True, False, True],
    }
)


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(name: str, data: bytes | str) -> Path:
        path = tmp_path / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    return write


def assert_mixed(frame: pd.DataFrame) -> None:
    assert list(frame["country"]) == ["NA", "DE", "null"]
    assert list(frame["zip"]) == ["00501", "10115", "20095"]
    assert frame["count"].dtype == "int64"
    assert frame["share"].dtype == "float64"
    assert frame["share"].isna().tolist() == [False, True, False]
    assert frame["share"][2] == 1e-3
    assert frame["late"].dtype == "bool"
    assert sample_layout(frame) == "frame"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("zipped", [False, True])
def test_csv_says_what_it_says(write: Any, encoding: str, zipped: bool) -> None:
    data = MIXED.to_csv(index=False).encode(encoding)
    path = write("s.csv.gz" if zipped else "s.csv", gzip.compress(data) if zipped else data)
    assert_mixed(read_sample(path))


@pytest.mark.parametrize("name", ["s.jsonl", "s.ndjson", "s.jsonl.gz"])
def test_json_lines(write: Any, name: str) -> None:
    data = MIXED.to_json(orient="records", lines=True).encode()
    assert_mixed(read_sample(write(name, gzip.compress(data) if name.endswith(".gz") else data)))


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    frame = MIXED.assign(
        kind=pd.Categorical(["b", "a", "b"], categories=["b", "a", "c"]),
        at=pd.to_datetime(pd.Series(["2013-01-01", "2013-01-02", None])),
        small=np.array([1, 2, 3], dtype=np.float32),
    )
    frame.to_parquet(tmp_path / "s.parquet")
    read = read_sample(tmp_path / "s.parquet")
    assert_mixed(read)
    pd.testing.assert_frame_equal(read, frame)
    assert list(read["kind"].cat.categories) == ["b", "a", "c"]


def test_parquet_is_known_by_its_bytes_and_loses_its_index(tmp_path: Path) -> None:
    MIXED.set_axis([7, 8, 9]).to_parquet(tmp_path / "rows")
    assert_mixed(read_sample(tmp_path / "rows"))


@pytest.mark.parametrize(("shape", "layout"), [((4, 2), "matrix"), ((4,), "series")])
def test_numpy_files(tmp_path: Path, shape: tuple[int, ...], layout: str) -> None:
    array = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    np.save(tmp_path / "s.npy", array)
    frame = read_sample(tmp_path / "s.npy")
    np.testing.assert_array_equal(frame.to_numpy().reshape(shape), array)
    assert sample_layout(frame) == layout
    assert set(frame.dtypes) == {np.dtype("float32")}


def test_a_numpy_file_of_objects_is_not_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "s.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(SampleError, match="not Python objects"):
        read_sample(tmp_path / "s.npy")


@pytest.mark.parametrize(
    ("cells", "dtype", "expected"),
    [
        (["1", "NA", "3"], "float64", [1.0, None, 3.0]),
        (["1.5", "NaN", ""], "float64", [1.5, None, None]),
        (["x", "NA", ""], "str", ["x", "NA", None]),
        (["12345678901234567890123", "1", "2"], "str", None),
        (["9007199254740993", "1", "2"], "int64", [9007199254740993, 1, 2]),
        (["9007199254740993", "", "2"], "str", ["9007199254740993", None, "2"]),
        (["1_000", "1", "2"], "str", ["1_000", "1", "2"]),
        ([".5", "-1e3", "inf"], "float64", [0.5, -1000.0, float("inf")]),
        ([".", "1", "2"], "str", [".", "1", "2"]),
        (["true", "", "false"], "object", [True, None, False]),
        (["2013-01-01", "2013-01-02", ""], "str", ["2013-01-01", "2013-01-02", None]),
    ],
)
def test_what_a_csv_column_becomes(write: Any, cells: list[str], dtype: str, expected: list[Any] | None) -> None:
    column = read_sample(write("s.csv", "k,v\n" + "".join(f"a,{cell}\n" for cell in cells)))["v"]
    assert str(column.dtype) in ({"str", "object"} if dtype == "str" else {dtype})
    assert [None if pd.isna(value) else value for value in column] == (expected or cells)


def test_csv_quoting(write: Any) -> None:
    frame = read_sample(write("s.csv", 'a,b\n"x, y","line\nbreak"\n"say ""hi""",2\n'))
    assert frame.to_numpy().tolist() == [["x, y", "line\nbreak"], ['say "hi"', "2"]]


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("s.csv", "a,b\n1,2\n3\n", "s.csv, line 3: 1 fields where the header has 2"),
        ("s.csv", "a,b\n1,2,3\n", "line 2: 3 fields"),
        ("s.csv", 'a,b\n"1,2\n', "line 2: unexpected end of data"),
        ("s.csv", ",b\n0,2\n", "column 1 has no name.*index=False"),
        ("s.csv", "a,a\n0,2\n", "named more than once"),
        ("s.csv", "a;b\n0;2\n", "separates its columns with semicolons"),
        ("s.csv", b"a,b\nM\xfcnchen,1\n", "line 2: byte 0xfc is not UTF-8"),
        ("s.csv", "a,b\n", "has 0 rows"),
        ("s.csv", "", "is empty"),
        ("s.csv.gz", gzip.compress(b"a,b\n1,2\n" * 50)[:-9], "cut short"),
        ("s.jsonl", '{"a": 1}\n{"a": \n', "line 2: not JSON"),
        ("s.jsonl", '{"a": 1}\n\n[1]\n', "line 3: a JSON list"),
        ("s.jsonl", '{"a": 1}\n{"a": "x"}\n', "line 2, column 'a': a text, after a number in line 1"),
        ("s.jsonl", '{"a": [1]}\n', "line 1, column 'a': a list"),
        ("s.jsonl", '{"a": NaN}\n', "write null"),
        ("s.jsonl", '{"a": 123456789012345678901}\n', "more than 64 bits"),
        ("s.parquet", b"PAR1 nonsense PAR1", "damaged Parquet"),
        ("s.npy", b"\x93NUMPY\x01\x00nonsense", "can't be read"),
        ("s.xlsx", b"PK\x03\x04", "none of the kinds"),
    ],
)
def test_errors_name_file_line_and_way_out(write: Any, name: str, data: bytes | str, says: str) -> None:
    with pytest.raises(SampleError, match=says) as caught:
        read_sample(write(name, data))
    assert name in str(caught.value)


def test_json_lines_keys_may_be_left_out(write: Any) -> None:
    frame = read_sample(write("s.jsonl", '{"a": 1}\n{"b": "x"}\n{"a": 2, "b": null}\n'))
    assert frame["a"].isna().tolist() == [False, True, False]
    assert frame["b"].isna().tolist() == [True, False, True]


def test_nested_parquet_is_refused(tmp_path: Path) -> None:
    pd.DataFrame({"a": [[1], [2]]}).to_parquet(tmp_path / "s.parquet")
    with pytest.raises(SampleError, match="column 'a' is of type list"):
        read_sample(tmp_path / "s.parquet")


@pytest.mark.parametrize(
    ("data", "layout", "columns"),
    [
        (MIXED, "frame", list(MIXED.columns)),
        (pd.DataFrame(np.ones((2, 3))), "matrix", ["x0", "x1", "x2"]),
        (pd.Series(["a", "b"], name="text"), "series", ["text"]),
        (np.ones((2, 3)), "matrix", ["x0", "x1", "x2"]),
        (np.ones(3), "series", ["x0"]),
        ([{"a": 1, "b": "x"}, {"a": 2, "b": None}], "frame", ["a", "b"]),
        (["one text", "another"], "series", ["x0"]),
        ([[1, 2], [3, 4]], "matrix", ["x0", "x1"]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_from_python(data: Any, layout: str, columns: list[str]) -> None:
    frame = as_sample(data)
    assert list(frame.columns) == columns
    assert sample_layout(frame) == layout


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ([], "without rows"),
        ("text", "is a str"),
        ({"a": [1]}, "is a dict"),
        ([[1], [1, 2]], "different lengths"),
        (np.ones((2, 2, 2)), "3 dimensions"),
        (pd.DataFrame({"a": []}), "0 rows"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "more than once"),
        (pd.DataFrame([[1, 2]], columns=["a", 3]), "column name 3"),
    ],
    ids=str,
)
def test_from_python_errors(data: Any, says: str) -> None:
    with pytest.raises(SampleError, match=says):
        as_sample(data)


def test_labels(write: Any, tmp_path: Path) -> None:
    assert list(read_labels(write("l.csv", "late\n1\n0\n"))) == [1, 0]
    path = write("two.csv", "late,minutes\n1,3\n0,4\n")
    assert list(read_labels(path).columns) == ["late", "minutes"]
    assert list(read_labels(path, column="minutes")) == [3, 4]
    assert list(as_labels(["yes", "no"])) == ["yes", "no"]
    assert list(as_labels([1, 0])) == [1, 0]
    assert list(as_labels(np.array([1.5, 2]))) == [1.5, 2.0]
    with pytest.raises(SampleError, match="no column 'x'; it has late, minutes"):
        read_labels(path, column="x")
    with pytest.raises(SampleError, match="lacks 1 labels, the first in row 2"):
        read_labels(write("gap.jsonl", '{"late": 1}\n{"late": null}\n'))


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(SampleError, match="no file"):
        read_sample(tmp_path / "none.csv")
    with pytest.raises(SampleError, match="is a folder"):
        read_sample(tmp_path)
