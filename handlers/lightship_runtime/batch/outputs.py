"""What an engine says, as the columns of the output."""

from typing import Any

import numpy as np
import pyarrow as pa

from lightship_runtime.contract import Contract, Scalar
from lightship_runtime.engine import Outputs
from lightship_runtime.predict import class_key

PREDICTION = "prediction"
PROBABILITY = "probability"
VERSION = "model_version"


def output_names(contract: Contract) -> tuple[str, ...]:
    """The names of the output's columns, after those that pass through.

    `prediction`, or one `prediction_NAME` a value where a prediction has several; `probability_CLASS` where the model
    gives them; `model_version`.
    """
    output = contract.output
    keys = [class_key(label) for label in output.classes]
    if output.task == "multilabel":
        predictions = [f"{PREDICTION}_{key}" for key in keys or map(str, range(output.width))]
    elif output.width:
        predictions = [f"{PREDICTION}_{place}" for place in range(output.width)]
    else:
        predictions = [PREDICTION]
    chances = [f"{PROBABILITY}_{key}" for key in keys] if output.probabilities else []
    return (*predictions, *chances, VERSION)


class OutputColumns:
    """Makes the columns that `output_names` names from an engine's outputs."""

    def __init__(self, contract: Contract, version: str) -> None:
        self.names = output_names(contract)
        self._contract = contract
        self._version = pa.array([version])
        task = contract.output.task
        self._classes = _class_array(contract.output.classes) if task in ("binary", "multiclass") else None

    def of(self, outputs: Outputs) -> list[pa.Array]:
        """What isn't finite becomes null: neither JSON nor CSV can say it."""
        predictions = np.asarray(outputs.predictions)
        rows = len(predictions)
        if self._classes is not None:
            columns = [pa.DictionaryArray.from_arrays(pa.array(predictions.astype(np.int32)), self._classes)]
        else:
            columns = _columns(predictions)
        if outputs.probabilities is not None:
            columns += _columns(np.asarray(outputs.probabilities))
        version = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, dtype=np.int32)), self._version)
        return [*columns, version]


def _class_array(classes: tuple[Scalar, ...]) -> pa.Array:
    kinds = {type(label) for label in classes}
    if kinds == {int, float}:
        return pa.array([float(label) for label in classes])
    return pa.array(list(classes) if len(kinds) == 1 else [class_key(label) for label in classes])


def _columns(values: Any) -> list[pa.Array]:
    """One array a column of an (n,) or (n, k) array."""
    each = [values] if values.ndim == 1 else [np.ascontiguousarray(values[:, i]) for i in range(values.shape[1])]
    return [_array(column) for column in each]


def _array(column: Any) -> pa.Array:
    if column.dtype.kind != "f":
        return pa.array(column)
    finite = np.isfinite(column)
    return pa.array(column) if finite.all() else pa.array(column, mask=~finite)
