"""The drift rule by simulation: silent without drift and under a harmless wobble, loud on real shifts."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from lightship.monitoring import make_baseline, monitor
from lightship_runtime.monitor.baseline import Baseline
from lightship_runtime.monitor.distance import compare_shares, sampling_bias, stability_index

BASELINE_ROWS = 20_000


def mixed(random: np.random.Generator, rows: int) -> pd.DataFrame:
    """Twenty columns of ten kinds."""
    columns: dict[str, np.ndarray] = {}
    for half in "ab":
        columns |= {
            f"normal {half}": random.normal(10, 3, rows),
            f"exponential {half}": random.exponential(2, rows),
            f"lognormal {half}": random.lognormal(0, 1, rows),
            f"uniform {half}": random.random(rows),
            f"count {half}": random.poisson(4, rows),
            f"gaps {half}": np.where(random.random(rows) < 0.1, np.nan, random.normal(size=rows)),
            f"flag {half}": random.random(rows) < 0.3,
            f"few {half}": random.choice(np.array(["a", "b", "c"], object), rows, p=[0.5, 0.3, 0.2]),
            f"many {half}": random.choice(np.array([f"v{i}" for i in range(12)], object), rows),
            f"rare {half}": random.choice(np.array([f"v{i}" for i in range(60)], object), rows),
        }
    return pd.DataFrame(columns)


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    return make_baseline(mixed(np.random.default_rng(0), BASELINE_ROWS))


@pytest.mark.parametrize("rows", [500, 2_000, 10_000])
def test_silent_without_drift(baseline: Baseline, rows: int) -> None:
    random = np.random.default_rng(rows)
    flagged = [monitor(baseline, mixed(random, rows)).flagged for _ in range(40)]
    assert sum(map(bool, flagged)) <= 1


def test_mostly_silent_under_a_harmless_wobble(baseline: Baseline) -> None:
    random = np.random.default_rng(1)
    spread = mixed(np.random.default_rng(2), BASELINE_ROWS).select_dtypes("number").std()
    hits = 0
    for _ in range(60):
        window = mixed(random, 10_000)
        window[spread.index] = window[spread.index] + spread * random.normal(0, 0.1, len(spread))
        hits += bool(monitor(baseline, window).flagged)
    assert hits <= 3


@pytest.mark.parametrize(
    ("draw", "harmless", "drifted"),
    [
        (lambda random, rows, move: np.rint(random.normal(2 * move, 2, rows)), 0.2, 0.5),
        (lambda random, rows, move: random.poisson(4 + 2 * move, rows), 0.2, 0.5),
        (lambda random, rows, move: random.poisson(4, rows) + 2 * move, 0.26, 0.5),
        (lambda random, rows, move: random.poisson(10, rows) + 3.162 * move, 0.2, 0.5),
        (lambda random, rows, move: np.floor(random.exponential(3, rows) + 3 * move), 0.2, 0.5),
        (lambda random, rows, move: np.clip(np.rint(random.normal(4 + move, 1, rows)), 1, 5), 0.2, 0.5),
    ],
    ids=["rounded", "Poisson 4", "Poisson 4 and a fraction", "Poisson 10 and a fraction", "whole minutes", "ratings"],
)
def test_whole_numbers_move_as_other_numbers_do(
    draw: Callable[[np.random.Generator, int, float], np.ndarray], harmless: float, drifted: float
) -> None:
    random = np.random.default_rng(4)
    made = make_baseline(pd.DataFrame({"n": draw(random, BASELINE_ROWS, 0.0)}))
    assert made.columns[0].tracks[0].step == 1
    for move in (-harmless, harmless):
        assert monitor(made, pd.DataFrame({"n": draw(random, 10_000, move)})).flagged == ()
    assert monitor(made, pd.DataFrame({"n": draw(random, 2_000, drifted)})).flagged == ("n",)


def shifted(column: str, amount: float) -> Callable[[pd.DataFrame, np.random.Generator], None]:
    def change(window: pd.DataFrame, _: np.random.Generator) -> None:
        window[column] += amount * window[column].std()

    return change


def partly(column: str, share: float, value: object) -> Callable[[pd.DataFrame, np.random.Generator], None]:
    def change(window: pd.DataFrame, random: np.random.Generator) -> None:
        window[column] = window[column].astype(object).where(random.random(len(window)) >= share, value)

    return change


def widened(window: pd.DataFrame, _: np.random.Generator) -> None:
    window["normal a"] = 10 + 1.6 * (window["normal a"] - 10)


@pytest.mark.parametrize(
    ("column", "change"),
    [
        ("normal a", shifted("normal a", 0.5)),
        ("exponential a", shifted("exponential a", 0.4)),
        ("lognormal a", shifted("lognormal a", 0.4)),
        ("uniform a", shifted("uniform a", 0.45)),
        ("normal a", widened),
        ("normal a", partly("normal a", 0.03, None)),
        ("gaps a", partly("gaps a", 0.15, None)),
        ("many a", partly("many a", 0.03, "new")),
        ("few a", partly("few a", 0.3, "c")),
        ("flag a", partly("flag a", 0.3, True)),
        ("count a", partly("count a", 0.03, "four")),
    ],
)
def test_finds_real_drift_at_five_hundred_rows(
    baseline: Baseline, column: str, change: Callable[[pd.DataFrame, np.random.Generator], None]
) -> None:
    random = np.random.default_rng(3)
    found = others = 0
    for _ in range(30):
        window = mixed(random, 500)
        change(window, random)
        flagged = monitor(baseline, window).flagged
        found += column in flagged
        others += len(set(flagged) - {column})
    assert found >= 29
    assert others == 0


def test_too_few_rows_are_insufficient(baseline: Baseline) -> None:
    document = monitor(baseline, mixed(np.random.default_rng(4), 499)).to_dict()
    assert {entry["drift"]["level"] for entry in document["columns"].values()} == {"insufficient"}


def test_levels_grow_with_the_shift(baseline: Baseline) -> None:
    def level(amount: float) -> str:
        window = mixed(np.random.default_rng(5), 5_000)
        window["normal a"] += amount * 3
        return str(monitor(baseline, window).to_dict()["columns"]["normal a"]["drift"]["level"])

    assert [level(amount) for amount in (0.1, 0.4, 0.8)] == ["none", "warn", "high"]


def test_a_missing_column_is_a_high_drift(baseline: Baseline) -> None:
    window = mixed(np.random.default_rng(6), 600).drop(columns="normal b")
    drift = monitor(baseline, window).to_dict()["columns"]["normal b"]["drift"]
    assert (drift["level"], drift["measure"]) == ("high", "missing")


def test_index_of_equal_samples_has_the_bias_that_is_taken_off() -> None:
    random = np.random.default_rng(8)
    shares = np.full(10, 0.1)
    found = [
        stability_index(random.multinomial(500, shares).tolist(), random.multinomial(5_000, shares).tolist())
        for _ in range(400)
    ]
    assert np.mean(found) == pytest.approx(sampling_bias(10, 500, 5_000), rel=0.08)


def test_shares_from_none() -> None:
    found = compare_shares(10, 500, 0, 20_000)
    assert found.p_value < 1e-10
    assert compare_shares(0, 500, 0, 20_000).p_value > 0.05


def test_dates_that_follow_the_calendar_are_not_drift() -> None:
    random = np.random.default_rng(9)

    def frame(start: str, rows: int) -> pd.DataFrame:
        return pd.DataFrame({"at": pd.Timestamp(start) + pd.to_timedelta(random.integers(0, 90 * 24, rows), unit="h")})

    baseline = make_baseline(frame("2024-01-01", 10_000))
    assert monitor(baseline, frame("2024-01-01", 1_000)).flagged == ()
    later = monitor(baseline, frame("2024-06-01", 1_000))
    assert later.flagged == ()
    assert later.to_dict()["columns"]["at"]["quality"]["out_of_range"] == 1.0
    assert monitor(baseline, frame("2024-02-15", 1_000)).flagged == ("at",)


@pytest.mark.parametrize(("names", "rows", "tilt"), [(200, 1_000, 0.0), (100, 1_000, 1.5), (60, 600, 1.0)])
def test_rare_categories_that_a_small_sample_missed_are_not_drift(names: int, rows: int, tilt: float) -> None:
    """A new sample always holds some values that a small one didn't: as many as that one held once."""
    random = np.random.default_rng(10)
    shares = 1 / np.arange(1, names + 1) ** tilt
    values = np.array([f"v{i}" for i in range(names)], object)

    def frame(count: int) -> pd.DataFrame:
        return pd.DataFrame({f"c{i}": random.choice(values, count, p=shares / shares.sum()) for i in range(20)})

    baseline = make_baseline(frame(rows))
    assert sum(bool(monitor(baseline, frame(500)).flagged) for _ in range(30)) <= 1


def test_fewer_gaps_than_at_training_are_no_fault_of_the_data() -> None:
    gaps = [
        np.where(np.random.default_rng(seed).random(4_000) < share, np.nan, 1.0)
        for seed, share in enumerate((0.3, 0.05))
    ]
    many, few = (pd.DataFrame({"x": np.where(np.isnan(each), np.nan, np.arange(4_000.0))}) for each in gaps)
    for then, now, expected in ((many, few, "none"), (few, many, "high")):
        drift = monitor(make_baseline(then), now).to_dict()["columns"]["x"]["drift"]
        assert (drift["level"], drift["quality"]) == ("high", expected)
