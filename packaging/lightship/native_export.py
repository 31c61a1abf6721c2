"""Writes a model for the `native` engine: in the skops format, or a booster in its library's own."""

from importlib import metadata
from pathlib import Path
from typing import Any

import skops.io

from lightship.candidates import CandidateError
from lightship_runtime.engines.native import FILES


def export(model: Any, folder: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The options for model.json and the distributions that the model needs.

    Raises CandidateError for a model that the skops format can't hold.
    """
    match type(model).__module__.split(".")[0], type(model).__name__:
        case "lightgbm", "Booster":
            model.save_model(folder / FILES["lightgbm"])
            return {"format": "lightgbm"}, ("lightgbm", "numpy", "scipy")
        case "xgboost", "Booster":
            model.save_model(folder / FILES["xgboost"])
            return {"format": "xgboost"}, (_xgboost(), "numpy", "scipy")
    path = folder / FILES["skops"]
    try:
        skops.io.dump(model, path)
        trusted = sorted(skops.io.get_untrusted_types(file=path))
    except Exception as error:
        raise CandidateError(f"The skops format can't hold the model: {type(error).__name__}: {error}.") from error
    libraries = ["scikit-learn", "numpy", "scipy", "skops"]
    if any(name.startswith("lightgbm.") for name in trusted):
        libraries.append("lightgbm")
    if any(name.startswith("xgboost.") for name in trusted):
        libraries.append(_xgboost())
    return {"format": "skops", "trusted": trusted}, tuple(libraries)


def _xgboost() -> str:
    """The CPU build where it is what is installed: the other brings 361 MB of NCCL."""
    installed = {distribution.metadata["Name"] for distribution in metadata.distributions()}
    return "xgboost-cpu" if "xgboost-cpu" in installed else "xgboost"
