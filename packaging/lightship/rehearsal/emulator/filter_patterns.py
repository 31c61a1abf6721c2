"""CloudWatch Logs' filter patterns for JSON lines: which of them a subscription is sent.

`{ ($.Service = "*") && ($.rows[0].n > 2) }`: comparisons of selected values, joined by && and ||. Anything else is an
error, rather than a filter that lets the wrong lines through.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

import json
import operator
import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from lightship_runtime.errors import LightshipError

type Test = Callable[[Any], bool]

TOKEN = re.compile(
    r"\s*(?:(?P<mark>&&|\|\||[()])"
    r"|(?P<selector>\$(?:\.[A-Za-z0-9_-]+|\[\d+\])+)\s*(?P<sign>!=|>=|<=|=|>|<)\s*(?P<value>\"[^\"]*\"|[^\s()&|]+))"
)
STEP = re.compile(r"\.([A-Za-z0-9_-]+)|\[(\d+)\]")
ORDER = {">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le}


class UnknownPatternError(LightshipError):
    """A filter pattern that the emulation can't apply."""


def matches(pattern: str, line: str) -> bool:
    """Whether a subscription with this pattern is sent the line. Raises UnknownPatternError."""
    test = compile_pattern(pattern)
    if test is None:
        return True
    try:
        document = json.loads(line)
    except ValueError:
        return False
    return test(document)


@cache
def compile_pattern(pattern: str) -> Test | None:
    """The pattern as a function of a parsed line; None for the empty one, which every line matches."""
    text = pattern.strip()
    if not text:
        return None
    if not (text.startswith("{") and text.endswith("}")):
        raise _unknown(pattern)
    tokens = _tokens(text[1:-1], pattern)
    test = _either(tokens, pattern)
    if tokens:
        raise _unknown(pattern)
    return test


def _tokens(text: str, pattern: str) -> list[re.Match[str]]:
    found = []
    place = 0
    text = text.rstrip()
    while place < len(text):
        token = TOKEN.match(text, place)
        if token is None:
            raise _unknown(pattern)
        found.append(token)
        place = token.end()
    return found


def _either(tokens: list[re.Match[str]], pattern: str) -> Test:
    tests = [_both(tokens, pattern)]
    while tokens and tokens[0]["mark"] == "||":
        tokens.pop(0)
        tests.append(_both(tokens, pattern))
    return lambda document: any(test(document) for test in tests)


def _both(tokens: list[re.Match[str]], pattern: str) -> Test:
    tests = [_one(tokens, pattern)]
    while tokens and tokens[0]["mark"] == "&&":
        tokens.pop(0)
        tests.append(_one(tokens, pattern))
    return lambda document: all(test(document) for test in tests)


def _one(tokens: list[re.Match[str]], pattern: str) -> Test:
    if not tokens:
        raise _unknown(pattern)
    token = tokens.pop(0)
    if token["mark"] == "(":
        test = _either(tokens, pattern)
        if not tokens or tokens.pop(0)["mark"] != ")":
            raise _unknown(pattern)
        return test
    if token["mark"]:
        raise _unknown(pattern)
    return _comparison(token["selector"], token["sign"], token["value"], pattern)


def _comparison(selector: str, sign: str, value: str, pattern: str) -> Test:
    steps = [name or int(index) for name, index in STEP.findall(selector)]
    if sign in ORDER:
        try:
            compare, limit = ORDER[sign], float(value)
        except ValueError:
            raise _unknown(pattern) from None
        return lambda document: isinstance(found := _select(document, steps), int | float) and compare(found, limit)
    wanted = value.strip('"')
    if sign == "=":
        return lambda document: _equal(_select(document, steps), wanted)
    # A field that isn't there is unequal to nothing.
    return lambda document: (found := _select(document, steps)) is not None and not _equal(found, wanted)


def _equal(found: Any, wanted: str) -> bool:
    if found is None:
        return False
    text = found if isinstance(found, str) else json.dumps(found)
    # Only the asterisk has a meaning.
    return fnmatchcase(text, wanted.replace("[", "[[]").replace("?", "[?]"))


def _select(document: Any, steps: list[str | int]) -> Any:
    for step in steps:
        try:
            document = document[step]
        except (KeyError, IndexError, TypeError):
            return None
    return document


def _unknown(pattern: str) -> UnknownPatternError:
    return UnknownPatternError(f"The emulation doesn't know how to apply the filter pattern {pattern!r}.")
