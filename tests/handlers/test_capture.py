"""What requests leave for the monitor: codes, raw values where asked for, counters of what was refused."""

import json
from collections.abc import Sequence
from typing import Any

import pandas as pd
import pytest

from lightship.monitoring import make_baseline
from lightship_runtime.capture import Capture, Recorder
from lightship_runtime.contract import Column, Contract, Output
from lightship_runtime.engine import Outputs, Values
from lightship_runtime.errors import InvalidDocumentError
from lightship_runtime.monitor.baseline import Baseline
from lightship_runtime.monitor.bins import column_coders, encode_row, read_bins
from lightship_runtime.monitor.records import decode_line
from lightship_runtime.predict import Predictor
from lightship_runtime.telemetry import MAX_LINE, Source

ROWS = 400
CONTRACT = Contract(
    columns=(
        Column("x", "number", "float64", nullable=True),
        Column("city", "category", "object", categories=("Oslo", "Wrocław")),
        Column("note", "text", "object"),
    ),
    output=Output("binary", classes=("no", "yes"), probabilities=True),
)
FRAME = pd.DataFrame(
    {
        "x": [place / ROWS for place in range(ROWS)],
        "city": [CONTRACT.columns[1].categories[place % 2] for place in range(ROWS)],  # type: ignore[index]
        "note": [f"a note of some words {place}" for place in range(ROWS)],
        "p": [place / ROWS for place in range(ROWS)],
        "predicted": ["yes" if place > ROWS / 2 else "no" for place in range(ROWS)],
    }
)


class Constant:
    """Predicts yes with probability 2/3."""

    name = "constant"

    def predict(self, columns: Sequence[Values]) -> Outputs:
        rows = len(columns[0])
        return Outputs([1] * rows, [[1 / 3, 2 / 3]] * rows)


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    return make_baseline(FRAME, prediction="predicted", score="p", kinds={"note": "text"})


def predictor(baseline: Baseline, capture: Capture | None = None) -> Predictor:
    recorder = Recorder(CONTRACT, read_bins(baseline.to_bins()), capture)
    return Predictor(CONTRACT, Constant(), name="m", source=Source("m", "test", "v1"), recorder=recorder)


def lines_of(model: Predictor, capsys: pytest.CaptureFixture[str], request: dict[str, Any]) -> list[dict[str, Any]]:
    capsys.readouterr()
    model.answer(json.dumps(request).encode(), "application/json")
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


ROW = {"x": 0.25, "city": "Wrocław", "note": "a note of other words"}


def test_the_monitor_reads_what_a_request_left(baseline: Baseline, capsys: pytest.CaptureFixture[str]) -> None:
    odd = {"x": None, "city": "Łódź", "note": ""}
    (line,) = lines_of(predictor(baseline), capsys, {"instances": [ROW, odd], "ids": ["mine", "too"]})
    read = decode_line(json.dumps(line), width=4)
    assert read is not None
    assert read.broken == 0
    assert read.time == pytest.approx(line["_aws"]["Timestamp"] / 1000)
    coders = column_coders(baseline)
    assert [record.codes for record in read.records] == [encode_row(coders, row) for row in (ROW, odd)]
    assert [record.predicted for record in read.records] == ["yes", "yes"]
    assert [record.score for record in read.records] == [(0.666667,)] * 2
    assert [record["u"] for record in line["predictions"]] == ["mine", "too"]
    assert not any("x" in record for record in line["predictions"])


def test_only_the_first_line_of_a_process_is_a_cold_start(
    baseline: Baseline, capsys: pytest.CaptureFixture[str]
) -> None:
    model = predictor(baseline)
    model.replay([ROW])
    assert capsys.readouterr().out == ""
    starts = [lines_of(model, capsys, {"instances": [ROW]})[0].get("ColdStarts") for _ in range(2)]
    assert starts == [1, None]


@pytest.mark.parametrize(
    ("instances", "rejected"),
    [
        ([ROW, {**ROW, "x": "?"}, {**ROW, "x": True, "city": 1}], 2),
        ([{**ROW, "x": "?"}] * 300, 300),
        ([], 1),
        ("rows", 1),
    ],
)
def test_refused_rows_are_counted(
    baseline: Baseline, capsys: pytest.CaptureFixture[str], instances: object, rejected: int
) -> None:
    (line,) = lines_of(predictor(baseline), capsys, {"instances": instances})
    assert (line["Refused"], line["Predictions"], line["rejected"]) == (1, 0, rejected)
    read = decode_line(json.dumps(line), width=4)
    assert read is not None
    assert read.rejected == rejected


def test_raw_values_come_only_where_asked_for(baseline: Baseline, capsys: pytest.CaptureFixture[str]) -> None:
    raw = Capture("raw", 0.5, frozenset({"note"}))
    (line,) = lines_of(predictor(baseline, raw), capsys, {"instances": [ROW] * 400})
    kept = [record["x"] for record in line["predictions"] if "x" in record]
    assert kept[0] == {"x": 0.25, "city": "Wrocław"}
    assert 120 < len(kept) < 280
    (line,) = lines_of(predictor(baseline, Capture("off")), capsys, {"instances": [ROW]})
    assert line["predictions"] == []
    assert line["Predictions"] == 1


def test_long_texts_stay_within_a_line(baseline: Baseline, capsys: pytest.CaptureFixture[str]) -> None:
    model = predictor(baseline, Capture("raw"))
    lines = lines_of(model, capsys, {"instances": [{**ROW, "note": "ł" * 10_000}] * 40})
    assert sum(len(line["predictions"]) for line in lines) == 40
    assert all(len(json.dumps(line, separators=(",", ":"))) < MAX_LINE for line in lines)
    assert all(decode_line(json.dumps(line), width=4) for line in lines)


def test_an_answer_outlives_its_telemetry(baseline: Baseline, capsys: pytest.CaptureFixture[str]) -> None:
    class Broken(Recorder):
        def records(self, *_: Any, **__: Any) -> list[str]:
            raise RuntimeError("a defect")

    model = Predictor(CONTRACT, Constant(), name="m", source=Source("m", "test", "v1"), recorder=Broken(CONTRACT))
    reply = model.answer(json.dumps({"instances": [ROW]}).encode(), None)
    assert reply.status == 200
    printed = capsys.readouterr()
    assert "a defect" in printed.err
    assert json.loads(printed.out)["Predictions"] == 1


def test_settings_travel_by_environment() -> None:
    capture = Capture("raw", 0.125, frozenset({"note", "nom é"}))
    again = Capture.from_environment(capture.to_environment())
    assert (again.mode, again.share) == ("raw", 0.125)
    assert again.without == {"note", "nom é"}
    assert Capture.from_environment({}).mode == "codes"
    with pytest.raises(InvalidDocumentError, match="LIGHTSHIP_CAPTURE is 'all'"):
        Capture.from_environment({"LIGHTSHIP_CAPTURE": "all"})
