"""The memory advice's arithmetic, and what an over-weight release is told."""

import zipfile
from pathlib import Path
from typing import Any

import pytest

from lightship.advice import COLD_SHARE, advise, sentence
from lightship.budgets import OverBudgetError, Weights, check_budgets
from lightship.config import parse_config
from lightship.plan import Limits
from lightship.targets import make_target
from lightship.zipping import Packed
from lightship_runtime.manifest import Proof

X86, ARM = make_target("3.13", "x86_64"), make_target("3.13", "arm64")


def test_a_size_costs_what_lambdas_price_list_says() -> None:
    (size,) = [
        each for each in advise(X86, requests_ms=[10.0], init_ms=0.0, busy_rss_mb=20).sizes if each.memory_mb == 1024
    ]
    # 10 ms on a core are 17.27... ms on 1024/1769 of one, billed as 18 at 1 GB; and $0.20 a million requests.
    assert size.dollars == pytest.approx(0.018 * 16.6667 + 0.20, abs=1e-3)
    assert size.request_ms == pytest.approx(17.28, abs=0.01)


def test_starts_are_billed_for_their_share_of_requests() -> None:
    without, having = (advise(X86, requests_ms=[10.0], init_ms=each, busy_rss_mb=20).sizes[-1] for each in (0.0, 500.0))
    assert having.dollars - without.dollars == pytest.approx(COLD_SHARE * 0.5 * 10 * 16.6667, rel=1e-3)


def test_memory_beyond_a_core_only_costs() -> None:
    advice = advise(X86, requests_ms=[50.0] * 9, init_ms=100.0, busy_rss_mb=20)
    above = [size for size in advice.sizes if size.memory_mb >= 1769]
    assert [size.request_ms for size in above] == [50.0] * len(above)
    assert [size.dollars for size in above] == sorted(size.dollars for size in above)
    assert advice.cheapest.memory_mb <= 1769
    assert advice.faster.memory_mb <= 1769


def test_a_request_of_whole_milliseconds_costs_the_same_on_less_memory_so_the_faster_is_taken() -> None:
    advice = advise(X86, requests_ms=[1769.0], init_ms=0.0, busy_rss_mb=20)
    assert advice.cheapest.memory_mb == 1769


def test_a_tiny_request_is_cheapest_where_its_billed_millisecond_is() -> None:
    advice = advise(X86, requests_ms=[0.05], init_ms=10.0, busy_rss_mb=16)
    assert advice.cheapest.memory_mb == 128


def test_memory_in_use_is_the_floor() -> None:
    advice = advise(X86, requests_ms=[1.0], init_ms=100.0, busy_rss_mb=400)
    assert advice.floor_mb == 573
    assert min(size.memory_mb for size in advice.sizes) == 640
    beyond = advise(X86, requests_ms=[1.0], init_ms=1.0, busy_rss_mb=9_000)
    assert [size.memory_mb for size in beyond.sizes] == [10240]


def test_arm_costs_a_fifth_less() -> None:
    x86, arm = (advise(each, requests_ms=[100.0], init_ms=0.0, busy_rss_mb=20).sizes[-1] for each in (X86, ARM))
    assert (arm.dollars - 0.2) / (x86.dollars - 0.2) == pytest.approx(0.8, abs=0.001)


def test_the_sentence_says_the_size_and_the_price() -> None:
    advice = advise(ARM, requests_ms=[0.05], init_ms=10.0, busy_rss_mb=16).to_dict()
    assert sentence(advice, ARM).startswith(
        "128 MB ($0.20 a million predictions, 0.7 ms a request, 138 ms a start) is cheapest on arm64"
    )


PROOF = Proof(
    grade="exact", rows=10, tolerance=1e-9, max_abs_diff=0.0, label_flips=0, ties=0,
    init_ms=400.0, first_ms=5.0, p50_ms=2.0, p99_ms=9.0, peak_rss_mb=150.0,
)  # fmt: skip
ACCEPTED: dict[str, Any] = {"accepted": True, "reason": "reproduces every golden row"}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "realtime.zip"
    with zipfile.ZipFile(path, "w") as out:
        for name, size in (
            ("scipy/a", 9),
            ("pandas/a", 8),
            ("numpy/a", 7),
            ("sklearn/a", 6),
            ("model/m", 5),
            ("b/a", 4),
            ("c", 1),
        ):
            out.writestr(name, b"x" * size * 100_000)
    return path


def told(archive: Path, limits: Limits, engine: str = "native", **verdicts: Any) -> str:
    with pytest.raises(OverBudgetError) as caught:
        check_budgets(limits, Packed(4_000_000, 9_000_000), PROOF, archive, engine=engine, verdicts=verdicts)
    return str(caught.value)


def test_within_its_budgets_nothing_is_said(archive: Path) -> None:
    within = Limits(zip_mb=4, unzipped_mb=9, init_ms=400, p99_ms=9, memory_mb=150)
    check_budgets(within, Packed(4_000_000, 9_000_000), PROOF, archive, engine="pure", verdicts={})


@pytest.mark.parametrize(
    ("name", "limit", "value"),
    [
        ("zip_mb", 3.9, "4.0"),
        ("unzipped_mb", 8, "9.0"),
        ("init_ms", 399, "400.0"),
        ("p99_ms", 8, "9.0"),
        ("memory_mb", 149, "150.0"),
    ],
)
def test_each_budget_is_held_to(archive: Path, name: str, limit: float, value: str) -> None:
    assert f"Over budget: {name} is {value}, over {limit:g}." in told(archive, Limits(**{name: limit}))


def test_the_five_largest_parts_are_named_and_no_more(archive: Path) -> None:
    said = told(archive, Limits(zip_mb=1))
    assert "Largest in the zip: scipy 0.9 MB, pandas 0.8 MB, numpy 0.7 MB, sklearn 0.6 MB, model 0.5 MB." in said
    assert list(Weights.of(archive).unzipped) == ["scipy", "pandas", "numpy", "sklearn", "model", "b", "c"]


def test_an_engine_that_holds_is_the_cheapest_remedy(archive: Path) -> None:
    said = told(archive, Limits(zip_mb=1), pure={"accepted": False, "reason": "x"}, array=ACCEPTED, native=ACCEPTED)
    assert "Cheapest first: --engine array, which reproduces the model too" in said


def test_engines_that_were_not_tried_are_proposed(archive: Path) -> None:
    assert "--engine auto, which also tries pure, array, onnx" in told(archive, Limits(zip_mb=1), native=ACCEPTED)


def test_a_refused_engines_reason_and_pandas_are_proposed(archive: Path) -> None:
    refused = {"accepted": False, "reason": "GaussianMixture isn't known"}
    said = told(archive, Limits(zip_mb=1), pure=refused, array=refused, onnx=refused, native=ACCEPTED)
    assert "mending what pure was refused for (GaussianMixture isn't known)" in said
    assert "takes pandas out (0.8 MB)" in said


def test_a_slow_start_alone_can_be_snapstarts(archive: Path) -> None:
    assert "snapstart = true" in told(archive, Limits(init_ms=1), engine="pure", pure=ACCEPTED)


def test_lightship_toml_takes_a_memory_budget() -> None:
    config = parse_config({"package": {"budgets": {"memory_mb": 64}}}, folder=Path())
    assert config.package.budgets.memory_mb == 64
