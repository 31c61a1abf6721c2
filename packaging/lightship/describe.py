"""Infers the contract from a model and a sample: columns, types, what the model gives."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import get_tags

from lightship.columns import infer_column, json_scalar
from lightship.samples import sample_layout
from lightship_runtime.contract import Column, Contract, Layout, Output, Task
from lightship_runtime.engine import Values
from lightship_runtime.engines.estimator import outputs_of
from lightship_runtime.engines.inputs import model_input
from lightship_runtime.errors import LightshipError
from lightship_runtime.predict import class_key

MAX_CATEGORIES = 1_000
PROBED_ROWS = 8


class DescriptionError(LightshipError):
    """The model and the sample don't give a contract."""


@dataclass(frozen=True)
class Described:
    """A contract and the sample in its columns: one list a column, None for missing."""

    contract: Contract
    columns: list[list[Any]]

    def at(self, rows: Sequence[int]) -> list[list[Any]]:
        return [[values[row] for row in rows] for values in self.columns]


def set_thresholds(described: Described, thresholds: Mapping[str, float]) -> Described:
    """The same with the user's thresholds, by class. Raises DescriptionError for what the model hasn't."""
    if not thresholds:
        return described
    output = described.contract.output
    keys = [class_key(label) for label in output.classes]
    if output.task not in ("binary", "multiclass") or not output.probabilities:
        raise DescriptionError(
            f"[model] threshold is set, but the model, of task {output.task}, gives no probabilities of classes. "
            "Remove it, or package a classifier that has predict_proba."
        )
    for key, value in thresholds.items():
        if key not in keys or not 0 < value <= 1:
            raise DescriptionError(
                f"[model] threshold has {key} = {value:g}. "
                f"Its keys are among {', '.join(keys[:20])}, its values above 0 and at most 1."
            )
    limits = tuple(thresholds.get(key) for key in keys)
    contract = described.contract._replace(output=output._replace(thresholds=limits))
    return Described(contract, described.columns)


def describe(model: Any, sample: pd.DataFrame, task: Task | None = None) -> Described:
    """The contract of a fitted, scikit-learn compatible model and its sample.

    Raises DescriptionError when the model can't predict the sample, or gives what no task describes.
    """
    failures: list[str] = []
    for layout, frame in _layouts(model, sample):
        columns, values = _columns(frame, layout)
        trial = Contract(columns, Output("regression"), layout)
        few = model_input(trial, [each[:PROBED_ROWS] for each in values])
        try:
            output = _output(model, few, task)
        except DescriptionError:
            raise
        except Exception as error:  # noqa: BLE001 - any model may raise anything; the next layout may be right
            failures.append(f"as a {_LAYOUT_WORDS[layout]}: {type(error).__name__}: {error}")
            continue
        contract = Contract(columns, output, layout)

        def answer(columns: Sequence[Values], contract: Contract = contract) -> object:
            return outputs_of(model, model_input(contract, columns), contract)

        return Described(close_categories(contract, values, answer), values)
    raise DescriptionError(
        "The model can't predict the sample (" + "; ".join(failures) + "). "
        "Give a sample with the columns and types the model was fitted on."
    )


_LAYOUT_WORDS: dict[Layout, str] = {"frame": "DataFrame", "matrix": "matrix", "series": "list of texts"}


def _layouts(model: Any, sample: pd.DataFrame) -> Iterator[tuple[Layout, pd.DataFrame]]:
    """The ways to feed the model, the likeliest first."""
    names = getattr(model, "feature_names_in_", None)
    if names is not None:
        missing = [name for name in names if name not in sample.columns]
        if missing:
            raise DescriptionError(
                f"The sample lacks the column {missing[0]!r} that the model was fitted on "
                f"(it has {', '.join(map(str, sample.columns[:20]))}). Give a sample with all of the model's columns."
            )
        yield "frame", sample[list(names)]
        return
    match sample_layout(sample):
        case "matrix":
            yield "matrix", sample
        case "series":
            yield "series", sample
            yield "matrix", sample
        case "frame" if hasattr(model, "n_features_in_"):
            # Fitted on rows without names: a matrix, whatever the sample's file calls its columns.
            yield "matrix", sample
            yield "frame", sample
        case "frame":
            if sample.shape[1] == 1 and not _numeric(sample.dtypes.iloc[0]):
                yield "series", sample
            yield "frame", sample
            yield "matrix", sample


