"""lightship.lock: the next packaging follows what an earlier one settled."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.ensemble import RandomForestClassifier

from lightship_runtime.manifest import Release

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(11)
X = pd.DataFrame(RNG.normal(size=(300, 4)), columns=list("abcd"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    model = RandomForestClassifier(20, random_state=0).fit(X, X["a"] > X["b"])
    skops.io.dump(model, tmp_path / "model.skops")
    X.to_parquet(tmp_path / "sample.parquet")
    return tmp_path


def lightship(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lightship")
    return subprocess.run([program, *arguments], cwd=project, capture_output=True, text=True, check=False, timeout=200)


def packaged(project: Path, *arguments: str) -> dict[str, Any]:
    done = lightship(project, "package", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_packaging_again_follows_the_lock(project: Path) -> None:
    assert lightship(project, "init", "model.skops", "--sample", "sample.parquet").returncode == 0
    first = packaged(project)
    lock = json.loads((project / "lightship.lock").read_text())
    assert lock["digest"] == Release.read(project / first["release"]).digest
    assert lock["engine"] == first["engine"]
    assert lock["version"] == first["version"]
    second = packaged(project)
    assert (second["version"], second["engine"]) == (first["version"], first["engine"])
    assert json.loads((project / "lightship.lock").read_text()) == lock


def test_init_writes_the_app_that_this_repository_deploys_with(project: Path) -> None:
    lightship(project, "init", "model.skops", "--sample", "sample.parquet")
    ours = Path(__file__).resolve().parents[2] / "cdk" / "app.py"
    assert (project / "app.py").read_text() == ours.read_text()
    assert json.loads((project / "cdk.json").read_text())["app"] == "python app.py"


def test_init_overwrites_nothing_and_a_dry_run_writes_nothing(project: Path) -> None:
    lightship(project, "init", "model.skops", "--sample", "sample.parquet")
    again = lightship(project, "init", "model.skops", "--sample", "sample.parquet")
    assert again.returncode == 1
    assert "there already" in again.stderr
    plan = lightship(project, "package", "--dry-run", "--json")
    assert json.loads(plan.stdout)["name"] == "model"
    assert not (project / "dist").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["package"], 2, "Name a model file"),
        (["package", "missing.skops", "--sample", "sample.parquet"], 1, "doesn't exist"),
        (["package", "model.skops"], 1, "--sample"),
        (["package", "sample.parquet", "--sample", "sample.parquet"], 1, "sample.parquet"),
        (["package", "model.skops", "--sample", "model.skops"], 1, "model.skops"),
        (["package", "model.skops", "--sample", "sample.parquet", "--python", "2.7"], 1, "2.7"),
        (["package", "model.skops", "--sample", "sample.parquet", "--name", "no/slash"], 1, "no/slash"),
        (["inspect", "."], 1, "not a release"),
        (["serve", "."], 1, "not a release"),
        (["polish"], 2, "polish"),
    ],
)
def test_wrong_input_gets_one_clear_error(project: Path, arguments: list[str], code: int, says: str) -> None:
    done = lightship(project, *arguments)
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not (project / "dist").exists()
