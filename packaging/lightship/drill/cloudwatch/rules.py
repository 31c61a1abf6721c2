"""A composite alarm's rule: ALARM, OK and INSUFFICIENT_DATA of other alarms, joined by AND, OR and NOT.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create_Composite_Alarm.html
"""

import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from lightship.drill.cloudwatch.decide import ALARM, INSUFFICIENT_DATA, OK, States
from lightship.drill.cloudwatch.errors import UnknownSemanticsError
from lightship.drill.cloudwatch.lexer import Tokens

type Truths = NDArray[np.bool_]

_STATES = {"ALARM": ALARM, "OK": OK, "INSUFFICIENT_DATA": INSUFFICIENT_DATA}
# An alarm's name may hold nearly anything, so that one without quotes goes up to its parenthesis.
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<state>(?:ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:"[^"]*"|'[^']*'|[^()]*?)\s*\))
      | (?P<name>AND|OR|NOT|TRUE|FALSE)\b
      | (?P<sign>[()])
    )""",
    re.VERBOSE,
)
_CALL = re.compile(r"(\w+)\s*\(\s*(.*?)\s*\)$", re.DOTALL)


def children(rule: str) -> tuple[str, ...]:
    """The names of the alarms that a rule looks at."""
    tokens = Tokens.of(rule, _TOKEN)
    names = []
    while (token := tokens.take()).kind != "end":
        if token.kind == "state":
            names.append(_state(token.value)[1])
    return tuple(dict.fromkeys(names))


def holds(rule: str, states: Mapping[str, States], minutes: int) -> Truths:
    """[T]: whether the rule is true, given the states [T] of the alarms by name. Raises UnknownSemanticsError."""
    tokens = Tokens.of(rule, _TOKEN)
    truth = _any(tokens, states, minutes)
    if tokens.next.kind != "end":
        raise tokens.unreadable()
    return truth


def _any(tokens: Tokens, states: Mapping[str, States], minutes: int) -> Truths:
    truth = _all(tokens, states, minutes)
    while tokens.took("OR"):
        truth = truth | _all(tokens, states, minutes)
    return truth


def _all(tokens: Tokens, states: Mapping[str, States], minutes: int) -> Truths:
    truth = _one(tokens, states, minutes)
    while tokens.took("AND"):
        truth = truth & _one(tokens, states, minutes)
    return truth


def _one(tokens: Tokens, states: Mapping[str, States], minutes: int) -> Truths:
    if tokens.took("NOT"):
        return ~_one(tokens, states, minutes)
    if tokens.took("("):
        truth = _any(tokens, states, minutes)
        tokens.expect(")")
        return truth
    if constant := tokens.took("TRUE", "FALSE"):
        return np.full(minutes, constant == "TRUE")
    if tokens.next.kind != "state":
        raise tokens.unreadable()
    state, name = _state(tokens.take().value)
    if name not in states:
        raise UnknownSemanticsError(f"The rule {tokens.expression!r} names the alarm {name!r}, which isn't there.")
    matches: Truths = states[name] == state
    return matches


def _state(call: str) -> tuple[int, str]:
    found = _CALL.match(call)
    if found is None:
        raise UnknownSemanticsError(f"{call!r} can't be read as the state of an alarm.")
    return _STATES[found[1]], alarm_name(found[2].strip("\"'"))


def alarm_name(text: str) -> str:
    """An alarm by its name or its ARN, `arn:aws:cloudwatch:region:account:alarm:NAME`."""
    return text.split(":alarm:", 1)[1] if text.startswith("arn:") else text