def _columns(frame: pd.DataFrame, layout: Layout) -> tuple[tuple[Column, ...], list[list[Any]]]:
    pairs = [infer_column(str(name), frame[name], MAX_CATEGORIES) for name in frame.columns]
    columns = tuple(column for column, _ in pairs)
    if layout == "matrix":
        dtype = str(frame.to_numpy().dtype)
        columns = tuple(column._replace(dtype=dtype) for column in columns)
    return columns, [values for _, values in pairs]


def _output(model: Any, few: Any, task: Task | None) -> Output:
    found = task or _task(model)
    match found:
        case "binary" | "multiclass" | "multilabel":
            return _classes(model, few, asked=task)
        case "regression":
            return Output("regression", width=_width(model.predict(few)))
        case "outlier" | "clustering":
            if not hasattr(model, "predict"):
                raise DescriptionError(
                    f"{type(model).__name__} can't predict rows it wasn't fitted on. Use a model that has `predict`."
                )
            model.predict(few)
            return Output(found)
        case "transform":
            return Output("transform", width=_width(model.transform(few)))


def _task(model: Any) -> Task:
    kind = _estimator_type(model)
    if kind == "outlier_detector":
        return "outlier"
    if hasattr(model, "classes_") and hasattr(model, "predict"):
        return "multiclass"
    if kind == "regressor":
        return "regression"
    if kind == "clusterer" and (hasattr(model, "predict") or not hasattr(model, "transform")):
        return "clustering"
    if hasattr(model, "predict"):
        return "regression"
    if hasattr(model, "transform"):
        return "transform"
    raise DescriptionError(
        f"{type(model).__name__} has neither `predict` nor `transform`. Give a fitted model that predicts."
    )


def _estimator_type(model: Any) -> str | None:
    """What scikit-learn's tags say; what has none says it by its methods."""
    return get_tags(model).estimator_type if hasattr(model, "__sklearn_tags__") else None


def _classes(model: Any, few: Any, asked: Task | None) -> Output:
    predicted = model.predict(few)
    gives = _gives_probabilities(model, few)
    shape = np.shape(predicted.toarray() if hasattr(predicted, "toarray") else predicted)
    if len(shape) == 2 and shape[1] > 1:
        _check_labels(model)
        return Output("multilabel", tuple(range(shape[1])), gives, shape[1])
    classes = tuple(json_scalar(label, "class") for label in model.classes_)
    if asked == "binary" and len(classes) != 2:
        raise DescriptionError(
            f"The task is set to binary, but the model has {len(classes)} classes. "
            "Set it to multiclass, or leave it out."
        )
    return Output("binary" if len(classes) == 2 else "multiclass", classes, gives)


def _check_labels(model: Any) -> None:
    classes = model.classes_
    sets = classes if isinstance(classes, list) else [classes]
    if any(not isinstance(each, np.ndarray | list) or not {0, 1}.issuperset(np.ravel(each).tolist()) for each in sets):
        if isinstance(classes, np.ndarray) and classes.ndim == 1:
            return
        raise DescriptionError(
            "The model gives several outputs of several classes each, which no task of Lightship's describes. "
            "Package one model an output, or train on labels of 0 and 1."
        )


def _gives_probabilities(model: Any, few: Any) -> bool:
    if not hasattr(model, "predict_proba"):
        return False
    try:
        model.predict_proba(few)
    except (AttributeError, NotImplementedError):
        return False
    return True


def _width(values: Any) -> int:
    shape = np.shape(values) if not hasattr(values, "toarray") else values.shape
    return int(shape[1]) if len(shape) > 1 else 0


def close_categories(
    contract: Contract, values: list[list[Any]], answer: Callable[[Sequence[Values]], object]
) -> Contract:
    """Mark the columns of whose unseen categories `answer`, which predicts columns of rows, raises an error."""
    first = [[each[0]] for each in values]
    columns = []
    for index, column in enumerate(contract.columns):
        closed = False
        unseen = unseen_category(column)
        if unseen is not None:
            trial = [*first[:index], [unseen], *first[index + 1 :]]
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    answer(trial)
            except Exception:  # noqa: BLE001 - whatever it raises, it is a refusal
                closed = True
        columns.append(column._replace(closed=closed))
    return contract._replace(columns=tuple(columns))


def unseen_category(column: Column) -> Any:
    """A value that the sample never had, of the column's own kind; None where there can't be one."""
    if column.type != "category" or not column.categories or isinstance(column.categories[0], bool):
        return None
    if isinstance(column.categories[0], str):
        return "\N{SNOWMAN} never seen"
    return max(value for value in column.categories if not isinstance(value, str)) + 1


def _numeric(dtype: Any) -> bool:
    return pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype)
