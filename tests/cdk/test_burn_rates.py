"""A small run of benchmarks/alarm_burn_rates.py, over the alarm table as it is and as it mustn't be."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from lightship_cdk.alarm_table import ALARMS

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "alarm_burn_rates.py"


@pytest.fixture(scope="module")
def burn_rates() -> ModuleType:
    spec = importlib.util.spec_from_file_location("alarm_burn_rates", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("rate", [20, 150, 1_000, 10_000])
def test_a_service_that_just_keeps_its_objective_pages_nobody(burn_rates: ModuleType, rate: int) -> None:
    found = burn_rates.healthy_months(8, rate, failing=0.001, slow=0.1)
    assert found["EndpointDown"] + found["EndpointSlow"] <= 0.1


def test_without_its_guard_a_quiet_service_would_page(burn_rates: ModuleType) -> None:
    bare = [replace(row, expression=(row.expression or "").replace("bad >= 10", "bad >= 1")) for row in ALARMS]
    loose = [replace(row, expression=(row.expression or "").replace("bad >= 3", "bad >= 1")) for row in bare]
    assert burn_rates.healthy_months(4, 20, failing=0.001, slow=0.1, table=loose)["EndpointDown"] > 1


def test_a_tenth_failing_is_paged_within_ten_minutes(burn_rates: ModuleType) -> None:
    waits, pages = burn_rates.outage(100, 1_000, failing=0.1)
    assert np.quantile(waits, 0.9) <= 10
    assert pages < 1.5


def test_a_quiet_endpoint_that_is_down_is_paged_once_and_within_the_hour(burn_rates: ModuleType) -> None:
    waits, pages = burn_rates.outage(50, 20, failing=1.0)
    assert waits.max() <= 60
    assert pages < 1.2


def test_slow_answers_page_too(burn_rates: ModuleType) -> None:
    waits, _ = burn_rates.outage(20, 1_000, failing=0.0005, slow=1.0)
    assert waits.max() <= 20
