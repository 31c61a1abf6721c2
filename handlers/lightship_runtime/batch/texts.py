"""What a text field says, as a JSON value: the one grammar of CSV, whichever way a block is parsed.

An empty field is missing. Words such as NA are missing in columns of numbers and booleans, and text elsewhere.
"""

import re
from typing import Any

from lightship_runtime.batch.columns import Checker

MISSING = ("", "NA", "N/A", "#N/A", "NaN", "nan", "null", "NULL", "None")
TRUE = ("true", "True", "TRUE")
FALSE = ("false", "False", "FALSE")

_MISSING = frozenset(MISSING)
_BOOLEANS = {**dict.fromkeys(TRUE, True), **dict.fromkeys(FALSE, False)}
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,30}", re.ASCII)
_BLANKS = " \t"


def values_of(texts: list[str], checker: Checker) -> list[Any]:
    """Python values for a checker. Text that says nothing of the column's type stays text, and is refused there."""
    if checker.is_text:
        return [text or None for text in texts]
    categories = checker.column.categories or ()
    if checker.column.type == "boolean" or (categories and isinstance(categories[0], bool)):
        return [_boolean(text) for text in texts]
    return [_number(text) for text in texts]


def _boolean(text: str) -> Any:
    return None if text in _MISSING else _BOOLEANS.get(text, text)


def _number(text: str) -> Any:
    if text in _MISSING:
        return None
    bare = text.strip(_BLANKS)
    if _INTEGER.fullmatch(bare):
        return int(bare)
    return float(bare) if _NUMBER.fullmatch(bare) else text
