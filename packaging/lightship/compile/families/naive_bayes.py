"""Naive Bayes: sums of log-probabilities, and the softmax of them."""

from abc import abstractmethod
from typing import Any

import numpy as np

from lightship.compile.context import Context
from lightship.compile.errors import UnsupportedModelError
from lightship.compile.families.encoding import Codes, encode
from lightship.compile.registry import Lowering, lowers
from lightship.compile.values import Value

_DISCRETE = "alpha force_alpha fit_prior class_prior norm binarize min_categories"


class NaiveBayesLowering(Lowering):
    """The class of the largest joint log-likelihood."""

    @abstractmethod
    def joint(self, c: Context, model: Any, x: Value) -> Value:
        """(n, classes)"""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        return c.argmax(self.joint(c, model, x))

    def predict_proba(self, c: Context, model: Any, x: Value) -> Value:
        return c.softmax(self.joint(c, model, x))


@lowers("sklearn.naive_bayes.GaussianNB", params="priors var_smoothing")
class GaussianNBLowering(NaiveBayesLowering):
    """Of independent normal distributions."""

    def joint(self, c: Context, model: Any, x: Value) -> Value:
        means, variances = np.asarray(model.theta_, dtype=np.float64), np.asarray(model.var_, dtype=np.float64)
        offset = np.log(model.class_prior_) - 0.5 * np.sum(np.log(2.0 * np.pi * variances), axis=1)
        return squares(c, x, -0.5 / variances, means, offset)


def squares(c: Context, x: Value, weights: Any, centers: Any, offset: Any) -> Value:
    """offset plus the weighted squares of x - centers; weights and centers are (outputs, inputs)."""
    x = c.dense(x)
    c.single_precision |= x.is_single
    arrays = {
        "weights": np.asarray(weights, dtype=np.float64),
        "centers": np.asarray(centers, dtype=np.float64),
        "offset": np.asarray(offset, dtype=np.float64),
    }
    return c.emit("linear.squares", [c.doubles(x)], width=len(arrays["weights"]), arrays=arrays)


@lowers("sklearn.naive_bayes.MultinomialNB", params=_DISCRETE)
class MultinomialNBLowering(NaiveBayesLowering):
    """Of counts."""

    def joint(self, c: Context, model: Any, x: Value) -> Value:
        return c.product(x, model.feature_log_prob_, model.class_log_prior_)


@lowers("sklearn.naive_bayes.ComplementNB", params=_DISCRETE)
class ComplementNBLowering(NaiveBayesLowering):
    """Of counts, from what the other classes hold."""

    def joint(self, c: Context, model: Any, x: Value) -> Value:
        prior = model.class_log_prior_ if len(model.classes_) == 1 else 0.0
        return c.product(x, model.feature_log_prob_, prior)


@lowers("sklearn.naive_bayes.BernoulliNB", params=_DISCRETE)
class BernoulliNBLowering(NaiveBayesLowering):
    """Of flags, made from numbers by the threshold `binarize`."""

    def joint(self, c: Context, model: Any, x: Value) -> Value:
        if model.binarize is not None:
            if (x.kind == "sparse" or x.stored_sparse) and model.binarize < 0:
                raise UnsupportedModelError(model, "it has a negative threshold for a sparse matrix")
            limit = {"limit": float(model.binarize), "equal": False}
            x = x if x.kind == "sparse" else c.dense(x)
            if x.is_single:
                limit["limit"] = float(np.float32(limit["limit"]))
            x = c.emit("links.above", [x], kind=x.kind, width=x.width, params=limit)
        absent = np.log(1 - np.exp(model.feature_log_prob_))
        return c.product(x, model.feature_log_prob_ - absent, model.class_log_prior_ + absent.sum(axis=1))


@lowers("sklearn.naive_bayes.CategoricalNB", params=_DISCRETE)
class CategoricalNBLowering(NaiveBayesLowering):
    """Of small integers; one that it wasn't fitted on is refused, as the original raises for it."""

    def joint(self, c: Context, model: Any, x: Value) -> Value:
        counts = [table.shape[1] for table in model.feature_log_prob_]
        starts = np.cumsum([0, *counts])
        columns = [
            Codes(range(count), list(range(start, start + count)), None)
            for start, count in zip(starts[:-1].tolist(), counts, strict=True)
        ]
        flags = encode(c, model, c.doubles(x), "categories.onehot", columns, int(starts[-1]))
        return c.product(flags, np.concatenate(model.feature_log_prob_, axis=1), model.class_log_prior_)
