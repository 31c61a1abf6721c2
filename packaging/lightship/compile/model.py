"""From a fitted model and its contract to a program on disk."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lightship.compile.context import Context
from lightship.compile.errors import UnsupportedModelError
from lightship.compile.values import RawColumn, Value
from lightship.verifying import verify_program
from lightship_runtime.contract import Column, Contract
from lightship_runtime.program.format import open_program
from lightship_runtime.program.operations import impure_operations
from lightship_runtime.program.outputs import checked_program


@dataclass(frozen=True, slots=True)
class Compiled:
    """A program on disk. `pure_reason` says why the pure engine can't take it. `single_precision`: the model itself
    computes in float32, so equality to 1e-9 is not to be had, even from the model in another batch size."""

    folder: Path
    size: int
    pure: bool
    pure_reason: str | None
    single_precision: bool


def compile_model(model: Any, contract: Contract, folder: Path) -> Compiled:
    """Write the program of a fitted model to `folder`.

    Raises UnsupportedModelError naming the estimator, or its setting, that can't be compiled with certainty.
    """
    c = Context(contract.layout)
    x = _inputs(c, contract)
    outputs = _outputs(c, model, contract, x)
    size = c.builder.write(outputs, folder)
    program = checked_program(open_program(folder), contract)
    verify_program(program)
    impure = impure_operations(program)
    reason = f"{', '.join(impure)} need NumPy" if impure else None
    return Compiled(folder, size, not impure, reason, c.single_precision)


def _inputs(c: Context, contract: Contract) -> Value:
    columns = tuple(_raw_column(column) for column in contract.columns)
    x = c.emit("columns.inputs", [], kind="raw", width=len(columns), columns=columns)
    if contract.layout == "series":
        return replace(x, is_series=True)
    lengths = [_text_length(column) for column in contract.columns]
    if any(lengths):
        if contract.layout != "matrix" or not all(lengths) or any(column.nullable for column in contract.columns):
            raise UnsupportedModelError("A column of fixed-width text", "it has missing values or stands in a table")
        return c.emit("values.cut", [x], kind="raw", width=x.width, params={"lengths": lengths}, columns=columns)
    return x


def _raw_column(column: Column) -> RawColumn:
    categories = column.categories if column.dtype == "category" else None
    return RawColumn(column.type, column.dtype, column.missing, categories, column.nullable)


def _text_length(column: Column) -> int:
    """Characters that a NumPy text dtype such as `<U5` holds, else 0."""
    if column.dtype[:2] not in {"<U", "|U", ">U"}:
        return 0
    return np.dtype(column.dtype).itemsize // 4


def _outputs(c: Context, model: Any, contract: Contract, x: Value) -> Mapping[str, Value]:
    output = contract.output
    match output.task:
        case "binary" | "multiclass":
            # The libraries' own boosters have no `classes_`; their classes are 0 to k - 1.
            if len(getattr(model, "classes_", output.classes)) != len(output.classes):
                raise UnsupportedModelError(model, "its classes are not those of the contract")
            if output.probabilities:
                return _doubled(c, predictions=c.predict(model, x), probabilities=c.predict_proba(model, x))
            return _scored(c, model, x, "decision_function")
        case "multilabel":
            if output.probabilities:
                return _doubled(c, predictions=c.predict(model, x), probabilities=c.predict_proba(model, x))
            return _doubled(c, predictions=c.predict(model, x))
        case "outlier":
            has_decision = hasattr(model, "decision_function")
            return _scored(c, model, x, "decision_function" if has_decision else "score_samples")
        case "transform":
            return _doubled(c, predictions=c.transform(model, x))
        case "regression" | "clustering":
            return _doubled(c, predictions=c.predict(model, x))


def _scored(c: Context, model: Any, x: Value, method: str) -> Mapping[str, Value]:
    predictions = c.predict(model, x)
    if not hasattr(model, method):
        return _doubled(c, predictions=predictions)
    return _doubled(c, predictions=predictions, scores=c.lower(method, model, x))


def _doubled(c: Context, **values: Value) -> Mapping[str, Value]:
    return {name: c.doubles(value) for name, value in values.items()}
