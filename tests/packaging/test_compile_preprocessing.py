"""Preprocessing compiles to the same numbers, on values seen and never seen."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)

NUMBERS = ["x0", "x1", "x2", "x3", "count"]
TEXTS = ["city", "code", "kind"]
randomly = settings(
    derandomize=True, max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.filterwarnings("ignore:Found unknown categories:UserWarning")
@randomly
@given(
    seed=st.integers(0, 1000),
    drop=st.sampled_from([None, "first", "if_binary"]),
    unknown=st.sampled_from(["ignore", "infrequent_if_exist", "error"]),
    frequency=st.sampled_from([None, 5, 20, 0.3]),
    sparse=st.booleans(),
)
def test_one_hot_encoder(
    table: Any, reproduces: Any, seed: int, drop: Any, unknown: str, frequency: Any, sparse: bool
) -> None:
    frame, y = table(seed)
    encoder = OneHotEncoder(drop=drop, handle_unknown=unknown, min_frequency=frequency, sparse_output=sparse)
    preparation = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler()), NUMBERS),
        (encoder, [*TEXTS, "flag"]),
    )
    reproduces(make_pipeline(preparation, Ridge()).fit(frame, y), frame)


@randomly
@given(
    seed=st.integers(0, 1000),
    unknown=st.sampled_from([-1, np.nan]),
    missing=st.sampled_from([-2.0, np.nan]),
    frequency=st.sampled_from([None, 12]),
)
def test_ordinal_encoder(
    table: Any, reproduces: Any, seed: int, unknown: float, missing: float, frequency: Any
) -> None:
    frame, _ = table(seed)
    encoder = OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=unknown,
        encoded_missing_value=missing,
        min_frequency=frequency,
    )
    reproduces(encoder.fit(frame[TEXTS]), frame[TEXTS])


@pytest.mark.parametrize("dtype", ["float64", "float32", "int32"])
@pytest.mark.parametrize(
    "scaler",
    [
        StandardScaler(),
        StandardScaler(with_mean=False),
        MinMaxScaler((-1, 2)),
        MinMaxScaler(clip=True),
        MaxAbsScaler(),
        RobustScaler(),
        RobustScaler(with_scaling=False),
    ],
    ids=repr,
)
def test_scalers_to_the_last_bit(table: Any, reproduces: Any, scaler: Any, dtype: str) -> None:
    frame, _ = table(missing=0)
    matrix = (frame[NUMBERS] * 7).to_numpy().astype(dtype)
    reproduces(scaler.fit(matrix), matrix, tolerance=0)


@pytest.mark.parametrize("strategy", ["mean", "median", "most_frequent", "constant"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_imputer_of_numbers(table: Any, reproduces: Any, strategy: str, dtype: str) -> None:
    frame, _ = table(3)
    matrix = frame[["x0", "x1", "x2"]].astype(dtype)
    reproduces(SimpleImputer(strategy=strategy, add_indicator=True).fit(matrix), matrix, tolerance=0)


def test_imputer_of_a_marker(table: Any, reproduces: Any) -> None:
    frame, _ = table()
    imputer = SimpleImputer(missing_values=3, strategy="mean", add_indicator=True)
    reproduces(imputer.fit(frame[["count"]]), frame[["count"]], tolerance=0)


@pytest.mark.filterwarnings("ignore:Skipping features:UserWarning")
def test_imputer_drops_a_column_without_values(table: Any, reproduces: Any) -> None:
    frame, _ = table()
    frame = frame[["x0", "x1", "x2"]].assign(x1=np.nan)
    reproduces(SimpleImputer(add_indicator=True).fit(frame), frame, tolerance=0)
    reproduces(SimpleImputer(keep_empty_features=True).fit(frame), frame, tolerance=0)


@pytest.mark.parametrize("missing", [None, np.nan])
def test_imputer_of_texts(table: Any, reproduces: Any, missing: Any) -> None:
    frame, y = table()
    texts = frame[["city", "code"]].astype(object)
    texts = texts.where(texts.notna(), missing)
    imputer = SimpleImputer(missing_values=missing, strategy="most_frequent")
    model = make_pipeline(imputer, OneHotEncoder(handle_unknown="ignore"), LogisticRegression())
    reproduces(model.fit(texts, y > 0), texts)


def test_none_and_nan_are_different_categories(reproduces: Any) -> None:
    frame = pd.DataFrame({"a": np.array(["x", None, "y", "x"] * 9, dtype=object)})
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression())
    reproduces(model.fit(frame, [0, 1, 1, 0] * 9), frame)
    frame = frame.where(frame.notna(), np.nan)
    reproduces(model.fit(frame, [0, 1, 1, 0] * 9), frame)


@pytest.mark.parametrize("dtype", ["int64", "float64", "float32", "bool"])
def test_categories_that_are_numbers(table: Any, reproduces: Any, dtype: str) -> None:
    frame, y = table()
    column = (frame[["count"]] / 4).round(1).astype(dtype)
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression())
    reproduces(model.fit(column, y > 0), column)


def test_fixed_width_text_is_cut_as_numpy_cuts_it(reproduces: Any) -> None:
    matrix = np.array([["ab"], ["cd"], ["ne"]] * 9)
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression())
    model.fit(matrix, [0, 1, 1] * 9)
    frame = pd.DataFrame({"a": matrix[:, 0]})
    frame.attrs["lightship layout"] = "matrix"
    reproduces(model, frame)


def test_column_transformer_weights_drops_and_passes_through(table: Any, reproduces: Any) -> None:
    frame, y = table(missing=0)
    transformer = ColumnTransformer(
        [
            ("dropped", "drop", ["city"]),
            ("same", "passthrough", ["x1", "count"]),
            ("none", StandardScaler(), []),
            ("scaled", StandardScaler(), [0, 3]),
            ("again", MinMaxScaler(), slice("x1", "x3")),
        ],
        transformer_weights={"scaled": 0.3},
    )
    reproduces(make_pipeline(transformer, Ridge()).fit(frame, y), frame)
    numbers = frame[NUMBERS]
    kept = ColumnTransformer([("scaled", StandardScaler(), ["x3"])], remainder="passthrough").fit(numbers)
    reproduces(kept, numbers, tolerance=0)


def test_frames_between_steps(table: Any, reproduces: Any) -> None:
    frame, y = table(missing=0)
    first = make_column_transformer(
        (OrdinalEncoder(), ["city"]), remainder="passthrough", verbose_feature_names_out=False
    ).set_output(transform="pandas")
    second = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["code", "kind"]), remainder=MinMaxScaler()
    )
    reproduces(make_pipeline(first, second, Ridge()).fit(frame, y), frame)
