"""Load a model: from a file nobody vouches for, or from Python.

Parsing a foreign file belongs in a process without credentials: see `lightship.isolation`.
"""

import hashlib
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightship.loading.boosters import load_lightgbm, load_xgboost
from lightship.loading.checks import check_model, check_sklearn_version
from lightship.loading.errors import (
    CorruptModelError,
    MissingPackageError,
    ModelLoadError,
    NotAModelError,
    TooLargeError,
    UnfittedModelError,
    UntrustedModelError,
    VersionMismatchError,
)
from lightship.loading.files import MAX_MODEL_BYTES, decompressed, read_model_file
from lightship.loading.model import LoadedModel, ModelFormat, OnnxModel, OnnxTensor
from lightship.loading.object_digest import object_digest
from lightship.loading.onnx_file import load_onnx
from lightship.loading.pickle_load import load_pickle, refuse_untrusted
from lightship.loading.pickle_scan import scan_pickle
from lightship.loading.recognise import recognise
from lightship.loading.skops_file import check_archive, load_skops, skops_sklearn_versions

__all__ = [
    "MAX_MODEL_BYTES",
    "CorruptModelError",
    "LoadedModel",
    "MissingPackageError",
    "ModelFormat",
    "ModelLoadError",
    "NotAModelError",
    "OnnxModel",
    "OnnxTensor",
    "TooLargeError",
    "UnfittedModelError",
    "UntrustedModelError",
    "VersionMismatchError",
    "load_model",
    "loaded_object",
]


def load_model(path: str | Path, *, trust: Sequence[str] = (), trust_pickle: bool = False) -> LoadedModel:
    """Load a model file, recognised by its bytes: skops, ONNX, LightGBM, XGBoost, joblib or pickle.

    `trust` names types and functions, dotted, that the file may construct beyond those known to be harmless.
    `trust_pickle` allows pickles, whose imports are still checked against `trust`. Nothing that isn't trusted is
    imported or run. Raises ModelLoadError (a LightshipError), the kinds of which are in `lightship.loading.errors`.
    """
    path = Path(path)
    data = read_model_file(path)
    file = str(path)
    kind = recognise(data, file)
    # Versions are compared before loading; what libraries say besides that isn't for the user of a file.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model, model_format = _load(kind, data, file, trust, trust_pickle)
        if not isinstance(model, OnnxModel) and kind not in ("lightgbm", "xgboost"):
            check_model(model, file)
    return LoadedModel(model, model_format, hashlib.sha256(data).hexdigest())


def loaded_object(model: Any) -> LoadedModel:
    """A live, fitted model from Python. Its digest is that of its state, equal in every process.

    Raises NotAModelError, UnfittedModelError, or ModelLoadError when the state can't be told.
    """
    what = "The model"
    if not _is_booster(model):
        check_model(model, what)
    try:
        digest = object_digest(model)
    except Exception as error:
        raise ModelLoadError(
            f"{what}, a {type(model).__qualname__}, can't be pickled, so that no version can be given to it "
            f"({type(error).__name__}: {error}). Replace lambdas and local functions in it by functions of a module."
        ) from error
    return LoadedModel(model, "object", digest)


def _load(kind: str, data: bytes, file: str, trust: Sequence[str], trust_pickle: bool) -> tuple[Any, ModelFormat]:
    match kind:
        case "skops":
            check_archive(data, file)
            check_sklearn_version(skops_sklearn_versions(data, file), file)
            return load_skops(data, file, trust), "skops"
        case "onnx":
            return load_onnx(data, file), "onnx"
        case "lightgbm":
            return load_lightgbm(data, file), "lightgbm"
        case "xgboost":
            return load_xgboost(data, file), "xgboost"
        case _:
            raw = decompressed(data, file)
            scan = scan_pickle(raw, file)
            refuse_untrusted(scan, file, trust=trust, trust_pickle=trust_pickle)
            check_sklearn_version(scan.sklearn_versions, file)
            return load_pickle(raw, file, trust), "joblib" if scan.arrays or raw is not data else "pickle"


def _is_booster(model: Any) -> bool:
    return type(model).__name__ == "Booster" and type(model).__module__.split(".")[0] in ("lightgbm", "xgboost")
