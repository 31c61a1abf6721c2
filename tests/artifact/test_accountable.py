"""A release's papers: sealed where they are the same each time, beside the seal where they tell of times."""

import email
import hashlib
import json
import os
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from lightship import package
from lightship.api import Packaged
from lightship.binaries import BinaryError, check_binaries
from lightship.cli.package import print_release
from lightship.lambda_host import Function, Worker, unpack
from lightship.papers import CARD, REPORT
from lightship.papers.card import example_row
from lightship.sbom import SBOM
from lightship.scoring import LabelsError
from lightship.wheels import distribution, locked_hashes
from lightship_runtime.golden import read_golden
from lightship_runtime.manifest import GOLDEN, Release, Target, read_contract

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(11)
SAMPLE = pd.DataFrame({"size": RNG.normal(size=200), "code": RNG.integers(100_000, 999_999, 200)})
LABELS = pd.Series(np.where(SAMPLE["size"] > 0, "high", "low"))
MODEL = LogisticRegression().fit(SAMPLE, LABELS)


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Packaged:
    return package(MODEL, sample=SAMPLE, labels=LABELS, out=tmp_path_factory.mktemp("out"), name="codes")


def test_the_bill_is_sealed_and_the_papers_are_beside_the_seal(packaged: Packaged) -> None:
    release = packaged.release
    assert SBOM in release.files
    assert not {CARD, REPORT} & set(release.files)
    (packaged.path / CARD).write_text((packaged.path / CARD).read_text() + "\nA note by hand.\n")
    assert Release.read(packaged.path).digest == release.digest


def test_packaging_again_seals_the_same(packaged: Packaged, tmp_path: Path) -> None:
    again = package(MODEL, sample=SAMPLE, labels=LABELS, out=tmp_path, name="codes")
    assert again.release.digest == packaged.release.digest
    assert (again.path / SBOM).read_bytes() == (packaged.path / SBOM).read_bytes()


@pytest.mark.parametrize(
    ("use", "lock"),
    [
        ("realtime", "requirements.lock"),
        ("batch", "batch-requirements.lock"),
        ("monitor", "monitor-requirements.lock"),
    ],
)
def test_the_bill_lists_what_each_zip_holds_and_what_its_lock_accepts(packaged: Packaged, use: str, lock: str) -> None:
    bill = json.loads((packaged.path / SBOM).read_bytes())
    zips = {each["name"]: each["hashes"][0]["content"] for each in bill["metadata"]["component"]["components"]}
    assert zips[f"{use}.zip"] == packaged.release.artifacts[use].sha256
    listed = {(each["name"], each["version"]): each for each in bill["components"] if "version" in each}
    files = {each["bom-ref"]: each["hashes"][0]["content"] for each in bill["components"][0]["components"]}
    with zipfile.ZipFile(packaged.path / f"{use}.zip") as content:
        about = [name for name in content.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name)]
        held = {distribution(message["Name"]): message["Version"]
                for message in (email.message_from_bytes(content.read(name)) for name in about)}  # fmt: skip
        model = {name: content.read(name) for name in content.namelist() if name.startswith("model/")}
    accepted = locked_hashes((packaged.path / lock).read_text())
    assert held.items() == accepted.keys()
    for part, hashes in accepted.items():
        assert listed[part]["licenses"]
        assert [each["content"] for each in listed[part]["externalReferences"][0]["hashes"]] == list(hashes)
    assert model
    billed = {ref: digest for ref, digest in files.items() if ref.startswith(f"{use}:")}
    assert billed == {f"{use}:{name}": hashlib.sha256(data).hexdigest() for name, data in model.items()}


def test_no_value_of_a_sampled_row_is_in_the_papers(packaged: Packaged) -> None:
    golden = read_golden(packaged.path / GOLDEN)
    codes = {str(row[1]) for row in golden.rows[: golden.sampled]}
    assert len(codes) > 190
    for name in (CARD, REPORT, SBOM):
        assert not codes & set(re.findall(r"\w+", (packaged.path / name).read_text()))


def test_scores_and_memory_advice_are_noted_and_printed(packaged: Packaged, capsys: pytest.CaptureFixture[str]) -> None:
    notes = packaged.release.notes
    accuracy = notes["scores"]["metrics"][0]
    assert accuracy["name"] == "accuracy"
    assert accuracy["value"] == pytest.approx(MODEL.score(SAMPLE, LABELS))
    assert notes["memory"]["memory_mb"] >= notes["memory"]["floor_mb"]
    print_release(packaged)
    assert f"memory: {notes['memory']['memory_mb']} MB" in capsys.readouterr().out


def test_the_cards_example_is_answered(packaged: Packaged, tmp_path: Path) -> None:
    row = example_row(read_contract(packaged.path))
    root = unpack(packaged.path / "realtime.zip", tmp_path / "root")
    with Worker.start(Function(root, packaged.release.artifacts["realtime"].handler)) as worker:
        answer = json.loads(worker.invoke(json.dumps({"lightship": {"replay": [row]}}).encode()).payload)
    assert answer["predictions"][0] in ("high", "low")


def test_labels_that_don_t_fit_stop_the_packaging(tmp_path: Path) -> None:
    with pytest.raises(LabelsError, match="199 labels for the sample's 200 rows"):
        package(MODEL, sample=SAMPLE, labels=LABELS[:-1], out=tmp_path / "out", name="codes")
    assert not (tmp_path / "out").exists()


def test_a_booster_of_lightgbm_runs_on_the_libgomp_that_it_was_lent(tmp_path: Path) -> None:
    lightgbm: Any = pytest.importorskip("lightgbm", reason="LightGBM isn't installed here")
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        pytest.skip("boots an artifact for Linux on x86_64")
    data = lightgbm.Dataset(SAMPLE, (LABELS == "high").astype(int))
    model = lightgbm.train({"objective": "binary", "verbose": -1, "num_threads": 1}, data, 5)
    found = package(model, sample=SAMPLE, out=tmp_path, name="booster", engine="native")
    (lent,) = found.release.notes["lent"]
    assert lent["file"] == "lib/libgomp.so.1"
    assert found.release.proof is not None
    assert found.release.proof.label_flips == 0
    root = unpack(found.path / "realtime.zip", tmp_path / "root")
    assert check_binaries(root, found.release.target).files > 100
    with pytest.raises(BinaryError, match="not arm64"):
        check_binaries(root, Target("3.13", "arm64", "2_34"))
    with Worker.start(Function(root, found.release.artifacts["realtime"].handler)) as worker:
        maps = Path(f"/proc/{worker.pid}/maps").read_text()
    loaded = {line.split()[-1] for line in maps.splitlines() if "libgomp" in line}
    assert loaded == {str(root / "lib/libgomp.so.1")}
