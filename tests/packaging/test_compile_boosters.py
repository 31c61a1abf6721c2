"""LightGBM and XGBoost compile to the same numbers, XGBoost's float32 sums to the last bit."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from lightship.compile import UnsupportedModelError
from lightship_runtime.engines.boosters import wrap_lightgbm, wrap_xgboost

lightgbm = pytest.importorskip("lightgbm")
xgboost = pytest.importorskip("xgboost")

NUMBERS = ["x0", "x1", "x2", "x3", "count"]
LIGHT = {"n_estimators": 12, "n_jobs": 1, "verbose": -1, "min_child_samples": 5}
EXTREME = {"n_estimators": 9, "n_jobs": 1, "enable_categorical": True, "max_depth": 4}
LAST_BITS = 1e-15
randomly = settings(
    derandomize=True, max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def with_categories(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.astype({"city": "category", "code": "category"})


@randomly
@given(seed=st.integers(0, 1000), count=st.integers(2, 3), leaves=st.integers(2, 40), zeros=st.booleans())
def test_lightgbm_classifier(table: Any, reproduces: Any, seed: int, count: int, leaves: int, zeros: bool) -> None:
    frame, y = table(seed)
    frame = with_categories(frame)
    frame.loc[::4, "x3"] = 0.0 if zeros else np.nan
    target = np.array(["a", "b", "c"])[np.digitize(y, np.quantile(y, np.linspace(0, 1, count + 1)[1:-1]))]
    model = lightgbm.LGBMClassifier(num_leaves=leaves, **LIGHT).fit(frame, target)
    reproduces(model, frame, tolerance=LAST_BITS)


@pytest.mark.parametrize(
    "objective",
    ["regression", "regression_l1", "huber", "fair", "poisson", "quantile", "mape", "gamma", "tweedie"],
)
def test_lightgbm_regressor(table: Any, reproduces: Any, objective: str) -> None:
    frame, y = table(2)
    model = lightgbm.LGBMRegressor(objective=objective, **LIGHT).fit(frame[NUMBERS], np.exp(y / 4))
    reproduces(model, frame[NUMBERS], tolerance=LAST_BITS)


@pytest.mark.parametrize("kind", ["rf", "dart", "ova", "sqrt", "few"])
def test_lightgbm_variants(table: Any, reproduces: Any, kind: str) -> None:
    frame, y = table(2)
    settings_of: dict[str, dict[str, Any]] = {
        "rf": {"boosting_type": "rf", "subsample": 0.5, "subsample_freq": 1},
        "dart": {"boosting_type": "dart"},
        "ova": {"objective": "multiclassova"},
        "few": {"min_child_samples": 1000},
    }
    target = np.digitize(y, [0, 1])
    if kind == "sqrt":
        model = lightgbm.LGBMRegressor(reg_sqrt=True, **LIGHT).fit(frame[NUMBERS], np.exp(y))
    else:
        model = lightgbm.LGBMClassifier(**(LIGHT | settings_of[kind])).fit(frame[NUMBERS], target)
    reproduces(model, frame[NUMBERS], tolerance=LAST_BITS)


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64"])
def test_matrices(table: Any, reproduces: Any, dtype: str) -> None:
    frame, y = table(missing=0)
    matrix = (frame[NUMBERS] * 1_000_003).to_numpy().astype(dtype)
    reproduces(lightgbm.LGBMRegressor(**LIGHT).fit(matrix, y), matrix, tolerance=LAST_BITS)
    reproduces(xgboost.XGBRegressor(**EXTREME).fit(matrix, y), matrix, tolerance=0)


def test_early_stopping(table: Any, reproduces: Any) -> None:
    frame, y = table(4)
    numbers = frame[NUMBERS]
    stop = lightgbm.early_stopping(2, verbose=False)
    light = lightgbm.LGBMClassifier(**(LIGHT | {"n_estimators": 200}))
    light.fit(numbers[:150], y[:150] > 0, eval_X=(numbers[150:],), eval_y=(y[150:] > 0,), callbacks=[stop])
    assert 0 < light.best_iteration_ < 200
    reproduces(light, numbers, tolerance=LAST_BITS)
    extreme = xgboost.XGBClassifier(**(EXTREME | {"n_estimators": 200, "early_stopping_rounds": 2}))
    extreme.fit(numbers[:150], y[:150] > 0, eval_set=[(numbers[150:], y[150:] > 0)], verbose=False)
    reproduces(extreme, numbers, tolerance=0)


@randomly
@given(seed=st.integers(0, 1000), count=st.integers(2, 3), parallel=st.integers(1, 2))
def test_xgboost_classifier(table: Any, reproduces: Any, seed: int, count: int, parallel: int) -> None:
    frame, y = table(seed)
    frame = with_categories(frame)
    target = np.digitize(y, np.quantile(y, np.linspace(0, 1, count + 1)[1:-1]))
    model = xgboost.XGBClassifier(num_parallel_tree=parallel, subsample=0.8, **EXTREME).fit(frame, target)
    reproduces(model, frame, tolerance=LAST_BITS)


@pytest.mark.parametrize(
    "objective",
    ["reg:squarederror", "reg:absoluteerror", "reg:pseudohubererror", "count:poisson", "reg:gamma", "reg:tweedie"],
)
def test_xgboost_regressor(table: Any, reproduces: Any, objective: str) -> None:
    frame, y = table(2)
    model = xgboost.XGBRegressor(objective=objective, **EXTREME).fit(frame[NUMBERS], np.exp(y / 4))
    reproduces(model, frame[NUMBERS], tolerance=LAST_BITS)


@pytest.mark.filterwarnings("ignore:.*is deprecated:FutureWarning")
def test_xgboost_variants(table: Any, reproduces: Any) -> None:
    frame, y = table(2)
    numbers = frame[NUMBERS]
    reproduces(xgboost.XGBRFClassifier(**EXTREME).fit(numbers, y > 0), numbers, tolerance=0)
    reproduces(xgboost.XGBRegressor(**EXTREME).fit(numbers, np.stack([y, -y], axis=1)), numbers, tolerance=0)
    dropped = xgboost.XGBRegressor(rate_drop=0.3, **EXTREME).fit(numbers, y)
    reproduces(dropped, numbers, tolerance=0)
    filled = numbers.fillna(-9)
    reproduces(xgboost.XGBRegressor(missing=-9, **EXTREME).fit(filled, y), filled, tolerance=0)


def test_a_sparse_matrix_has_missing_values_for_one_and_zeros_for_the_other(table: Any, reproduces: Any) -> None:
    frame, y = table(missing=0)
    texts = frame[["city", "code", "x0"]]
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["city", "code"]), remainder="passthrough", sparse_threshold=1
    )
    reproduces(make_pipeline(encode, xgboost.XGBRegressor(**EXTREME)).fit(texts, y), texts, tolerance=0)
    reproduces(make_pipeline(encode, lightgbm.LGBMRegressor(**LIGHT)).fit(texts, y), texts, tolerance=LAST_BITS)


@pytest.mark.parametrize("count", [0, 2, 3])
def test_boosters_of_their_own(table: Any, reproduces: Any, count: int) -> None:
    frame, y = table(9)
    frame = with_categories(frame)
    target = np.digitize(y, np.linspace(-1, 1, count + 1)[1:-1]) if count else y
    light = {0: {"objective": "regression"}, 2: {"objective": "binary"}}
    booster = lightgbm.train(
        {"verbose": -1, "num_threads": 1, **light.get(count, {"objective": "multiclass", "num_class": 3})},
        lightgbm.Dataset(frame, target),
        7,
    )
    reproduces(booster, frame, tolerance=LAST_BITS, callable_as=wrap_lightgbm(booster))
    extreme = {0: {"objective": "reg:squarederror"}, 2: {"objective": "binary:logistic"}}
    booster = xgboost.train(
        extreme.get(count, {"objective": "multi:softprob", "num_class": 3}),
        xgboost.DMatrix(frame, target, enable_categorical=True),
        7,
    )
    reproduces(booster, frame, tolerance=LAST_BITS, callable_as=wrap_xgboost(booster))


@pytest.mark.filterwarnings("ignore")
def test_what_is_not_known_is_refused(table: Any, reproduces: Any) -> None:
    frame, y = table(missing=0)
    numbers = frame[NUMBERS]
    for model, word in [
        (lightgbm.LGBMRegressor(linear_tree=True, **LIGHT), "linear"),
        (lightgbm.LGBMRegressor(zero_as_missing=True, **LIGHT), "zero_as_missing"),
        (lightgbm.LGBMRegressor(objective=lambda y, p: (p - y, np.ones_like(y)), **LIGHT), "function"),
        (xgboost.XGBRegressor(booster="gblinear", n_jobs=1), "gblinear"),
    ]:
        with pytest.raises(UnsupportedModelError, match=word):
            reproduces(model.fit(numbers, y), numbers)
