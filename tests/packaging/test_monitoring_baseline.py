"""Baselines from any frame: tasks, sizes, odd columns, and errors that name the way out."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lightship.monitoring import make_baseline, monitor
from lightship.monitoring.errors import MissingColumnError, MonitoringError
from lightship_runtime.errors import InvalidDocumentError, UnknownSchemaError
from lightship_runtime.monitor.baseline import Baseline


def outputs_frame(rows: int = 2_000) -> pd.DataFrame:
    random = np.random.default_rng(0)
    score = random.random(rows)
    return pd.DataFrame(
        {
            "x": random.normal(size=rows),
            "p": score,
            "predicted": np.where(score > 0.5, "yes", "no").astype(object),
            "actual": np.where(random.random(rows) < score, "yes", "no").astype(object),
            "cluster": random.integers(0, 4, rows),
            "amount": 10 * score,
            "paid": 10 * score + random.normal(size=rows),
        }
    )


def wide_frame(rows: int = 1_000, columns: int = 100) -> pd.DataFrame:
    """The worst cases by size: long categories, many of them, and free text."""
    random = np.random.default_rng(1)
    words = np.array([f"word{i}" for i in range(3_000)])
    made: dict[str, Any] = {}
    for i in range(columns):
        match i % 4:
            case 0:
                made[f"a rather long column name {i}"] = random.normal(size=rows) * 1e7
            case 1:
                made[f"category {i}"] = [f"{random.integers(0, 110)} " + "long" * 50 for _ in range(rows)]
            case 2:
                made[f"text {i}"] = [" ".join(random.choice(words, 8)) for _ in range(rows)]
            case _:
                seconds = pd.to_timedelta(random.integers(0, 10**7, rows), unit="s")
                made[f"when {i}"] = pd.Timestamp("2020-01-01") + seconds
    return pd.DataFrame(made)


def test_a_hundred_columns_take_under_200_kilobytes() -> None:
    frame = wide_frame()
    frame["p"] = np.linspace(0, 1, len(frame))
    frame["actual"] = (np.arange(len(frame)) % 3 == 0).astype(int)
    data = make_baseline(frame, score="p", label="actual").to_json()
    assert len(data) < 200_000
    assert Baseline.from_json(data).to_json() == data


def test_binary_from_words_finds_the_positive_class() -> None:
    baseline = make_baseline(outputs_frame(), prediction="predicted", score="p", label="actual")
    assert (baseline.outputs.task, baseline.outputs.positive) == ("binary", "yes")
    assert baseline.performance.metrics["roc_auc"]["value"] > 0.7


def test_the_positive_class_can_be_said() -> None:
    frame = outputs_frame()
    frame["q"] = 1 - frame["p"]
    baseline = make_baseline(frame, prediction="predicted", score="q", label="actual", positive="no", ignore=["p"])
    assert baseline.outputs.positive == "no"
    assert baseline.performance.metrics["roc_auc"]["value"] > 0.7


def test_predictions_follow_from_scores() -> None:
    frame = outputs_frame().assign(actual=lambda f: (f["actual"] == "yes").astype(int)).drop(columns="predicted")
    found = monitor(make_baseline(frame, score="p", label="actual"), frame).to_dict()["observed"]["accuracy"]
    assert found["value"] == pytest.approx(((frame["p"] >= 0.5) == (frame["actual"] == 1)).mean())


def test_predictions_follow_from_scores_of_named_classes() -> None:
    frame = outputs_frame().drop(columns="predicted")
    baseline = make_baseline(frame, score="p", label="actual")
    assert (baseline.outputs.classes, baseline.outputs.positive) == (("no", "yes"), "yes")
    right = ((frame["p"] >= 0.5) == (frame["actual"] == "yes")).mean()
    assert baseline.performance.metrics["accuracy"]["value"] == pytest.approx(right)
    assert monitor(baseline, frame).to_dict()["observed"]["accuracy"]["value"] == pytest.approx(right)


def test_labels_as_booleans_meet_predictions_as_integers() -> None:
    frame = outputs_frame()
    frame = frame.assign(actual=frame["actual"] == "yes", predicted=(frame["p"] > 0.5).astype(int))
    baseline = make_baseline(frame, prediction="predicted", score="p", label="actual")
    assert len(baseline.outputs.classes) == 2
    right = frame["actual"] == (frame["p"] > 0.5)
    assert baseline.performance.metrics["accuracy"]["value"] == pytest.approx(right.mean())


@pytest.mark.parametrize(("column", "task"), [("cluster", "labels"), ("amount", "regression")])
def test_models_without_scores(column: str, task: str) -> None:
    frame = outputs_frame()
    baseline = make_baseline(frame, prediction=column)
    assert baseline.outputs.task == task
    moved = frame.assign(**{column: frame[column].max()})
    assert monitor(baseline, frame).to_dict()["prediction"]["drift"]["level"] == "none"
    assert monitor(baseline, moved).to_dict()["prediction"]["drift"]["level"] == "high"


def test_inputs_alone_are_enough() -> None:
    frame = outputs_frame()[["x"]]
    document = monitor(make_baseline(frame), frame).to_dict()
    assert document["columns"]["x"]["drift"]["level"] == "none"
    assert (document["observed"], document["estimated"]) == ({}, {})
    assert "score" not in document


def test_the_document_has_what_was_promised() -> None:
    frame = outputs_frame()
    baseline = make_baseline(frame, prediction="predicted", score="p", label="actual")
    document = monitor(baseline, frame.drop(columns="actual"), frame["actual"]).to_dict()
    assert set(document["columns"]["x"]["drift"]) >= {"level", "effect", "p_value"}
    for part in ("observed", "estimated"):
        for metric in ("accuracy", "f1", "roc_auc"):
            assert set(document[part][metric]) == {"value", "low", "high"}
    assert document["score"]["drift"]["level"] == "none"
    assert set(document["quality"]) >= {"missing", "unseen", "out_of_range", "invalid", "volume"}


def test_labels_may_come_late_and_by_index() -> None:
    frame = outputs_frame()
    baseline = make_baseline(frame, prediction="predicted", score="p", label="actual")
    some = frame["actual"].iloc[::4].sample(frac=1, random_state=0)
    document = monitor(baseline, frame.drop(columns="actual"), some).to_dict()
    assert document["labels"] == {"rows": len(some), "coverage": 0.25, "expected": len(frame)}
    right = (frame["actual"] == frame["predicted"])[some.index]
    assert document["observed"]["accuracy"]["value"] == pytest.approx(right.mean())


@pytest.mark.parametrize(
    "values",
    [
        [None] * 600,
        [np.nan] * 600,
        [1.0] * 600,
        [np.inf, -np.inf, 1.0] * 200,
        [1e308, -1e308, 0.0] * 200,
        [5e-324, 0.0] * 300,
        [1, "one", None, 2.5, True, (1, 2)] * 100,
        ["a"] * 599 + ["b"],
        list(range(600)),
        [str(i) for i in range(600)],
        pd.array([1, None] * 300, dtype="Int64"),
        pd.array([True, None] * 300, dtype="boolean"),
        pd.array(["x", None] * 300, dtype="string"),
        pd.Categorical(["x", "y", None] * 200),
        pd.to_timedelta(range(600), unit="h"),
        pd.date_range("2020-01-01", periods=600, freq="h", tz="Europe/Oslo"),
        pd.period_range("2020-01", periods=600, freq="M"),
        np.arange(600, dtype="float32") / 3,
        [complex(1, 2)] * 600,
    ],
    ids=range(19),
)
def test_odd_columns_are_as_at_training_when_they_come_again(values: Any) -> None:
    frame = pd.DataFrame({"odd": values})
    baseline = Baseline.from_json(make_baseline(frame).to_json())
    assert monitor(baseline, frame).flagged == ()
    assert monitor(baseline, frame.sample(frac=1, random_state=0)).flagged == ()


def test_a_column_of_another_type_is_invalid() -> None:
    baseline = make_baseline(pd.DataFrame({"x": np.arange(1_000.0)}))
    document = monitor(baseline, pd.DataFrame({"x": ["many"] * 600})).to_dict()
    assert document["columns"]["x"]["drift"]["measure"] == "invalid"
    assert document["columns"]["x"]["drift"]["level"] == "high"


def test_kinds_can_be_overridden() -> None:
    frame = pd.DataFrame({"postcode": [100, 200, 300] * 200})
    assert make_baseline(frame, kinds={"postcode": "category"}).columns[0].kind == "category"
    with pytest.raises(MonitoringError, match="'shoe'"):
        make_baseline(frame, kinds={"postcode": "shoe"})


def test_errors_name_what_is_wrong() -> None:
    frame = outputs_frame()
    with pytest.raises(MissingColumnError, match="'nope'"):
        make_baseline(frame, prediction="nope")
    with pytest.raises(MonitoringError, match="0 rows"):
        make_baseline(frame.head(0))
    with pytest.raises(MonitoringError, match="one for each row"):
        monitor(make_baseline(frame, prediction="predicted", label="actual"), frame, ["yes"])
    with pytest.raises(MonitoringError, match="2 score columns for"):
        make_baseline(frame.assign(a=3), prediction="cluster", score=["p", "amount"])
    with pytest.raises(MonitoringError, match="maybe"):
        make_baseline(frame, prediction="predicted", score="p", positive="maybe")
    with pytest.raises(MonitoringError, match="2000 classes"):
        make_baseline(frame.assign(code=[f"c{i}" for i in range(2_000)]), prediction="code")


def test_documents_that_cannot_be_read() -> None:
    with pytest.raises(InvalidDocumentError):
        Baseline.from_json(b'{"schema": 1, "rows": 5}')
    with pytest.raises(InvalidDocumentError, match="zebra"):
        Baseline.from_json(
            b'{"schema":1,"rows":1,"columns":[{"name":"a","kind":"zebra","tracks":[]}],"outputs":{"task":"none"},"performance":{}}'
        )
    with pytest.raises(UnknownSchemaError):
        Baseline.from_json(b'{"schema": 99}')


def test_the_example_in_the_documentation_runs() -> None:
    guide = Path(__file__).parents[2] / "docs" / "monitoring.md"
    (code,) = re.findall(r"```python\n(.*?)```", guide.read_text(encoding="utf-8"), re.DOTALL)
    random = np.random.default_rng(5)
    chance = random.random(2_000)
    training = pd.DataFrame(
        {
            "dep_delay": random.normal(size=2_000),
            "probability": chance,
            "predicted": (chance > 0.5).astype(int),
            "late": (random.random(2_000) < chance).astype(int),
        }
    )
    names = {"training": training, "this_week": training.drop(columns="late"), "outcomes": training["late"]}
    exec(code, names)  # noqa: S102 - the documentation's own lines
    assert "Late flights" in names["page"]


def test_an_empty_window_is_insufficient() -> None:
    frame = outputs_frame()
    document = monitor(make_baseline(frame, prediction="predicted", score="p", label="actual"), frame.head(0)).to_dict()
    assert document["rows"] == 0
    assert document["columns"]["x"]["drift"]["level"] == "insufficient"
