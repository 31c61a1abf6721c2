"""A chunk comes back whole: scored or rejected with a reason, whatever the bytes were."""

import csv
import gzip
import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from lightship_runtime.batch import streams
from lightship_runtime.batch.errors import BatchError, InputChangedError
from lightship_runtime.batch.records import Chunk, ChunkResult, Settings, format_of
from lightship_runtime.batch.score import Model, Place, score_chunk
from lightship_runtime.batch.stores import LocalStore
from lightship_runtime.contract import Column, Contract, Output
from lightship_runtime.engine import Outputs, RefusedRowsError

CONTRACT = Contract(
    columns=(
        Column("age", "number", "float64", nullable=True),
        Column("visits", "integer", "int64"),
        Column("city", "category", "str", nullable=True, categories=("Ulm", "Bonn, am Rhein", 'the "Hague"')),
        Column("member", "boolean", "bool"),
        Column("note", "text", "str", nullable=True),
    ),
    output=Output("binary", ("no", "yes"), probabilities=True),
)
NAMES = ("id", "age", "visits", "city", "member", "note", "extra")


class Formula:
    """An engine whose answer shows every value of the row, so that a value gone astray shows too."""

    name = "formula"

    def predict(self, columns: Sequence[Any]) -> Outputs:
        chances = np.array([chance(*row) for row in zip(*columns, strict=True)])
        return Outputs((chances > 0.5).astype(int), np.column_stack([1 - chances, chances]))


def chance(age: Any, visits: Any, city: Any, member: Any, note: Any) -> float:
    years = 0.0 if age is None or math.isnan(age) else float(age)
    texts = f"{city}|{note}"
    total = years * 0.01 + int(visits) * 0.1 + (0.5 if member else -0.5) + sum(texts.encode()) * 0.001
    return 1 / (1 + math.exp(-math.fmod(total, 7.0)))


class RefusesZero(Formula):
    """Refuses rows without visits, as a model with a strict encoder might."""

    def predict(self, columns: Sequence[Any]) -> Outputs:
        zero = np.flatnonzero(np.asarray(columns[1]) == 0)
        if len(zero):
            raise RefusedRowsError("visits is 0", zero.tolist())
        return super().predict(columns)


MODEL = Model(CONTRACT, Formula(), "v7")


def rows(count: int) -> list[dict[str, Any]]:
    cities = ["Ulm", "Bonn, am Rhein", 'the "Hague"', None]
    return [
        {
            "id": i,
            "age": None if i % 7 == 3 else i * 0.37,
            "visits": i % 11,
            "city": cities[i % 4],
            "member": i % 3 == 0,
            "note": None if i % 5 == 0 else f"line one\nline {i}, émigré",
            "extra": f"x{i}",
        }
        for i in range(count)
    ]


def as_csv(table: Sequence[dict[str, Any]], names: Sequence[str] = NAMES, **options: Any) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n", **options)
    writer.writerow(names)
    for row in table:
        writer.writerow(
            ["" if row[n] is None else str(row[n]).lower() if isinstance(row[n], bool) else row[n] for n in names]
        )
    return out.getvalue().encode()


def as_lines(table: Sequence[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in table).encode()


def as_parquet(table: Sequence[dict[str, Any]], **options: Any) -> bytes:
    out = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(list(table)), out, **options)
    return out.getvalue()


def score(folder: Path, name: str, data: bytes, model: Model = MODEL, **options: Any) -> ChunkResult:
    (folder / "in").mkdir(exist_ok=True)
    (folder / "in" / name).write_bytes(data)
    source = LocalStore(folder / "in")
    stored = source.stored(name)
    kind = format_of(name)
    assert kind is not None
    chunk = Chunk(0, name, stored.etag, stored.size, kind)
    settings = Settings(**{"key": ("id",), "format": "jsonl", **options})
    result = score_chunk(chunk, settings, model, Place(source, LocalStore(folder / "out"), "run"))
    assert result.reconciled
    return result


