"""From columns as a file has them to columns as an engine takes them, with every fault named.

Whole columns at a time. An Arrow column of the expected type takes the short way, through NumPy; anything else goes
value by value through the same checks that a request goes through.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lightship_runtime.contract import Column
from lightship_runtime.engine import Distinct
from lightship_runtime.validation import check_for, expectation, shown

MAX_EXACT = 2**53 - 1
"""Up to here every integer is a float, and no other integer is rounded to it."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A column of n values for an engine. `faults` are the positions that aren't acceptable, with the value found."""

    values: Any
    faults: Mapping[int, Any]


class Checker:
    """Checks one column of a contract."""

    def __init__(self, column: Column) -> None:
        self.column = column
        self.expected = expectation(column)
        self._check: Callable[[Any], Any] = check_for(column)
        first = column.categories[0] if column.categories else ""
        self.is_text = column.type in ("text", "category", "datetime") and isinstance(first, str)
        self._known = frozenset(column.categories or ()) if column.closed else None

    def missing(self, rows: int) -> Checked:
        """The column where a file doesn't have it."""
        return Checked(np.full(rows, None, dtype=object), dict.fromkeys(range(rows)))

    def of_arrow(self, array: pa.Array) -> Checked:
        """From an Arrow array of any type."""
        kind = array.type
        if self.is_text and is_text(kind):
            return self.of_texts(array)
        match self.column.type:
            case "number" if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind):
                return self._of_floats(array)
            case "integer" if pa.types.is_signed_integer(kind):
                return self._of_integers(array)
            case "integer" if pa.types.is_floating(kind):
                return self._of_whole_floats(array)
            case "boolean" if pa.types.is_boolean(kind) and not array.null_count:
                return Checked(array.to_numpy(zero_copy_only=False), {})
        return self.of_values(_python_values(array))

    def _of_floats(self, array: pa.Array) -> Checked:
        if not pa.types.is_float64(array.type):
            array = array.cast(pa.float64(), safe=False)
        values = array.to_numpy(zero_copy_only=False)
        faults: dict[int, Any] = {}
        finite = np.isfinite(values)
        if not finite.all():
            missing = np.isnan(values)
            bad = ~finite if not self.column.nullable else ~finite & ~missing
            faults = {int(i): None if missing[i] else shown(float(values[i])) for i in np.flatnonzero(bad)}
        return Checked(values, self._outsiders(values, faults))

    def _of_integers(self, array: pa.Array) -> Checked:
        if array.null_count:
            return self.of_values(array.to_pylist())
        values = array.cast(pa.int64()).to_numpy()
        return Checked(values, self._outsiders(values, {}))

    def _of_whole_floats(self, array: pa.Array) -> Checked:
        values = array.cast(pa.float64()).to_numpy(zero_copy_only=False)
        whole = (values == np.trunc(values)) & (np.abs(values) <= MAX_EXACT)
        if whole.all():
            integers = values.astype(np.int64)
            return Checked(integers, self._outsiders(integers, {}))
        if self.column.nullable and (whole | np.isnan(values)).all():
            return Checked(values, self._outsiders(values, {}))
        return self.of_values(array.to_pylist())

    def _outsiders(self, values: Any, faults: dict[int, Any]) -> dict[int, Any]:
        """The values that a closed column doesn't know, besides the faults already found."""
        if self._known is None:
            return faults
        for i, value in enumerate(values.tolist()):
            if i not in faults and value not in self._known and value == value:  # noqa: PLR0124 - a NaN is missing
                faults[i] = shown(value)
        return faults

    def of_texts(self, array: pa.Array, *, empty_is_missing: bool = False) -> Checked:
        """From texts, perhaps as a dictionary: each different one is checked once."""
        if not pa.types.is_dictionary(array.type):
            array = array.dictionary_encode()
        texts = array.dictionary.to_pylist()
        accepted: list[Any] = [None] * (len(texts) + 1)
        refused: dict[int, Any] = {}
        for code, text in enumerate(texts):
            if text is None or (empty_is_missing and not text):
                if not self.column.nullable:
                    refused[code] = None
                continue
            try:
                accepted[code] = self._check(text)
            except ValueError:
                refused[code] = shown(text)
        indices = array.indices
        if indices.null_count:
            indices = indices.fill_null(len(texts))
            if not self.column.nullable:
                refused[len(texts)] = None
        codes = indices.to_numpy(zero_copy_only=False)
        faults: dict[int, Any] = {}
        if refused:
            faults = {int(i): refused[int(codes[i])] for i in np.flatnonzero(np.isin(codes, list(refused)))}
        return Checked(Distinct(accepted, codes), faults)

    def of_values(self, values: Sequence[Any]) -> Checked:
        """From Python values, None (or NaN) for missing."""
        if self.column.type == "number" and {*map(type, values)} <= {float, int}:
            try:
                return self._of_floats(pa.array(np.array(values, dtype=np.float64)))
            except OverflowError:
                pass
        faults: dict[int, Any] = {}
        accepted = np.empty(len(values), dtype=object)
        for i, value in enumerate(values):
            if value is None or (type(value) is float and math.isnan(value)):
                accepted[i] = None
                if not self.column.nullable:
                    faults[i] = None
                continue
            try:
                accepted[i] = self._check(value)
            except (ValueError, TypeError, OverflowError):
                accepted[i] = None
                faults[i] = shown(value)
        return Checked(self._as_array(accepted), faults)

    def _as_array(self, values: Any) -> Any:
        """Checked Python values as the array that evaluates fastest without losing a digit."""
        present = [value for value in values if value is not None]
        whole = len(present) == len(values)
        match self.column.type:
            case "number":
                return np.array(values, dtype=np.float64)
            case "integer" if whole:
                return np.array(values, dtype=np.int64)
            case "integer" if all(-MAX_EXACT <= value <= MAX_EXACT for value in present):
                return np.array(values, dtype=np.float64)
            case "boolean" if whole:
                return np.array(values, dtype=np.bool_)
            case _:
                return values


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of this type is text, perhaps as a dictionary."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _python_values(array: pa.Array) -> list[Any]:
    """Arrow values as JSON would bring them: dates as ISO 8601, decimals as floats."""
    kind = array.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return [None if value is None else value.isoformat() for value in _microseconds(array).to_pylist()]
    if pa.types.is_decimal(kind):
        array = array.cast(pa.float64(), safe=False)
    return list(array.to_pylist())


def _microseconds(array: pa.Array) -> pa.Array:
    """Python's own times end at microseconds."""
    if pa.types.is_timestamp(array.type) and array.type.unit == "ns":
        return array.cast(pa.timestamp("us", array.type.tz), safe=False)
    return array


def selected(values: Any, keep: Any) -> Any:
    """The chosen rows of an Arrow or NumPy array; `keep` is a boolean array or None for all."""
    if keep is None:
        return values
    return pc.filter(values, pa.array(keep)) if isinstance(values, pa.Array) else values[keep]
