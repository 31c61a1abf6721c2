"""The monitor's run over a store: incremental, the same bytes again, and never moved by what comes late."""

import gzip
import json
import random
import shutil
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lightship.monitoring import make_baseline
from lightship_runtime.batch.stores import LocalStore, Stored
from lightship_runtime.labels import check_labels, folder_of, store_labels
from lightship_runtime.monitor import counting
from lightship_runtime.monitor.baseline import Baseline
from lightship_runtime.monitor.bins import column_coders, encode_row
from lightship_runtime.monitor.cells import DAY, HOUR, fill_cells
from lightship_runtime.monitor.counts import count_rows, counts_name, encode_counts
from lightship_runtime.monitor.days import Days
from lightship_runtime.monitor.emf import metrics_line
from lightship_runtime.monitor.encode import encode_record
from lightship_runtime.monitor.run import Report, run_monitor
from lightship_runtime.monitor.windows import window_results
from lightship_runtime.telemetry import Source

START = 1_790_000_000 // HOUR * HOUR


def frame(seed: int, rows: int, shift: float = 0.0) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    x = draw.normal(size=rows) + shift
    score = np.round(1 / (1 + np.exp(-2 * draw.normal(size=rows))), 6)
    return pd.DataFrame(
        {
            "x": x,
            "city": draw.choice(["Oslo", "Rome"], rows).astype(object),
            "p": score,
            "predicted": (score > 0.5).astype(int),
            "late": (draw.random(rows) < score).astype(int),
        }
    )


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    return make_baseline(frame(0, 4_000), prediction="predicted", score="p", label="late")


def an_id(hour: int, place: int, seed: int = 0) -> str:
    """Ids of an hour are spread over its first ten minutes."""
    return f"{(START + hour * HOUR) * 1000 + place % 600_000:012x}{seed:014x}{place:06x}"


def telemetry(
    baseline: Baseline, rows: pd.DataFrame, hour: int, *, version: str = "v1", seed: int = 0, each: int = 50
) -> list[str]:
    coders = column_coders(baseline)
    records = [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]
    lines = []
    for start in range(0, len(records), each):
        part = [
            encode_record(an_id(hour, start + i, seed), row["predicted"], row["p"], encode_row(coders, row))
            for i, row in enumerate(records[start : start + each])
        ]
        metrics = {"Requests": 1, "Refused": 0, "Failed": 0, "Latency": 5.0 + start / 1000}
        moment = (START + hour * HOUR) * 1000 + start
        lines.append(json.dumps({"_aws": {"Timestamp": moment}, "version": version, **metrics, "predictions": part}))
    return lines


class Shop:
    """A store under test: what arrives, and the monitor's runs over it."""

    def __init__(self, folder: Path, baseline: Baseline) -> None:
        self.store = Watched(folder / "store")
        self._scratch = folder
        self.baseline = baseline

    def arrive(self, hour: int, lines: Sequence[str], name: str = "a.gz") -> None:
        data = "".join(f"{line}\n" for line in lines).encode()
        data = gzip.compress(data, mtime=0) if name.endswith(".gz") else data
        self.store.write(f"telemetry/{folder_of(START + hour * HOUR)}{name}", data)

    def label(self, rows: pd.DataFrame, hour: int, *, received: float, seed: int = 0) -> None:
        """Labels of an hour's predictions, received so many hours after START."""
        now = START + received * HOUR
        items = [{"id": an_id(hour, place, seed), "actual": int(each)} for place, each in enumerate(rows["late"])]
        checked = check_labels(items, now)
        assert checked.refused == 0
        store_labels(checked.labels, now, self.store.write)

    def run(self, hours: float, version: str = "v1", **more: Any) -> Report:
        own = (version, more.pop("baseline", self.baseline))
        report = run_monitor(self.store, START + hours * HOUR, self._scratch, own=own, **more)
        assert [path.name for path in self._scratch.iterdir()] == ["store"]
        return report

    def results(self) -> dict[str, bytes]:
        """The windows' documents."""
        found = sorted(self.store.root.glob("results/v*/*.json"))
        return {path.relative_to(self.store.root).as_posix(): path.read_bytes() for path in found}

    def everything(self) -> dict[str, bytes]:
        found = sorted(path for path in self.store.root.rglob("*") if path.is_file())
        return {path.relative_to(self.store.root).as_posix(): path.read_bytes() for path in found}