def read_part(folder: Path, result: ChunkResult) -> list[dict[str, Any]]:
    if result.part is None:
        return []
    path = folder / "out" / "run" / result.part
    assert path.stat().st_size == result.part_bytes
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    frame = pd.read_csv(path, keep_default_na=False) if path.suffix == ".csv" else pd.read_parquet(path)
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def read_rejects(folder: Path, result: ChunkResult) -> list[dict[str, Any]]:
    if result.rejects is None:
        return []
    return [json.loads(line) for line in (folder / "out" / "run" / result.rejects).read_text().splitlines()]


def check_scored(found: list[dict[str, Any]], expected: Sequence[dict[str, Any]]) -> None:
    by_key = {int(row["id"]): row for row in found}
    assert len(by_key) == len(found) == len(expected)
    for row in expected:
        wanted = chance(row["age"], row["visits"], row["city"], row["member"], row["note"])
        got = by_key[row["id"]]
        assert float(got["probability_yes"]) == wanted
        assert got["prediction"] == ("yes" if wanted > 0.5 else "no")
        assert got["model_version"] == "v7"
        assert got["extra"] == row["extra"]


@pytest.mark.parametrize("written", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.csv", as_csv(rows(500))),
        ("quoted.csv", as_csv(rows(500), quoting=csv.QUOTE_ALL)),
        ("windows.csv", as_csv(rows(500)).replace(b"\n", b"\r\n").replace(b"one\r\n", b"one\n")),
        ("marked.csv", b"\xef\xbb\xbf" + as_csv(rows(500))),
        ("wide.csv", as_csv(rows(500)).decode().encode("utf-16")),
        ("a.csv.gz", gzip.compress(as_csv(rows(500)))),
        ("two.csv.gz", gzip.compress(as_csv(rows(300))) + gzip.compress(as_csv(rows(500)[300:]).split(b"\n", 1)[1])),
        ("a.jsonl", as_lines(rows(500))),
        ("a.ndjson.gz", gzip.compress(as_lines(rows(500)))),
        ("a.parquet", as_parquet(rows(500))),
        ("groups.parquet", as_parquet(rows(500), row_group_size=37)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_row_is_scored_as_the_model_scores_it(tmp_path: Path, name: str, data: bytes, written: str) -> None:
    result = score(tmp_path, name, data, format=written)
    assert (result.rows_in, result.rows_rejected, result.unreadable) == (500, 0, None)
    check_scored(read_part(tmp_path, result), rows(500))


def test_the_same_whatever_the_size_of_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = as_csv(rows(300))
    parts = []
    for size in (100, 1_000, 1 << 20):
        monkeypatch.setattr(streams.blocks, "__kwdefaults__", {"size": size})
        result = score(tmp_path, "a.csv", data, format="csv")
        parts.append((tmp_path / "out" / "run" / str(result.part)).read_bytes())
    assert parts[0] == parts[1] == parts[2]


@pytest.mark.parametrize("written", ["csv", "jsonl", "parquet"])
def test_keys_and_passthrough_keep_their_text(tmp_path: Path, written: str) -> None:
    table = [{**row, "extra": text} for row, text in zip(rows(4), ['a"b', "c,d", "e\nf", "007"], strict=True)]
    for name, data in (("a.csv", as_csv(table)), ("a.jsonl", as_lines(table)), ("a.parquet", as_parquet(table))):
        found = read_part(tmp_path, score(tmp_path, name, data, format=written))
        assert [str(row["extra"]) for row in found] == [row["extra"] for row in table]
        assert [row["id"] for row in found] == [0, 1, 2, 3]


def test_a_key_that_only_begins_as_an_integer_stays_text(tmp_path: Path) -> None:
    table = [{**row, "id": key} for row, key in zip(rows(3), ["1", "02", "x"], strict=True)]
    result = score(tmp_path, "a.csv", as_csv(table), format="parquet")
    assert [row["id"] for row in read_part(tmp_path, result)] == ["1", "02", "x"]


def test_rejects_say_where_what_and_why(tmp_path: Path) -> None:
    table = [{**row, "visits": visits} for row, visits in zip(rows(4), [1, "three", None, "4.0"], strict=True)]
    result = score(tmp_path, "a.csv", as_csv(table, (*NAMES[:5], "extra")).replace(b"note,", b""))
    assert result.rows_in == 4
    assert result.unreadable is None
    result = score(tmp_path, "a.csv", as_csv(table))
    assert (result.rows_in, result.rows_scored, result.rows_rejected) == (4, 2, 2)
    assert read_rejects(tmp_path, result) == [
        {"file": "a.csv", "row": 2, "column": "visits", "value": "three", "expected": "an integer of 64 bits"},
        {"file": "a.csv", "row": 3, "column": "visits", "value": None, "expected": "an integer of 64 bits, not null"},
    ]
    assert [row["id"] for row in read_part(tmp_path, result)] == [0, 3]


BAD = [
    ("member", "maybe", "true or false"),
    ("age", "abc", "a finite number"),
    ("age", "inf", "a finite number"),
    ("age", "0x1A", "a finite number"),
    ("visits", "0x1A", "an integer of 64 bits"),
    ("visits", "1.5", "an integer of 64 bits"),
    ("visits", "9223372036854775808", "an integer of 64 bits"),
    ("id", "", "a key"),
]


@pytest.mark.parametrize(("column", "value", "expected"), BAD)
def test_one_bad_value_costs_one_row(tmp_path: Path, column: str, value: str, expected: str) -> None:
    table = rows(50)
    bad = [{**row, column: value} if i == 20 else row for i, row in enumerate(table)]
    result = score(tmp_path, "a.csv", as_csv(bad))
    (reject,) = read_rejects(tmp_path, result)
    assert (reject["row"], reject["column"]) == (21, column)
    assert reject["expected"] == expected
    check_scored(read_part(tmp_path, result), table[:20] + table[21:])


def test_an_integer_of_64_bits_keeps_its_digits(tmp_path: Path) -> None:
    seen: list[int] = []

    class Watching(Formula):
        def predict(self, columns: Sequence[Any]) -> Outputs:
            seen.extend(int(each) for each in columns[1])
            return super().predict([columns[0], np.zeros(len(columns[0])), *columns[2:]])

    table = [{**rows(1)[0], "visits": 2**53 + 1}]
    for name, data in (("a.csv", as_csv(table)), ("a.jsonl", as_lines(table)), ("a.parquet", as_parquet(table))):
        score(tmp_path, name, data, Model(CONTRACT, Watching(), "v7"))
    assert seen == [2**53 + 1] * 3


def test_json_types_are_not_bent(tmp_path: Path) -> None:
    table = [
        {**row, column: value}
        for row, (column, value) in zip(
            rows(6),
            [("age", "5"), ("member", 1), ("visits", True), ("city", 5), ("visits", 2.0), ("age", 10**400)],
            strict=True,
        )
    ]
    result = score(tmp_path, "a.jsonl", as_lines(table) + b'\n[1]\n{"id": 9\n{"id": NaN}\n')
    rejects = read_rejects(tmp_path, result)
    assert [(each["row"], each["column"]) for each in rejects] == [
        (1, "age"), (2, "member"), (3, "visits"), (4, "city"), (6, "age"), (8, None), (9, None), (10, None)
    ]  # fmt: skip
    assert result.rows_in == 9


def test_rows_that_the_model_refuses_are_rejected(tmp_path: Path) -> None:
    result = score(tmp_path, "a.csv", as_csv(rows(30)), Model(CONTRACT, RefusesZero(), "v7"))
    assert [each["row"] for each in read_rejects(tmp_path, result)] == [1, 12, 23]
    assert result.rows_scored == 27


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("cut.csv.gz", gzip.compress(as_csv(rows(500)))[:-200], "cut short"),
        ("noise.csv.gz", gzip.compress(as_csv(rows(50)))[:40] + b"noise" * 40, "damaged or cut short"),
        ("footer.parquet", as_parquet(rows(50))[:-10] + b"0123456789", "isn't whole Parquet"),
        ("empty.parquet", b"", "isn't whole Parquet"),
        ("cut.parquet", as_parquet(rows(50))[:-100], "isn't whole Parquet"),
        ("open.csv", as_csv(rows(20)) + b'99,1,1,"Ulm', "isn't closed"),
        ("twice.csv", b"id,age,age\n1,2,3\n", "'age' more than once"),
        ("nameless.csv", b"id,,age\n1,2,3\n", "column 2 has no name"),
        ("keyless.csv", b"age,visits\n1,2\n", "no key column 'id'"),
        ("semicolons.csv", b"id;age\n1;2\n", "separated by semicolons"),
        ("latin.csv", "id,\u00e4ge\n1,2\n".encode("latin-1"), "header is not UTF-8"),
        ("list.jsonl", b"[1]\n", "not an object"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path: Path, name: str, data: bytes, reason: str) -> None:
    result = score(tmp_path, name, data)
    assert result.unreadable is not None
    assert reason in result.unreadable
    assert (result.rows_in, result.part) == (0, None)
    assert not list((tmp_path / "out").rglob("part-*"))


@pytest.mark.parametrize("name", ["empty.csv", "empty.jsonl", "empty.csv.gz"])
def test_an_empty_file_has_no_rows(tmp_path: Path, name: str) -> None:
    result = score(tmp_path, name, gzip.compress(b"") if name.endswith("gz") else b"")
    assert (result.rows_in, result.part, result.unreadable) == (0, None, None)


@pytest.mark.parametrize("data", [as_csv([]), as_csv([]).rstrip(b"\n"), as_csv([]) + b"\n\n"])
def test_a_header_alone_has_no_rows(tmp_path: Path, data: bytes) -> None:
    assert score(tmp_path, "a.csv", data).rows_in == 0


def test_parquet_without_rows(tmp_path: Path) -> None:
    empty = pa.Table.from_pylist(rows(1)).slice(0, 0)
    out = io.BytesIO()
    parquet.write_table(empty, out)
    assert score(tmp_path, "a.parquet", out.getvalue()).rows_in == 0


def test_one_row_with_and_without_its_line_end(tmp_path: Path) -> None:
    for data in (as_csv(rows(1)), as_csv(rows(1)).rstrip(b"\n")):
        check_scored(read_part(tmp_path, score(tmp_path, "a.csv", data)), rows(1))


def test_a_field_of_a_megabyte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams.blocks, "__kwdefaults__", {"size": 1 << 16})
    table = [{**row, "note": "ä,\n" * 333_333 if i == 5 else row["note"]} for i, row in enumerate(rows(10))]
    for name, data in (("a.csv", as_csv(table)), ("a.jsonl", as_lines(table)), ("a.parquet", as_parquet(table))):
        check_scored(read_part(tmp_path, score(tmp_path, name, data)), table)


def test_a_record_without_end_is_refused_in_bounded_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MAX_RECORD", 1 << 16)
    result = score(tmp_path, "a.csv", as_csv(rows(5)) + b'7,1,1,"' + b"x\n" * 3_000_000)
    assert "longer than" in str(result.unreadable)


@pytest.mark.parametrize("quoted", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_an_empty_text_is_refused_where_the_model_must_have_one(tmp_path: Path, quoted: int) -> None:
    columns = tuple(
        each._replace(nullable=False) if each.name in {"city", "note"} else each for each in CONTRACT.columns
    )
    table = [{**row, "city": row["city"] or "Ulm", "note": row["note"] or "n"} for row in rows(8)]
    table[2]["city"], table[5]["note"] = None, None
    model = Model(CONTRACT._replace(columns=columns), Formula(), "v7")
    result = score(tmp_path, "a.csv", as_csv(table, quoting=quoted), model)
    found = [(each["row"], each["column"], each["value"]) for each in read_rejects(tmp_path, result)]
    assert found == [(3, "city", None), (6, "note", None)]
    assert result.rows_scored == 6


def test_texts_that_repeat_and_texts_that_do_not_pass_through_parquet(tmp_path: Path) -> None:
    table = [{**row, "extra": f"x{row['id'] % 3}", "note": f"only in {row['id']}"} for row in rows(3_000)]
    data = as_parquet(table, row_group_size=1_000)
    result = score(tmp_path, "a.parquet", data, format="parquet", keep=("*",))
    found = read_part(tmp_path, result)
    check_scored(found, table)
    assert [(row["extra"], row["note"]) for row in found] == [(row["extra"], row["note"]) for row in table]
    schema = parquet.read_schema(tmp_path / "out" / "run" / str(result.part))
    assert pa.types.is_dictionary(schema.field("extra").type)
    assert pa.types.is_string(schema.field("note").type)


def test_a_header_of_two_bytes(tmp_path: Path) -> None:
    contract = Contract((Column("x", "number", "float64"),), Output("regression"))

    class Double:
        name = "double"

        def predict(self, columns: Sequence[Any]) -> Outputs:
            return Outputs(np.asarray(columns[0]) * 2)

    result = score(tmp_path, "a.csv", b"x\n1\n\n25\n", Model(contract, Double(), "v7"), key=("x",), keep=("x",))
    assert [(row["x"], row["prediction"]) for row in read_part(tmp_path, result)] == [(1, 2.0), (25, 50.0)]
    assert (result.rows_in, result.rows_rejected) == (2, 0)


def test_mixed_encodings_reject_the_rows_that_are_not_utf8(tmp_path: Path) -> None:
    lines = as_csv([{**row, "note": "émigré"} for row in rows(6)]).splitlines(keepends=True)
    lines[3] = lines[3].decode().encode("latin-1")
    result = score(tmp_path, "a.csv", b"".join(lines))
    (reject,) = read_rejects(tmp_path, result)
    assert (reject["row"], reject["column"], reject["expected"]) == (3, "note", "UTF-8")
    assert "migr" in reject["value"]
    assert result.rows_scored == 5


def test_a_named_encoding_is_followed(tmp_path: Path) -> None:
    table = rows(20)
    result = score(tmp_path, "a.csv", as_csv(table).decode().encode("cp1252"), encoding="cp1252")
    check_scored(read_part(tmp_path, result), table)


def test_rows_of_other_lengths_are_rejected(tmp_path: Path) -> None:
    data = (
        as_csv(rows(4)).splitlines(keepends=True)[0] + b"1,2\n" + b"5,1,1,Ulm,true,n,x,y\n\n" + b"6,1,1,Ulm,true,n,x\n"
    )
    result = score(tmp_path, "a.csv", data)
    assert [(each["row"], each["value"]) for each in read_rejects(tmp_path, result)] == [
        (1, "2 fields"),
        (2, "8 fields"),
    ]
    assert [row["id"] for row in read_part(tmp_path, result)] == [6]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_a_missing_column_rejects_every_row(tmp_path: Path, name: str) -> None:
    table = [{key: value for key, value in row.items() if key != "visits"} for row in rows(9)]
    names = [each for each in NAMES if each != "visits"]
    data = {"a.csv": as_csv(table, names), "a.jsonl": as_lines(table), "a.parquet": as_parquet(table)}[name]
    result = score(tmp_path, name, data)
    rejects = read_rejects(tmp_path, result)
    assert (result.rows_scored, len(rejects)) == (0, 9)
    assert {each["column"] for each in rejects} == {"visits"}


def test_parquet_of_other_types(tmp_path: Path) -> None:
    table = pa.table(
        {
            "id": pa.array([1, 2, 3], pa.int32()),
            "age": pa.array([1, None, 3], pa.decimal128(5, 2)),
            "visits": pa.array([1.0, 2.0, 2.5]),
            "city": pa.array(["Ulm", None, "x"], pa.large_string()),
            "member": pa.array([True, None, False]),
            "note": pa.array([None, None, None], pa.null()),
        }
    )
    out = io.BytesIO()
    parquet.write_table(table, out)
    result = score(tmp_path, "a.parquet", out.getvalue())
    assert [(each["row"], each["column"]) for each in read_rejects(tmp_path, result)] == [(2, "member"), (3, "visits")]
    assert result.rows_scored == 1


def test_an_output_column_is_never_written_twice(tmp_path: Path) -> None:
    with pytest.raises(BatchError, match=r"'prediction' of a\.csv would be written twice"):
        score(tmp_path, "a.csv", as_csv([{**row, "extra": 1} for row in rows(2)]).replace(b"extra", b"prediction"))


def test_a_file_rewritten_meanwhile_is_noticed(tmp_path: Path) -> None:
    source = LocalStore(tmp_path)
    (tmp_path / "a.csv").write_bytes(as_csv(rows(5)))
    stored = source.stored("a.csv")
    (tmp_path / "a.csv").write_bytes(as_csv(rows(6)))
    chunk = Chunk(0, "a.csv", stored.etag, stored.size, "csv")
    with pytest.raises(InputChangedError):
        score_chunk(chunk, Settings(key=("id",)), MODEL, Place(source, LocalStore(tmp_path / "out"), "run"))


FIELDS = st.one_of(
    st.sampled_from(["", "NA", "nan", "null", "inf", "-0", "007", "+5", " 5", "5 ", "1e3", ".5", "5.", "0x10", "1_0",
                     "true", "TRUE", "True", "false", "yes", "9007199254740993", "-9223372036854775808", '"', 'a"b',
                     "a,b", "x\ny"]),
    st.floats(width=64).map(repr),
    st.integers(-(2**70), 2**70).map(str),
    st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), max_size=6),
)  # fmt: skip


