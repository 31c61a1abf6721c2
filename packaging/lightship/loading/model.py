"""What loading a model gives."""

from dataclasses import dataclass, field
from typing import Any, Literal

type ModelFormat = Literal["skops", "onnx", "lightgbm", "xgboost", "joblib", "pickle", "object"]


@dataclass(frozen=True, slots=True)
class OnnxTensor:
    """One input or output of an ONNX graph. `element_type` is ONNX's name (`FLOAT`, `INT64`, `STRING`, ...), or
    `SEQUENCE` or `MAP` for what is no tensor; `shape` has None where a length is free, and is empty for those two."""

    name: str
    element_type: str
    shape: tuple[int | None, ...] = ()


@dataclass(frozen=True, slots=True)
class OnnxModel:
    """A checked ONNX file. `opsets` gives the version of each operator domain ("" is ONNX's own)."""

    data: bytes = field(repr=False)
    inputs: tuple[OnnxTensor, ...] = ()
    outputs: tuple[OnnxTensor, ...] = ()
    opsets: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A live, fitted model and where it came from.

    `model` is a scikit-learn estimator (or something with its methods), a LightGBM or XGBoost Booster or estimator,
    or an `OnnxModel`. `digest` is the SHA-256 of the file's bytes, in hex; of an object, of its state (see
    `loaded_object`).
    """

    model: Any
    format: ModelFormat
    digest: str
