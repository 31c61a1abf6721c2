"""The user's own module around the model: `preprocess(row)` before it, `postprocess(prediction)` after it.

An engine of the *outer* interface (what callers send and get) that holds the model's own engine inside: requests,
batches, golden rows and hook all go through it alike. A row reaches `preprocess` in one form, whatever it came in as.
"""

import math
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from os import PathLike
from typing import Any

from lightship_runtime.contract import Column, Contract
from lightship_runtime.engine import Engine, Outputs, RefusedRowsError, Values
from lightship_runtime.errors import LightshipError
from lightship_runtime.validation import check_for

INNER = "inner.json"
NAMES = ("preprocess", "postprocess")
SHOWN_CHARACTERS = 200

type Row = dict[str, Any]
type Log = Callable[[Exception], None]


class ModuleError(LightshipError):
    """The user's module can't be used as it is."""


class RefusedAroundError(RefusedRowsError):
    """The module raised for these rows, or made of them what the model doesn't take.

    `status` is 422 where every row is refused by a ValueError of the module's or by the model's own contract, and 500
    where the module failed: the caller then learns which row, and the log the rest.
    """

    def __init__(self, reasons: Mapping[int, str], status: int) -> None:
        self.reasons = dict(reasons)
        first, reason = next(iter(self.reasons.items()))
        super().__init__(reason, tuple(self.reasons))
        more = f" ({len(self.reasons) - 1} more in errors.)" if len(self.reasons) > 1 else ""
        self.args = (f"At row {first}: {reason}.{more}",)
        self.status = status

    def reason_of(self, row: int) -> str:
        return self.reasons[row]

    def expected_of(self, row: int) -> str:
        return f"a row that the model takes; {self.reasons[row]}"


class _UnfitError(Exception):
    """What preprocess made of a row isn't the model's input. `status` as of RefusedAroundError."""

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


class Module:
    """The functions of a user's module; None for one that it hasn't."""

    def __init__(self, module: Any) -> None:
        self.name: str = module.__name__
        self.preprocess: Callable[[Row], Any] | None = _function(module, "preprocess")
        self.postprocess: Callable[[Any], Any] | None = _function(module, "postprocess")
        if self.preprocess is None and self.postprocess is None:
            raise ModuleError(
                f"{self.name} has neither preprocess nor postprocess. Define preprocess(row) -> row, "
                "postprocess(prediction) -> prediction, or both."
            )


def _function(module: Any, name: str) -> Callable[[Any], Any] | None:
    function = getattr(module, name, None)
    if function is not None and not callable(function):
        raise ModuleError(f"{name} in {module.__name__} is a {type(function).__name__}. Make it a function.")
    return function


def open_around(engine: Engine, options: Mapping[str, Any], outer: Contract, inner: Contract) -> Engine:
    """The engine behind the interface `outer`, with the module that `options` name around it."""
    return AroundEngine(engine, Module(import_module(options["module"])), outer, inner, log=_log)


def read_inner(folder: str | PathLike[str]) -> Contract:
    """The model's own contract, beside that of callers."""
    from lightship_runtime.loader import read

    return Contract.from_json(read(folder, INNER))


