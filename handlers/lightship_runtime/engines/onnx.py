"""The `onnx` engine: ONNX Runtime on one thread."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from lightship_runtime.contract import Contract
from lightship_runtime.documents import load_document
from lightship_runtime.engine import Outputs, Values
from lightship_runtime.engines.inputs import object_array

SCHEMA = 1
MODEL = "model.onnx"
BINDING = "onnx.json"

_DTYPES: dict[str, Any] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
    "tensor(string)": object,
}


class OnnxEngine:
    """A session with its binding: which columns feed which input, which outputs mean what."""

    name = "onnx"

    def __init__(self, session: Any, contract: Contract, binding: dict[str, Any]) -> None:
        self._session = session
        self._contract = contract
        self._types = {each.name: each.type for each in session.get_inputs()}
        self._inputs: dict[str, list[int]] = binding["inputs"]
        self._outputs: dict[str, str] = binding["outputs"]
        self._positions = {label: index for index, label in enumerate(contract.output.classes)}

    def predict(self, columns: Sequence[Values]) -> Outputs:
        values = self.raw(columns)
        found = {role: values[name] for role, name in self._outputs.items()}
        probabilities = found.get("probabilities")
        if probabilities is not None:
            probabilities = np.asarray(probabilities, dtype=np.float64)
        if "label" in found:
            labels = np.asarray(found["label"]).ravel().tolist()
            predictions = np.array([self._positions[self._as_class(label)] for label in labels])
            return Outputs(predictions, probabilities, _scores(found))
        predictions = np.asarray(found["value"])
        if self._contract.output.task in ("outlier", "clustering", "multilabel"):
            predictions = predictions.astype(np.int64)
        else:
            predictions = predictions.astype(np.float64)
        width = self._contract.output.width
        shape = (len(columns[0]), width) if width else (len(columns[0]),)
        return Outputs(predictions.reshape(shape), probabilities, _scores(found))

    def raw(self, columns: Sequence[Values]) -> dict[str, Any]:
        """The graph's own outputs, as arrays by name."""
        feed = {name: self._tensor(name, at, columns) for name, at in self._inputs.items()}
        names = list(dict.fromkeys(self._outputs.values()))
        return dict(zip(names, self._session.run(names, feed), strict=True))

    def _tensor(self, name: str, at: Sequence[int], columns: Sequence[Values]) -> Any:
        dtype = _DTYPES[self._types[name]]
        if dtype is object:
            parts = [self._strings(index, columns[index]) for index in at]
        else:
            parts = [np.asarray(columns[index], dtype=np.float64).astype(dtype) for index in at]
        return np.stack(parts, axis=1)

    def _strings(self, index: int, values: Values) -> Any:
        return object_array(self._contract.columns[index], ["" if value is None else str(value) for value in values])

    def _as_class(self, label: Any) -> Any:
        # Converters write boolean classes as the integers 0 and 1; Python's own equality makes them the same keys.
        return label.decode() if isinstance(label, bytes) else label


def _scores(found: dict[str, Any]) -> Any:
    return np.asarray(found["scores"], dtype=np.float64).squeeze() if "scores" in found else None


def open_engine(folder: str | PathLike[str], contract: Contract) -> OnnxEngine:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(str(Path(folder) / MODEL), options, providers=["CPUExecutionProvider"])
    binding = load_document((Path(folder) / BINDING).read_bytes(), what=BINDING, schema=SCHEMA)
    return OnnxEngine(session, contract, binding)