class Watched(LocalStore):
    """A folder that tells which files were read and written, and takes only so many writes."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.opened: list[str] = []
        self.written: list[str] = []
        self.most: int | None = None

    def open(self, stored: Stored, start: int = 0, end: int | None = None) -> Any:
        self.opened.append(stored.name)
        return super().open(stored, start, end)

    def write(self, name: str, data: bytes) -> None:
        if self.most is not None:
            if self.most == 0:
                raise OSError("the disk is full")
            self.most -= 1
        self.written.append(name)
        super().write(name, data)


@pytest.fixture
def shop(tmp_path: Path, baseline: Baseline) -> Shop:
    return Shop(tmp_path, baseline)


def test_a_run_gives_what_the_cells_give(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> None:
    rows = [frame(seed, 600) for seed in range(3)]
    lines = [telemetry(shop.baseline, each, hour) for hour, each in enumerate(rows)]
    for hour, each in enumerate(lines):
        shop.arrive(hour, each)
    report = shop.run(3.2)
    flat = [line for each in lines for line in each]
    cells = fill_cells(shop.baseline, flat, [], tmp_path_factory.mktemp("scratch"))
    expected = [result.to_dict() for result in window_results(shop.baseline, cells, START + 3 * HOUR)]
    assert [json.loads(data) for data in shop.results().values()] == json.loads(json.dumps(expected))
    assert (len(report.windows), report.rows, report.version) == (3, 1_800, "v1")
    assert json.loads(shop.store.read("results/latest.json")[0])["windows"] == 3  # type: ignore[index]


def test_hourly_runs_read_each_file_once_and_give_the_bytes_of_one_run(shop: Shop, tmp_path: Path) -> None:
    rows = [frame(seed, 600) for seed in range(5)]
    for hour, each in enumerate(rows):
        shop.arrive(hour, telemetry(shop.baseline, each, hour))
        shop.store.opened.clear()
        shop.run(hour + 1.2)
        assert len(shop.store.opened) == 1
    shop.label(rows[1], 1, received=30)
    shop.store.opened.clear()
    report = shop.run(30.2)
    assert [span.start for span in report.windows] == [START + HOUR]
    assert len(shop.store.opened) == 2
    shop.store.written.clear()
    assert shop.run(30.2).windows == ()
    assert shop.store.written == ["results/latest.json"]
    found = shop.everything()
    for path in (shop.store.root / "results").rglob("*.json"):
        path.unlink()
    shop.run(30.2)
    assert shop.everything() == found


def test_lines_that_straddle_hours_wait_for_theirs(shop: Shop) -> None:
    first, second = frame(1, 600), frame(2, 600)
    lines = telemetry(shop.baseline, second, 1)
    shop.arrive(0, telemetry(shop.baseline, first, 0))
    shop.arrive(1, lines[:4], "b.gz")
    assert [span.end for span in shop.run(1.2).windows] == [START + HOUR]
    shop.arrive(1, lines[4:], "c.gz")
    shop.run(2.2)
    assert [json.loads(data)["rows"] for data in shop.results().values()] == [600, 600]


def test_late_and_repeated_lines_move_no_window(shop: Shop) -> None:
    rows = [frame(seed, 300) for seed in range(4)]
    lines = [telemetry(shop.baseline, each, hour) for hour, each in enumerate(rows)]
    for hour in (0, 1, 2, 3):
        shop.arrive(hour, lines[hour])
    shop.run(4.2)
    before = shop.results()
    assert [name.split("/")[-1] for name in before] == [
        f"{START}-{START + 2 * HOUR}.json",
        f"{START + 2 * HOUR}-{START + 4 * HOUR}.json",
    ]
    late = telemetry(shop.baseline, frame(9, 700), 0, seed=9)
    shop.arrive(5, [*late, *lines[1], *lines[2]])
    report = shop.run(6.2)
    after = shop.results()
    assert list(after) == list(before)
    assert [span.start for span in report.windows] == [START, START + 2 * HOUR]
    documents = [json.loads(data) for data in after.values()]
    assert [document["rows"] for document in documents] == [1_300, 600]
    assert documents[0]["requests"]["requests"] == 6 * 2 + 14
    assert documents[1]["quality"]["problems"] == {"duplicates": 300}


def test_damaged_files_are_counted_and_never_fatal(shop: Shop) -> None:
    lines = telemetry(shop.baseline, frame(1, 800), 0)
    shop.arrive(0, lines, "plain.json")
    whole = gzip.compress("".join(f"{line}\n" for line in lines).encode())
    folder = f"telemetry/{folder_of(START)}"
    shop.store.write(f"{folder}half.gz", whole[: len(whole) // 2])
    shop.store.write(f"{folder}noise.gz", b"\x1f\x8b" + bytes(range(256)))
    shop.store.write(f"{folder}cut.json", lines[0][:-40].encode() + b"\n\n\xff\xfe\n" + b"{" * 50_000)
    shop.store.write(f"{folder}long.json", b"x" * 5_000_000 + b"\n" + lines[0].encode())
    shop.store.write(f"{folder}empty", b"")
    shop.store.write("telemetry/elsewhere.json", lines[0].encode())
    future = telemetry(shop.baseline, frame(2, 50), 24 * 400)
    shop.arrive(0, [*future, json.dumps({"version": "v1", "time": 5, "predictions": [{"i": "a"}]})], "future.gz")
    report = shop.run(1.2)
    (document,) = [json.loads(data) for data in shop.results().values()]
    assert document["rows"] == 800
    assert document["quality"]["problems"]["lines_skipped"] == report.skipped >= 6
    assert shop.run(1.2).skipped == 0


def test_lines_without_a_newline_between_them_are_told_apart(shop: Shop) -> None:
    rows = frame(1, 600)
    rows["predicted"] = rows["predicted"].map({0: '}{"', 1: "}{\\"})
    lines = telemetry(shop.baseline, rows, 0)
    shop.store.write(f"telemetry/{folder_of(START)}touching", "".join(lines).encode())
    report = shop.run(1.2)
    assert (report.rows, report.skipped) == (600, 0)


def test_labels_wait_correct_and_come_for_the_long_past(shop: Shop) -> None:
    rows = frame(1, 600)
    shop.label(rows, 0, received=0.9)
    assert shop.run(0.95).waiting == 0
    assert shop.run(1.2).waiting == 600
    shop.arrive(0, telemetry(shop.baseline, rows, 0))
    assert shop.run(1.3).waiting == 0
    (name,) = shop.results()
    first = json.loads(shop.results()[name])
    assert first["labels"]["rows"] == 600
    shop.run(24 * 30)
    shop.store.opened.clear()
    flipped = rows.assign(late=1 - rows["late"])
    shop.label(flipped, 0, received=24 * 30 + 0.5)
    report = shop.run(24 * 30 + 1)
    assert [span.start for span in report.windows] == [START]
    second = json.loads(shop.results()[name])
    assert second["observed"]["accuracy"]["value"] == pytest.approx(1 - first["observed"]["accuracy"]["value"])
    assert second["labels"]["within_hours"]["2"] == 600
    assert len(shop.store.opened) == 3
    assert len(shop.run(24 * 30 + 1.5).windows) == 0
    assert len(shop.store.opened) == 3


def test_expired_telemetry_takes_no_counts_with_it(shop: Shop) -> None:
    rows = frame(1, 600)
    shop.arrive(0, telemetry(shop.baseline, rows, 0))
    shop.run(1.2)
    before = shop.results()
    for path in (shop.store.root / "telemetry").rglob("*.gz"):
        path.unlink()
    shop.label(rows, 0, received=30)
    assert shop.run(30.2).windows == ()
    assert shop.results() == before


def test_versions_are_judged_by_their_own_baselines(shop: Shop) -> None:
    other = make_baseline(frame(0, 3_000)[["city", "p", "predicted"]], prediction="predicted", score="p")
    shop.arrive(0, telemetry(shop.baseline, frame(1, 600), 0))
    shop.run(1.2)
    shop.arrive(1, telemetry(shop.baseline, frame(2, 600), 1), "old.gz")
    shop.arrive(1, telemetry(other, frame(3, 900), 1, version="v2", seed=2), "new.gz")
    shop.arrive(1, telemetry(other, frame(4, 50), 1, version="v3", seed=3), "unknown.gz")
    report = shop.run(2.2, "v2", baseline=other)
    assert report.version == "v2"
    found = {name.split("/")[1]: json.loads(data) for name, data in shop.results().items()}
    assert (found["v1"]["rows"], list(found["v1"]["columns"])) == (600, ["city", "x"])
    assert (found["v2"]["rows"], list(found["v2"]["columns"])) == (900, ["city"])
    assert found["v2"]["quality"]["problems"] == {"unknown_version": 50}
    shop.arrive(2, telemetry(other, frame(5, 500), 1, version="v3", seed=4))
    report = shop.run(3.2, "v3", baseline=other)
    assert [span.version for span in report.windows] == ["v1", "v2", "v3"]
    (third,) = [json.loads(data) for name, data in shop.results().items() if "/v3/" in name]
    assert third["rows"] == 550


def test_batches_add_their_counts(shop: Shop) -> None:
    rows = frame(1, 400)
    shop.arrive(0, telemetry(shop.baseline, frame(2, 300), 0))
    bins = Baseline.from_bins(shop.baseline.to_bins(outputs=True))
    profile = count_rows(
        bins, [rows["x"].tolist(), rows["city"].tolist()], rows["predicted"].tolist(), rows[["p"]].to_numpy()
    )
    data = encode_counts(profile, version="v1", hour=START, rejected=60)
    shop.store.write(counts_name(START, "run-1"), data)
    shop.store.write(counts_name(START, "broken"), data[:-9])
    shop.run(1.2)
    (document,) = [json.loads(each) for each in shop.results().values()]
    assert (document["rows"], document["labels"]["expected"], document["quality"]["rejected"]) == (700, 300, 60)
    assert document["quality"]["rejected_level"] == "high"
    assert document["quality"]["problems"] == {"counts_skipped": 1}
    shop.store.write(counts_name(START, "run-1"), data)
    shop.run(2.2)
    assert json.loads(next(iter(shop.results().values())))["rows"] == 700


def test_drift_is_on_after_two_windows_unless_it_was_accepted(shop: Shop) -> None:
    for hour, shift in enumerate((0.0, 1.0, 1.0)):
        shop.arrive(hour, telemetry(shop.baseline, frame(hour, 600, shift), hour))
        report = shop.run(hour + 1.2)
        assert report.breaches["drift"]["on"] is (hour == 2)
    state = report.breaches["drift"]
    assert (state["since"], state["count"]) == (START + HOUR, 1)
    assert state["columns"][0]["name"] == "x"
    assert state["columns"][0]["effect"] > 0.25
    line = json.loads(metrics_line(Source("flights", "prod", "v1"), 5, report, 1.5))
    assert (line["DriftBreaches"], line["QualityBreaches"], line["MonitorRuns"]) == (1, 0, 1)
    assert line["WorstDrift"] == pytest.approx(state["columns"][0]["effect"], abs=0.3)
    assert {metric["Name"] for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]} <= line.keys()
    until = START + 10 * DAY
    shop.store.write("accepted.json", json.dumps([{"column": "x", "version": "v1", "until": until}, 5]).encode())
    assert not shop.run(4.2).breaches["drift"]["on"]
    assert shop.run(24 * 10 + 1).breaches["drift"]["on"]


def test_silence_is_a_breach_of_volume(shop: Shop) -> None:
    for hour in (*range(3), *(24 * 7 + each for each in range(-1, 1))):
        shop.arrive(hour, telemetry(shop.baseline, frame(hour + 1, 500), hour))
    assert not shop.run(24 * 7 + 1.2).breaches["quality"]["on"]
    state = shop.run(24 * 7 + 3.2).breaches["quality"]
    assert [column["name"] for column in state["columns"]] == ["(volume)"]
    assert state["since"] == START + 7 * DAY + HOUR


def test_a_lost_ledger_is_made_again_from_the_documents(shop: Shop) -> None:
    for hour in range(3):
        shop.arrive(hour, telemetry(shop.baseline, frame(hour, 600), hour))
    shop.run(3.2)
    name = "results/windows/v1.json"
    before = (shop.store.root / name).read_bytes()
    (shop.store.root / name).write_bytes(b"{}")
    shop.run(3.2)
    assert (shop.store.root / name).read_bytes() == before


def test_a_run_that_was_cut_short_is_made_good_by_the_next(shop: Shop) -> None:
    for hour in range(2):
        rows = frame(hour, 600)
        lines = telemetry(shop.baseline, rows, hour)
        shop.arrive(hour, lines[:7], "a.gz")
        shop.arrive(hour + 1, lines[7:], "b.gz")
        shop.label(rows, hour, received=5)
    shop.run(6.2)
    whole, writes = shop.everything(), shop.store.written
    count = len([name for name in writes if name.startswith("results/")])
    for most in range(count):
        shutil.rmtree(shop.store.root / "results")
        shop.store.most = most
        with pytest.raises(OSError, match="full"):
            shop.run(6.2)
        shop.store.most = None
        shop.run(6.2)
        assert shop.everything() == whole, most


def test_short_of_time_it_publishes_what_it_has_and_goes_on(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [frame(hour, 600) for hour in range(5)]
    for hour, each in enumerate(rows):
        shop.arrive(hour, telemetry(shop.baseline, each, hour))
    shop.run(5.2)
    whole = shop.results()
    shutil.rmtree(shop.store.root / "results")
    monkeypatch.setattr(counting, "PORTION", 1)
    found = []
    for _ in range(4):
        left = iter(range(180, 0, -20))
        report = shop.run(5.2, remaining=lambda left=left: float(next(left)))
        found.append((len(report.windows), report.behind))
    assert [windows for windows, _ in found] == [2, 2, 1, 0]
    assert [behind for _, behind in found] == [True, True, False, False]
    assert shop.results() == whole


@pytest.mark.parametrize("seed", range(4))
def test_whatever_comes_when_each_row_and_label_counts_once(shop: Shop, seed: int) -> None:
    """Lines late and twice, labels before and after them, runs at any time: windows stay, rows and labels add up."""
    draw = random.Random(seed)  # noqa: S311 - repeatable
    rows = {hour: frame(hour, count) for hour, count in enumerate((600, 150, 80, 700, 30, 300))}
    arriving: dict[int, list[str]] = {}
    for hour, each in rows.items():
        for line in telemetry(shop.baseline, each, hour, each=25):
            for _ in range(1 + (draw.random() < 0.1)):
                arriving.setdefault(hour + draw.choice([0, 0, 0, 1, 2, 9]), []).append(line)
    labels = {hour: hour + draw.choice([0, 2, 6, 20]) for hour in rows}
    published: set[str] = set()
    now = 0
    while now < 30:
        until = now + draw.choice([1, 1, 3, 7])
        for hour in range(now, until):
            shop.arrive(hour, arriving.get(hour, []), "late.jsonl")
            for labelled in [each for each, received in labels.items() if received == hour]:
                shop.label(rows[labelled], labelled, received=hour)
        now = until
        shop.run(now + 0.1)
        assert published <= shop.results().keys()
        published = set(shop.results())
    found = dict(Days(shop.store).hours([START // DAY * DAY, START // DAY * DAY + DAY]))
    counted = {(start - START) // HOUR: (hour.rows, hour.cells["v1"]["labelled"]) for start, hour in found.items()}
    assert counted == {hour: (len(each), len(each)) for hour, each in rows.items()}
    spans = sorted(tuple(map(int, name.rpartition("/")[2].removesuffix(".json").split("-"))) for name in published)
    assert all(first[1] <= second[0] for first, second in pairwise(spans))


def test_an_empty_store_is_no_error(shop: Shop) -> None:
    report = shop.run(5)
    assert (report.version, report.windows, report.rows) == ("", (), 0)
    assert not any(state["on"] for state in report.breaches.values())
    assert json.loads(metrics_line(Source("s", "t", ""), 5, report, 0.1))["MonitorRuns"] == 1
