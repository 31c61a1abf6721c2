"""Columns told by their distinct values answer as the columns themselves do."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from lightship.compile import compile_model
from lightship.describe import describe
from lightship_runtime.engine import Distinct, RefusedRowsError
from lightship_runtime.engines import array


def told(values: list[Any], *unused: Any) -> Distinct:
    distinct = [*unused, *dict.fromkeys(values)]
    return Distinct(distinct, np.array([distinct.index(value) for value in values], dtype=np.int32))


def test_it_is_the_array_it_tells_of() -> None:
    values = ["a", None, "b", "a", "a"]
    column = told(values, "unused")
    assert len(column) == 5
    assert list(column) == column.tolist() == np.asarray(column).tolist() == values
    assert [column[i] for i in range(5)] == values
    assert np.asarray(column[1:4]).tolist() == values[1:4]
    assert np.asarray(column[np.array([True, False, False, False, True])]).tolist() == ["a", "a"]
    assert np.asarray(told([1.5, None])).dtype == object
    assert np.asarray(told([2, 1, 2]), dtype=np.float64).tolist() == [2.0, 1.0, 2.0]
    assert column.map(lambda value: value and value * 2).tolist() == ["aa", None, "bb", "aa", "aa"]
    assert Distinct.of(np.array([3, 1, 3])).tolist() == [3, 1, 3]


def test_a_few_rows_of_many_values_are_an_array() -> None:
    column = told([str(i) for i in range(100)])
    assert isinstance(column[:10], np.ndarray)
    assert isinstance(told(["a", "b"] * 50)[:10], Distinct)


def test_only_rows_that_hold_an_unknown_category_are_refused(tmp_path: Any) -> None:
    sample = pd.DataFrame({"city": ["Ulm", "Bonn", "Trier"] * 20})
    model = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(sample, np.arange(60) % 2)
    contract = describe(model, sample, None).contract
    compile_model(model, contract, tmp_path / "program")
    engine = array.open_engine(tmp_path / "program", contract)
    values = ["Ulm", "Bonn"] * 5_000
    assert len(engine.predict([told(values, "Mars")]).predictions) == 10_000
    values[9_000] = values[3] = "Mars"
    for column in (values, told(values), told(values, "Venus")):
        with pytest.raises(RefusedRowsError) as refusal:
            engine.predict([column])
        assert refusal.value.rows == (3, 9_000)
        assert "the category 'Mars'" in refusal.value.reason
