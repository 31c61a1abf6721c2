"""The user's module around the model, at packaging: what callers then send, and what the model sees of it."""

import importlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from lightship.columns import infer_column
from lightship.describe import MAX_CATEGORIES, Described, close_categories
from lightship.goldens import fits_float32
from lightship_runtime.around import AroundEngine, Module, ModuleError, checked_value, outer_classes, plain_for
from lightship_runtime.contract import Contract, Output
from lightship_runtime.engine import Engine
from lightship_runtime.golden import Golden

REPEATED = 100
POSTPROCESSED = ("binary", "multiclass", "regression", "transform")
RESERVED = ("model", "lightship_runtime", "bootstrap")


@dataclass(frozen=True)
class Around:
    """A model with a module around it: the outer interface and the engine of it, with which golden rows and scores
    are made, and the model's own side, by which the engines are chosen."""

    described: Described
    inner: Described
    inside: Engine
    engine: AroundEngine

    def model_rows(self, golden: Golden) -> list[tuple[Any, ...]]:
        """What the model is given for these rows of the outer interface."""
        return list(zip(*self.engine.inner_columns(golden.columns()), strict=True))

    def float32_rows(self, golden: Golden) -> Golden:
        """Without the edge rows whose values float32 can't hold once preprocess has seen them."""
        rows = self.model_rows(golden)
        keep = [i for i, row in enumerate(rows) if i < golden.sampled or all(map(fits_float32, row))]
        return golden.select(keep)


def check_module_path(path: Path) -> None:
    """Raises ModuleError for a file that can't be a module beside what is in the zip."""
    name = path.stem
    if path.suffix != ".py" or not name.isidentifier():
        raise ModuleError(f"The module {str(path)!r} isn't a Python file with a name to import it by. Rename it.")
    if name in sys.stdlib_module_names or name in RESERVED:
        raise ModuleError(f"The module {str(path)!r} would hide Python's or Lightship's own {name}. Rename it.")


def load_module(path: Path) -> Module:
    """Import the user's module, which may import what lies beside it. Raises ModuleError."""
    folder = str(path.absolute().parent)
    if folder not in sys.path:
        sys.path.append(folder)
    known = sys.modules.get(path.stem)
    if known is not None and Path(getattr(known, "__file__", None) or "").absolute() != path.absolute():
        raise ModuleError(f"Another module is called {path.stem}. Rename {path.name}.")
    try:
        return Module(importlib.reload(known) if known else importlib.import_module(path.stem))
    except ModuleError:
        raise
    except Exception as error:
        raise ModuleError(f"{path.name} can't be imported ({type(error).__name__}: {error}). Correct it.") from error


def model_sample(module: Module, sample: pd.DataFrame) -> pd.DataFrame:
    """The sample as the model sees it: what preprocess makes of each row. Raises ModuleError."""
    if module.preprocess is None:
        return sample
    rows = _raw_rows(sample)
    made = [_preprocessed(module, row, number) for number, row in enumerate(rows)]
    again = [_preprocessed(module, row, number) for number, row in enumerate(_raw_rows(sample.head(REPEATED)))]
    for number, (first, second) in enumerate(zip(made, again, strict=False)):
        if repr(first) != repr(second):
            raise ModuleError(
                f"preprocess makes two different rows of row {number} of the sample, one after the other. "
                "Make it depend on its argument alone: no random numbers, clock or counters."
            )
    for number, row in enumerate(made):
        if row.keys() != made[0].keys():
            odd = min(row.keys() ^ made[0].keys())
            raise ModuleError(
                f"preprocess gives {odd!r} for some rows of the sample and not for others (row {number} differs from "
                "row 0). Have it give every column always, None where there is no value."
            )
    frame = pd.DataFrame(made)
    frame.attrs = dict(sample.attrs)
    return frame


def _raw_rows(sample: pd.DataFrame) -> list[dict[str, Any]]:
    pairs = [infer_column(str(name), sample[name], MAX_CATEGORIES) for name in sample.columns]
    plain = [[plain_for(column)(value) for value in values] for column, values in pairs]
    names = [column.name for column, _ in pairs]
    return [dict(zip(names, values, strict=True)) for values in zip(*plain, strict=True)]


def _preprocessed(module: Module, row: dict[str, Any], number: int) -> dict[str, Any]:
    assert module.preprocess is not None  # noqa: S101 - asked for modules that have one
    try:
        made = module.preprocess(row)
    except Exception as error:
        raise ModuleError(
            f"preprocess raised {type(error).__name__} for row {number} of the sample: {error}. "
            "Correct it, or leave that row out."
        ) from error
    if not isinstance(made, dict) or not all(isinstance(name, str) for name in made):
        raise ModuleError(
            f"preprocess made a {type(made).__name__} of row {number} of the sample. "
            "It must return a dictionary from the model's column names to values."
        )
    return made


def put_around(module: Module, sample: pd.DataFrame, inner: Described, original: Engine) -> Around:
    """The outer interface: the sample's own columns, and what postprocess makes of the model's output.

    Raises ModuleError and ColumnError.
    """
    if module.preprocess is None:
        columns, values = inner.contract.columns, inner.columns
    else:
        pairs = [infer_column(str(name), sample[name], MAX_CATEGORIES) for name in sample.columns]
        columns, values = tuple(column for column, _ in pairs), [each for _, each in pairs]
    contract = Contract(columns, inner.contract.output, inner.contract.layout)
    if module.postprocess is not None:
        contract = contract._replace(output=_outer_output(module, inner, original))
    engine = AroundEngine(original, module, contract, inner.contract)
    if module.preprocess is not None:
        contract = close_categories(contract, values, engine.predict)
        engine = AroundEngine(original, module, contract, inner.contract)
    return Around(Described(contract, values), inner, original, engine)


def _outer_output(module: Module, inner: Described, original: Engine) -> Output:
    output = inner.contract.output
    if output.task not in POSTPROCESSED:
        raise ModuleError(
            f"postprocess can't be around a model of task {output.task}; it can around {', '.join(POSTPROCESSED)}. "
            "Remove it."
        )
    if output.classes:
        classes = outer_classes(module, inner.contract)
        # With classes made one, the model's thresholds are no longer those of the outer classes.
        kept = output.thresholds if len(classes) == len(output.classes) else ()
        task = output.task if len(classes) != 2 else "binary"
        return output._replace(task=task, classes=classes, thresholds=kept)
    _try_values(module, original, inner, output.width)
    return output


def _try_values(module: Module, original: Engine, inner: Described, width: int) -> None:
    assert module.postprocess is not None  # noqa: S101 - asked for modules that have one
    few = inner.at(range(min(REPEATED, len(inner.columns[0]))))
    predictions: Any = original.predict(few).predictions
    for value in predictions.tolist() if hasattr(predictions, "tolist") else predictions:
        try:
            checked_value(module.postprocess(value), width)
        except ModuleError as error:
            raise ModuleError(
                f"{error}, of the prediction {value!r}. Of a regression's {'row' if width else 'number'} it must make "
                f"{f'{width} numbers' if width else 'a number'}: have callers make anything else of it."
            ) from error
        except Exception as error:
            raise ModuleError(
                f"postprocess raised {type(error).__name__} for the prediction {value!r}: {error}. Correct it."
            ) from error
