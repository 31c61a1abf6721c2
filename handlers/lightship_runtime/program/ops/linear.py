"""Products with a matrix of weights."""

from itertools import chain
from math import sumprod
from operator import mul, sub

from lightship_runtime.program.format import Node
from lightship_runtime.program.numerics import Floats, Sparse, np
from lightship_runtime.program.operations import Operation, Step
from lightship_runtime.program.ops.columns import single

type SparseRow = tuple[list[int], list[float]]


def product_pure(node: Node) -> Step:
    """dense or sparse -> dense: `weights` (outputs, inputs) times the row, plus `offset` (outputs).

    For a sparse row the weights are (inputs, outputs). `single`: the original computes in float32.
    """
    if node.inputs[0].kind == "sparse":
        return _of_sparse_row(node)
    offset = node.block("offset", shape=(node.width,)).items()
    weights = node.block("weights", shape=(node.width, node.inputs[0].width)).rows()
    rows = list(zip(weights, offset, strict=True))
    if node.param("single", bool, False):
        return lambda row: single([sumprod(weight, row) + b for weight, b in rows])
    if len(rows) == 1:
        weight, b = rows[0]
        return lambda row: [sumprod(weight, row) + b]
    return lambda row: [sumprod(weight, row) + b for weight, b in rows]


def _of_sparse_row(node: Node) -> Step:
    offset = node.block("offset", shape=(node.width,)).items()
    weights = node.block("weights", shape=(node.inputs[0].width, node.width)).view
    width = node.width

    def one(pair: SparseRow) -> list[float]:
        return [sumprod([weights[i] for i in pair[0]], pair[1]) + offset[0]]

    def several(pair: SparseRow) -> list[float]:
        indices, data = pair
        flat = list(chain.from_iterable(weights[i * width : (i + 1) * width] for i in indices))
        return [sumprod(flat[k::width], data) + offset[k] for k in range(width)]

    return one if width == 1 else several


def product_array(node: Node) -> Step:
    offset = node.block("offset", shape=(node.width,)).numpy()
    if node.inputs[0].kind == "sparse":
        return _of_sparse_rows(node)
    # The transposed view, not a copy: BLAS then adds in the order it does for scikit-learn's `coef_.T`.
    weights = node.block("weights", shape=(node.width, node.inputs[0].width)).numpy().T
    if node.param("single", bool, False):
        weights, offset = weights.astype(np.float32), offset.astype(np.float32)

    def step(dense: Floats) -> Floats:
        product: Floats = dense @ weights
        return product + offset

    return step


def _of_sparse_rows(node: Node) -> Step:
    offset = node.block("offset", shape=(node.width,)).numpy()
    weights = node.block("weights", shape=(node.inputs[0].width, node.width)).numpy()

    def step(sparse: Sparse) -> Floats:
        sums = np.zeros((len(sparse.indptr) - 1, node.width))
        filled = np.flatnonzero(np.diff(sparse.indptr))
        if len(filled):
            terms = weights[sparse.indices] * sparse.data[:, None]
            sums[filled] = np.add.reduceat(terms, sparse.indptr[filled], axis=0)
        return sums + offset

    return step


def squares_pure(node: Node) -> Step:
    """dense -> dense: `offset` (outputs) plus the sum of `weights` (outputs, inputs) times (x - `centers`) squared."""
    shape = (node.width, node.inputs[0].width)
    weights, centers = node.block("weights", shape=shape).rows(), node.block("centers", shape=shape).rows()
    rows = list(zip(weights, centers, node.block("offset", shape=(node.width,)).items(), strict=True))

    def step(row: list[float]) -> list[float]:
        sums = []
        for weight, center, b in rows:
            apart = list(map(sub, row, center))
            sums.append(sumprod(weight, map(mul, apart, apart)) + b)
        return sums

    return step


def squares_array(node: Node) -> Step:
    shape = (node.width, node.inputs[0].width)
    weights, centers = node.block("weights", shape=shape).numpy(), node.block("centers", shape=shape).numpy()
    offset = node.block("offset", shape=(node.width,)).numpy()

    def step(dense: Floats) -> Floats:
        each = [np.square(dense - center) @ weight for weight, center in zip(weights, centers, strict=True)]
        return np.stack(each, axis=1) + offset

    return step


OPERATIONS = {
    "product": Operation(product_array, product_pure),
    "squares": Operation(squares_array, squares_pure),
}
