"""Native files of LightGBM (text) and XGBoost (JSON, UBJSON): data for their own C++ parsers, no code."""

import json
from typing import Any

from lightship.loading.errors import CorruptModelError, MissingPackageError, NotAModelError

# What begins with the one ends with the other.
_LIGHTGBM_PARTS = ((b"tree\n", b"\nend of trees"), (b"\nparameters:", b"\nend of parameters"))


def load_lightgbm(data: bytes, file: str) -> Any:
    """A `lightgbm.Booster` from the text that `Booster.save_model` writes. Raises CorruptModelError."""
    try:
        import lightgbm
    except ImportError as error:
        raise MissingPackageError(file, "lightgbm", "lightship[lightgbm]") from error
    # LightGBM reads a file that ends early as a model with fewer trees.
    for begin, end in _LIGHTGBM_PARTS:
        if begin in data and end not in data:
            raise CorruptModelError(
                f"{file} is a LightGBM model cut short: {end.decode().strip()!r} is missing. Save it again."
            )
    try:
        booster = lightgbm.Booster(model_str=data.decode())
    except (lightgbm.basic.LightGBMError, ValueError) as error:
        raise CorruptModelError(f"{file} is a damaged LightGBM model ({error}). Save it again.") from error
    if booster.num_trees() == 0:
        raise NotAModelError(f"{file} is a LightGBM model without a single tree. Train it, then save it again.")
    return booster


def load_xgboost(data: bytes, file: str) -> Any:
    """An `xgboost.XGBClassifier`, `XGBRegressor` or `XGBRanker` when one of them wrote the file, else a `Booster`.

    Raises CorruptModelError.
    """
    try:
        import xgboost
    except ImportError as error:
        raise MissingPackageError(file, "xgboost", "lightship[xgboost]") from error
    try:
        booster = xgboost.Booster()
        booster.load_model(bytearray(data))
        written_by = json.loads(booster.attr("scikit_learn") or "{}").get("_estimator_type")
        estimators = {
            "classifier": xgboost.XGBClassifier,
            "regressor": xgboost.XGBRegressor,
            "ranker": xgboost.XGBRanker,
        }
        if written_by not in estimators:
            return booster
        estimator = estimators[written_by]()
        estimator.load_model(bytearray(data))
    except (xgboost.core.XGBoostError, ValueError, TypeError, AttributeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CorruptModelError(f"{file} is a damaged XGBoost model ({reason}). Save it again.") from error
    return estimator
