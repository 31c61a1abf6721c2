"""Programs that read well and mean harm: refused before anything of them is run."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from lightship.compile import compile_model
from lightship.describe import describe
from lightship.verifying import MAXIMUM_WIDTH, verify_model, verify_program
from lightship_runtime.contract import Contract
from lightship_runtime.loader import MODEL, model_document
from lightship_runtime.program.format import BINARY, GRAPH, InvalidProgramError, open_program

CODES = {"d": "<f8", "f": "<f4", "q": "<i8", "i": "<i4", "h": "<i2", "B": "u1"}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Contract]:
    """Trees with categories and missing values."""
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"x": rng.normal(size=300), "kind": pd.Categorical(rng.choice(list("abcdef"), 300))})
    frame.loc[::9, "x"] = np.nan
    y = (frame["kind"].isin(["a", "c"])) ^ (frame["x"] > 0)
    model = HistGradientBoostingClassifier(max_iter=8, categorical_features="from_dtype").fit(frame, y)
    folder = tmp_path_factory.mktemp("program")
    contract = describe(model, frame).contract
    compile_model(model, contract, folder)
    return folder, contract


def tampered(source: Path, folder: Path, array: str, place: int, value: float) -> Path:
    """A copy of the program with one number of the trees' array changed."""
    graph = json.loads((source / GRAPH).read_text())
    node = next(each for each in graph["nodes"] if each["op"] == "trees.ensemble")
    entry = graph["arrays"][node["arrays"][array]]
    data = bytearray((source / BINARY).read_bytes())
    items = np.frombuffer(data, CODES[entry["format"]], int(np.prod(entry["shape"])), entry["offset"])
    items[place] = value
    (folder / GRAPH).write_text(json.dumps(graph))
    (folder / BINARY).write_bytes(data)
    return folder


@pytest.mark.parametrize(
    ("array", "place", "value", "words"),
    [
        ("right", 0, 0, "a child that doesn't lie ahead"),
        ("right", 0, 1, "a child that doesn't lie ahead"),
        ("right", 0, 30_000, "a child that doesn't lie ahead"),
        ("feature", 0, 2, "a column that isn't there"),
        ("feature", -1, 0, "doesn't lie ahead|end within a split"),
        ("roots", 0, -1, "a root outside"),
        ("roots", -1, 1_000_000, "a root outside"),
        ("right", -1, 1_000_000_000, "a leaf outside|another"),
        ("categories", 0, 2_000_000_000, "a category outside"),
        ("limits", 0, -5, "a limit below 0"),
    ],
)
def test_trees_that_point_astray_are_refused(
    compiled: tuple[Path, Contract], tmp_path: Path, array: str, place: int, value: int, words: str
) -> None:
    source, _ = compiled
    if array == "right" and abs(value) > 32_767 and _format(source, array) == "h":
        value = 32_767
    verify_program(open_program(source))
    with pytest.raises(InvalidProgramError, match=words):
        verify_program(open_program(tampered(source, tmp_path, array, place, value)))


def _format(source: Path, array: str) -> Any:
    graph = json.loads((source / GRAPH).read_text())
    node = next(each for each in graph["nodes"] if each["op"] == "trees.ensemble")
    return graph["arrays"][node["arrays"][array]]["format"]


def test_a_packaged_folder_is_verified_by_the_engine_it_names(compiled: tuple[Path, Contract], tmp_path: Path) -> None:
    source, _ = compiled
    tampered(source, tmp_path, "right", 0, 0)
    (tmp_path / MODEL).write_bytes(model_document(name="m", version="v", engine="pure"))
    with pytest.raises(InvalidProgramError, match="lie ahead"):
        verify_model(tmp_path)
    # The walk that this prevents: to its own root, for ever.
    trees = next(each for each in open_program(tmp_path).nodes if each.op == "trees.ensemble")
    assert trees.block("right", formats="hi", shape=(None,)).items()[0] == trees.block(
        "roots", formats="i", shape=(None,)
    ).items()[0]  # fmt: skip


def test_a_node_of_any_width_is_refused(compiled: tuple[Path, Contract], tmp_path: Path) -> None:
    source, _ = compiled
    graph = json.loads((source / GRAPH).read_text())
    graph["nodes"][1]["width"] = MAXIMUM_WIDTH + 1
    (tmp_path / GRAPH).write_text(json.dumps(graph))
    (tmp_path / BINARY).write_bytes((source / BINARY).read_bytes())
    with pytest.raises(InvalidProgramError, match="numbers a row"):
        verify_program(open_program(tmp_path))
    graph["nodes"][1] |= {"width": 1, "op": "os.system"}
    (tmp_path / GRAPH).write_text(json.dumps(graph))
    with pytest.raises(InvalidProgramError, match=r"unknown operation 'os\.system'"):
        verify_program(open_program(tmp_path))
