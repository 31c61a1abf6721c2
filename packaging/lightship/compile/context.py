"""What a lowering works with: emitting operations, changing representation, and lowering the estimators inside."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, Concatenate

import numpy as np

from lightship.compile.builder import Builder
from lightship.compile.errors import UnsupportedModelError
from lightship.compile.registry import METHODS, find_lowering
from lightship.compile.values import RawColumn, Value, common_dtype, is_known_dtype
from lightship_runtime.contract import Layout


class Context:
    """One compilation. `emit` adds an operation; the other methods are shorthands used by many families."""

    def __init__(self, layout: Layout = "frame") -> None:
        self.layout = layout
        self.builder = Builder()
        self.emit: Callable[..., Value] = self.builder.emit
        self.single_precision = False
        self.remembered: dict[tuple[Any, ...], tuple[Any, tuple[Any, ...]]] = {}

    # Estimators inside estimators.

    def transform(self, model: Any, x: Value) -> Value:
        return self.lower("transform", model, x)

    def predict(self, model: Any, x: Value) -> Value:
        return self.lower("predict", model, x)

    def predict_proba(self, model: Any, x: Value) -> Value:
        return self.lower("predict_proba", model, x)

    def decision_function(self, model: Any, x: Value) -> Value:
        return self.lower("decision_function", model, x)

    def lower(self, method: str, model: Any, x: Value) -> Value:
        """Lower one of METHODS of an estimator. Raises UnsupportedModelError."""
        if method not in METHODS:
            raise UnsupportedModelError(model, f"its method {method!r} is not known")
        lowering = find_lowering(model)
        expected = None if method == "inverse_transform" else getattr(model, "n_features_in_", None)
        if expected is not None and expected != x.width:
            raise UnsupportedModelError(model, f"it was fitted on {expected} columns and would get {x.width}")
        lowered: Value = getattr(lowering, method)(self, model, x)
        return lowered

    def response(self, model: Any, x: Value, methods: Sequence[str]) -> tuple[Value, str]:
        """What the first method that a classifier has gives, and its name; of two classes, only the second's column."""
        method = next(name for name in methods if hasattr(model, name))
        value = self.lower(method, model, x)
        if method == "predict_proba" and len(model.classes_) == 2:
            value = self.pick(value, [1])
        return value, method

    def choose(self, x: Value, values: Any) -> Value:
        """The value at each position."""
        table = np.asarray(values, dtype=np.float64)
        return self.emit("links.choose", [x], width=x.width, arrays={"values": table})

    # Representation.

    def dense(self, x: Value) -> Value:
        """Numbers in two dimensions, of the dtype that NumPy gives them."""
        match x.kind:
            case "dense":
                return x
            case "sparse":
                return self.emit("columns.dense", [x], width=x.width, dtype=x.dtype, stored_sparse=x.stored_sparse)
            case "raw":
                return self._numbers(x)

    def floats(self, x: Value) -> Value:
        """As scikit-learn's FLOAT_DTYPES: float32 stays, everything else becomes float64."""
        dense = self.dense(x)
        return dense if dense.is_single else self._as(dense, "float64")

    def doubles(self, x: Value) -> Value:
        """Numbers computed with in double precision from here."""
        dense = self.dense(x)
        if dense.is_single:
            return self.emit("columns.double", [dense], width=x.width, stored_sparse=x.stored_sparse)
        return self._as(dense, "float64")

    def singles(self, x: Value) -> Value:
        """Numbers rounded to float32, as scikit-learn's trees take them."""
        dense = self.dense(x)
        if dense.is_single:
            return dense
        return self.emit("columns.single", [dense], width=x.width, dtype="float32", stored_sparse=x.stored_sparse)

    def _as(self, x: Value, dtype: str) -> Value:
        return Value(x.position, x.kind, x.width, dtype, x.columns, x.stored_sparse)

    def _numbers(self, x: Value) -> Value:
        for column in x.columns:
            if not column.is_numeric or not is_known_dtype(column.dtype):
                raise UnsupportedModelError(
                    f"A {column.type} column of dtype {column.dtype}", "its values would be used as numbers"
                )
        x = self.known(x)
        dtype = common_dtype([column.dtype for column in x.columns])
        rounded = [place for place, column in enumerate(x.columns) if column.dtype == "float32"]
        params = {
            "columns": list(range(x.width)),
            "rounded": rounded,
            "single": dtype == "float32",
            "columnwise": self.layout == "frame",
        }
        return self.emit("columns.number", [x], width=x.width, dtype=dtype, params=params)

    def known(self, x: Value) -> Value:
        """Raw values, where one that a pandas category doesn't have is missing."""
        if all(column.categories is None for column in x.columns):
            return x
        known = [None if column.categories is None else list(column.categories) for column in x.columns]
        columns = tuple(column.settled() for column in x.columns)
        return self.emit("values.known", [x], kind="raw", width=x.width, params={"known": known}, columns=columns)

    # Shorthands.

    def pick(self, x: Value, places: Sequence[int]) -> Value:
        places = [int(place) for place in places]
        if places == list(range(x.width)):
            return x
        return self.emit(
            "columns.pick",
            [x],
            kind=x.kind,
            width=len(places),
            dtype=x.dtype,
            params={"columns": places},
            columns=tuple(x.columns[place] for place in places) if x.kind == "raw" else (),
            stored_sparse=x.stored_sparse,
        )

    def concat(self, parts: Sequence[Value], *, stored_sparse: bool | None = None) -> Value:
        """Side by side, as `numpy.hstack` or `scipy.sparse.hstack` joins them."""
        if len(parts) == 1:
            return parts[0]
        sparse = any(part.stored_sparse for part in parts) if stored_sparse is None else stored_sparse
        width = sum(part.width for part in parts)
        kinds = {part.kind for part in parts}
        if "raw" in kinds:
            if all(column.is_numeric for part in parts for column in part.columns):
                parts = [self.dense(part) if part.kind == "raw" else part for part in parts]
            elif "sparse" in kinds:
                raise UnsupportedModelError("A sparse matrix beside text columns", "they would become one matrix")
            else:
                columns = tuple(column for part in parts for column in self._raw_columns(part))
                return self.emit("columns.concat", parts, kind="raw", width=width, columns=columns)
        dtype = str(np.result_type(*[np.dtype(part.dtype) for part in parts]))
        kind = "sparse" if "sparse" in kinds else "dense"
        return self.emit("columns.concat", parts, kind=kind, width=width, dtype=dtype, stored_sparse=sparse)

    def _raw_columns(self, part: Value) -> tuple[RawColumn, ...]:
        return part.columns if part.kind == "raw" else (RawColumn("number", part.dtype),) * part.width

    def with_constant(self, op: str, x: Value, by: Any) -> Value:
        """`scale.add`, `subtract`, `multiply` or `divide` by one constant a column, rounded to the precision of `x`."""
        constants = np.broadcast_to(np.asarray(by, dtype=np.float64), (x.width,))
        return self.emit(
            f"scale.{op}",
            [x],
            kind=x.kind,
            width=x.width,
            dtype=x.dtype,
            params={"single": x.is_single},
            arrays={"by": constants},
            stored_sparse=x.stored_sparse,
        )

    def constant(self, x: Value, values: Any) -> Value:
        """The same row for every row of `x`."""
        row = np.asarray(values, dtype=np.float64).ravel()
        return self.emit("scale.constant", [x], width=len(row), arrays={"values": row})

    def apply(self, function: str, x: Value) -> Value:
        """An element-wise function of `links.FUNCTIONS`."""
        params: Mapping[str, Any] = {"function": function, "single": x.is_single}
        return self.emit("links.apply", [x], width=x.width, dtype=x.dtype, params=params)

    def product(self, x: Value, weights: Any, offset: Any) -> Value:
        """weights (outputs, inputs) times x, plus offset (a number or one an output)."""
        weights = np.asarray(weights)
        if x.kind == "raw":
            x = self.dense(x)
        single = x.is_single and weights.dtype == np.float32
        if not single:
            x = self.doubles(x) if x.kind == "dense" else x
        self.single_precision |= single
        matrix = weights.astype(np.float64)
        offsets = np.broadcast_to(np.asarray(offset, dtype=np.float64), (len(matrix),))
        return self.emit(
            "linear.product",
            [x],
            width=len(matrix),
            dtype="float32" if single else "float64",
            params={"single": single},
            arrays={"weights": matrix.T if x.kind == "sparse" else matrix, "offset": offsets},
        )

    def argmax(self, x: Value) -> Value:
        return self.emit("links.argmax", [x], width=1)

    def above(self, x: Value, limit: float, *, equal: bool = False) -> Value:
        return self.emit("links.above", [x], width=x.width, params={"limit": float(limit), "equal": equal})

    def complement(self, x: Value) -> Value:
        """(1 - p, p) of p."""
        return self.emit("links.complement", [x], width=2, dtype=x.dtype, params={"single": x.is_single})

    def softmax(self, x: Value) -> Value:
        return self.emit("links.softmax", [x], width=x.width, dtype=x.dtype, params={"single": x.is_single})

    def normalize(self, x: Value, *, empty: float) -> Value:
        return self.emit("links.normalize", [x], width=x.width, params={"empty": empty})

    def average(self, parts: Sequence[Value], weights: Sequence[float], divisor: float) -> Value:
        parts = [self.doubles(part) for part in parts]
        arrays = {"weights": np.asarray(weights, dtype=np.float64)}
        return self.emit(
            "links.average", parts, width=parts[0].width, params={"divisor": float(divisor)}, arrays=arrays
        )


def once[**P, R](function: Callable[Concatenate[Context, P], R]) -> Callable[Concatenate[Context, P], R]:
    """Do the work of a function of a context, estimators and values once in a compilation: several methods of a model
    build on the same trees. The arguments are held, so that an id stays theirs."""

    @wraps(function)
    def remembering(c: Context, /, *args: P.args, **kwargs: P.kwargs) -> R:
        key = (function, *(each if isinstance(each, Value) else id(each) for each in (*args, *kwargs.values())))
        if key not in c.remembered:
            c.remembered[key] = (function(c, *args, **kwargs), (*args, *kwargs.values()))
        result: R = c.remembered[key][0]
        return result

    return remembering
