"""NumPy for the array evaluators, imported when first used and never by the pure ones.

`np` is a stand-in that loads NumPy at its first attribute; the aliases are evaluated only by type checkers.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

__all__ = ["Array", "Floats", "Integers", "Raw", "Sparse", "np"]

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:

    class _FirstUse:
        """Looks each name up in NumPy once, then holds it."""

        def __getattr__(self, name: str) -> Any:
            value = getattr(import_module("numpy"), name)
            setattr(self, name, value)
            return value

    np = _FirstUse()

type Array = NDArray[Any]
type Floats = NDArray[np.floating[Any]]
"""float64, or float32 where the model itself computes in single precision."""
type Integers = NDArray[np.signedinteger[Any]]
type Raw = list[Any]
"""One sequence a column: lists of Python values or one-dimensional arrays."""


class Sparse(NamedTuple):
    """Rows in compressed form: row i holds `data[indptr[i]:indptr[i+1]]` at the columns `indices[...]`, ascending."""

    indptr: "Integers"
    indices: "Integers"
    data: "Floats"
    width: int

    @property
    def rows(self) -> "Integers":
        """The row of every stored value."""
        return np.repeat(np.arange(len(self.indptr) - 1), np.diff(self.indptr))

    def dense(self, absent: float = 0.0) -> "Floats":
        """(n, width) with `absent` where nothing is stored."""
        full = np.full((len(self.indptr) - 1, self.width), absent, dtype=self.data.dtype)
        full[self.rows, self.indices] = self.data
        return full
