"""Columns made of columns: bins, products, splines, flags, rows of unit length."""

from typing import Any

import numpy as np

from lightship.compile.context import Context
from lightship.compile.errors import UnsupportedModelError
from lightship.compile.precision import in_doubles, unsparse
from lightship.compile.registry import Lowering, lowers
from lightship.compile.values import Value


@lowers(
    "sklearn.preprocessing.KBinsDiscretizer",
    params="n_bins encode strategy quantile_method dtype subsample random_state",
)
class KBinsDiscretizerLowering(Lowering):
    """The bin of each number, or a flag for each bin."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        x = unsparse(c, model, x)
        x = c.singles(x) if model.dtype is not None and np.dtype(model.dtype) == np.float32 else c.floats(x)
        dtype = x.dtype
        inner = [np.asarray(edges[1:-1], dtype=np.float64) for edges in model.bin_edges_]
        params = {"sizes": [len(edges) for edges in inner]}
        arrays = {"edges": np.concatenate(inner)}
        x = c.doubles(x)
        if model.encode == "ordinal":
            return _typed(c, c.emit("bins.position", [x], width=x.width, params=params, arrays=arrays), dtype)
        flags = c.emit(
            "bins.flag",
            [x],
            width=sum(params["sizes"]) + x.width,
            params=params,
            arrays=arrays,
            stored_sparse=model.encode == "onehot",
        )
        return _typed(c, flags, dtype)


def _typed(c: Context, x: Value, dtype: str) -> Value:
    return c.singles(x) if dtype == "float32" else x


@lowers("sklearn.preprocessing.PolynomialFeatures", params="degree interaction_only include_bias order")
class PolynomialFeaturesLowering(Lowering):
    """Products of up to so many columns, each the product of a column and a shorter product."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        powers = np.asarray(model.powers_)
        if x.stored_sparse and powers.sum(axis=1).max(initial=0) > 2:
            raise UnsupportedModelError(model, "its degree is above 2 for a sparse matrix")
        sparse = x.stored_sparse
        x = c.floats(x)
        factor, rest, kept = _products(powers)
        arrays = {"factor": np.array(factor, dtype=np.int32), "rest": np.array(rest, dtype=np.int32)}
        terms = c.emit(
            "polynomial.products",
            [x],
            width=len(factor),
            dtype=x.dtype,
            params={"single": x.is_single},
            arrays=arrays,
            stored_sparse=sparse,
        )
        picked = c.pick(terms, [place for place in kept if place >= 0])
        if kept[:1] != [-1]:
            return picked
        ones = c.constant(x, [1.0])
        return c.concat([c.singles(ones) if x.is_single else ones, picked], stored_sparse=sparse)


def _products(powers: Any) -> tuple[list[int], list[int], list[int]]:
    """For every product its first column and the product of the others; and where each row of `powers` stands, -1 for
    the empty one."""
    places: dict[tuple[int, ...], int] = {}
    rows = [tuple(np.repeat(np.arange(len(row)), row).tolist()) for row in powers]
    needed = {columns[start:] for columns in rows for start in range(len(columns))}
    factor: list[int] = []
    rest: list[int] = []
    for columns in sorted(needed, key=lambda each: (len(each), each)):
        places[columns] = len(factor)
        factor.append(columns[0])
        rest.append(places.get(columns[1:], -1))
    return factor, rest, [places.get(columns, -1) for columns in rows]


@lowers(
    "sklearn.preprocessing.SplineTransformer",
    params="n_knots degree knots extrapolation include_bias order handle_missing sparse_output",
)
class SplineTransformerLowering(Lowering):
    """The basis functions of every column."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        limits = {"error": "refuse"}.get(model.extrapolation, model.extrapolation)
        if model.degree < (2 if limits == "linear" else 1):
            raise UnsupportedModelError(model, f"splines of degree {model.degree} with limits {limits!r} are not known")
        x = in_doubles(c, model, x)
        count = model.bsplines_[0].c.shape[1]
        width = x.width * count
        basis = c.emit(
            "splines.basis",
            [x],
            width=width,
            params={"degree": int(model.degree), "limits": limits},
            arrays={"knots": np.stack([each.t for each in model.bsplines_]).astype(np.float64)},
            stored_sparse=bool(model.sparse_output),
        )
        return basis if model.include_bias else c.pick(basis, [i for i in range(width) if (i + 1) % count])


@lowers("sklearn.preprocessing.Binarizer", params="threshold copy")
class BinarizerLowering(Lowering):
    """1 above the threshold, else 0."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        sparse = x.kind == "sparse" or x.stored_sparse
        if sparse and model.threshold < 0:
            raise UnsupportedModelError(model, "its threshold is negative for a sparse matrix")
        x = x if x.kind == "sparse" else c.dense(x)
        limit = float(np.float32(model.threshold)) if x.is_single else float(model.threshold)
        flags = c.emit(
            "links.above",
            [x],
            kind=x.kind,
            width=x.width,
            params={"limit": limit, "equal": False},
            stored_sparse=x.stored_sparse,
        )
        return flags if x.kind == "sparse" else _typed(c, flags, x.dtype)


@lowers("sklearn.preprocessing.Normalizer", params="norm copy")
class NormalizerLowering(Lowering):
    """Each row divided by its length."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        if x.kind != "sparse":
            x = in_doubles(c, model, x)
        params = {"norm": str(model.norm)}
        return c.emit("rows.normalize", [x], kind=x.kind, width=x.width, params=params, stored_sparse=x.stored_sparse)
