"""A module around the model, from packaging to the zips' answers."""

import json
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.cluster import KMeans
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import lightship
from lightship.around import check_module_path, load_module, model_sample, put_around
from lightship.batch.locations import sink_location, source_location
from lightship.batch.running import Job, run_job
from lightship.describe import describe
from lightship.imports import MissingImportError, check_imports
from lightship.lambda_host import Function, Worker, unpack
from lightship_runtime.around import Module, ModuleError
from lightship_runtime.batch.records import Settings
from lightship_runtime.engines.native import NativeEngine
from lightship_runtime.errors import LightshipError
from lightship_runtime.golden import read_golden
from lightship_runtime.manifest import GOLDEN, Release, read_contract

FEATURES = '''
"""What goes around the model."""
import math

from towns import DISTANCES


def preprocess(row):
    if row["pay"] < 0:
        raise ValueError("pay is below 0")
    return {"logpay": math.log(row["pay"] + 1), "far": DISTANCES[row["town"]], "age": row["age"]}


def postprocess(prediction):
    return "late" if prediction else "on time"
'''


def raw(rows: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "pay": rng.gamma(2.0, 900.0, rows),
            "town": rng.choice(["Oslo", "Lima"], rows),
            "age": rng.integers(18, 90, rows),
        }
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of a user's: the model was fitted on what preprocess makes of the raw rows."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "features.py").write_text(FEATURES)
    (folder / "towns.py").write_text('DISTANCES = {"Oslo": 3.0, "Lima": 8.5}\n')
    frame = raw()
    frame.to_parquet(folder / "raw.parquet")
    inner = pd.DataFrame(
        {"logpay": np.log(frame["pay"] + 1), "far": frame["town"].map({"Oslo": 3.0, "Lima": 8.5}), "age": frame["age"]}
    )
    late = inner["logpay"] + inner["far"] / 5 > 8
    skops.io.dump(make_pipeline(StandardScaler(), LogisticRegression()).fit(inner, late), folder / "model.skops")
    (folder / "lightship.toml").write_text(
        '[model]\nname = "around"\npath = "model.skops"\nsample = "raw.parquet"\nmodule = "features.py"\n'
        '[package]\nengine = "pure"\ninclude = ["towns.py"]\n'
    )
    return folder


@pytest.mark.slow
def test_requests_and_batches_go_through_the_module(project: Path, tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("lightship")), "package", "--out", str(tmp_path), "--json"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stderr
    folder = Path(json.loads(done.stdout)["release"])
    release, contract = Release.read(folder), read_contract(folder)
    assert contract.names == ("pay", "town", "age")
    assert contract.output.classes == ("on time", "late")
    assert {column.name: column.closed for column in contract.columns} == {"pay": False, "town": True, "age": False}
    golden = read_golden(folder / GOLDEN)
    assert set(zip(*golden.rows, strict=True).__next__()) >= set(raw()["pay"])
    rows: list[Any] = raw(50).to_dict("records")
    rows[7]["pay"], rows[9]["pay"] = -1.0, -0.5
    good = [row for row in rows if row["pay"] >= 0]
    root = unpack(folder / release.artifacts["realtime"].file, tmp_path / "task")
    with Worker.start(Function(root=root, handler=release.artifacts["realtime"].handler, name="around")) as worker:
        answered = _call(worker, good)
        refused = _call(worker, rows)
    assert refused[0] == 422
    assert "At row 7: preprocess refuses it: pay is below 0. (1 more in errors.)" in refused[1]["detail"]
    assert [fault["row"] for fault in refused[1]["errors"]] == [7, 9]
    table = tmp_path / "in" / "rows.csv"
    table.parent.mkdir()
    pd.DataFrame(rows).assign(id=range(50)).to_csv(table, index=False)
    settings = Settings(key=("id",), keep=(), format="jsonl", max_reject_share=0.5)
    outcome = run_job(
        Job(source_location(str(table.parent)), sink_location(str(tmp_path / "scored")), folder, settings, workers=1)
    )
    assert (outcome.rows_scored, outcome.rows_rejected) == (48, 2)
    scored = [json.loads(line) for part in outcome.parts for line in Path(part).read_text().splitlines()]
    assert [each["prediction"] for each in scored] == answered[1]["predictions"]
    assert set(answered[1]["predictions"]) == {"late", "on time"}
    np.testing.assert_allclose(
        [each["probability_late"] for each in scored], [each["late"] for each in answered[1]["probabilities"]], 1e-9
    )
    rejects = [json.loads(line) for part in outcome.rejects for line in Path(part).read_text().splitlines()]
    assert [each["row"] for each in rejects] == [8, 10]
    assert "pay is below 0" in rejects[0]["expected"]


