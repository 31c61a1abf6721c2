"""Converts a scikit-learn model to ONNX with skl2onnx, and binds the graph to the contract."""

import warnings
from pathlib import Path
from typing import Any

from lightship.candidates import CandidateError, installed
from lightship_runtime.contract import Contract
from lightship_runtime.documents import dump_document
from lightship_runtime.engines.onnx import BINDING, MODEL, SCHEMA

# The newest operators that skl2onnx's converters all know: some refuse ai.onnx.ml 4.
OPSETS = {"": 18, "ai.onnx.ml": 3}


def export(model: Any, contract: Contract, folder: Path) -> None:
    """Write model.onnx and onnx.json. Raises CandidateError when there is no conversion."""
    if not installed("skl2onnx"):
        raise CandidateError("skl2onnx isn't installed; `pip install 'lightship[onnx]'` brings it.")
    from skl2onnx import to_onnx

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            graph = to_onnx(
                model, initial_types=_initial_types(contract), options=_options(model, contract), target_opset=OPSETS
            )
    except Exception as error:
        first_line = (str(error).strip() or "no reason given").splitlines()[0][:200]
        raise CandidateError(f"skl2onnx can't convert the model: {type(error).__name__}: {first_line}") from error
    (folder / MODEL).write_bytes(graph.SerializeToString())
    (folder / BINDING).write_bytes(dump_document(_binding(graph, contract)))


def _initial_types(contract: Contract) -> list[tuple[str, Any]]:
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    if contract.layout == "matrix":
        return [("X", FloatTensorType([None, len(contract.columns)]))]
    if contract.layout == "series":
        return [("X", StringTensorType([None, 1]))]
    types: list[tuple[str, Any]] = []
    for column in contract.columns:
        if column.type == "datetime":
            raise CandidateError(f"ONNX has no type for dates (column {column.name!r}).")
        textual = column.type == "text" or (
            column.type == "category" and isinstance((column.categories or ("",))[0], str)
        )
        if textual and column.nullable:
            raise CandidateError(f"ONNX strings can't be missing (column {column.name!r}).")
        types.append((column.name, StringTensorType([None, 1]) if textual else FloatTensorType([None, 1])))
    return types


def _options(model: Any, contract: Contract) -> dict[int, dict[str, bool]]:
    return {id(model): {"zipmap": False}} if contract.output.task in ("binary", "multiclass") else {}


def _binding(graph: Any, contract: Contract) -> dict[str, Any]:
    if contract.layout == "frame":
        inputs = {name: [index] for index, name in enumerate(contract.names)}
    else:
        inputs = {"X": list(range(len(contract.columns)))}
    # A converter drops inputs that nothing reads.
    present = {each.name for each in graph.graph.input}
    names = [each.name for each in graph.graph.output]
    match contract.output.task:
        case "binary" | "multiclass" if contract.output.probabilities:
            roles = {"label": names[0], "probabilities": names[1]}
        case "binary" | "multiclass":
            roles = {"label": names[0]}
        case "outlier" if len(names) > 1:
            roles = {"value": names[0], "scores": names[1]}
        case _:
            roles = {"value": names[0]}
    return {"schema": SCHEMA, "inputs": {k: v for k, v in inputs.items() if k in present}, "outputs": roles}
