"""`lightship batch run` on this machine: all of a release's batch.zip but Lambda."""

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from lightship.batch.locations import refuse_overlap, sink_location, source_location
from lightship.compile import compile_model
from lightship_runtime.batch.errors import BatchError
from lightship_runtime.contract import Column, Contract, Output
from lightship_runtime.loader import CONTRACT, MODEL, model_document
from lightship_runtime.manifest import MANIFEST, Artifact, Engines, Release, Target, file_digest

ROWS = 60_000


def make_rows(count: int) -> pd.DataFrame:
    draw = np.random.default_rng(4)
    rows = pd.DataFrame(
        {
            "id": np.arange(count) * 3,
            "distance": draw.normal(500, 200, count).round(3),
            "carrier": draw.choice(["AA", "UA", 'O\'Hare, "x"'], count),
            "note": [f"n{i}" for i in range(count)],
        }
    )
    rows.loc[rows.index % 1000 == 7, "note"] = "two\nlines"
    return rows


@pytest.fixture(scope="module")
def model() -> Any:
    rows = make_rows(500)
    columns = make_column_transformer(
        (StandardScaler(), ["distance"]), (OneHotEncoder(sparse_output=False), ["carrier"])
    )
    late = np.where(rows["distance"] + rows["carrier"].eq("AA") * 100 > 550, "late", "on time")
    return make_pipeline(columns, LogisticRegression()).fit(rows[["distance", "carrier"]], late)


@pytest.fixture(scope="module")
def release(model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release folder with the compiled model in a batch.zip, without what Lambda alone needs."""
    folder, files = tmp_path_factory.mktemp("release"), tmp_path_factory.mktemp("model")
    carriers = ("AA", 'O\'Hare, "x"', "UA")
    contract = Contract(
        (Column("distance", "number", "float64"), Column("carrier", "category", "str", categories=carriers)),
        Output("binary", ("late", "on time"), probabilities=True),
    )
    compile_model(model, contract, files)
    (files / CONTRACT).write_bytes(contract.to_json())
    (files / MODEL).write_bytes(model_document(name="flights", version="0123456789abcdef", engine="array"))
    with zipfile.ZipFile(folder / "batch.zip", "w") as archive:
        for path in files.iterdir():
            archive.write(path, f"model/{path.name}")
    digest = file_digest(folder / "batch.zip")
    manifest = Release(
        "flights", "0123456789abcdef", "0.1.0", Target("3.13", "x86_64", "2_34"), Engines("pure", "array"),
        {"batch": Artifact("batch.zip", "x.handler", digest, 1, 1)}, {"batch.zip": digest}, None,
    )  # fmt: skip
    (folder / MANIFEST).write_bytes(manifest.to_json())
    return folder


def command(*arguments: object) -> list[str]:
    return [str(Path(sys.executable).with_name("lightship")), "batch", "run", *map(str, arguments)]


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, check=False)


def check(rows: pd.DataFrame, model: Any, outcome: dict[str, Any]) -> None:
    """The parts hold the model's own predictions of exactly these rows, by key."""
    scored = pd.concat(
        [pd.read_parquet(part) if part.endswith(".parquet") else pd.read_csv(part) for part in outcome["parts"]]
    ).set_index("id")
    assert scored.index.is_unique
    assert set(scored.index) == set(rows["id"])
    scored = scored.loc[rows["id"]]
    chances = model.predict_proba(rows[["distance", "carrier"]])
    assert np.allclose(scored[["probability_late", "probability_on time"]], chances, rtol=0, atol=1e-12)
    assert (scored["prediction"].to_numpy() == model.predict(rows[["distance", "carrier"]])).all()
    assert (scored["note"].to_numpy() == rows["note"].to_numpy()).all()


@pytest.mark.slow
@pytest.mark.parametrize("written", ["csv", "parquet"])
def test_files_in_a_folder_are_scored_on_all_cores(tmp_path: Path, model: Any, release: Path, written: str) -> None:
    rows = make_rows(ROWS)
    (tmp_path / "in").mkdir()
    rows[:50_000].to_csv(tmp_path / "in" / "a.csv", index=False)
    rows[50_000:55_000].to_parquet(tmp_path / "in" / "b.parquet")
    rows[55_000:].to_json(tmp_path / "in" / "c.jsonl", orient="records", lines=True)
    arguments = (tmp_path / "in", tmp_path / "out", "--release", release, "--key", "id", "--format", written, "--json")
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert (outcome["rows_in"], outcome["rows_scored"], outcome["rows_rejected"]) == (ROWS, ROWS, 0)
    check(rows, model, outcome)
    written_at = {part: Path(part).stat().st_mtime_ns for part in outcome["parts"]}
    again = json.loads(run(*arguments).stdout)
    assert {**again, "seconds": 0} == {**outcome, "seconds": 0}
    assert {part: Path(part).stat().st_mtime_ns for part in outcome["parts"]} == written_at


@pytest.mark.slow
def test_interrupted_it_leaves_nothing_half_made_and_goes_on(tmp_path: Path, model: Any, release: Path) -> None:
    rows = make_rows(ROWS * 12)
    rows.to_csv(tmp_path / "a.csv", index=False)
    out = tmp_path / "out"
    arguments = (tmp_path / "a.csv", out, "--release", release, "--key", "id", "--json", "--workers", 2)
    running = subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list(out.glob("_lightship/runs/*/results/*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(running.pid, signal.SIGINT)
    _, told = running.communicate(timeout=60)
    assert running.returncode == 130, told
    assert "Interrupted" in told
    assert "Traceback" not in told
    assert not list(out.rglob("_SUCCESS"))
    assert not list(out.rglob(".lightship-*"))
    before = {path: path.stat().st_mtime_ns for path in out.glob("_lightship/runs/*/results/*")}
    assert before
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    check(rows, model, json.loads(done.stdout))
    assert all(path.stat().st_mtime_ns == then for path, then in before.items())


@pytest.mark.slow
def test_a_run_that_fails_says_why_in_one_line(tmp_path: Path, release: Path) -> None:
    (tmp_path / "a.csv").write_text("id,distance,carrier\n1,x,AA\n2,5,AA\n")
    done = run(tmp_path / "a.csv", tmp_path / "out", "--release", release, "--key", "id")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: 1 of 2 rows of the run")
    (reject,) = (tmp_path / "out").rglob("_rejects/*")
    assert json.loads(reject.read_text()) == {
        "file": "a.csv", "row": 1, "column": "distance", "value": "x", "expected": "a finite number"
    }  # fmt: skip
    allowed = run(
        tmp_path / "a.csv", tmp_path / "out", "--release", release, "--key", "id", "--max-rejects", 0.5, "--json"
    )
    assert json.loads(allowed.stdout)["rows_rejected"] == 1


def test_input_and_output_may_not_overlap(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("x\n")
    for source, sink in (("in", "in/out"), ("in", "."), ("in", "in")):
        with pytest.raises(BatchError, match="overlap"):
            refuse_overlap(source_location(str(tmp_path / source)), sink_location(str(tmp_path / sink)))
    refuse_overlap(source_location(str(tmp_path / "in")), sink_location(str(tmp_path / "in-scored")))
    refuse_overlap(source_location(str(tmp_path / "in" / "a.csv")), sink_location(str(tmp_path / "in")))
    with pytest.raises(BatchError, match="overlap"):
        refuse_overlap(source_location("s3://b/in/"), sink_location("s3://b/in/scored"))
    with pytest.raises(BatchError, match="no file or folder"):
        source_location(str(tmp_path / "none"))
