"""Multilayer perceptrons."""

from typing import Any

import numpy as np

from lightship.compile.context import Context
from lightship.compile.errors import UnsupportedModelError
from lightship.compile.registry import Lowering, lowers
from lightship.compile.values import Value

_NETWORK = (
    "loss hidden_layer_sizes activation solver alpha batch_size learning_rate learning_rate_init power_t max_iter"
    " shuffle random_state tol verbose warm_start momentum nesterovs_momentum early_stopping validation_fraction"
    " beta_1 beta_2 epsilon n_iter_no_change max_fun"
)


def output(c: Context, model: Any, x: Value) -> Value:
    """What the last layer gives."""
    x = x if x.kind == "sparse" else c.floats(x)
    for weights, offset in zip(model.coefs_[:-1], model.intercepts_[:-1], strict=True):
        x = _activated(c, model, c.product(x, np.asarray(weights).T, offset), model.activation)
    last = c.product(x, np.asarray(model.coefs_[-1]).T, model.intercepts_[-1])
    return _activated(c, model, last, model.out_activation_)


def _activated(c: Context, model: Any, x: Value, function: str) -> Value:
    match function:
        case "identity":
            return x
        case "relu":
            return c.emit("scale.clip", [x], width=x.width, dtype=x.dtype, params={"low": 0.0})
        case "logistic":
            return c.apply("expit", x)
        case "tanh" | "exp":
            return c.apply(function, x)
        case "softmax":
            return c.softmax(x)
        case _:
            raise UnsupportedModelError(model, f"the activation {function!r} is not known")


@lowers(
    "sklearn.neural_network.BernoulliRBM", params="n_components learning_rate batch_size n_iter verbose random_state"
)
class BoltzmannLowering(Lowering):
    """The probabilities of the hidden units."""

    def transform(self, c: Context, model: Any, x: Value) -> Value:
        x = x if x.kind == "sparse" else c.floats(x)
        return c.apply("expit", c.product(x, np.asarray(model.components_), model.intercept_hidden_))


@lowers("sklearn.neural_network.MLPRegressor", params=_NETWORK)
class NetworkRegressorLowering(Lowering):
    """The last layer's values."""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        return output(c, model, x)


@lowers("sklearn.neural_network.MLPClassifier", params=_NETWORK)
class NetworkClassifierLowering(Lowering):
    """The last layer's probabilities: one for two classes, one a class for more, one a label for labels."""

    def predict(self, c: Context, model: Any, x: Value) -> Value:
        last = output(c, model, x)
        return c.argmax(last) if model.out_activation_ == "softmax" else c.above(last, 0.5)

    def predict_proba(self, c: Context, model: Any, x: Value) -> Value:
        last = output(c, model, x)
        return c.complement(last) if last.width == 1 else last