class AroundEngine:
    """`engine`, whose input and output are `inner`, as an engine of `outer`."""

    def __init__(
        self, engine: Engine, module: Module, outer: Contract, inner: Contract, log: Log | None = None
    ) -> None:
        self._engine = engine
        self._log = log
        self._module = module
        self._outer = outer
        self._plain = tuple(plain_for(column) for column in outer.columns)
        self._checks = tuple((column.name, column.nullable, check_for(column)) for column in inner.columns)
        self._inner = inner
        self._places = class_places(module, inner, outer) if inner.output.classes and module.postprocess else None

    @property
    def name(self) -> str:
        return self._engine.name

    def predict(self, columns: Sequence[Values]) -> Outputs:
        return self._after(self._engine.predict(self.inner_columns(columns)))

    def rows(self, columns: Sequence[Values]) -> list[Row]:
        """The rows as preprocess gets them: plain JSON values, None for missing."""
        plain = [
            [each(value) for value in (values.tolist() if hasattr(values, "tolist") else values)]
            for each, values in zip(self._plain, columns, strict=True)
        ]
        return [dict(zip(self._outer.names, values, strict=True)) for values in zip(*plain, strict=True)]

    def inner_columns(self, columns: Sequence[Values]) -> Sequence[Values]:
        """What the model is given for these rows of the outer interface. Raises RefusedAroundError."""
        preprocess = self._module.preprocess
        if preprocess is None:
            return columns
        made: list[list[Any]] = []
        refused: dict[int, str] = {}
        status = 422
        for number, row in enumerate(self.rows(columns)):
            try:
                made.append(self._checked(preprocess(row)))
            except _UnfitError as error:
                refused[number], status = error.reason, max(status, error.status)
            except Exception as error:  # noqa: BLE001 - the user's code may raise anything; the row is named
                refused[number] = _reason("preprocess", error)
                if not isinstance(error, ValueError):
                    self._tell(error, first=status == 422)
                    status = 500
        if refused:
            raise RefusedAroundError(refused, status)
        return [list(values) for values in zip(*made, strict=True)]

    def _tell(self, error: Exception, *, first: bool) -> None:
        """Log the first failure of a call: a caller isn't told more than its kind."""
        if first and self._log is not None:
            self._log(error)

    def _checked(self, made: Any) -> list[Any]:
        if not isinstance(made, Mapping):
            raise _UnfitError(f"preprocess gave a {type(made).__name__}, not a row", 500)
        values = []
        for name, nullable, check in self._checks:
            if name not in made:
                raise _UnfitError(f"preprocess gave no {name!r}, which the model takes", 500)
            value = plain_value(made[name])
            if value is None:
                if not nullable:
                    raise _UnfitError(f"preprocess gave nothing for {name!r}, which the model must have", 422)
            else:
                try:
                    value = check(value)
                except ValueError:
                    raise _UnfitError(f"preprocess gave a {name!r} that the model doesn't take", 422) from None
                except (TypeError, OverflowError):
                    kind = type(value).__name__
                    raise _UnfitError(f"preprocess gave a {kind} for {name!r}, which is another type", 500) from None
            values.append(value)
        return values

    def _after(self, outputs: Outputs) -> Outputs:
        postprocess = self._module.postprocess
        if postprocess is None:
            return outputs
        predictions = _list(outputs.predictions)
        if self._places is not None:
            places = self._places
            return outputs._replace(
                predictions=[places[each] for each in predictions],
                probabilities=_merged(outputs.probabilities, places, len(self._outer.output.classes)),
            )
        finished: list[Any] = []
        failed: dict[int, str] = {}
        for row, value in enumerate(predictions):
            try:
                finished.append(checked_value(postprocess(value), self._outer.output.width))
            except ModuleError as error:
                failed[row] = str(error)
            except Exception as error:  # noqa: BLE001 - the user's code may raise anything; the row is named
                failed[row] = f"postprocess raised {type(error).__name__}"
                self._tell(error, first=len(failed) == 1)
        if failed:
            raise RefusedAroundError(failed, 500)
        return outputs._replace(predictions=finished)


def class_places(module: Module, inner: Contract, outer: Contract) -> list[int]:
    """For each of the model's classes the position of what postprocess makes of it among the outer classes."""
    made = {_identity(label): place for place, label in enumerate(outer.output.classes)}
    places = []
    for label in inner.output.classes:
        found = _identity(checked_label(module, label))
        if found not in made:
            raise ModuleError(
                f"postprocess makes another label of {label!r} than when the model was packaged. "
                "Make it depend on its argument alone, and package again."
            )
        places.append(made[found])
    return places


