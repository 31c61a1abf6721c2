"""`lightship baseline`: what it tells of a baseline, and what it records for the monitor."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from lightship.acceptance import AcceptanceError, accept
from lightship.cli.baseline import baseline_group
from lightship.monitoring import make_baseline
from lightship_runtime.batch.stores import LocalStore
from lightship_runtime.manifest import BASELINE, Engines, Release, Target, file_digest
from lightship_runtime.monitor.breaches import read_acceptances

ROWS = 500
VERSION = "0123456789abcdef"
RANDOM = np.random.default_rng(3)
FRAME = pd.DataFrame(
    {
        "delay": np.where(RANDOM.random(ROWS) < 0.25, np.nan, RANDOM.normal(size=ROWS)),
        "carrier": RANDOM.choice(["UA", "DL", "AA", "WN", "B6"], ROWS),
        "weekend": RANDOM.random(ROWS) < 0.5,
        "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(ROWS), unit="D"),
        "late": RANDOM.choice(["no", "yes"], ROWS),
        "p": RANDOM.random(ROWS),
    }
)
BASELINE_OF_FRAME = make_baseline(FRAME, score="p", label="late", segments=["carrier"])


@pytest.fixture
def release(tmp_path: Path) -> Path:
    folder = tmp_path / VERSION
    folder.mkdir()
    (folder / BASELINE).write_bytes(BASELINE_OF_FRAME.to_json())
    made = Release(
        name="flights",
        version=VERSION,
        lightship="0",
        target=Target("3.13", "x86_64", "2_34"),
        engine=Engines("pure", "pure"),
        artifacts={},
        files={BASELINE: file_digest(folder / BASELINE)},
        proof=None,
    )
    (folder / "release.json").write_bytes(made.to_json())
    return folder


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    store = LocalStore(tmp_path / "store")
    store.write("results/latest.json", json.dumps({"time": 1, "version": VERSION}).encode())
    store.write(f"baselines/{VERSION}.json", BASELINE_OF_FRAME.to_json())
    return store


def run(*arguments: str) -> Any:
    return CliRunner().invoke(baseline_group, arguments, catch_exceptions=False)


def test_show_tells_columns_outputs_and_metrics(release: Path) -> None:
    told = run("show", str(release)).output
    assert "500 rows" in told
    assert "7 bins, 24.8% missing" in told
    assert "and 2 more" in told
    assert "2024-01-01 to 2025-05-14" in told
    assert "a score of 'yes'" in told
    assert "accuracy: 0." in told
    assert "accuracy also by: carrier" in told
    document = json.loads(run("show", str(release), "--json").output)
    assert [column["name"] for column in document["columns"]] == ["delay", "carrier", "weekend", "day"]


def test_what_is_accepted_is_what_the_monitor_reads(store: LocalStore) -> None:
    address = str(store.root)
    done = run("accept", "delay", "--store", address, "--reason", "a new sensor", "--until", "2990-01-01", "--json")
    entry = json.loads(done.output)
    assert (entry["column"], entry["version"], entry["reason"]) == ("delay", VERSION, "a new sensor")
    assert "for good" in run("accept", "score", "--store", address, "--reason", "looked into").output
    found = store.read("accepted.json")
    assert found is not None
    delay, score = read_acceptances(found[0])
    assert delay.holds("delay", VERSION, entry["time"])
    assert not delay.holds("delay", VERSION, entry["until"] + 1)
    assert not delay.holds("delay", "another", entry["time"])
    assert score.holds("score", VERSION, 1e12)
    run("accept", "delay", "--store", address, "--reason", "once more")
    found = store.read("accepted.json")
    assert found is not None
    assert [each["reason"] for each in json.loads(found[0])] == ["looked into", "once more"]


@pytest.mark.parametrize(
    ("column", "options", "told"),
    [
        ("delai", {}, "has no column 'delai'. Did you mean 'delay'?"),
        ("delay", {"reason": " "}, "The reason is empty"),
    ],
)
def test_slips_are_refused(store: LocalStore, column: str, options: dict[str, Any], told: str) -> None:
    with pytest.raises(AcceptanceError, match=told):
        accept(store, column, **{"reason": "why not", **options})
    assert store.read("accepted.json") is None


@pytest.mark.parametrize(("date", "told"), [("2001-01-01", "is over"), ("tomorrow", "is no date")])
def test_a_date_lies_ahead(store: LocalStore, date: str, told: str) -> None:
    with pytest.raises(AcceptanceError, match=told):
        run("accept", "delay", "--store", str(store.root), "--reason", "r", "--until", date)


def test_a_store_without_windows_needs_a_version(tmp_path: Path) -> None:
    empty = LocalStore(tmp_path)
    with pytest.raises(AcceptanceError, match="hasn't judged any window"):
        accept(empty, "delay", "why")
    assert accept(empty, "delay", "why", version="v")["version"] == "v"


def test_a_list_written_meanwhile_is_kept(store: LocalStore) -> None:
    class Contended(LocalStore):
        tries = 0

        def replace(self, name: str, data: bytes, tag: str | None) -> bool:
            self.tries += 1
            if self.tries == 1:
                super().write(name, b'[{"column": "carrier", "version": null}]')
            return super().replace(name, data, tag)

    contended = Contended(store.root)
    accept(contended, "delay", "why")
    found = store.read("accepted.json")
    assert found is not None
    assert [each["column"] for each in json.loads(found[0])] == ["carrier", "delay"]
    store.write("accepted.json", b"{")
    with pytest.raises(AcceptanceError, match="is not JSON"):
        accept(store, "delay", "why")
