"""Train two models on the first half of 2013 and write what packaging them takes into examples/flights/out.

delay.skops     pipeline, probability that a flight arrives 15 or more minutes late
minutes.skops   pipeline, minutes of arrival delay
sample.parquet  rows of the training half; labels.parquet and minutes.parquet are their outcomes
later.parquet   July to December with outcomes, for traffic and monitoring
"""

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import skops.io
from data import CATEGORICAL, FEATURES, NUMERIC, later_part, load_flights, training_part
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss, mean_absolute_error, r2_score, roc_auc_score
from sklearn.metrics import root_mean_squared_error as rmse
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

OUT = Path(__file__).parent / "out"
SAMPLE_ROWS = 4000
HOLDOUT_MONTH = 6
SEED = 2013


def columns() -> ColumnTransformer:
    """Numbers imputed and scaled, categories one-hot; a category first seen later counts as none of the known."""
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    categories = make_pipeline(
        SimpleImputer(strategy="constant", fill_value="unknown"),
        OneHotEncoder(handle_unknown="ignore", sparse_output=False),
    )
    return ColumnTransformer([("numbers", numbers, NUMERIC), ("categories", categories, CATEGORICAL)])


def classifier() -> Pipeline:
    boosting = HistGradientBoostingClassifier(max_iter=60, early_stopping=False, random_state=SEED)
    return make_pipeline(columns(), boosting)


def regressor() -> Pipeline:
    return make_pipeline(columns(), Ridge(alpha=1.0))


def classifier_scores(model: Pipeline | DummyClassifier, rows: pd.DataFrame) -> dict[str, float]:
    late = rows["late"].eq("late")
    probability = model.predict_proba(rows[FEATURES])[:, list(model.classes_).index("late")]
    return {
        "ROC AUC": roc_auc_score(late, probability),
        "log loss": log_loss(late, probability),
        "Brier": brier_score_loss(late, probability),
        "accuracy": accuracy_score(rows["late"], model.predict(rows[FEATURES])),
    }


def regressor_scores(model: Pipeline | DummyRegressor, rows: pd.DataFrame) -> dict[str, float]:
    predicted = model.predict(rows[FEATURES])
    actual = rows["minutes"]
    return {
        "MAE": mean_absolute_error(actual, predicted),
        "RMSE": rmse(actual, predicted),
        "R2": r2_score(actual, predicted),
    }


# One thread: on a busy machine the boosting's two spend their time waiting for each other.
one_thread = threadpool_limits.wrap(limits=1)


@one_thread
def holdout_scores(training: pd.DataFrame) -> dict[str, dict[str, tuple[float, float]]]:
    """Scores on June of models fitted to January to May, each beside a baseline that knows only the base rate."""
    past, future = training[training["month"] < HOLDOUT_MONTH], training[training["month"] == HOLDOUT_MONTH]
    delay = classifier().fit(past[FEATURES], past["late"])
    delay_base = DummyClassifier(strategy="prior").fit(past[FEATURES], past["late"])
    minutes = regressor().fit(past[FEATURES], past["minutes"])
    minutes_base = DummyRegressor(strategy="mean").fit(past[FEATURES], past["minutes"])
    return {
        "late by 15 minutes or more": _beside(classifier_scores(delay, future), classifier_scores(delay_base, future)),
        "minutes of delay": _beside(regressor_scores(minutes, future), regressor_scores(minutes_base, future)),
    }


@one_thread
def write_outputs(flights: pd.DataFrame, out: Path) -> None:
    """Fit both models to the whole half-year and write everything that `out` holds."""
    training = training_part(flights)
    rows = np.random.default_rng(SEED).choice(len(training), min(SAMPLE_ROWS, len(training)), replace=False)
    sample = training.iloc[np.sort(rows)].reset_index(drop=True)
    out.mkdir(parents=True, exist_ok=True)
    skops.io.dump(classifier().fit(training[FEATURES], training["late"]), out / "delay.skops")
    skops.io.dump(regressor().fit(training[FEATURES], training["minutes"]), out / "minutes.skops")
    sample[FEATURES].to_parquet(out / "sample.parquet", index=False)
    sample[["late"]].to_parquet(out / "labels.parquet", index=False)
    sample[["minutes"]].to_parquet(out / "minutes.parquet", index=False)
    later_part(flights).drop(columns="month").to_parquet(out / "later.parquet", index=False)


def main() -> None:
    start = time.perf_counter()
    flights = load_flights()
    training = training_part(flights)
    print(f"{len(flights):,} flights that arrived; {len(training):,} of them, January to June, for training")
    for what, scores in holdout_scores(training).items():
        print(f"\n{what}, June, trained on January to May\n{'':10}{'model':>10}{'base rate':>12}")
        for name, (model, base) in scores.items():
            print(f"{name:10}{model:10.3f}{base:12.3f}")
    write_outputs(flights, OUT)
    print(f"\n{OUT.relative_to(Path.cwd()) if OUT.is_relative_to(Path.cwd()) else OUT}")
    for path in sorted(OUT.iterdir()):
        print(f"  {path.name:16}{path.stat().st_size / 1e3:8,.0f} kB")
    print(f"{time.perf_counter() - start:.0f} s")


def _beside(model: Mapping[str, float], base: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    return {name: (model[name], base[name]) for name in model}


if __name__ == "__main__":
    main()