def outer_classes(module: Module, inner: Contract) -> tuple[Any, ...]:
    """What postprocess makes of the model's classes, each once, in their order. Raises ModuleError."""
    labels = [checked_label(module, label) for label in inner.output.classes]
    return tuple({_identity(label): label for label in labels}.values())


def checked_label(module: Module, label: Any) -> Any:
    """What postprocess makes of a label: a string, boolean or finite number. Raises ModuleError."""
    assert module.postprocess is not None  # noqa: S101 - called for modules that have one
    try:
        made = plain_value(module.postprocess(label))
    except Exception as error:
        raise ModuleError(
            f"postprocess raised {type(error).__name__} for the class {label!r}: {error}. Have it take every class."
        ) from error
    if isinstance(made, str | bool | int | float) and not (isinstance(made, float) and not math.isfinite(made)):
        return made
    raise ModuleError(
        f"postprocess made a {type(made).__name__} of the class {label!r}. "
        "Of a class it must make one string, boolean or finite number."
    )


def checked_value(made: Any, width: int) -> Any:
    """What postprocess made of a number, or of a row of `width` numbers. Raises ModuleError."""
    if hasattr(made, "tolist"):
        made = made.tolist()
    if width:
        if not isinstance(made, list | tuple) or len(made) != width:
            raise ModuleError(f"postprocess gave a {type(made).__name__}, not {width} numbers")
        return [checked_value(each, 0) for each in made]
    made = plain_value(made)
    if isinstance(made, bool) or not isinstance(made, int | float):
        raise ModuleError(f"postprocess gave a {type(made).__name__}, not a number")
    return float(made)


def plain_for(column: Column) -> Callable[[Any], Any]:
    """The one form of a column's values, from a request's Python values or a batch's arrays alike."""
    match column.type:
        case "number":
            return lambda value: None if value is None or value != value else float(value)  # noqa: PLR0124 - NaN
        case "integer":
            return lambda value: None if value is None or value != value else int(value)  # noqa: PLR0124 - NaN
        case "datetime":
            from datetime import datetime

            return lambda value: None if value is None else datetime.fromisoformat(value).isoformat()
        case "category" if column.categories and not isinstance(column.categories[0], str):
            known = {each: each for each in column.categories}
            return lambda value: None if value is None or value != value else known.get(value, value)  # noqa: PLR0124
        case _:
            return lambda value: value


def plain_value(value: Any) -> Any:
    """A value that the user's code made, as JSON has it: NumPy's scalars as Python's, times in ISO 8601, None for NaN
    and other missing values."""
    if hasattr(value, "item") and not isinstance(value, list | tuple | dict):
        value = value.item()
    if isinstance(value, float) and math.isnan(value):
        return None
    if hasattr(value, "isoformat"):
        return value.isoformat() if value == value else None  # noqa: PLR0124 - a missing time isn't itself
    return value


def _log(error: Exception) -> None:
    traceback.print_exception(error, file=sys.stderr)


def _reason(function: str, error: Exception) -> str:
    """Why a row is refused. The text of a ValueError is meant for the caller; of other errors only the log has it."""
    if type(error) is ValueError and error.args:
        text = " ".join(str(error).split()).encode(errors="replace").decode()
        return f"{function} refuses it: {text[:SHOWN_CHARACTERS]}"
    return f"{function} raised {type(error).__name__}"


def _merged(probabilities: Values | None, places: Sequence[int], classes: int) -> Values | None:
    """Probabilities of the outer classes: those of the model's classes that became one are added."""
    if probabilities is None or list(places) == list(range(classes)):
        return probabilities
    rows = []
    for row in _list(probabilities):
        sums = [0.0] * classes
        for place, value in zip(places, row, strict=True):
            sums[place] += value
        rows.append(sums)
    return rows


def _list(values: Any) -> list[Any]:
    return values.tolist() if hasattr(values, "tolist") else list(values)


def _identity(label: Any) -> tuple[str, Any]:
    """True and 1 are equal in Python, and different labels in JSON."""
    return type(label).__name__, label
