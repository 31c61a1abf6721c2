"""From scores to probabilities, labels and values."""

import math
import operator
from collections.abc import Callable, Sequence

from lightship_runtime.program.format import InvalidProgramError, Node
from lightship_runtime.program.numerics import Floats, Sparse, np
from lightship_runtime.program.operations import Operation, Step
from lightship_runtime.program.ops.columns import single
from lightship_runtime.program.ops.elementwise import MORE_FUNCTIONS

_INFINITY = float("inf")
_NAN = float("nan")


def exp(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return _INFINITY


def expit(x: float) -> float:
    """1 / (1 + exp(-x))"""
    return 1.0 / (1.0 + exp(-x))


def _log(x: float) -> float:
    if x > 0:
        return math.log(x)
    return -_INFINITY if x == 0 else _NAN


def _log1p(x: float) -> float:
    if x > -1:
        return math.log1p(x)
    return -_INFINITY if x == -1 else _NAN


def logit(p: float) -> float:
    """log(p / (1 - p))"""
    if p == 1:
        return _INFINITY
    return _log(p / (1 - p))


def _expm1(x: float) -> float:
    try:
        return math.expm1(x)
    except OverflowError:
        return _INFINITY


def _sqrt(x: float) -> float:
    return _NAN if x < 0 else math.sqrt(x)


def _exp2(x: float) -> float:
    try:
        return math.exp2(x)
    except OverflowError:
        return _INFINITY


def _square(x: float) -> float:
    return x * x


def _signed_square(x: float) -> float:
    return x * abs(x)


def _third_softsign(x: float) -> float:
    """x / (3 (|x| + 1)), which keeps the order of x between -1/3 and 1/3."""
    return x / (3 * (abs(x) + 1))


FUNCTIONS: dict[str, Callable[[float], float]] = {
    "absolute": abs,
    "exp": exp,
    "exp2": _exp2,
    "expit": expit,
    "expm1": _expm1,
    "log": _log,
    "log1p": _log1p,
    "logit": logit,
    "negative": operator.neg,
    "sqrt": _sqrt,
    "signed_square": _signed_square,
    "square": _square,
    "third_softsign": _third_softsign,
    **MORE_FUNCTIONS,
}
"""Element-wise functions by NumPy's name (expit by SciPy's), with IEEE 754's answers outside their domain."""


def _function_name(node: Node) -> str:
    name = node.param("function", str)
    if name not in FUNCTIONS:
        raise InvalidProgramError(f"it has the unknown function {name!r}")
    return name


def apply_pure(node: Node) -> Step:
    """dense -> dense: `function` of every value; `single`: rounded to float32. sparse -> sparse: of those stored."""
    function = FUNCTIONS[_function_name(node)]
    if node.kind == "sparse":
        return lambda pair: (pair[0], list(map(function, pair[1])))
    if node.param("single", bool, False):
        return lambda row: single(list(map(function, row)))
    return lambda row: list(map(function, row))


def apply_array(node: Node) -> Step:
    function = _array_function(_function_name(node))
    if node.kind == "sparse":
        return lambda x: Sparse(x.indptr, x.indices, function(x.data), x.width)
    return function


def _array_function(name: str) -> Step:
    match name:
        case "expit":
            return lambda dense: 1.0 / (1.0 + np.exp(-dense))
        case "logit":
            return lambda dense: np.log(dense / (1 - dense))
        case "signed_square":
            return lambda dense: dense * np.abs(dense)
        case "third_softsign":
            return lambda dense: dense / (3 * (np.abs(dense) + 1))
        case _:
            step: Step = getattr(np, name)
            return step


def softmax_pure(node: Node) -> Step:
    """dense -> dense, each row summing to 1; `single`: rounded to float32."""
    after = single if node.param("single", bool, False) else list[float]

    def step(row: list[float]) -> list[float]:
        top = max(row)
        powers = [math.exp(x - top) for x in row]
        total = sum(powers)
        return after([power / total for power in powers])

    return step


def softmax_array(_: Node) -> Step:
    def step(dense: Floats) -> Floats:
        powers = np.exp(dense - dense.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    return step


def complement_pure(node: Node) -> Step:
    """dense of width 1, the probability p of the second class -> dense of width 2, (1 - p, p); `single`: in float32."""
    if node.param("single", bool, False):
        return lambda row: single([1 - row[0], row[0]])
    return lambda row: [1 - row[0], row[0]]


def complement_array(_: Node) -> Step:
    return lambda dense: np.concatenate([1 - dense, dense], axis=1)


def normalize_pure(node: Node) -> Step:
    """dense -> dense divided by the row's sum; a row of zeros becomes `empty` in every place."""
    empty = node.param("empty", float)

    def step(row: list[float]) -> list[float]:
        total = sum(row)
        return [x / total for x in row] if total else [empty] * len(row)

    return step


def normalize_array(node: Node) -> Step:
    empty = node.param("empty", float)

    def step(dense: Floats) -> Floats:
        total = dense.sum(axis=1, keepdims=True)
        return np.where(total == 0, empty, dense / np.where(total == 0, 1, total))

    return step


def argmax_pure(_: Node) -> Step:
    """dense -> dense of width 1: the position of the first largest value."""

    def step(row: list[float]) -> list[float]:
        return [float(row.index(max(row)))]

    return step


def argmax_array(_: Node) -> Step:
    return lambda dense: dense.argmax(axis=1)[:, None].astype(np.float64)


def above_pure(node: Node) -> Step:
    """dense or sparse -> the same kind: 1 where the value is above `limit` (or equal, with `equal`), else 0."""
    limit, equal = node.param("limit", float), node.param("equal", bool, False)
    if node.kind == "sparse":
        return lambda pair: (pair[0], [1.0 if x > limit else 0.0 for x in pair[1]])
    if equal:
        return lambda row: [1.0 if x >= limit else 0.0 for x in row]
    return lambda row: [1.0 if x > limit else 0.0 for x in row]


def above_array(node: Node) -> Step:
    limit, equal = node.param("limit", float), node.param("equal", bool, False)
    if node.kind == "sparse":
        return lambda x: Sparse(x.indptr, x.indices, (x.data > limit).astype(np.float64), x.width)
    return lambda dense: (dense >= limit if equal else dense > limit).astype(np.float64)


def choose_pure(node: Node) -> Step:
    """dense of width 1 or more, positions -> dense: `values[position]` for each."""
    values = node.block("values", shape=(None,)).items()
    return lambda row: [values[int(x)] for x in row]


def choose_array(node: Node) -> Step:
    values = node.block("values", shape=(None,)).numpy()
    return lambda dense: values[dense.astype(np.int64)]


def _weights(node: Node) -> list[float]:
    return list(node.block("weights", shape=(len(node.inputs),)).items())


def average_pure(node: Node) -> Step:
    """Several dense of one width -> dense: the sum of `weights` times each, divided by `divisor`."""
    weights, divisor = _weights(node), node.param("divisor", float)

    def step(*rows: Sequence[float]) -> list[float]:
        return [sum(map(float.__mul__, weights, column)) / divisor for column in zip(*rows, strict=True)]

    return step


def average_array(node: Node) -> Step:
    weights, divisor = _weights(node), node.param("divisor", float)

    def step(*parts: Floats) -> Floats:
        total = weights[0] * parts[0]
        for weight, part in zip(weights[1:], parts[1:], strict=True):
            total = total + weight * part
        return total / divisor

    return step


OPERATIONS = {
    "apply": Operation(apply_array, apply_pure),
    "softmax": Operation(softmax_array, softmax_pure),
    "complement": Operation(complement_array, complement_pure),
    "normalize": Operation(normalize_array, normalize_pure),
    "argmax": Operation(argmax_array, argmax_pure),
    "above": Operation(above_array, above_pure),
    "choose": Operation(choose_array, choose_pure),
    "average": Operation(average_array, average_pure),
}
