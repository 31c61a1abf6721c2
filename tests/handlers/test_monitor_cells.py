"""From lines to windows: duplicates, order, broken lines and late labels, counted once or skipped, never fatal."""

import json
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightship.monitoring import make_baseline, monitor
from lightship_runtime.identifiers import prediction_ids
from lightship_runtime.monitor.baseline import Baseline
from lightship_runtime.monitor.bins import column_coders, encode_row
from lightship_runtime.monitor.cells import DAY, HOUR, Cells, fill_cells, merge_cells
from lightship_runtime.monitor.encode import encode_record
from lightship_runtime.monitor.records import decode_label, decode_line
from lightship_runtime.monitor.results import Window
from lightship_runtime.monitor.windows import Span, closed_spans, window_results

START = 1_700_000_000 // HOUR * HOUR


def frame(seed: int, rows: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    x = random.normal(size=rows)
    score = np.round(1 / (1 + np.exp(-2 * x)), 6)
    return pd.DataFrame(
        {
            "x": x,
            "city": random.choice(["Oslo", "Rome"], rows).astype(object),
            "p": score,
            "predicted": (score > 0.5).astype(int),
            "late": (random.random(rows) < score).astype(int),
        }
    )


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    return make_baseline(frame(0, 5_000), prediction="predicted", score="p", label="late", segments=["city"])


def telemetry(baseline: Baseline, rows: pd.DataFrame, each: int = 4, hours: int = 1, version: str = "v1") -> list[str]:
    """Lines of `each` predictions, spread over the hours."""
    coders = column_coders(baseline)
    lines = []
    records = [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]
    for start in range(0, len(records), each):
        part = [
            encode_record(f"{version}-{start + i:07d}", row["predicted"], row["p"], encode_row(coders, row))
            for i, row in enumerate(records[start : start + each])
        ]
        time = START + HOUR * hours * start / len(records)
        lines.append(json.dumps({"version": version, "time": time, "predictions": part}))
    return lines


def label_lines(rows: pd.DataFrame, version: str = "v1") -> list[str]:
    return [
        json.dumps({"id": f"{version}-{i:07d}", "actual": int(actual), "time": 5})
        for i, actual in enumerate(rows["late"])
    ]


def totals(cells: Cells) -> dict[Any, Any]:
    return {key: profile.to_dict() for key, profile in sorted(cells.profiles.items())}


def fill(baseline: Baseline, lines: Sequence[str | bytes], labels: Sequence[str | bytes], folder: Path) -> Cells:
    folder.mkdir(exist_ok=True)
    cells = fill_cells(baseline, lines, labels, folder)
    assert list(folder.iterdir()) == []
    return cells


def test_lines_give_what_the_frame_gives(baseline: Baseline, tmp_path: Path) -> None:
    rows = frame(1, 2_000)
    cells = fill(baseline, telemetry(baseline, rows), label_lines(rows), tmp_path)
    assert cells.problems == {}
    (result,) = window_results(baseline, cells, START + DAY)
    found, expected = result.to_dict(), monitor(baseline, rows, window=Window("v1", START, START + HOUR)).to_dict()
    assert set(found["labels"].pop("within_hours").values()) == {2_000}
    assert json.loads(json.dumps(found)) == json.loads(json.dumps(expected))


def test_duplicates_order_and_files_change_nothing(baseline: Baseline, tmp_path: Path) -> None:
    rows = frame(1, 1_000)
    lines, labels = telemetry(baseline, rows, hours=3), label_lines(rows)
    expected = totals(fill(baseline, lines, labels, tmp_path))
    shuffled = np.random.default_rng(0)
    doubled, doubled_labels = lines + lines[:100] + lines[::3], labels * 2
    shuffled.shuffle(doubled)
    shuffled.shuffle(doubled_labels)
    cells = fill(baseline, doubled, doubled_labels, tmp_path)
    assert totals(cells) == expected
    assert cells.problems["duplicates"] == 4 * (len(doubled) - len(lines))
    assert cells.problems["labels_replaced"] == len(labels)
    assert "conflicts" not in cells.problems


def test_cells_of_disjoint_files_add_up(baseline: Baseline, tmp_path: Path) -> None:
    rows = frame(1, 1_000)
    lines, labels = telemetry(baseline, rows, hours=3), label_lines(rows)
    whole = fill(baseline, lines, labels, tmp_path)
    parts = [fill(baseline, lines[start::3], labels, tmp_path).profiles for start in range(3)]
    merged = merge_cells(parts, baseline)
    assert {key: profile.to_dict() for key, profile in sorted(merged.items())} == totals(whole)


BROKEN: list[str | bytes] = [
    "",
    "START RequestId: 1",
    "{",
    "[]",
    "null",
    '{"predictions": []',
    b"\xff\xfe\x00",
    '{"predictions": [1], "version": null, "time": 1}',
    "[" * 100_000,
    '{"a": NaN}',
    json.dumps({"predictions": {}, "version": "v", "time": 5}),
    json.dumps({"predictions": [], "version": "v", "time": "noon"}),
    json.dumps({"predictions": [], "version": "v", "time": 1e300}),
]


@pytest.mark.parametrize("line", BROKEN)
def test_broken_lines_are_skipped_and_counted(baseline: Baseline, tmp_path: Path, line: str | bytes) -> None:
    cells = fill(baseline, [line, *telemetry(baseline, frame(1, 20)), line], [line], tmp_path)
    assert cells.problems["lines_skipped"] == 2
    assert cells.problems["labels_skipped"] == 1
    assert sum(profile.rows for profile in cells.profiles.values()) == 20


@pytest.mark.parametrize(
    "record",
    [
        1,
        {},
        {"i": "a"},
        {"i": 5, "p": 1, "c": "00"},
        {"i": "a", "p": [1], "c": "00"},
        {"i": "a", "p": 1, "c": "0"},
        {"i": "a", "p": 1, "c": "0é"},
        {"i": "a", "p": 1, "c": "00", "s": "high"},
        {"i": "a", "p": 1, "c": "00", "s": [0.1, "x"]},
        {"i": "a", "p": 1, "c": "00", "s": [0.1, 0.9]},
        {"i": "a", "p": 1, "c": "00", "s": True},
    ],
)
def test_broken_records_are_skipped_and_counted(baseline: Baseline, tmp_path: Path, record: Any) -> None:
    good = {"i": "b", "p": 1, "c": "00", "s": 0.5}
    line = json.dumps({"version": "v", "time": START, "predictions": [record, good]})
    cells = fill(baseline, [line], [], tmp_path)
    assert cells.problems == {"records_skipped": 1}
    assert [profile.rows for profile in cells.profiles.values()] == [1]


def test_every_half_of_a_line_is_survived(baseline: Baseline, tmp_path: Path) -> None:
    line = telemetry(baseline, frame(1, 2))[0]
    halves = [line[:end] for end in range(len(line))]
    cells = fill(baseline, [*halves, line], [], tmp_path)
    assert cells.problems == {"lines_skipped": len(halves)}
    assert [profile.rows for profile in cells.profiles.values()] == [2]


@given(st.binary(max_size=80))
@settings(derandomize=True, max_examples=300)
def test_no_bytes_are_fatal(data: bytes) -> None:
    decode_line(data, 2)
    decode_label(data)


def test_conflicting_records_are_counted_once_whatever_their_order(baseline: Baseline, tmp_path: Path) -> None:
    lines = [
        json.dumps({"version": "v", "time": START, "predictions": [{"i": "a", "p": p, "c": "00", "s": 0.5}]})
        for p in (0, 1)
    ]
    first, second = (fill(baseline, order, [], tmp_path) for order in (lines, lines[::-1]))
    assert totals(first) == totals(second)
    assert first.problems == second.problems == {"duplicates": 1, "conflicts": 1}


def test_the_latest_label_holds(baseline: Baseline, tmp_path: Path) -> None:
    line = json.dumps({"version": "v", "time": START, "predictions": [{"i": "a", "p": 1, "c": "00", "s": 0.5}]})
    labels = [json.dumps({"id": "a", "actual": actual, "time": time}) for actual, time in ((1, 1), (0, 3), (1, 2))]
    for order in (labels, labels[::-1]):
        (profile,) = fill(baseline, [line], order, tmp_path).profiles.values()
        assert profile.labelled == 1
        assert profile.confusion[0, 1] == 1


def test_labels_wait_for_their_prediction(baseline: Baseline, tmp_path: Path) -> None:
    rows = frame(1, 40)
    labels = [*label_lines(rows), json.dumps({"id": "elsewhere", "actual": 1})]
    cells = fill(baseline, telemetry(baseline, rows)[:5], labels, tmp_path)
    assert cells.problems == {"labels_waiting": 21}
    assert sum(profile.labelled for profile in cells.profiles.values()) == 20


def test_emf_time_and_rejected_rows(baseline: Baseline, tmp_path: Path) -> None:
    lines = [
        json.dumps({"_aws": {"Timestamp": START * 1000 + 5}, "version": "v1", "rejected": 3}),
        *telemetry(baseline, frame(1, 600)),
    ]
    (result,) = window_results(baseline, fill(baseline, lines, [], tmp_path), START + DAY)
    assert result.to_dict()["quality"]["rejected"] == 3


def test_requests_are_counted_once_with_their_latency(baseline: Baseline, tmp_path: Path) -> None:
    def request(place: int, **more: float) -> str:
        metrics = {"Requests": 1, "Refused": 0, "Failed": 0, "Latency": 10 + place / 1000, **more}
        return json.dumps({"_aws": {"Timestamp": START * 1000 + place}, "version": "v1", "predictions": [], **metrics})

    lines = [request(place) for place in range(100)]
    lines += [request(200, Refused=1, Latency=2), request(201, Failed=1, Latency=900, ColdStarts=1)]
    cells = fill(baseline, [*lines, *lines[50:], *telemetry(baseline, frame(1, 600))], [], tmp_path)
    (result,) = window_results(baseline, cells, START + DAY)
    found = result.to_dict()["requests"]
    quantiles = found.pop("latency_ms")
    assert found == {"requests": 102, "refused": 1, "failed": 1, "cold_starts": 1}
    assert quantiles["p50"] == pytest.approx(10, rel=0.06)
    assert quantiles["p99"] == pytest.approx(10, rel=0.06)


def test_an_hour_is_that_of_the_id(baseline: Baseline, tmp_path: Path) -> None:
    """As labels are filed; a line that contradicts its ids by a day or more is taken at its own word."""
    made = prediction_ids(1, (START - 5) * 1000)[0]
    far = prediction_ids(1, (START - 5 * DAY) * 1000)[0]
    lines = [
        json.dumps({"version": "v", "time": START, "predictions": [{"i": each, "p": 1, "c": "00", "s": 0.5}]})
        for each in (made, far)
    ]
    cells = fill(baseline, lines, [], tmp_path)
    assert {hour: profile.rows for (_, hour), profile in cells.profiles.items()} == {START - HOUR: 1, START: 1}


@pytest.mark.parametrize(("length", "days"), [(24, [(0, 1), (1, 3), (3, 4)]), (72, [(0, 3), (3, 6)]), (168, [(0, 7)])])
def test_windows_may_span_whole_days(length: int, days: list[tuple[int, int]]) -> None:
    midnight = START // DAY * DAY
    counts = {0: 300, 1: 300, 2: 300, 3: 600}
    rows = {("v1", midnight + DAY * day + 5 * HOUR): count for day, count in counts.items()}
    rows["v1", midnight + 20 * HOUR] = 250
    spans = closed_spans(rows, midnight + 7 * DAY, hours=length)
    assert [((span.start - midnight) / DAY, (span.end - midnight) / DAY) for span in spans] == days
    assert closed_spans(rows, midnight + 7 * DAY, spans[:1], length) == spans


def test_published_windows_stay_where_they_are() -> None:
    rows = hours(600, 100, 300, 100, 900)
    published = closed_spans(rows, START + 4 * HOUR)
    late = {**rows, ("v1", START + HOUR): 700}
    assert closed_spans(late, START + DAY, published) == (*published, Span("v1", START + 4 * HOUR, START + 5 * HOUR))


def test_a_record_costs_what_its_module_says() -> None:
    record = encode_record("01JDQ3M8V4T2X6Z9B7C5N1K0AR", 1, 0.83124567, "")
    assert len(json.dumps(record, separators=(",", ":"))) == 60


@pytest.mark.parametrize("score", [float("nan"), float("inf"), [0.5, float("nan")]])
def test_scores_that_json_cannot_hold_are_left_out(score: float | list[float]) -> None:
    assert "s" not in encode_record("a", 1, score, "")


def hours(*rows: int, version: str = "v1") -> dict[tuple[str, int], int]:
    return {(version, START + HOUR * i): count for i, count in enumerate(rows) if count}


def test_windows_close_at_five_hundred_rows() -> None:
    spans = closed_spans(hours(600, 100, 300, 100, 900, 10), START + DAY)
    assert [((span.start - START) // HOUR, (span.end - START) // HOUR) for span in spans] == [(0, 1), (1, 4), (4, 5)]


def test_open_hours_are_left_for_later() -> None:
    rows = hours(600, 600)
    assert len(closed_spans(rows, START + HOUR * 1.5)) == 1
    assert closed_spans(rows, START + HOUR * 2)[:1] == closed_spans(rows, START + HOUR * 1.5)


def test_a_thin_window_closes_after_seven_days() -> None:
    rows = {("v1", START + DAY * day): 10 for day in range(9)}
    assert closed_spans(rows, START + DAY * 8) == (Span("v1", START, START + 7 * DAY),)
    assert closed_spans(rows, START + DAY * 6) == ()


@given(st.lists(st.integers(0, 700), max_size=400), st.integers(0, 400))
@settings(derandomize=True, max_examples=100)
def test_windows_are_disjoint_and_stable(rows: list[int], until: int) -> None:
    counts = hours(*rows)
    late, early = closed_spans(counts, START + 10**9), closed_spans(counts, START + until * HOUR)
    assert late[: len(early)] == early
    for first, second in pairwise(late):
        assert first.end <= second.start


def test_versions_have_windows_of_their_own(baseline: Baseline, tmp_path: Path) -> None:
    lines = telemetry(baseline, frame(1, 600)) + telemetry(baseline, frame(2, 700), version="v2")
    found = [result.to_dict() for result in window_results(baseline, fill(baseline, lines, [], tmp_path), START + DAY)]
    assert [(entry["window"]["version"], entry["rows"]) for entry in found] == [("v1", 600), ("v2", 700)]


def test_volume_is_compared_with_the_week_before(baseline: Baseline, tmp_path: Path) -> None:
    week = 7 * DAY
    before = [line.replace('"v1-', '"w-') for line in telemetry(baseline, frame(3, 3_000))]
    now = [json.dumps({**json.loads(line), "time": START + week}) for line in telemetry(baseline, frame(1, 600))]
    results = window_results(baseline, fill(baseline, before + now, [], tmp_path), START + week + DAY)
    assert results[-1].to_dict()["quality"]["volume"]["level"] == "warn"
    assert results[-1].to_dict()["quality"]["volume"]["last_week"] == 3_000


def test_replaying_gives_the_same_document(baseline: Baseline, tmp_path: Path) -> None:
    rows = frame(1, 2_000)
    lines, labels = telemetry(baseline, rows), label_lines(rows)
    documents = [
        [result.to_dict() for result in window_results(baseline, fill(baseline, order, labels, tmp_path), START + DAY)]
        for order in (lines, lines[::-1])
    ]
    assert documents[0] == documents[1]


def test_memory_does_not_grow_with_the_lines(baseline: Baseline, tmp_path: Path) -> None:
    """Four times the lines take under three times the memory: one partition in 64 is held at a time."""

    def peak(rows: int) -> int:
        def lines() -> Iterator[str]:
            for i in range(rows):
                yield f'{{"version":"v","time":{START},"predictions":[{{"i":"{i:012d}","p":1,"c":"00","s":0.5}}]}}'

        tracemalloc.start()
        fill_cells(baseline, lines(), [], tmp_path)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(24_000) < 3 * peak(6_000)


def test_the_monitor_needs_numpy_alone() -> None:
    code = (
        "import sys; import lightship_runtime.monitor.windows;"
        "print([name for name in ('pandas', 'scipy', 'sklearn', 'lightship') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"
