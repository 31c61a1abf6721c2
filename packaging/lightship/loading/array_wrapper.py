"""How many bytes joblib wrote raw after an array's wrapper, told from inert stand-ins for the wrapper's parts."""

import math
import re
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

ARRAY_WRAPPER: Final = ("joblib.numpy_pickle", "NumpyArrayWrapper")

_PLAIN_DTYPE: Final = re.compile(r"[<>|=]?[A-Za-z]\d{0,9}(\[\w+\])?")


@dataclass(eq=False, slots=True)
class Made:
    """What calling `maker` with `arguments` would give, had it been called; `state` is what BUILD would set."""

    maker: Any
    arguments: Any
    state: Any = None


def raw_bytes(wrapper: dict[str, Any]) -> int | None:
    """Bytes of the array's elements, or None when they are Python objects and a nested pickle follows.

    Raises ValueError when dtype or shape are not what joblib writes.
    """
    item_size = _item_size(wrapper["dtype"])
    return None if item_size is None else item_size * math.prod(_length(length) for length in wrapper["shape"])


def _length(value: Any) -> int:
    """A length in a shape: an int, or what stands for NumPy's scalar of one, `scalar(dtype, bytes)`."""
    if isinstance(value, Made) and isinstance(value.arguments, tuple) and len(value.arguments) == 2:
        value = value.arguments[1]
        if isinstance(value, bytes):
            value = int.from_bytes(value, "little", signed=True)
    if not isinstance(value, int) or value < 0:
        raise ValueError("an array has a shape that is no tuple of lengths")
    return value


def _item_size(dtype: Any) -> int | None:
    match dtype:
        case Made(arguments=(str() as code, *_)) if _PLAIN_DTYPE.fullmatch(code):
            plain = np.dtype(code)
            return None if plain.hasobject or _mentions_objects(dtype.state) else plain.itemsize
        case _:
            raise ValueError("an array has an unknown dtype")


def _mentions_objects(value: Any) -> bool:
    """Whether a field of a structured dtype holds Python objects, looking through the state BUILD gives it."""
    match value:
        case Made(arguments=(str() as code, *_), state=state):
            return code.lstrip("<>|=").startswith("O") or _mentions_objects(state)
        case tuple():
            return any(_mentions_objects(item) for item in value)
        case dict():
            return any(_mentions_objects(item) for item in value.values())
        case _:
            return False