def _call(worker: Worker, rows: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
    event = {
        "version": "2.0", "rawPath": "/predict", "headers": {"content-type": "application/json"},
        "requestContext": {"http": {"method": "POST", "path": "/predict"}, "stage": "$default"},
        "body": json.dumps({"instances": rows}), "isBase64Encoded": False,
    }  # fmt: skip
    answer = json.loads(worker.invoke(json.dumps(event).encode()).payload)
    return answer["statusCode"], json.loads(answer["body"])


def test_check_knows_the_module(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(project)
    trusted = skops.io.load(project / "model.skops", trusted=[])
    found = lightship.check(trusted, raw(), module=project / "features.py")
    assert found.engines["pure"]["accepted"]
    assert found.choice is not None
    with pytest.raises(LightshipError, match="logpay"):
        lightship.check(trusted, raw())


def own(folder: Path, text: str) -> Module:
    """A module of its own name, as imports are remembered by it."""
    path = folder / f"own_{uuid.uuid4().hex[:8]}.py"
    path.write_text(text)
    return load_module(path)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import random\ndef preprocess(row): return {'a': random.random()}", "two different rows of row 0"),
        ("def preprocess(row): return [1]", "made a list of row 0"),
        ("def preprocess(row): return row['nope']", "raised KeyError for row 0 of the sample"),
        ("def preprocess(row): return {'a': 1, **({'b': 1} if row['age'] > 30 else {})}", "gives 'b' for some rows"),
    ],
)
def test_a_preprocess_that_cant_be_relied_on_is_refused(tmp_path: Path, code: str, words: str) -> None:
    with pytest.raises(ModuleError, match=words):
        model_sample(own(tmp_path, code), raw())


def test_a_module_that_cant_be_imported_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModuleError, match="can't be imported \\(ModuleNotFoundError"):
        own(tmp_path, "import no_such_library\ndef preprocess(row): return row")
    for name in ("json.py", "model.py", "my features.py", "features.txt"):
        with pytest.raises(ModuleError, match=r"Rename it\."):
            check_module_path(tmp_path / name)


@pytest.mark.parametrize(
    ("model", "code", "words"),
    [
        (LinearRegression(), "def postprocess(value): return {'value': value}", "gave a dict, not a number"),
        (LinearRegression(), "def postprocess(value): return value.real_part", "raised AttributeError"),
        (KMeans(2, n_init=1), "def postprocess(value): return value + 1", "of task clustering"),
    ],
)
def test_a_postprocess_that_doesnt_fit_is_refused(tmp_path: Path, model: Any, code: str, words: str) -> None:
    frame = raw()[["pay", "age"]]
    fitted = model.fit(frame, frame["age"])
    inner = describe(fitted, frame)
    with pytest.raises(ModuleError, match=words):
        put_around(own(tmp_path, code), frame, inner, NativeEngine(fitted, inner.contract))


def test_imports_are_held_against_the_zip(tmp_path: Path) -> None:
    root = tmp_path / "task"
    (root / "numpy").mkdir(parents=True)
    code = tmp_path / "features.py"
    code.write_text(
        "import math, numpy.linalg\nfrom typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import pandas\n"
        "try:\n    import polars\nexcept ImportError:\n    polars = None\n"
        "def later():\n    import requests\n"
    )
    check_imports(code, root, "array", deep=False)
    with pytest.raises(MissingImportError, match=r"imports requests \(line 10\), which the zip of the engine array"):
        check_imports(code, root, "array", deep=True)
    (root / "numpy").rmdir()
    with pytest.raises(MissingImportError, match="imports numpy"):
        check_imports(code, root, "pure", deep=False)
