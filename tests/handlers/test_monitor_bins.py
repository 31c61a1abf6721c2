"""Bin codes: one row at a time and many at once agree, and every value has a code."""

import subprocess
import sys
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightship.monitoring import make_baseline
from lightship.monitoring.frames import column_codes, plain_values
from lightship_runtime.errors import InvalidDocumentError
from lightship_runtime.monitor import vector
from lightship_runtime.monitor.baseline import Baseline
from lightship_runtime.monitor.bins import (
    GAPS,
    category_key,
    coders_of,
    column_coder,
    column_coders,
    encode_columns,
    encode_row,
    gap_reach,
    read_bins,
)
from lightship_runtime.monitor.drift import body_counts

ROWS = 3_000


@pytest.fixture(scope="module")
def training() -> pd.DataFrame:
    random = np.random.default_rng(0)
    words = np.array(["late", "flight", "delay", "on", "time", "again", "gate"])
    return pd.DataFrame(
        {
            "normal": np.where(random.random(ROWS) < 0.1, np.nan, random.normal(10, 3, ROWS)),
            "count": random.poisson(3, ROWS),
            "zeros": np.where(random.random(ROWS) < 0.7, 0.0, random.exponential(5, ROWS)),
            "constant": np.full(ROWS, 4.0),
            "carrier": random.choice(["AA", "UA", "DL"], ROWS).astype(object),
            "tail": np.array([f"N{i % 80:03d}" for i in range(ROWS)], dtype=object),
            "member": random.random(ROWS) < 0.3,
            "when": pd.Timestamp("2013-01-01") + pd.to_timedelta(random.integers(0, 180 * 86_400, ROWS), unit="s"),
            "remark": [" ".join(random.choice(words, 6)) + f" {i}" for i in range(ROWS)],
        }
    )


@pytest.fixture(scope="module")
def baseline(training: pd.DataFrame) -> Baseline:
    return make_baseline(training)


def codes_of(baseline: Baseline, row: dict[str, Any]) -> dict[str, str]:
    return {name: coder(row[name]) for name, coder in column_coders(baseline) if name in row}


def test_kinds(baseline: Baseline) -> None:
    assert {column.name: column.kind for column in baseline.columns} == {
        "normal": "numeric",
        "count": "numeric",
        "zeros": "numeric",
        "constant": "numeric",
        "carrier": "category",
        "tail": "category",
        "member": "boolean",
        "when": "datetime",
        "remark": "text",
    }


def test_round_trip(baseline: Baseline) -> None:
    assert Baseline.from_json(baseline.to_json()) == baseline


def test_rows_and_frames_get_the_same_codes(baseline: Baseline, training: pd.DataFrame) -> None:
    sample = training.sample(300, random_state=0)
    sample = pd.concat([sample, sample.assign(normal=1e9, carrier="ZZ", count=-4, zeros=np.inf)])
    for column in baseline.columns:
        coder = column_coder(column)
        together = [bytes(row).decode() for row in column_codes(column, sample[column.name])]
        assert together == [coder(value) for value in sample[column.name].tolist()]


@given(st.floats(allow_nan=True, allow_infinity=True))
@settings(derandomize=True, max_examples=300)
def test_any_number_gets_the_same_code_both_ways(baseline: Baseline, value: float) -> None:
    for column in baseline.columns:
        if column.kind == "numeric":
            together = column_codes(column, pd.Series([value], name=column.name))
            assert bytes(together[0]).decode() == column_coder(column)(value)


def test_fractions_between_whole_numbers_count_for_both_sides(baseline: Baseline) -> None:
    column = next(column for column in baseline.columns if column.name == "count")
    track = column.tracks[0]
    assert (track.step, gap_reach(track) > 0) == (1, True)
    values = np.arange(-2, 15, 0.05)
    together = [bytes(row).decode() for row in column_codes(column, pd.Series(values, name="count"))]
    assert together == [column_coder(column)(value) for value in values.tolist()]
    between = {code for code in together if code in GAPS}
    assert between == set(GAPS[: len(track.edges)])
    assert not any(code in GAPS for code in track.counts)
    (edge, *_) = track.edges
    assert body_counts(track, {column_coder(column)(edge): 3})[:3] == [1.5, 1.5, 0]


