"""The distribution functions against scipy, and exact sums against fractions."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lightship_runtime.monitor.drift import discovery_threshold, information_kept
from lightship_runtime.monitor.exact import exact_mean, exact_sum
from lightship_runtime.monitor.special import chi2_sf, normal_quantile, predictive_cdf, wilson


@pytest.mark.parametrize("degrees", [1, 2, 5, 9, 21, 60])
def test_chi_square_tail_is_scipys(degrees: int) -> None:
    for statistic in [0.0, 0.01, 0.5, 1, 3, 9, 21, 40, 90, 300, 1200]:
        assert chi2_sf(statistic, degrees) == pytest.approx(stats.chi2.sf(statistic, degrees), rel=1e-9, abs=1e-300)


def test_chi_square_without_degrees_says_nothing() -> None:
    assert chi2_sf(3.0, 0) == 1.0


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (3, 10), (10, 10), (150, 200), (9_990, 10_000)])
def test_wilson_is_scipys(successes: int, trials: int) -> None:
    expected = stats.binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    assert wilson(successes, trials) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_without_trials_is_everything() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("known", "known_trials"), [(0, 500), (480, 500), (17_000, 20_000), (3, 20_000)])
@pytest.mark.parametrize("trials", [1, 200, 3_000])
def test_predictive_is_scipys_beta_binomial(known: int, known_trials: int, trials: int) -> None:
    expected = stats.betabinom(trials, known + 0.5, known_trials - known + 0.5)
    for successes in {0, 1, trials // 3, trials // 2 + 1, trials - 1, trials}:
        found = predictive_cdf(successes, trials, known, known_trials)
        assert found == pytest.approx(expected.cdf(successes), rel=1e-6, abs=1e-10)


def test_predictive_of_many_trials_is_near_the_exact_one() -> None:
    expected = stats.betabinom(8_000, 17_000.5, 3_000.5)
    for successes in (6_650, 6_750, 6_800, 6_850):
        assert predictive_cdf(successes, 8_000, 17_000, 20_000) == pytest.approx(expected.cdf(successes), abs=0.003)


def test_normal_quantile_is_scipys() -> None:
    assert normal_quantile(0.975) == pytest.approx(stats.norm.ppf(0.975), abs=1e-12)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
@settings(derandomize=True, max_examples=100)
def test_discoveries_are_scipys_benjamini_hochberg(p_values: list[float]) -> None:
    adjusted = stats.false_discovery_control(p_values)
    threshold = discovery_threshold(p_values, 0.05)
    for p_value, corrected in zip(p_values, adjusted, strict=True):
        if abs(corrected - 0.05) > 1e-12:
            assert (p_value <= threshold) == (corrected <= 0.05)


@pytest.mark.parametrize("bins", [2, 3, 4, 5, 8, 10, 20])
def test_information_kept_by_equal_bins(bins: int) -> None:
    step = 1e-3
    edges = stats.norm.ppf(np.linspace(0, 1, bins + 1))
    moved = np.diff(stats.norm.cdf(edges - step))
    kept = float(((1 / bins - moved) * np.log(1 / bins / moved)).sum()) / step**2
    assert information_kept(bins) == pytest.approx(kept, abs=0.003)


@given(st.lists(st.floats(-1e70, 1e70, allow_subnormal=True), max_size=60), st.integers(0, 60))
@settings(derandomize=True, max_examples=200)
def test_exact_sums_are_exact_however_they_are_cut(values: list[float], cut: int) -> None:
    whole = exact_sum(np.array(values, np.float64))
    assert Fraction(whole, 2**1074) == sum(map(Fraction, values))
    parts = exact_sum(np.array(values[:cut], np.float64)) + exact_sum(np.array(values[cut:], np.float64))
    assert parts == whole


def test_exact_mean() -> None:
    assert exact_mean(exact_sum(np.array([0.1] * 10)), 10) == 0.1
