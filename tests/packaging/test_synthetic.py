"""Golden rows made from the contract: releases that hold no row of the sample."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.decomposition import NMF
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from lightship.describe import describe
from lightship.goldens import GoldenError, make_golden
from lightship.loading import loaded_object
from lightship.study import study
from lightship.synthetic import synthetic_golden, synthetic_rows
from lightship_runtime.contract import Column, Contract, Output
from lightship_runtime.engines.native import NativeEngine
from lightship_runtime.golden import read_golden
from lightship_runtime.manifest import BASELINE, GOLDEN
from lightship_runtime.monitor.baseline import Baseline
from lightship_runtime.validation import Validator


def people(rows: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(
        {
            "income": np.round(rng.lognormal(8, 1, rows), 7),
            "age": rng.integers(18, 99, rows),
            "town": rng.choice(["Oslo", "Lima"], rows),
            "letter": [f"Dear Sir, I am person {i} of {rng.integers(10**9)}" for i in range(rows)],
        }
    )
    frame.loc[rng.random(rows) < 0.2, "income"] = np.nan
    return frame


def test_made_up_rows_obey_the_contract_and_are_the_same_each_time() -> None:
    contract = Contract(
        (
            Column("a", "number", "float64", nullable=True, minimum=-2.5, maximum=7.0),
            Column("b", "integer", "int64", minimum=3, maximum=3),
            Column("c", "category", "int64", categories=(1, 5), closed=True),
            Column("d", "datetime", "datetime64[us]"),
            Column("e", "text", "str"),
            Column("f", "boolean", "bool"),
        ),
        Output("regression"),
    )
    rows = synthetic_rows(contract, 200)
    assert rows == synthetic_rows(contract, 200)
    Validator(contract).columns([list(row) for row in rows])
    a, b, c, *_ = zip(*rows, strict=True)
    assert None in a
    assert {value for value in a if value is not None and not -2.5 <= value <= 7.0} == set()
    assert (set(b), set(c)) == ({3}, {1, 5})


@pytest.mark.parametrize("synthetic", [False, True])
def test_no_row_of_the_sample_is_kept(tmp_path: Path, synthetic: bool) -> None:
    frame = people()
    columns = make_column_transformer(
        (OrdinalEncoder(), ["town"]), (TfidfVectorizer(max_features=5), "letter"), remainder="passthrough"
    )
    model = make_pipeline(columns, HistGradientBoostingClassifier(max_iter=5)).fit(frame, frame["age"] > 50)
    document = study(
        loaded_object(model), frame, tmp_path, fixed=("pure", "pure"), task=None, thresholds={}, synthetic=synthetic,
        say=lambda _text: None,
    )  # fmt: skip
    golden = read_golden(tmp_path / GOLDEN)
    seen = {value for name in ("income", "letter") for value in frame[name].dropna()} - {
        frame["income"].min(), frame["income"].max()
    }  # fmt: skip
    kept = {value for row in golden.rows for value in row}
    baseline = Baseline.from_json((tmp_path / BASELINE).read_bytes())
    assert bool(kept & seen) is not synthetic
    assert document["about"].get("golden") == ("synthetic" if synthetic else None)
    assert document["about"]["baseline"]["source"] == ("synthetic" if synthetic else "sample")
    assert baseline.rows == (golden.sampled if synthetic else len(frame))
    if synthetic:
        assert golden.sampled == 500
        assert len(golden.rows) > 510


def test_a_model_that_refuses_all_made_up_rows_is_refused() -> None:
    class Fussy:
        name = "fussy"

        def predict(self, columns: object) -> None:
            raise ValueError("not these")

    with pytest.raises(GoldenError, match="refuses every row that was made"):
        synthetic_golden(Fussy(), Contract((Column("a", "number", "float64"),), Output("regression")))  # type: ignore[arg-type]


def test_a_model_that_doesnt_treat_rows_one_by_one_is_refused() -> None:
    frame = pd.DataFrame(np.random.default_rng(0).random((60, 5)), columns=list("abcde"))
    model = NMF(3, init="random", random_state=0, max_iter=20, tol=0.1).fit(frame)
    described = describe(model, frame)
    with pytest.raises(GoldenError, match="alone than among the others"):
        make_golden(NativeEngine(model, described.contract), described)
