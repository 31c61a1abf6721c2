"""The golden rows: enough of them, valid, and placed where silent errors hide."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from lightship.describe import Described, describe
from lightship.goldens import GoldenError, edge_values, float32_rows, make_golden, with_jumps
from lightship.jumps import jump_rows
from lightship_runtime.contract import Column, Contract, Output
from lightship_runtime.engine import Outputs, Values
from lightship_runtime.engines.native import NativeEngine
from lightship_runtime.golden import compare
from lightship_runtime.validation import Validator

RNG = np.random.default_rng(5)
X = pd.DataFrame({"a": RNG.normal(10, 3, 400), "b": RNG.normal(size=400)})
TREE = make_pipeline(StandardScaler(), DecisionTreeRegressor(max_depth=3)).fit(X, X["a"] * 3 + X["b"])


class Wrong:
    """The original, but with its input rounded: equal on nearly every row of the sample."""

    name = "wrong"

    def __init__(self, original: NativeEngine) -> None:
        self.original = original

    def predict(self, columns: Sequence[Values]) -> Outputs:
        rounded = [[None if v is None else math.nextafter(v, math.inf) for v in values] for values in columns]
        return self.original.predict(rounded)


@pytest.fixture
def described() -> Described:
    return describe(TREE, X)


def test_jumps_lie_on_both_sides_of_a_threshold(described: Described) -> None:
    engine = NativeEngine(TREE, described.contract)
    rows = jump_rows(engine, described.contract, [(10.0, 0.0)])
    half = len(rows) // 2
    below, above = rows[:half], rows[half:]
    assert half >= 1
    for low, high in zip(below, above, strict=True):
        assert [b for a, b in zip(low, high, strict=True) if a != b] == [
            math.nextafter(a, math.inf) for a, b in zip(low, high, strict=True) if a != b
        ]
        answers = engine.predict([list(column) for column in zip(low, high, strict=True)]).predictions
        assert answers[0] != answers[1]


def test_an_engine_that_is_wrong_by_one_ulp_is_caught(described: Described) -> None:
    original = NativeEngine(TREE, described.contract)
    sealed = make_golden(original, described)
    judged = with_jumps(original, described.contract, sealed)
    assert len(judged.rows) > len(sealed.rows)
    sample = sealed.select(range(sealed.sampled))
    for golden, caught in ((sample, False), (judged, True)):
        answers = tuple(Wrong(original).predict(golden.columns()).predictions)
        wrong = replace(golden, predictions=answers)
        assert compare(golden, described.contract, wrong, 1e-9).holds is not caught


@pytest.mark.parametrize(
    "column",
    [
        Column("n", "number", "float64", nullable=True, minimum=-3.5, maximum=2.25),
        Column("i", "integer", "int64", minimum=0, maximum=9),
        Column("b", "boolean", "bool"),
        Column("c", "category", "str", categories=("a", "b")),
        Column("k", "category", "category", categories=(1, 2), closed=True),
        Column("t", "text", "str"),
        Column("d", "datetime", "datetime64[ns]"),
    ],
)
def test_edge_values_are_valid_by_the_contract(column: Column) -> None:
    values = edge_values(column)
    validator = Validator(Contract((column,), Output("regression")))
    if values:
        assert len(validator.columns([[value] for value in values])[0]) == len(values)
    assert (None in values) == column.nullable


def test_rows_that_float32_cannot_hold_are_kept_of_the_sample_only(described: Described) -> None:
    golden = make_golden(NativeEngine(TREE, described.contract), described)
    kept = float32_rows(golden)
    assert kept.sampled == golden.sampled
    assert all(float(np.float32(v)) == v for row in kept.rows[kept.sampled :] for v in row)
    assert len(kept.rows) < len(golden.rows)


def test_a_sample_of_infinities_is_refused(described: Described) -> None:
    infinite = Described(described.contract, [[math.inf] * 3, [0.0] * 3])
    with pytest.raises(GoldenError, match="no row of finite values"):
        make_golden(NativeEngine(TREE, described.contract), infinite)
