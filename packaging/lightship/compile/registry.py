"""Which class is lowered by what: a table by public name, matched by the class itself, loud on anything else.

A subclass is another class: it may predict otherwise. A parameter that isn't known here must have its default.
"""

import inspect
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from lightship.compile.errors import UnsupportedModelError
from lightship.compile.values import Value

if TYPE_CHECKING:
    from lightship.compile.context import Context

FAMILIES = "lightship.compile.families"
METHODS = ("transform", "predict", "predict_proba", "decision_function", "score_samples", "inverse_transform")


class Lowering:
    """How one estimator class becomes operations. Override what the class has; `x` is what the method is given.

    `predict` gives a dense value: for a classifier the position in `classes_`, for a detector 1 or -1, else the value.
    """

    def transform(self, c: "Context", model: Any, x: Value) -> Value:  # noqa: ARG002 - the interface
        raise UnsupportedModelError(model, "its transform is not known")

    def predict(self, c: "Context", model: Any, x: Value) -> Value:  # noqa: ARG002
        raise UnsupportedModelError(model, "its predict is not known")

    def predict_proba(self, c: "Context", model: Any, x: Value) -> Value:  # noqa: ARG002
        raise UnsupportedModelError(model, "its predict_proba is not known")

    def decision_function(self, c: "Context", model: Any, x: Value) -> Value:  # noqa: ARG002
        raise UnsupportedModelError(model, "its decision_function is not known")

    def inverse_transform(self, c: "Context", model: Any, x: Value) -> Value:  # noqa: ARG002
        raise UnsupportedModelError(model, "its inverse_transform is not known")

    def score_samples(self, c: "Context", model: Any, x: Value) -> Value:  # noqa: ARG002
        raise UnsupportedModelError(model, "its score_samples is not known")


_lowerings: dict[str, tuple[Lowering, frozenset[str]]] = {}
_by_short_name: dict[str, list[str]] = {}


def lowers[L: type[Lowering]](*names: str, params: str) -> Callable[[L], L]:
    """Register a Lowering for classes by their public names (`package.module.Class`).

    `params` are all constructor parameters whose every value is handled: by the lowering, or because they matter only
    while fitting.
    """

    def register(lowering: L) -> L:
        for name in names:
            _lowerings[name] = (lowering(), frozenset(params.split()))
            _by_short_name.setdefault(name.rpartition(".")[2], []).append(name)
        return lowering

    return register


def find_lowering(model: Any) -> Lowering:
    """Raises UnsupportedModelError for an unknown class, an overridden method, or an unknown parameter in use."""
    import_module(FAMILIES)
    cls = type(model)
    for name in _by_short_name.get(cls.__qualname__, ()):
        module, _, short = name.rpartition(".")
        if (
            cls.__module__.partition(".")[0] == module.partition(".")[0]
            and getattr(import_module(module), short) is cls
        ):
            lowering, known = _lowerings[name]
            _check_instance(model)
            _check_parameters(model, known)
            return lowering
    raise UnsupportedModelError(model, "this estimator is not known")


def _check_instance(model: Any) -> None:
    replaced = [name for name in METHODS if name in getattr(model, "__dict__", {})]
    if replaced:
        raise UnsupportedModelError(model, f"its method {replaced[0]!r} was replaced on the instance")


def _check_parameters(model: Any, known: frozenset[str]) -> None:
    if not hasattr(model, "get_params"):
        return
    defaults = inspect.signature(type(model)).parameters
    for name, value in model.get_params(deep=False).items():
        if name not in known and not (name in defaults and _same(value, defaults[name].default)):
            raise UnsupportedModelError(model, f"the parameter {name}={value!r} is not known")


def _same(value: Any, default: Any) -> bool:
    return value is default or (type(value) is type(default) and bool(value == default))