@pytest.mark.parametrize(
    "value",
    [None, float("nan"), True, 0, -1, 1e300, "", "x" * 10_000, b"bytes", [], {}, (1, 2), date(2013, 5, 1), object()],
)
def test_every_value_has_a_code(baseline: Baseline, value: Any) -> None:
    for column in baseline.columns:
        code = column_coder(column)(value)
        assert len(code) == len(column.tracks)
        assert code.isascii()


def test_bins_alone_give_the_same_codes(baseline: Baseline, training: pd.DataFrame) -> None:
    sample = training.sample(300, random_state=1)
    sample = pd.concat([sample, sample.head(50).assign(normal=-1e9, carrier="Żółw", count=2**63 - 1, remark="wö rt")])
    columns = [plain_values(sample[column.name]) for column in baseline.columns]
    alone = encode_columns(coders_of(read_bins(baseline.to_bins()).columns), columns)
    assert alone == encode_columns(coders_of(baseline.columns), columns)
    blank = Baseline.from_bins(baseline.to_bins(outputs=True))
    arrays = [vector.column_codes(each, values) for each, values in zip(blank.columns, columns, strict=True)]
    assert [bytes(row).decode() for row in np.concatenate(arrays, axis=1)] == alone


def test_bins_hold_no_counts_and_no_categories(baseline: Baseline, training: pd.DataFrame) -> None:
    document = baseline.to_bins(outputs=True).decode()
    assert not any(f'"{value}"' in document for value in (*training["carrier"], *training["tail"]))
    assert not any(key in document for key in ("counts", "sketch", "singles", "rows", "positives", "performance"))


def test_bins_that_are_not_ours() -> None:
    with pytest.raises(InvalidDocumentError, match="lacks or misnames a key"):
        read_bins(b'{"schema": 1, "columns": [{"kind": "numeric"}]}')


def test_special_codes(baseline: Baseline) -> None:
    row = {"normal": None, "count": "three", "carrier": "ZZ", "tail": "N079", "member": "maybe", "zeros": -0.01}
    assert codes_of(baseline, row) == {
        "normal": "-",
        "count": "!",
        "carrier": "?",
        "tail": "+",
        "member": "!",
        "zeros": "b",
    }
    assert codes_of(baseline, {"zeros": 1e6, "constant": 4.0}) == {"zeros": "z", "constant": "0"}


def test_times_as_strings_and_objects_agree(baseline: Baseline) -> None:
    moment = datetime(2013, 3, 1, 13, 30)
    spellings = [moment, moment.replace(tzinfo=UTC), "2013-03-01T13:30:00", "2013-03-01 13:30", "2013-03-01T13:30:00Z"]
    assert len({codes_of(baseline, {"when": value})["when"] for value in spellings}) == 1


def test_heavy_value_has_its_own_bin(baseline: Baseline, training: pd.DataFrame) -> None:
    track = next(column for column in baseline.columns if column.name == "zeros").tracks[0]
    assert track.counts["0"] == int((training["zeros"] == 0).sum())
    assert len(track.edges) >= 3


def test_bins_hold_about_equal_counts(baseline: Baseline) -> None:
    track = next(column for column in baseline.columns if column.name == "normal").tracks[0]
    counts = [count for code, count in track.counts.items() if code.isdigit()]
    assert len(counts) == 10
    assert max(counts) - min(counts) <= 2


def test_absent_columns_are_missing(baseline: Baseline) -> None:
    codes = encode_row(column_coders(baseline), {})
    assert set(codes) == {"-"}
    assert len(codes) == sum(len(column.tracks) for column in baseline.columns)


@pytest.mark.parametrize(("value", "key"), [(1, "1"), (1.0, "1"), (1.5, "1.5"), (True, "true"), ("1", "1")])
def test_category_keys(value: Any, key: str) -> None:
    assert category_key(value) == key


def test_long_categories_are_cut_but_told_apart() -> None:
    first, second = category_key("a" * 300 + "1"), category_key("a" * 300 + "2")
    assert first != second
    assert len(first) <= 32


def test_the_predicting_side_imports_the_standard_library_alone() -> None:
    code = (
        "import sys; import lightship_runtime.monitor.bins, lightship_runtime.monitor.records;"
        "print([name for name in ('numpy', 'pandas', 'scipy') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"
