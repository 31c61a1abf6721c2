"""monitor.zip: what it holds, that it gives under Lambda's client what this process gives, and for every task."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lightship.monitoring import make_baseline
from lightship.monitoring.building import ARCHIVE, build_monitor, monitor_requirements, prove_monitor
from lightship.monitoring.samples import HOURS, START, fill_store
from lightship.proving import ProofError
from lightship.targets import make_target
from lightship_runtime.batch.stores import LocalStore
from lightship_runtime.monitor.baseline import Baseline
from lightship_runtime.monitor.cells import HOUR
from lightship_runtime.monitor.run import run_monitor


def frame(rows: int = 2_000) -> pd.DataFrame:
    random = np.random.default_rng(0)
    chance = random.dirichlet([1, 1, 1], rows)
    x = random.normal(size=rows)
    return pd.DataFrame(
        {
            "x": x,
            "city": random.choice(["Oslo", "Rome"], rows).astype(object),
            "said": ["some words"] * rows,
            "when": pd.date_range("2025-01-01", periods=rows, freq="3h"),
            "p": chance[:, 0],
            "late": (random.random(rows) < chance[:, 0]).astype(int),
            "predicted": (chance[:, 0] > 0.5).astype(int),
            **{f"p{name}": chance[:, place] for place, name in enumerate("abc")},
            "letter": random.choice(list("abc"), rows).astype(object),
            "cluster": random.integers(0, 5, rows),
            "minutes": x * 10 + random.normal(size=rows),
        }
    )


INPUTS = ["x", "city", "said", "when"]
TASKS: dict[str, tuple[list[str], dict[str, Any]]] = {
    "binary": (["p", "predicted", "late"], {"prediction": "predicted", "score": "p", "label": "late"}),
    "multiclass": (["pa", "pb", "pc", "letter"], {"score": {name: f"p{name}" for name in "abc"}, "label": "letter"}),
    "regression": (["minutes", "p"], {"prediction": "minutes", "label": "p"}),
    "labels": (["cluster"], {"prediction": "cluster"}),
    "none": ([], {}),
}


def baseline_of(task: str) -> Baseline:
    more, roles = TASKS[task]
    return make_baseline(frame()[[*INPUTS, *more]], **roles)


@pytest.mark.parametrize("task", TASKS)
def test_every_task_is_monitored(task: str, tmp_path: Path) -> None:
    baseline = baseline_of(task)
    assert baseline.outputs.task == task
    store = LocalStore(tmp_path / "store")
    fill_store(store, baseline, "v1")
    (tmp_path / "scratch").mkdir()
    report = run_monitor(store, START + HOURS * HOUR, tmp_path / "scratch", own=("v1", baseline))
    assert (len(report.windows), report.rows, report.skipped) == (2, 1_200, 0)
    assert not any(report.breaches[kind]["on"] for kind in ("quality", "coverage"))
    assert report.breaches["drift"]["columns"] == []
    documents = [json.loads(path.read_bytes()) for path in sorted((tmp_path / "store/results/v1").iterdir())]
    for document in documents:
        assert document["rows"] == 600
        assert document["labels"]["rows"] == (0 if task == "none" else 400)
        assert ("score" in document, "prediction" in document) == {
            "binary": (True, True),
            "multiclass": (True, True),
            "regression": (False, True),
            "labels": (False, True),
            "none": (False, False),
        }[task]


def test_the_zip_gives_what_this_process_gives(tmp_path: Path) -> None:
    target = make_target("3.13", "x86_64")
    baseline = baseline_of("binary")
    made = build_monitor(
        tmp_path, baseline, name="m", version="v1", lock=monitor_requirements(target), target=target, say=_silent
    )
    assert made.artifact.zip_bytes < 15_000_000
    assert made.notes["rows"] == 1_200
    with zipfile.ZipFile(tmp_path / ARCHIVE) as archive:
        names = archive.namelist()
        assert Baseline.from_json(archive.read("model/baseline.json")) == baseline
    assert {name.partition("/")[0] for name in names if name.endswith(".pyc")} == {"lightship_runtime", "numpy"}
    other = replace(baseline, performance=replace(baseline.performance, correct=5))
    with pytest.raises(ProofError, match="of a small store"):
        prove_monitor(tmp_path / ARCHIVE, other, "v1", target)


def _silent(_said: str) -> None:
    pass
