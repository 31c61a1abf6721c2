"""Kinds of models and samples that once were refused or crashed, though people have them."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

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
