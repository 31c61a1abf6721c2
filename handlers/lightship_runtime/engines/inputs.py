"""From a contract's columns back to what the original model was fitted on."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lightship_runtime.contract import Column, Contract
from lightship_runtime.engine import Values


def model_input(contract: Contract, columns: Sequence[Values]) -> Any:
    """A DataFrame, a two-dimensional array or a list, as `contract.layout` says."""
    match contract.layout:
        case "series":
            return list(columns[0])
        case "matrix":
            return _matrix(contract, columns)
        case "frame":
            import pandas as pd

            return pd.DataFrame(
                {column.name: _series(column, values) for column, values in zip(contract.columns, columns, strict=True)}
            )


def _matrix(contract: Contract, columns: Sequence[Values]) -> Any:
    dtype = np.dtype(contract.columns[0].dtype)
    if dtype.kind in "fiub":
        return np.column_stack([np.asarray(values, dtype=dtype) for values in columns])
    matrix = np.empty((len(columns[0]), len(columns)), dtype=object)
    for index, (column, values) in enumerate(zip(contract.columns, columns, strict=True)):
        matrix[:, index] = object_array(column, values)
    return matrix if dtype.kind == "O" else matrix.astype(dtype)


def _series(column: Column, values: Values) -> Any:
    import pandas as pd

    dtype: Any = column.dtype
    if column.dtype == "category":
        # A value that isn't a category is missing to pandas, and to the model.
        known = frozenset(column.categories or ())
        kept = [value if value in known else None for value in values]
        return pd.Categorical(kept, categories=pd.Index(list(column.categories or ())))
    if column.type == "datetime":
        return pd.to_datetime(pd.Series(list(values)), format="ISO8601").astype(dtype)
    if column.dtype == "object":
        return pd.Series(object_array(column, values), dtype=object)
    # pandas' own types (boolean, Int64, Float64) aren't NumPy's.
    if column.dtype == "bool" or column.dtype.startswith(("float", "int", "uint")):
        return np.asarray(values, dtype=column.dtype)
    return pd.Series(list(values), dtype=dtype)


def object_array(column: Column, values: Values) -> Any:
    """An object array with the missing value the model was shown."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    if column.nullable and column.missing == "nan":
        array[[value is None for value in values]] = np.nan
    return array