# Mostly acceptable, or nearly every row would be rejected for another column than the one that is read in two ways.
ROWS = st.tuples(
    st.integers(0, 99).map(str) | FIELDS,
    st.integers(0, 99).map(str) | FIELDS,
    st.sampled_from(["", "Ulm"]) | FIELDS,
    st.sampled_from(["true", "false"]) | FIELDS,
    st.sampled_from(["", "n"]) | FIELDS,
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(table=st.lists(ROWS, min_size=1, max_size=6), nullable=st.booleans())
def test_clean_blocks_and_doubtful_ones_are_read_alike(
    table: list[tuple[str, ...]], nullable: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A row of the wrong length at the end sends its whole block the slow way; the other rows must not change by it."""
    folder = tmp_path_factory.mktemp("alike")
    dicts = [{"id": i, **dict(zip(NAMES[1:6], row, strict=True)), "extra": "e"} for i, row in enumerate(table)]
    clean = as_csv(dicts)
    columns = tuple(each._replace(nullable=each.nullable and nullable) for each in CONTRACT.columns)
    model = Model(CONTRACT._replace(columns=columns), Formula(), "v7")
    fast = score(folder, "fast.csv", clean, model)
    fast_rejects, fast_part = read_rejects(folder, fast), read_part(folder, fast)
    slow = score(folder, "slow.csv", clean + b"1,2\n", model)
    assert slow.rows_in == fast.rows_in + 1
    assert slow.rows_scored == fast.rows_scored
    assert read_part(folder, slow) == fast_part
    slow_rejects = [{**each, "file": "fast.csv"} for each in read_rejects(folder, slow)]
    assert slow_rejects[:-1] == fast_rejects
