"""What a node of the program gives, as the compiler knows it."""

from dataclasses import dataclass

import numpy as np

from lightship_runtime.contract import ColumnType, Missing, Scalar
from lightship_runtime.program.format import Kind


@dataclass(frozen=True, slots=True)
class RawColumn:
    """A column that is still as the caller gave it. `dtype`, `missing` and `nullable` are as in the contract's Column;
    `categories` only where other values become missing, as in a pandas category."""

    type: ColumnType
    dtype: str
    missing: Missing = "nan"
    categories: tuple[Scalar, ...] | None = None
    nullable: bool = True

    @property
    def is_numeric(self) -> bool:
        """Whether scikit-learn would take it as numbers."""
        if self.type in {"number", "integer", "boolean"}:
            return True
        return self.categories is not None and all(not isinstance(value, str) for value in self.categories)

    @property
    def shown_missing(self) -> Missing:
        """What the model is shown for a missing value."""
        return self.missing if self.dtype == "object" else "nan"

    def settled(self) -> "RawColumn":
        """The column once values outside its categories were made missing."""
        if self.categories is None:
            return self
        return RawColumn("number" if self.is_numeric else "category", "category")


@dataclass(frozen=True, slots=True)
class Value:
    """A node's value. `dtype` is the NumPy dtype that scikit-learn would hold (for dense and sparse); `columns` the
    columns of a raw value; `stored_sparse` whether scikit-learn would hold a sparse matrix; `is_series` whether
    it would hold a single column in one dimension."""

    position: int
    kind: Kind
    width: int
    dtype: str = "float64"
    columns: tuple[RawColumn, ...] = ()
    stored_sparse: bool = False
    is_series: bool = False

    @property
    def is_single(self) -> bool:
        return self.dtype == "float32"


_EXTENSION_DTYPES = {"Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float64", "boolean"}


def common_dtype(dtypes: list[str]) -> str:
    """The dtype NumPy gives columns of these dtypes when it joins them; object columns hold numbers of their own."""
    plain = ["float64" if dtype in _EXTENSION_DTYPES | {"object", "category"} else dtype for dtype in dtypes]
    return str(np.result_type(*[np.dtype(dtype) for dtype in plain]))


def is_known_dtype(dtype: str) -> bool:
    """Whether numbers of this dtype are evaluated as scikit-learn does."""
    if dtype in _EXTENSION_DTYPES | {"object", "category"}:
        return True
    try:
        return np.dtype(dtype).kind in "biu" or dtype in {"float32", "float64"}
    except TypeError:
        return False
