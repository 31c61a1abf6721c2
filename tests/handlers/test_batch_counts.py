"""What a run counts for the monitor: the same however it was cut, once however often it was committed."""

import json
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightship.monitoring import make_baseline
from lightship_runtime.batch.account import Account
from lightship_runtime.batch.committing import commit, finish_head
from lightship_runtime.batch.counting import Counter, Monitoring
from lightship_runtime.batch.metrics import success_line
from lightship_runtime.batch.planning import Request, begin, cut, read_items, scan
from lightship_runtime.batch.records import Settings
from lightship_runtime.batch.score import Model
from lightship_runtime.batch.stores import LocalStore
from lightship_runtime.batch.work import score_item
from lightship_runtime.contract import Column, Contract, Output
from lightship_runtime.engine import Outputs
from lightship_runtime.monitor.baseline import Baseline
from lightship_runtime.monitor.counts import count_rows, counts_name, decode_counts
from lightship_runtime.monitor.profile import Profile
from lightship_runtime.telemetry import Source

CARRIERS = ("AA", "UA", "WN")
CONTRACT = Contract(
    (
        Column("miles", "number", "float64", nullable=True),
        Column("seats", "integer", "int64"),
        Column("carrier", "category", "object", nullable=True, categories=CARRIERS),
        Column("note", "text", "object", nullable=True),
        Column("night", "boolean", "bool"),
    ),
    Output("binary", ("late", "on time"), probabilities=True),
)
SETTINGS = Settings(key=("id",), format="jsonl", max_reject_share=1.0)


class Rule:
    """Late in proportion to the miles."""

    name = "rule"

    def predict(self, columns: Sequence[Any]) -> Outputs:
        miles = np.nan_to_num(np.asarray(columns[0], dtype=np.float64))
        late = 1 / (1 + np.exp(-miles / 500))
        return Outputs((late < 0.5).astype(np.int64), np.column_stack([late, 1 - late]))


def sample(rows: int) -> pd.DataFrame:
    draw = np.random.default_rng(6)
    frame = pd.DataFrame({
        "miles": draw.normal(0, 600, rows), "seats": draw.integers(50, 300, rows),
        "carrier": draw.choice(CARRIERS, rows), "note": draw.choice(["all well", "", "late again today"], rows),
        "night": draw.random(rows) < 0.3,
    })  # fmt: skip
    frame.loc[::9, "miles"] = np.nan
    return frame


def plain(rows: int) -> list[dict[str, Any]]:
    return json.loads(sample(rows).fillna(0).to_json(orient="records"))  # type: ignore[no-any-return]


def bins() -> Baseline:
    frame = sample(400)
    outputs = Rule().predict([frame["miles"]])
    assert outputs.probabilities is not None
    frame["said"] = np.array(CONTRACT.output.classes)[np.asarray(outputs.predictions)]
    frame["score"] = np.asarray(outputs.probabilities)[:, 1]
    made = make_baseline(frame, prediction="said", score="score", label="said", positive="on time")
    return Baseline.from_bins(made.to_bins(outputs=True))


BINS = bins()
COUNTER = Counter.of(BINS, CONTRACT)
MODEL = Model(CONTRACT, Rule(), "v1", COUNTER)

row = st.fixed_dictionaries({
    "miles": st.one_of(st.none(), st.floats(-5000, 5000), st.just("far")),
    "seats": st.integers(-10, 400),
    "carrier": st.sampled_from([*CARRIERS, "ZZ", None]),
    "note": st.sampled_from(["all well", "late again", "", None]),
    "night": st.booleans(),
})  # fmt: skip


def run(folder: Path, chunk_bytes: int, monitoring: Monitoring | None) -> dict[str, Any]:
    source, sink = LocalStore(folder / "in"), LocalStore(folder / "out")
    request = Request("2026-11-23T03-00-00Z", SETTINGS, "v1", only_new=True, chunk_bytes=chunk_bytes)
    begun = begin(request, source, sink, monitoring)
    for piece in json.loads((sink.read(begun.ranges) or (b"[]", ""))[0]):
        scan(piece, SETTINGS, request.run, source, sink)
    for number, chunks in enumerate(read_items(sink, cut(request.run, source, sink))):
        score_item(request.run, number, chunks, SETTINGS, MODEL, source, sink)
    return commit(request.run, sink, monitoring)


def write_rows(folder: Path, rows: list[dict[str, Any]]) -> None:
    lines = [json.dumps({"id": i, **each}) + "\n" for i, each in enumerate(rows)]
    half = len(lines) // 3
    store = LocalStore(folder / "in")
    store.write("a.jsonl", "".join(lines[:half]).encode())
    store.write("b.jsonl", "".join(lines[half:]).encode())


