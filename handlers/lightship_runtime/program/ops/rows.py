"""Arithmetic within a row."""

from collections.abc import Callable
from math import sqrt

from lightship_runtime.program.format import InvalidProgramError, Node
from lightship_runtime.program.numerics import Floats, Sparse, np
from lightship_runtime.program.operations import Operation, Step

_NEAR_ZERO = 10 * 2.0**-52

_NORMS: dict[str, Callable[[list[float]], float]] = {
    "l1": lambda row: sum(map(abs, row)),
    "l2": lambda row: sqrt(sum([x * x for x in row])),
    "max": lambda row: max(map(abs, row), default=0.0),
}


def _norm_name(node: Node) -> str:
    name = node.param("norm", str)
    if name not in _NORMS:
        raise InvalidProgramError(f"it has the unknown norm {name!r}")
    return name


def normalize_pure(node: Node) -> Step:
    """dense or sparse -> the same kind, each row divided by its `norm`; a row near zero stays."""
    norm = _NORMS[_norm_name(node)]

    def of_sparse(pair: tuple[list[int], list[float]]) -> tuple[list[int], list[float]]:
        length = norm(pair[1]) or 1.0
        return pair[0], [x / length for x in pair[1]]

    def of_dense(row: list[float]) -> list[float]:
        length = norm(row)
        return row if length < _NEAR_ZERO else [x / length for x in row]

    return of_sparse if node.kind == "sparse" else of_dense


def normalize_array(node: Node) -> Step:
    name = _norm_name(node)

    def of_dense(dense: Floats) -> Floats:
        match name:
            case "l1":
                length = np.abs(dense).sum(axis=1)
            case "l2":
                length = np.sqrt(np.einsum("ij,ij->i", dense, dense))
            case _:
                length = np.abs(dense).max(axis=1)
        return dense / np.where(length < _NEAR_ZERO, 1.0, length)[:, None]

    def of_sparse(sparse: Sparse) -> Sparse:
        size = np.abs(sparse.data)
        count = len(sparse.indptr) - 1
        length = np.zeros(count)
        if name == "max":
            np.maximum.at(length, sparse.rows, size)
        else:
            length = np.bincount(sparse.rows, size if name == "l1" else size * size, minlength=count)
            length = length if name == "l1" else np.sqrt(length)
        divisor = np.where(length == 0, 1.0, length)[sparse.rows]
        return Sparse(sparse.indptr, sparse.indices, sparse.data / divisor, sparse.width)

    return of_sparse if node.kind == "sparse" else of_dense


OPERATIONS = {"normalize": Operation(normalize_array, normalize_pure)}
