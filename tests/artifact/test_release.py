"""The main job on models that are made here: packaged, proven, booted, called."""

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from lightship import package
from lightship.lambda_host import Function, Worker, python_for, unpack
from lightship.proving import ProofError, prove
from lightship_runtime.errors import LightshipError
from lightship_runtime.golden import read_golden
from lightship_runtime.manifest import BASELINE, GOLDEN, NotAReleaseError, Release, read_contract
from lightship_runtime.monitor.baseline import Baseline

pytestmark = pytest.mark.slow


def sample(rows: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    frame = pd.DataFrame(
        {"size": rng.normal(size=rows), "count": rng.integers(0, 9, rows), "city": rng.choice(["a", "b", "ç"], rows)}
    )
    frame.loc[rng.random(rows) < 0.1, "size"] = np.nan
    return frame


def classifier(last: Any) -> Any:
    frame = sample()
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    columns = make_column_transformer((numbers, ["size", "count"]), (OneHotEncoder(handle_unknown="ignore"), ["city"]))
    return make_pipeline(columns, last).fit(frame, np.where(frame["count"] > 4, "high", "low"))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    skops.io.dump(classifier(LogisticRegression()), folder / "linear.skops")
    sample().to_parquet(folder / "sample.parquet")
    return folder


@pytest.fixture(scope="module")
def release(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    document = run_package(files, out)
    return Path(document["release"])


def test_another_processors_zip_is_proven_as_far_as_it_is_python(release: Path, tmp_path: Path) -> None:
    """Machine code for another processor can't be loaded; the pure engine's predictions don't need any."""
    found = Release.read(release)
    foreign = tmp_path / "foreign.zip"
    with zipfile.ZipFile(release / found.artifacts["realtime"].file) as source, zipfile.ZipFile(foreign, "w") as out:
        binaries = [name for name in source.namelist() if name.endswith(".so")]
        for name in source.namelist():
            out.writestr(source.getinfo(name), b"\x7fELF foreign" if name in binaries else source.read(name))
    assert binaries
    subject: dict[str, Any] = {
        "handler": found.artifacts["realtime"].handler, "contract": read_contract(release),
        "golden": read_golden(release / GOLDEN), "tolerance": 1e-9, "target": found.target, "grade": "exact",
    }  # fmt: skip
    proven = prove(foreign, **subject, say=lambda _text: None, foreign=True)
    assert (proven.proof.label_flips, proven.proof.grade) == (0, "exact")
    with pytest.raises(ProofError, match="GET /contract"):
        prove(foreign, **subject, say=lambda _text: None)


def run_package(files: Path, out: Path, *more: str) -> dict[str, Any]:
    done = subprocess.run(
        [*command(files, out), *more, "--json"], capture_output=True, text=True, check=False, timeout=200
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def command(files: Path, out: Path) -> list[str]:
    lightship = Path(sys.executable).with_name("lightship")
    return [str(lightship), "package", str(files / "linear.skops"), "--sample", str(files / "sample.parquet"),
            "--out", str(out)]  # fmt: skip


def test_the_release_says_what_it_is(release: Path) -> None:
    found = Release.read(release)
    assert found.proof is not None
    assert found.proof.grade == "exact"
    assert found.proof.label_flips == 0
    assert found.proof.max_abs_diff <= found.proof.tolerance
    assert found.proof.rows > 300
    assert found.artifacts["realtime"].zip_bytes == (release / "realtime.zip").stat().st_size
    assert release.name == found.version


def test_the_zip_holds_no_pickle_no_golden_rows_and_bytecode_for_every_module(release: Path) -> None:
    with zipfile.ZipFile(release / "realtime.zip") as archive:
        names = archive.namelist()
    assert not [name for name in names if name.endswith((".pkl", ".pickle", ".joblib")) or "golden" in name]
    assert "lightship_runtime/realtime.pyc" in names
    sources = [name for name in names if name.endswith(".py")]
    assert all(name.startswith("anyio/") for name in sources)


def test_the_baseline_is_sealed_and_the_zips_hold_its_bins_alone(release: Path) -> None:
    assert BASELINE in Release.read(release).files
    whole = Baseline.from_json((release / BASELINE).read_bytes())
    assert [column.name for column in whole.columns] == ["size", "count", "city"]
    for use, outputs in (("realtime", False), ("batch", True)):
        with zipfile.ZipFile(release / f"{use}.zip") as archive:
            assert not [name for name in archive.namelist() if BASELINE in name]
            assert archive.read("model/bins.json") == whole.to_bins(outputs=outputs)


def test_packaging_twice_gives_the_same_bytes(files: Path, release: Path, tmp_path: Path) -> None:
    document = run_package(files, tmp_path / "another" / "place")
    assert document["version"] == Release.read(release).version
    assert (Path(document["release"]) / "realtime.zip").read_bytes() == (release / "realtime.zip").read_bytes()


def test_the_model_as_an_object_gives_the_same_version_as_its_file(release: Path, tmp_path: Path) -> None:
    packaged = package(classifier(LogisticRegression()), sample=sample(), out=tmp_path, name="linear")
    assert packaged.release.version == Release.read(release).version


@pytest.mark.parametrize("engine", ["onnx", "native"])
def test_every_engine_can_be_asked_for(engine: str, files: Path, tmp_path: Path) -> None:
    document = run_package(files, tmp_path, "--engine", engine)
    assert document["engine"] == {"request": engine, "batch": engine}
    assert document["proof"]["label_flips"] == 0


@pytest.fixture(scope="module")
def worker(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    root = unpack(release / "realtime.zip", tmp_path_factory.mktemp("task") / "root")
    with Worker.start(Function(root, Release.read(release).artifacts["realtime"].handler)) as worker:
        yield worker


def invoke(worker: Worker, event: dict[str, Any]) -> dict[str, Any]:
    result = worker.invoke(json.dumps(event).encode())
    assert not result.error, result.payload
    return dict(json.loads(result.payload))


def http_event(method: str, path: str, body: object = None) -> dict[str, Any]:
    return {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json", "host": "x.execute-api.us-east-1.amazonaws.com"},
        "requestContext": {"http": {"method": method, "path": path, "sourceIp": "1.2.3.4"}, "stage": "$default"},
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }


def rest_event(method: str, path: str, body: object = None, stage: str = "prod") -> dict[str, Any]:
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": {"Content-Type": "application/json", "Host": "x.execute-api.us-east-1.amazonaws.com"},
        "multiValueHeaders": {"Content-Type": ["application/json"]},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "requestContext": {"stage": stage, "path": f"/{stage}{path}", "httpMethod": method, "identity": {}},
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }


ROW = {"size": 0.5, "count": 7, "city": "ç"}


@pytest.mark.parametrize("event", [http_event, rest_event])
def test_both_kinds_of_event_are_answered(worker: Worker, event: Any) -> None:
    answer = invoke(worker, event("POST", "/predict", {"instances": [ROW]}))
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"])["predictions"] == ["high"]
    assert invoke(worker, event("GET", "/ping"))["statusCode"] == 200
    assert json.loads(invoke(worker, event("GET", "/contract"))["body"])["layout"] == "frame"
    assert invoke(worker, event("GET", "/nowhere"))["statusCode"] == 404


def test_links_carry_the_stage_of_a_rest_api(worker: Worker) -> None:
    assert "/prod/openapi.json" in invoke(worker, rest_event("GET", "/docs"))["body"]
    assert "/prod/" not in invoke(worker, http_event("GET", "/docs"))["body"]


def test_a_named_stage_of_an_http_api_is_not_part_of_the_route(worker: Worker) -> None:
    event = http_event("POST", "/dev/predict", {"instances": [ROW]})
    event["requestContext"]["stage"] = "dev"
    assert invoke(worker, event)["statusCode"] == 200


def test_the_openapi_page_describes_the_contract(worker: Worker) -> None:
    document = json.loads(invoke(worker, http_event("GET", "/openapi.json"))["body"])
    operation = document["paths"]["/predict"]["post"]
    row = operation["requestBody"]["content"]["application/json"]["schema"]["properties"]["instances"]["items"]
    assert set(row["properties"]) == set(ROW)
    assert set(document["paths"]) == {"/predict", "/ping", "/contract", "/feedback"}


def test_a_replay_answers_without_telemetry(worker: Worker) -> None:
    result = worker.invoke(json.dumps({"lightship": {"replay": [ROW]}}).encode())
    assert json.loads(result.payload)["predictions"] == ["high"]
    assert not any("CloudWatchMetrics" in line for line in result.logs)


@pytest.mark.parametrize("after_s", [0.3, 2.0, 4.0, 6.0])
def test_killed_at_any_moment_nothing_looks_finished(files: Path, tmp_path: Path, after_s: float) -> None:
    process = subprocess.Popen(command(files, tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(after_s)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    for folder in [each for each in tmp_path.rglob("*") if each.is_dir()]:
        if (folder / "release.json").exists():
            Release.read(folder)
        else:
            with pytest.raises(NotAReleaseError):
                Release.read(folder)


def test_a_changed_file_is_noticed(release: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in release.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    Release.read(copy)
    (copy / "contract.json").write_bytes((copy / "contract.json").read_bytes().replace(b"size", b"Size"))
    with pytest.raises(NotAReleaseError, match=r"contract\.json"):
        Release.read(copy)


def test_a_zip_that_predicts_something_else_is_refused(release: Path) -> None:
    from lightship.proving import ProofError, prove
    from lightship_runtime.manifest import read_contract

    found = Release.read(release)
    golden = read_golden(release / GOLDEN)
    forged = type(golden)(
        golden.rows, tuple(1 - each for each in golden.predictions), golden.probabilities, None, golden.sampled
    )
    with pytest.raises(ProofError, match="label flips"):
        prove(
            release / "realtime.zip",
            handler=found.artifacts["realtime"].handler,
            contract=read_contract(release),
            golden=forged,
            tolerance=1e-9,
            target=found.target,
            grade="exact",
            say=lambda _text: None,
        )


def test_a_refused_packaging_leaves_nothing(tmp_path: Path) -> None:
    model = classifier(HistGradientBoostingClassifier(max_iter=5))
    with pytest.raises(LightshipError):
        package(model, sample=sample().drop(columns="city"), out=tmp_path / "out", name="broken")
    assert not (tmp_path / "out" / "broken").exists()


def test_a_cold_start_imports_nothing_that_the_first_prediction_does_without(release: Path, tmp_path: Path) -> None:
    found = Release.read(release)
    assert found.engine.request == "pure"
    root = unpack(release / "realtime.zip", tmp_path / "root")
    program = f"import sys; sys.path.insert(0, {str(root)!r}); import lightship_runtime.realtime; print(*sys.modules)"
    done = subprocess.run(
        [python_for(found.python), "-I", "-S", "-c", program], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    costly = {"dataclasses", "inspect", "pathlib", "numpy", "fastapi", "pydantic", "starlette", "mangum", "asyncio"}
    assert loaded & costly == set()


def test_thresholds_apply_in_the_zip_as_in_the_golden_rows(tmp_path: Path) -> None:
    model = classifier(LogisticRegression())
    packaged = package(model, sample=sample(), out=tmp_path, name="strict", thresholds={"high": 0.999})
    assert packaged.release.proof is not None
    assert packaged.release.proof.label_flips == 0
    golden = read_golden(packaged.path / GOLDEN)
    assert golden.probabilities is not None
    expected = [0 if row[0] >= 0.999 else 1 for row in golden.probabilities]
    assert list(golden.predictions) == expected
    with pytest.raises(LightshipError, match="enormous"):
        package(model, sample=sample(), out=tmp_path, name="wrong", thresholds={"enormous": 0.5})
