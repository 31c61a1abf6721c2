"""The contract, inferred from models and samples."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import DBSCAN, FeatureAgglomeration, KMeans
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, IsolationForest, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

from lightship.columns import ColumnError
from lightship.describe import DescriptionError, describe
from lightship.samples import as_sample

RNG = np.random.default_rng(0)
N = 60
FRAME = pd.DataFrame(
    {
        "size": RNG.normal(size=N),
        "count": RNG.integers(0, 5, N),
        "city": RNG.choice(["Bern", "Genève"], N),
        "paid": RNG.random(N) < 0.5,
        "grade": pd.Categorical(RNG.choice([1, 2, 3], N), categories=[3, 2, 1]),
    }
)
Y = np.where(FRAME["size"] > 0, "big", "small")


def frame_model(unknown: str = "ignore") -> Any:
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown=unknown), ["city", "grade"]), remainder="passthrough"
    )
    return make_pipeline(columns, LogisticRegression()).fit(FRAME, Y)


def test_columns_carry_their_types_categories_and_ranges() -> None:
    contract = describe(frame_model(), FRAME).contract
    assert contract.layout == "frame"
    assert {column.name: column.type for column in contract.columns} == {
        "size": "number",
        "count": "integer",
        "city": "category",
        "paid": "boolean",
        "grade": "category",
    }
    by_name = {column.name: column for column in contract.columns}
    assert by_name["city"].categories == ("Bern", "Genève")
    assert by_name["grade"].categories == (3, 2, 1)
    assert by_name["count"].minimum == FRAME["count"].min()
    assert not by_name["size"].nullable
    assert contract.output.classes == ("big", "small")
    assert contract.output.task == "binary"
    assert contract.output.probabilities


def test_extra_columns_of_the_sample_are_left_out() -> None:
    contract = describe(frame_model(), FRAME.assign(label=Y)).contract
    assert "label" not in contract.names


def test_a_column_the_model_needs_is_asked_for_by_name() -> None:
    with pytest.raises(DescriptionError, match="'city'"):
        describe(frame_model(), FRAME.drop(columns="city"))


def test_a_model_that_refuses_unseen_categories_closes_the_column() -> None:
    closed = {column.name: column.closed for column in describe(frame_model("error"), FRAME).contract.columns}
    assert closed == {"size": False, "count": False, "city": True, "paid": False, "grade": True}
    assert not any(column.closed for column in describe(frame_model(), FRAME).contract.columns)


def test_missing_values_make_a_column_nullable() -> None:
    frame = pd.DataFrame({"a": [1.0, None, 3.0, 4.0] * 10, "b": ["x", None, "y", "x"] * 10})
    model = HistGradientBoostingClassifier(categorical_features=["b"]).fit(frame.astype({"b": "category"}), [0, 1] * 20)
    described = describe(model, frame.astype({"b": "category"}))
    assert [column.nullable for column in described.contract.columns] == [True, True]
    assert described.columns[0][1] is None
    assert described.columns[1][1] is None


def test_none_and_nan_in_objects_are_told_apart() -> None:
    frame = pd.DataFrame({"a": np.array(["x", None, "y", "x"] * 5, dtype=object)}, dtype=object)
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression()).fit(frame, [0, 1] * 10)
    assert describe(model, frame).contract.columns[0].missing == "none"
    with_nan = frame.fillna(np.nan).astype(object)
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression()).fit(with_nan, [0, 1] * 10)
    assert describe(model, with_nan).contract.columns[0].missing == "nan"


def test_a_matrix_keeps_its_dtype() -> None:
    X = RNG.normal(size=(N, 3)).astype(np.float32)
    contract = describe(LogisticRegression().fit(X, Y), as_sample(X)).contract
    assert contract.layout == "matrix"
    assert [column.dtype for column in contract.columns] == ["float32"] * 3
    assert contract.names == ("x0", "x1", "x2")


def test_a_list_of_texts_is_one_column_of_text() -> None:
    texts = [f"word{i} and word{i % 7}" for i in range(N)]
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, Y)
    contract = describe(model, as_sample(texts)).contract
    assert contract.layout == "series"
    assert len(contract.columns) == 1
    assert contract.columns[0].type in ("text", "category")


@pytest.mark.parametrize(
    ("model", "task", "classes", "width"),
    [
        (LinearSVC(), "binary", ("big", "small"), 0),
        (LinearRegression(), "regression", (), 0),
        (IsolationForest(n_estimators=5), "outlier", (), 0),
        (KMeans(3, n_init=1), "clustering", (), 0),
        (StandardScaler(), "transform", (), 2),
        (FeatureAgglomeration(1), "transform", (), 1),
    ],
)
def test_the_task_is_told_by_the_model(model: Any, task: str, classes: tuple[str, ...], width: int) -> None:
    X = FRAME[["size", "count"]]
    target = FRAME["size"] * 2 if task == "regression" else Y
    output = describe(model.fit(X, target), X).contract.output
    assert (output.task, output.classes, output.width) == (task, classes, width)
    assert output.probabilities is False


@pytest.mark.parametrize("kind", ["forest", "multioutput"])
def test_several_labels_of_zero_and_one_are_multilabel(kind: str) -> None:
    X = FRAME[["size", "count"]]
    labels = np.c_[FRAME["size"] > 0, FRAME["count"] > 2].astype(int)
    model = RandomForestClassifier(3) if kind == "forest" else MultiOutputClassifier(LogisticRegression())
    output = describe(model.fit(X, labels), X).contract.output
    assert (output.task, output.width, output.classes, output.probabilities) == ("multilabel", 2, (0, 1), True)


def test_several_outputs_of_several_classes_are_refused() -> None:
    X = FRAME[["size", "count"]]
    model = RandomForestClassifier(3).fit(X, np.c_[FRAME["count"], FRAME["count"] + 1])
    with pytest.raises(DescriptionError, match="several outputs"):
        describe(model, X)


def test_a_clusterer_that_cannot_predict_is_refused() -> None:
    X = FRAME[["size", "count"]]
    with pytest.raises(DescriptionError, match="DBSCAN"):
        describe(DBSCAN().fit(X), X)


def test_a_column_of_mixed_values_is_named() -> None:
    frame = pd.DataFrame({"a": [1, "x"] * 10}, dtype=object)
    with pytest.raises(ColumnError, match=r"'a'.*int and str"):
        describe(LogisticRegression(), frame)
