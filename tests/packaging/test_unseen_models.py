"""Kinds of models and samples that once were refused or crashed, though people have them."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from onnx import TensorProto, helper
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from lightship.describe import DescriptionError
from lightship.loading import load_model
from lightship.samples import as_sample
from lightship.study import described_model

RNG = np.random.default_rng(8)
ROWS = 120


def test_pandas_own_nullable_types(reproduces: Any) -> None:
    frame = pd.DataFrame(
        {
            "amount": pd.array(RNG.normal(size=ROWS), dtype="Float64"),
            "count": pd.array(RNG.integers(0, 9, ROWS), dtype="Int64"),
            "flag": pd.array(RNG.random(ROWS) < 0.5, dtype="boolean"),
        }
    )
    frame.loc[::7, "count"] = pd.NA
    frame.loc[::5, "flag"] = pd.NA
    frame.loc[::9, "amount"] = pd.NA
    model = HistGradientBoostingClassifier(max_iter=5).fit(frame, RNG.random(ROWS) < 0.5)
    reproduces(model, frame)


@pytest.mark.parametrize(
    ("names", "chosen"), [(("one",), "one"), (("raw", "prediction"), "prediction"), (("one", "two"), None)]
)
def test_a_graph_of_several_outputs_isnt_guessed_at(tmp_path: Path, names: tuple[str, ...], chosen: str | None) -> None:
    nodes = [helper.make_node("Mul", ["x", "x"], [name]) for name in names]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 2]) for name in names]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])
    graph = helper.make_graph(nodes, "graph", [given], outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    loaded = load_model(tmp_path / "model.onnx", trust=[], trust_pickle=False)
    sample = as_sample(RNG.normal(size=(20, 2)))
    if chosen is None:
        with pytest.raises(DescriptionError, match=r"several outputs of one kind \(one, two\)"):
            described_model(loaded, sample, tmp_path, None)
    else:
        assert described_model(loaded, sample, tmp_path, None)[1].contract.output.width == 2


def test_numbers_passed_through_beside_sparse_texts(reproduces: Any) -> None:
    frame = pd.DataFrame(
        {
            "text": [f"word{i % 17} common {'rare' * (i % 5 == 0)}" for i in range(ROWS)],
            "size": RNG.normal(size=ROWS),
            "count": RNG.integers(0, 5, ROWS),
            "flag": RNG.random(ROWS) < 0.5,
        }
    )
    columns = make_column_transformer((TfidfVectorizer(), "text"), remainder="passthrough", sparse_threshold=1.0)
    model = make_pipeline(columns, LogisticRegression()).fit(frame, frame["size"] > 0)
    reproduces(model, frame)
