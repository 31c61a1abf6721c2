"""Metric math: time series from time series, missing values and all.

What is implemented is what an alarm may rely on. Functions over a whole series (AVG of one series, RATE, RUNNING_SUM)
give other results when CloudWatch fetches more points than it needs, so that AWS itself advises against them in alarms;
they are refused, as is everything unknown.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce

import numpy as np

from lightship.drill.cloudwatch.errors import UnknownSemanticsError
from lightship.drill.cloudwatch.lexer import Tokens
from lightship.drill.cloudwatch.series import Floats

# A number, a time series [T] with NaN where there is no value, or an array of time series.
type Value = float | Floats | list[Floats]


@dataclass(frozen=True)
class Scope:
    """What an expression sees: `values` by id (metrics, and earlier expressions), `metrics` the ids of plain metrics,
    `periods` in seconds by id, `times` [T] the start of each window in seconds since 1970, and `quotas`."""

    values: Mapping[str, Floats]
    metrics: Sequence[str]
    periods: Mapping[str, int]
    times: Floats
    quotas: Mapping[str, float] = field(default_factory=dict)


def evaluate(expression: str, scope: Scope) -> Floats:
    """The time series that an expression gives. Raises UnknownSemanticsError."""
    parser = _Parser(Tokens.of(expression), scope)
    value = parser.whole()
    if not isinstance(value, np.ndarray):
        raise UnknownSemanticsError(f"{expression!r} gives no single time series, which an alarm needs.")
    return value


class _Parser:
    """Reads and evaluates at once, from the loosest binding operator to the tightest."""

    def __init__(self, tokens: Tokens, scope: Scope) -> None:
        self._tokens = tokens
        self._scope = scope

    def whole(self) -> Value:
        value = self._level(0)
        if self._tokens.next.kind != "end":
            raise self._tokens.unreadable()
        return value

    def _level(self, depth: int) -> Value:
        if depth == len(_OPERATORS):
            return self._unary()
        value = self._level(depth + 1)
        while sign := self._tokens.took(*_OPERATORS[depth]):
            value = _binary(_OPERATORS[depth][sign], value, self._level(depth + 1))
        return value

    def _unary(self) -> Value:
        if self._tokens.took("-"):
            return _binary(np.multiply, -1.0, self._unary())
        value = self._atom()
        if self._tokens.took("^"):
            value = _binary(np.power, value, self._unary())
        return value

    def _atom(self) -> Value:
        token = self._tokens.take()
        match token.kind:
            case "number":
                return float(token.value)
            case "name" if self._tokens.took("("):
                return self._call(token.value)
            case "name" if token.value in self._scope.values:
                return self._scope.values[token.value]
            case "name":
                raise UnknownSemanticsError(f"{self._tokens.expression!r} names {token.value!r}, which isn't there.")
            case "sign" if token.value == "(":
                value = self._level(0)
                self._tokens.expect(")")
                return value
            case "sign" if token.value == "[":
                return [_series(each, self._tokens.expression) for each in self._arguments("]")]
        raise UnknownSemanticsError(f"{self._tokens.expression!r} can't be read at {token.value or 'its end'!r}.")

    def _arguments(self, end: str) -> list[Value]:
        if self._tokens.took(end):
            return []
        values = [self._level(0)]
        while self._tokens.took(","):
            values.append(self._level(0))
        self._tokens.expect(end)
        return values

    def _call(self, name: str) -> Value:
        if name == "METRICS":
            return self._metrics()
        if name in {"PERIOD", "SERVICE_QUOTA"}:
            return self._of_metric(name)
        if name == "FILL":
            return self._fill()
        arguments = self._arguments(")")
        if name == "TIME_SERIES" and isinstance(arguments[0], float):
            return np.full(len(self._scope.times), arguments[0])
        if name in _CALENDAR:
            return _CALENDAR[name](self._scope.times)
        if name == "IF" and len(arguments) in {2, 3}:
            return _if(*arguments)
        if name in _POINTWISE and len(arguments) == 1:
            return _each(_POINTWISE[name], arguments[0])
        if name in _ACROSS and len(arguments) == 1 and isinstance(arguments[0], list):
            return _ACROSS[name](np.array(arguments[0]))
        raise UnknownSemanticsError(
            f"{self._tokens.expression!r} uses {name} with {len(arguments)} arguments, which isn't modelled. Over one "
            "series it would depend on how many points CloudWatch fetches."
        )

    def _of_metric(self, name: str) -> Value:
        identifier = self._tokens.take().value
        self._tokens.expect(")")
        if name == "PERIOD" and identifier in self._scope.periods:
            return float(self._scope.periods[identifier])
        if identifier in self._scope.quotas:
            return np.full(len(self._scope.times), self._scope.quotas[identifier])
        raise UnknownSemanticsError(f"{self._tokens.expression!r}: {name}({identifier}) isn't modelled.")

    def _metrics(self) -> Value:
        wanted = ""
        if self._tokens.next.kind == "text":
            wanted = self._tokens.take().value[1:-1]
        self._tokens.expect(")")
        return [self._scope.values[name] for name in self._scope.metrics if wanted in name]

    def _fill(self) -> Value:
        values = self._level(0)
        self._tokens.expect(",")
        repeat = self._tokens.took("REPEAT")
        filler = None if repeat else self._level(0)
        self._tokens.expect(")")
        if isinstance(filler, list) or isinstance(values, float):
            raise UnknownSemanticsError(f"{self._tokens.expression!r} fills with, or into, what isn't a time series.")
        return _each(_repeat if filler is None else (lambda each: np.where(np.isnan(each), filler, each)), values)


def _binary(operation: Callable[..., Floats], left: Value, right: Value) -> Value:
    """Where one of two series has no value it counts as 0; where neither has, there is none."""
    if isinstance(left, list) or isinstance(right, list):
        lefts, rights = _paired(left, right)
        return [np.asarray(_binary(operation, a, b)) for a, b in zip(lefts, rights, strict=True)]
    if isinstance(left, float) and isinstance(right, float):
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(operation(np.float64(left), np.float64(right)))
    missing = np.isnan(left) & np.isnan(right) if _are_series(left, right) else np.isnan(left) | np.isnan(right)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        result = np.asarray(operation(np.nan_to_num(left), np.nan_to_num(right)), dtype=np.float64)
    # Division by zero drops the point.
    return np.where(missing | ~np.isfinite(result), np.nan, result)


def _are_series(left: object, right: object) -> bool:
    return isinstance(left, np.ndarray) and isinstance(right, np.ndarray)


def _paired(left: Value, right: Value) -> tuple[list[float | Floats], list[float | Floats]]:
    count = len(left) if isinstance(left, list) else len(right) if isinstance(right, list) else 1
    return (
        list(left) if isinstance(left, list) else [left] * count,
        list(right) if isinstance(right, list) else [right] * count,
    )


def _if(condition: Value, yes: Value, no: Value | None = None) -> Value:
    """Where the condition has no value there is none; a missing `yes` is 0, a missing `no` drops the point."""
    if isinstance(condition, list) or isinstance(yes, list) or isinstance(no, list):
        raise UnknownSemanticsError("IF over an array of time series isn't modelled.")
    if isinstance(condition, float):
        chosen = yes if condition else no
        return np.nan if chosen is None else chosen
    positive = np.nan_to_num(yes) if isinstance(yes, np.ndarray) else yes
    negative = np.nan if no is None else no
    return np.where(np.isnan(condition), np.nan, np.where(condition != 0, positive, negative))


def _each(function: Callable[[Floats], Floats], value: Value) -> Value:
    if isinstance(value, list):
        return [function(each) for each in value]
    result = function(np.asarray(value, dtype=np.float64))
    return float(result) if isinstance(value, float) else result


def _repeat(values: Floats) -> Floats:
    places = np.maximum.accumulate(np.where(np.isnan(values), -1, np.arange(len(values))))
    return np.where(places < 0, np.nan, values[np.maximum(places, 0)])


def _series(value: Value, expression: str) -> Floats:
    if not isinstance(value, np.ndarray):
        raise UnknownSemanticsError(f"{expression!r} has something other than time series between its brackets.")
    return value


def _where_any(values: Floats, result: Floats) -> Floats:
    return np.where(np.isnan(values).all(axis=0), np.nan, result)


def _dropped(function: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
    def apply(values: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            result = function(values)
        return np.where(np.isfinite(result), result, np.nan)

    return apply


def _comparison(operation: Callable[..., object]) -> Callable[..., Floats]:
    return lambda left, right: np.asarray(operation(left, right), dtype=np.float64)


_OPERATORS: tuple[Mapping[str, Callable[..., Floats]], ...] = (
    {"OR": _comparison(np.logical_or), "||": _comparison(np.logical_or)},
    {"AND": _comparison(np.logical_and), "&&": _comparison(np.logical_and)},
    {
        "==": _comparison(np.equal),
        "!=": _comparison(np.not_equal),
        "<=": _comparison(np.less_equal),
        ">=": _comparison(np.greater_equal),
        "<": _comparison(np.less),
        ">": _comparison(np.greater),
    },
    {"+": np.add, "-": np.subtract},
    {"*": np.multiply, "/": np.divide},
)
_POINTWISE: Mapping[str, Callable[[Floats], Floats]] = {
    "ABS": np.abs,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "LOG": _dropped(np.log),
    "LOG10": _dropped(np.log10),
}
_ACROSS: Mapping[str, Callable[[Floats], Floats]] = {
    "SUM": lambda values: _where_any(values, np.nansum(values, axis=0)),
    "AVG": lambda values: _where_any(values, np.nan_to_num(values).mean(axis=0)),
    "MAX": lambda values: reduce(np.fmax, values),
    "MIN": lambda values: reduce(np.fmin, values),
}
_CALENDAR: Mapping[str, Callable[[Floats], Floats]] = {
    "EPOCH": lambda times: times,
    "MINUTE": lambda times: times // 60 % 60,
    "HOUR": lambda times: times // 3600 % 24,
    # Monday is 1; the first of January 1970 was a Thursday.
    "DAY": lambda times: (times // 86400 + 3) % 7 + 1,
}
