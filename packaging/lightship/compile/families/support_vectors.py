"""Support vector machines with kernels."""

from itertools import combinations
from typing import Any

import numpy as np

from lightship.compile.context import Context
from lightship.compile.errors import UnsupportedModelError
from lightship.compile.registry import Lowering, lowers
from lightship.compile.values import Value
from lightship_runtime.program.numerics import Array

_SUPPORT = (
    "C nu epsilon kernel degree gamma coef0 shrinking probability tol cache_size class_weight verbose max_iter"
    " decision_function_shape break_ties random_state"
)


def _plain(matrix: Any) -> Array:
    return np.asarray(matrix.toarray() if hasattr(matrix, "toarray") else matrix, dtype=np.float64)


def machine(c: Context, model: Any, x: Value, coefficients: Array) -> Value:
    """`coefficients` (outputs, vectors) times the kernel of x and the support vectors, plus the intercept.

    A single output of a linear kernel is one product: nothing jumps where it is rounded otherwise.
    """
    if model.kernel not in {"linear", "poly", "rbf", "sigmoid"}:
        raise UnsupportedModelError(model, f"the kernel {model.kernel!r} is not known")
    vectors = _plain(model.support_vectors_)
    offset = np.asarray(model._intercept_, dtype=np.float64)
    if model.kernel == "linear" and (len(coefficients) == 1 or x.kind == "sparse"):
        x = x if x.kind == "sparse" else c.doubles(x)
        return c.product(x, coefficients @ vectors, offset)
    if x.kind == "sparse":
        raise UnsupportedModelError(model, f"its kernel {model.kernel!r} would get a sparse matrix")
    params = {"kernel": model.kernel, "gamma": float(model._gamma), "coef0": float(model.coef0)}
    if model.kernel == "poly":
        if model.degree != int(model.degree):
            raise UnsupportedModelError(model, f"the degree {model.degree!r} is not a whole number")
        params["degree"] = int(model.degree)
    arrays = {"vectors": vectors, "coefficients": coefficients, "offset": offset}
    return c.emit("machines.decide", [c.doubles(x)], width=len(coefficients), params=params, arrays=arrays)


@lowers("sklearn.svm.SVC", "sklearn.svm.NuSVC", params=_SUPPORT)
class SupportClassifierLowering(Lowering):
    """One machine for each pair of classes, positive for the first of the pair; they vote."""

    def decision_function(self, c: Context, model: Any, x: Value) -> Value:
        pairs = self._pairs(c, model, x)
        negative = c.with_constant("multiply", pairs, -1.0)
        if pairs.width == 1:
            return negative
        if model.decision_function_shape == "ovo":
            return pairs
        second_wins = c.above(negative, 0.0)
        confidence = c.product(negative, self._table(model, -1.0), 0.0)
        return c.average([self._votes(c, model, second_wins), c.apply("third_softsign", confidence)], [1.0, 1.0], 1.0)

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        if model.break_ties and model.decision_function_shape == "ovr" and len(model.classes_) > 2:
            return c.argmax(self.decision_function(c, model, x))
        negative = c.with_constant("multiply", self._pairs(c, model, x), -1.0)
        second_wins = c.above(negative, 0.0, equal=True)
        return second_wins if negative.width == 1 else c.argmax(self._votes(c, model, second_wins))

    def predict_proba(self, c: Context, model: Any, x: Value) -> Value:
        if not len(model._probA):
            raise UnsupportedModelError(model, "it was fitted without probabilities")
        arrays = {
            "slope": np.asarray(model._probA, dtype=np.float64),
            "offset": np.asarray(model._probB, dtype=np.float64),
        }
        return c.emit("coupling.pairwise", [self._pairs(c, model, x)], width=len(model.classes_), arrays=arrays)

    def _pairs(self, c: Context, model: Any, x: Value) -> Value:
        """LIBSVM's own decisions: of the pair (i, j) the vectors of i weigh by row j - 1 of the dual coefficients,
        those of j by row i."""
        dual = _plain(model._dual_coef_)
        owner = np.repeat(np.arange(len(model.classes_)), model._n_support)
        rows = [
            np.where(owner == i, dual[j - 1], np.where(owner == j, dual[i], 0.0))
            for i, j in combinations(range(len(model.classes_)), 2)
        ]
        return machine(c, model, x, np.stack(rows))

    def _table(self, model: Any, first: float) -> Array:
        """(classes, pairs): `first` for the first class of each pair, 1 for the second."""
        pairs = list(combinations(range(len(model.classes_)), 2))
        table = np.zeros((len(model.classes_), len(pairs)))
        for place, (i, j) in enumerate(pairs):
            table[i, place], table[j, place] = first, 1.0
        return table

    def _votes(self, c: Context, model: Any, second_wins: Value) -> Value:
        table = self._table(model, -1.0)
        return c.product(second_wins, table, (table < 0).sum(axis=1))


@lowers("sklearn.svm.SVR", "sklearn.svm.NuSVR", params=_SUPPORT)
class SupportRegressorLowering(Lowering):
    """The machine's value."""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        return machine(c, model, x, _plain(model._dual_coef_))


@lowers("sklearn.svm.OneClassSVM", params=_SUPPORT)
class OneClassLowering(Lowering):
    """An inlier where the machine's value is above zero."""

    def decision_function(self, c: Context, model: Any, x: Value) -> Value:
        return machine(c, model, x, _plain(model._dual_coef_))

    def score_samples(self, c: Context, model: Any, x: Value) -> Value:
        return c.with_constant("add", self.decision_function(c, model, x), float(np.ravel(model.offset_)[0]))

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        flags = c.above(self.decision_function(c, model, x), 0.0)
        return c.emit("links.choose", [flags], width=1, arrays={"values": np.array([-1.0, 1.0])})
