"""The flights example: nothing from after departure, an honest split, the same models every time."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pandas as pd
import pytest

from lightship.loading import load_model
from lightship.samples import read_labels, read_sample

EXAMPLE = Path(__file__).parents[2] / "examples" / "flights"
KNOWN_AFTERWARDS = {"dep_time", "dep_delay", "arr_time", "arr_delay", "air_time", "minutes", "late"}


class Example(NamedTuple):
    data: ModuleType
    train: ModuleType
    flights: pd.DataFrame


@pytest.fixture(scope="module")
def example() -> Iterator[Example]:
    """The example's modules, imported as running train.py would, and its table."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLE)
        import data
        import train

        yield Example(data, train, data.load_flights())
        del sys.modules["data"], sys.modules["train"]


def test_no_feature_is_from_after_departure(example: Example) -> None:
    features = set(example.data.FEATURES)
    assert not features & KNOWN_AFTERWARDS
    assert not features & {"month", "scheduled", "flight", "tailnum"}
    assert features <= set(example.flights.columns)


def test_the_weather_is_of_the_hour_before(example: Example) -> None:
    weather = example.data._table("weather.csv")
    weather["time_hour"] = pd.to_datetime(weather["time_hour"])
    observed = weather.set_index(["origin", "time_hour"])["humid"]
    known = example.flights[example.flights["humid"].notna()].sample(200, random_state=1)
    for row in known.to_dict("records"):
        hour = row["scheduled"].floor("h") - pd.Timedelta(hours=1)
        assert observed[row["origin"], hour] == row["humid"]


def test_the_year_is_split_at_the_end_of_june(example: Example) -> None:
    training, later = example.data.training_part(example.flights), example.data.later_part(example.flights)
    assert len(training) + len(later) == len(example.flights) == 336_776 - 9_430
    local = [part["scheduled"].dt.tz_convert("America/New_York") for part in (training, later)]
    assert local[0].max() < pd.Timestamp("2013-07-01", tz="America/New_York") <= local[1].min()


def test_the_label_is_a_quarter_of_an_hour(example: Example) -> None:
    flights = example.flights
    assert flights.loc[flights["late"] == "late", "minutes"].min() == 15
    assert flights.loc[flights["late"] == "on_time", "minutes"].max() == 14
    assert flights["plane_year"].isna().any()
    assert flights["pressure"].isna().any()


@pytest.mark.slow
def test_the_models_beat_the_base_rate_on_a_later_month(example: Example) -> None:
    scores = example.train.holdout_scores(example.data.training_part(example.flights)[::10])
    late, minutes = scores.values()
    model, base = late["ROC AUC"]
    assert base == 0.5
    assert model > 0.65
    assert late["log loss"][0] < late["log loss"][1]
    assert minutes["MAE"][0] < minutes["MAE"][1]


@pytest.mark.slow
def test_training_again_gives_the_same(example: Example, tmp_path: Path) -> None:
    few = example.flights[::60].reset_index(drop=True)
    for folder in ("first", "second"):
        example.train.write_outputs(few, tmp_path / folder)
    for name in ("sample.parquet", "labels.parquet", "minutes.parquet", "later.parquet"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
    sample = read_sample(tmp_path / "first" / "sample.parquet")
    assert list(sample.columns) == example.data.FEATURES
    assert sample.isna().any().any()
    assert len(read_labels(tmp_path / "first" / "labels.parquet")) == len(sample)
    for name in ("delay.skops", "minutes.skops"):
        first, second = (load_model(tmp_path / folder / name).model for folder in ("first", "second"))
        assert (first.predict(sample) == second.predict(sample)).all()
