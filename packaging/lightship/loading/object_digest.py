"""A digest of a live object's state, equal in every process for equal state.

Pickle's bytes won't do: they depend on which strings happen to be one object, on a set's order, on an array's strides.
"""

import hashlib
import types
from collections.abc import Iterable
from typing import Any, Final

import numpy as np

_ATOMS: Final = (type(None), bool, int, float, complex, str, bytes, bytearray)
_NAMED: Final = (type, types.FunctionType, types.BuiltinFunctionType, np.ufunc)
_CYCLE: Final = b"cycle"
# scikit-learn's text vectorizers remember the id() of their stop words, to warn once.
_PROCESS_BOUND: Final = frozenset({"_stop_words_id"})


def object_digest(value: Any) -> str:
    """SHA-256, in hex, over the object's type and pickled state. Raises TypeError for what can't be pickled."""
    return _Walk().digest(value).hex()


class _Walk:
    """Digests bottom up, each object once. An object inside itself counts as a mark."""

    def __init__(self) -> None:
        self._done: dict[int, tuple[Any, bytes]] = {}

    def digest(self, value: Any) -> bytes:
        if isinstance(value, _ATOMS):
            return _join(type(value).__name__, [repr(value).encode()])
        known = self._done.get(id(value))
        if known is None:
            # The value is kept beside its digest, so that no other object gets its id meanwhile.
            self._done[id(value)] = (value, _CYCLE)
            known = self._done[id(value)] = (value, self._compound(value))
        return known[1]

    def _compound(self, value: Any) -> bytes:
        if isinstance(value, _NAMED):
            return _join("name", [_dotted(value).encode()])
        if isinstance(value, types.MethodType):
            return _join("method", [value.__func__.__name__.encode(), self.digest(value.__self__)])
        kind = type(value)
        if kind is dict:
            return _join("dict", [self.digest(pair) for pair in value.items() if pair[0] not in _PROCESS_BOUND])
        if kind in (list, tuple):
            return _join(kind.__name__, map(self.digest, value))
        if kind in (set, frozenset):
            return _join(kind.__name__, sorted(map(self.digest, value)))
        if kind is np.ndarray and value.dtype.names:
            # Field by field: the gaps between the fields of a tree's nodes hold whatever was in memory.
            return _join("fields", [self.digest((name, value[name])) for name in value.dtype.names])
        if kind is np.ndarray and not value.dtype.hasobject:
            shape = [self.digest(value.dtype), repr(value.shape).encode()]
            return _join("array", [*shape, np.ascontiguousarray(value).tobytes()])
        if kind is np.ndarray:
            return _join("array", [repr(value.shape).encode(), *map(self.digest, value.ravel().tolist())])
        return self._reduced(value)

    def _reduced(self, value: Any) -> bytes:
        reduced = value.__reduce_ex__(4)
        if isinstance(reduced, str):
            return _join("name", [f"{type(value).__module__}.{reduced}".encode()])
        maker, arguments, state, items, pairs = (*reduced, None, None, None)[:5]
        parts = (
            maker,
            arguments,
            state,
            None if items is None else list(items),
            None if pairs is None else dict(pairs),
        )
        return _join("object", map(self.digest, parts))


def _dotted(value: Any) -> str:
    module = getattr(value, "__module__", None) or type(value).__module__
    name = getattr(value, "__qualname__", None) or value.__name__
    if "<" in name:
        raise TypeError(f"{module}.{name} is local or a lambda, and has no name to be found by")
    return f"{module}.{name}"


def _join(tag: str, parts: Iterable[bytes]) -> bytes:
    """One digest of tagged, length-prefixed parts."""
    total = hashlib.sha256(tag.encode() + b"\0")
    for part in parts:
        total.update(len(part).to_bytes(8, "little"))
        total.update(part)
    return total.digest()