def reported(folder: Path) -> tuple[Profile, int]:
    (path,) = (folder / "store").rglob("*.json")
    counts = decode_counts(path.read_bytes())
    assert counts is not None
    assert counts.version == "v1"
    profile = counts.profile(BINS)
    assert profile is not None
    return profile, counts.rejected


def by_hand(rows: list[dict[str, Any]]) -> Profile:
    """The rows that can be scored, counted at once, from plain Python values."""
    good = [each for each in rows if each["miles"] != "far"]
    columns = {name: [each[name] for each in good] for name in CONTRACT.names}
    outputs = Rule().predict([[np.nan if each is None else each for each in columns["miles"]]])
    said = [CONTRACT.output.classes[place] for place in outputs.predictions]
    scores = np.asarray(outputs.probabilities)[:, [1]]
    return count_rows(BINS, [columns[column.name] for column in BINS.columns], said, scores)


@settings(derandomize=True, max_examples=15, deadline=None)
@given(rows=st.lists(row, min_size=1, max_size=40), chunk_bytes=st.sampled_from([90, 300, 1000, 1 << 20]))
def test_merged_chunks_are_the_counts_of_the_whole(rows: list[dict[str, Any]], chunk_bytes: int) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_rows(folder, rows)
        run(folder, chunk_bytes, Monitoring(LocalStore(folder / "store"), COUNTER, "v1"))
        profile, rejected = reported(folder)
    assert profile.to_dict() == by_hand(rows).to_dict()
    assert rejected == sum(each["miles"] == "far" for each in rows)


def test_a_commit_cut_short_counts_once_in_its_first_hour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_rows(tmp_path, plain(30))
    monitoring = Monitoring(LocalStore(tmp_path / "store"), COUNTER, "v1")
    # Whenever somebody looks at the clock, it is two hours later.
    clock = count(1_790_000_000.0, 7_200.0)
    monkeypatch.setattr("lightship_runtime.batch.account.time.time", lambda: next(clock))

    def killed(_self: Monitoring, *_arguments: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Monitoring, "report", killed)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, 500, monitoring)
    assert not list((tmp_path / "store").rglob("*.json"))
    # The next run publishes what the last one couldn't, as if nothing had happened.
    finish_head(LocalStore(tmp_path / "out"), monitoring)
    finish_head(LocalStore(tmp_path / "out"), monitoring)
    assert reported(tmp_path)[0].rows == 30
    account = Account.read("2026-11-23T03-00-00Z", LocalStore(tmp_path / "out"))
    assert account is not None
    assert (account.begun, account.seconds) == (1_790_000_000.0, 7_200.0)
    (written,) = (tmp_path / "store").rglob("*.json")
    assert written.relative_to(tmp_path / "store").as_posix() == counts_name(account.committed, "2026-11-23T03-00-00Z")


def test_without_a_store_nothing_is_written_besides(tmp_path: Path) -> None:
    write_rows(tmp_path, plain(10))
    run(tmp_path, 500, None)
    assert not (tmp_path / "store").exists()


def test_the_metrics_of_a_run() -> None:
    account = Account(begun=1_795_402_830.0, committed=1_795_402_860.5, work_s=120.0, calls=2, writes=10)
    manifest = {"run": "2026-11-23T03-00-00Z", "rows_in": 400, "rows_rejected": 6}
    line = json.loads(success_line(Source("flights", "prod", "v1"), 1, manifest, account, memory_mb=2048))
    told = {name: line[name] for name in line if name.startswith("Batch")}
    cost = told.pop("BatchCost")
    assert told == {
        "BatchSucceeded": 1, "BatchRows": 400, "BatchRejects": 6, "BatchRejectedPercent": 1.5,
        "BatchSeconds": 30.5, "BatchLagSeconds": 60.5,
    }  # fmt: skip
    assert 120 * 2 * 0.000013 < cost < 120 * 2 * 0.000017 + 0.001
    assert {each["Name"] for each in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]} == {*told, "BatchCost"}
    by_name = json.loads(success_line(Source("f", "p", "v"), 1, {**manifest, "run": "a1b2"}, account, memory_mb=128))
    assert "BatchLagSeconds" not in by_name


def test_a_run_is_published_though_its_counts_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_arguments: Any) -> None:
        raise PermissionError("the store is closed")

    write_rows(tmp_path, plain(20))
    monkeypatch.setattr(Monitoring, "report", broken)
    manifest = run(tmp_path, 500, Monitoring(LocalStore(tmp_path / "store"), COUNTER, "v1"))
    assert manifest["rows_scored"] == 20
    assert "the store is closed" in capsys.readouterr().err
    monkeypatch.setattr(Counter, "count", broken)
    (tmp_path / "again").mkdir()
    write_rows(tmp_path / "again", plain(20))
    assert run(tmp_path / "again", 500, None)["rows_scored"] == 20
    assert "the store is closed" in capsys.readouterr().err
