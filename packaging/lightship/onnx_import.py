"""Describes a model that is an ONNX file already: the graph says what goes in, the sample what the values are."""

from pathlib import Path
from typing import Any

import pandas as pd

from lightship.columns import infer_column
from lightship.describe import MAX_CATEGORIES, PROBED_ROWS, Described, DescriptionError
from lightship.loading import OnnxModel, OnnxTensor
from lightship_runtime.contract import Column, Contract, Layout, Output
from lightship_runtime.documents import dump_document
from lightship_runtime.engines.onnx import BINDING, MODEL, SCHEMA

LABEL_TYPES = ("INT64", "INT32", "STRING")


def describe_onnx(model: OnnxModel, sample: pd.DataFrame, folder: Path) -> Described:
    """Write model.onnx and its binding into `folder`; the contract of the graph over the sample's columns.

    Raises DescriptionError when the sample doesn't fit the graph's inputs, or the outputs aren't tensors.
    """
    frame, inputs, layout = _bound(model, sample)
    pairs = [infer_column(str(name), frame[name], MAX_CATEGORIES) for name in frame.columns]
    columns = tuple(column if layout == "frame" else column._replace(dtype="float64") for column, _ in pairs)
    outputs = _roles(model.outputs)
    (folder / MODEL).write_bytes(model.data)
    (folder / BINDING).write_bytes(dump_document({"schema": SCHEMA, "inputs": inputs, "outputs": outputs}))
    values = [each for _, each in pairs]
    output = _output(folder, columns, layout, outputs, [each[:PROBED_ROWS] for each in values], values)
    return Described(Contract(columns, output, layout), values)


def _bound(model: OnnxModel, sample: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, list[int]], Layout]:
    names = [tensor.name for tensor in model.inputs]
    if len(names) > 1 or (len(names) == 1 and names[0] in sample.columns):
        missing = [name for name in names if name not in sample.columns]
        if missing:
            raise DescriptionError(
                f"The graph has the input {missing[0]!r}, but the sample has no such column "
                f"(it has {', '.join(map(str, sample.columns[:20]))}). Name the sample's columns after the inputs."
            )
        return sample[names], {name: [index] for index, name in enumerate(names)}, "frame"
    width = model.inputs[0].shape[-1] if model.inputs and model.inputs[0].shape else None
    if width is not None and width != sample.shape[1]:
        raise DescriptionError(
            f"The graph's input {names[0]!r} takes {width} values a row, but the sample has {sample.shape[1]} columns. "
            "Give a sample of just the model's columns, in its order."
        )
    return sample, {names[0]: list(range(sample.shape[1]))}, "matrix"


def _roles(outputs: tuple[OnnxTensor, ...]) -> dict[str, str]:
    if any(tensor.element_type in ("SEQUENCE", "MAP") for tensor in outputs):
        raise DescriptionError(
            "The graph gives its probabilities as a sequence of maps. "
            "Convert the model again with the option zipmap=False."
        )
    labels = [tensor.name for tensor in outputs if tensor.element_type in LABEL_TYPES]
    floats = [tensor.name for tensor in outputs if tensor.element_type in ("FLOAT", "DOUBLE")]
    if labels and floats:
        return {"label": _only(labels, "label"), "probabilities": _only(floats, "prob")}
    if labels or floats:
        return {"value": _only(labels or floats, "predict")}
    raise DescriptionError("The graph has no output of numbers or labels. Give a model that predicts.")


def _only(names: list[str], word: str) -> str:
    """The one name, or of several the one that has the word in it. Raises DescriptionError: a guess would be silent."""
    telling = [name for name in names if word in name.lower()]
    if len(names) > 1 and len(telling) != 1:
        raise DescriptionError(
            f"The graph gives several outputs of one kind ({', '.join(names)}), and one prediction is needed. "
            "Keep the one that callers want, with onnx.utils.extract_model for instance."
        )
    return names[0] if len(names) == 1 else telling[0]


def _output(
    folder: Path,
    columns: tuple[Column, ...],
    layout: Layout,
    roles: dict[str, str],
    few: list[list[Any]],
    values: list[list[Any]],
) -> Output:
    from lightship_runtime.engines.onnx import open_engine

    if "label" not in roles:
        engine = open_engine(folder, Contract(columns, Output("regression"), layout))
        shape = engine.raw(few)[roles["value"]].shape
        width = int(shape[1]) if len(shape) > 1 and shape[1] > 1 else 0
        return Output("regression", width=width)
    engine = open_engine(folder, Contract(columns, Output("multiclass", probabilities=True), layout))
    answers = engine.raw(values)
    width = int(answers[roles["probabilities"]].shape[1])
    seen = sorted(set(answers[roles["label"]].ravel().tolist()))
    classes = tuple(range(width)) if all(isinstance(label, int) for label in seen) else tuple(seen)
    if len(classes) != width or not set(seen) <= set(classes):
        raise DescriptionError(
            f"The graph gives {width} probabilities, but the sample's labels are {seen[:10]}. "
            "Give a sample on which every class is predicted at least once."
        )
    return Output("binary" if width == 2 else "multiclass", classes, probabilities=True)
