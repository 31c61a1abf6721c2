"""What batches count without telemetry: the same profile as the whole frame's, and no garbage taken for it."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lightship.monitoring import make_baseline, monitor
from lightship_runtime.monitor.baseline import Baseline
from lightship_runtime.monitor.counts import count_rows, counts_name, decode_counts, encode_counts, score_places
from lightship_runtime.monitor.profile import Profile
from lightship_runtime.monitor.results import evaluate


def frame(seed: int, rows: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    score = random.random(rows)
    return pd.DataFrame(
        {
            "x": random.normal(size=rows),
            "city": random.choice(["Oslo", "Rome"], rows).astype(object),
            "when": pd.date_range("2026-01-01", periods=rows, freq="7h"),
            "p": score,
            "predicted": (score > 0.5).astype(int),
            "late": (random.random(rows) < score).astype(int),
        }
    )


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    return make_baseline(frame(0, 2_000), prediction="predicted", score="p", label="late")


def chunk(bins: Baseline, rows: pd.DataFrame) -> Profile:
    columns = [rows[column.name].tolist() for column in bins.columns]
    return count_rows(bins, columns, rows["predicted"].tolist(), rows[["p"]].to_numpy())


def test_chunks_under_the_bins_alone_give_the_document_of_the_whole(baseline: Baseline) -> None:
    bins = Baseline.from_bins(baseline.to_bins(outputs=True))
    rows = frame(1, 1_500)
    total = Profile.empty(bins)
    for start in range(0, len(rows), 400):
        total.add(chunk(bins, rows[start : start + 400]))
    found = decode_counts(encode_counts(total, version="v1", hour=7_300, rejected=3))
    assert found is not None
    assert (found.version, found.hour, found.rejected) == ("v1", 7_200, 3)
    profile = found.profile(baseline)
    assert profile is not None
    document, expected = (
        found.to_dict() for found in (evaluate(baseline, profile), monitor(baseline, rows.drop(columns="late")))
    )
    assert (document.pop("labels")["expected"], expected.pop("labels")["expected"]) == (0, 1_500)
    assert json.dumps(document) == json.dumps(expected)


def test_a_run_has_one_place_in_its_hour() -> None:
    assert counts_name(1_767_229_199.9, "run-1") == "counts/2026/01/01/00/run-1.json"


@pytest.mark.parametrize("classes", [[0, 1], ["0", "1"], [False, True]])
def test_scores_are_those_of_the_positive_class(baseline: Baseline, classes: list[Any]) -> None:
    assert score_places(baseline, classes) == (1,)
    assert score_places(baseline, classes[::-1]) == (0,)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[]",
        b'{"schema": 1}',
        b'{"schema": 1, "version": "v", "hour": 7, "rejected": 0, "profile": {}}',
        b'{"schema": 1, "version": "v", "hour": 0, "rejected": -1, "profile": {}}',
        b'{"schema": 1, "version": 5, "hour": 0, "rejected": 0, "profile": {}}',
    ],
)
def test_what_is_no_counts_file_is_told(data: bytes) -> None:
    assert decode_counts(data) is None


def test_counts_under_another_baseline_are_told(baseline: Baseline) -> None:
    other = make_baseline(frame(0, 500)[["x", "predicted"]], prediction="predicted")
    found = decode_counts(encode_counts(chunk(baseline, frame(1, 50)), version="v1", hour=0))
    assert found is not None
    assert found.profile(other) is None
