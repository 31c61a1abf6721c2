"""Class probabilities from the decisions of pairs of classes, as LIBSVM makes them."""

from lightship_runtime.program.format import InvalidProgramError, Node
from lightship_runtime.program.numerics import Array, Floats, np
from lightship_runtime.program.operations import Operation, Step

_LEAST = 1e-7
_TOLERANCE = 0.005
_MOST_ROUNDS = 100


def pairwise_array(node: Node) -> Step:
    """dense, one decision a pair (0, 1), (0, 2), ... -> dense of `width` classes.

    Each decision d becomes the probability 1 / (1 + exp(`slope` d + `offset`)) of the first class of its pair; these
    are coupled by the second method of Wu, Lin and Weng (JMLR 5, 2004), with LIBSVM's stopping rule.
    """
    pairs = node.inputs[0].width
    slope = node.block("slope", shape=(pairs,)).numpy()
    offset = node.block("offset", shape=(pairs,)).numpy()
    classes = node.width
    if pairs != classes * (classes - 1) // 2:
        raise InvalidProgramError(f"{pairs} decisions for {classes} classes")
    first, second = np.triu_indices(classes, 1)

    def step(decisions: Floats) -> Floats:
        exponent = decisions * slope + offset
        small = np.exp(-np.abs(exponent))
        wins = np.clip(np.where(exponent >= 0, small / (1 + small), 1 / (1 + small)), _LEAST, 1 - _LEAST)
        table = np.zeros((len(decisions), classes, classes))
        table[:, first, second] = wins
        table[:, second, first] = 1 - wins
        return _coupled(table)

    return step


def _coupled(table: Array) -> Array:
    """(n, k, k) probabilities that the row's class beats the column's -> (n, k)."""
    count, classes, _ = table.shape
    matrix = -table.transpose(0, 2, 1) * table
    diagonal = np.arange(classes)
    matrix[:, diagonal, diagonal] = (table**2).sum(axis=1)
    shares = np.full((count, classes), 1.0 / classes)
    open_rows = np.arange(count)
    for _ in range(max(_MOST_ROUNDS, classes)):
        part, q = shares[open_rows], matrix[open_rows]
        products = np.einsum("nij,nj->ni", q, part)
        total = (part * products).sum(axis=1)
        unsettled = np.abs(products - total[:, None]).max(axis=1) >= _TOLERANCE / classes
        open_rows = open_rows[unsettled]
        if not len(open_rows):
            break
        shares[open_rows] = _round(part[unsettled], q[unsettled], products[unsettled], total[unsettled])
    return shares


def _round(shares: Array, matrix: Array, products: Array, total: Array) -> Array:
    """One pass over the classes, each share moved to its optimum and all made to sum to 1 again."""
    for t in range(shares.shape[1]):
        own = matrix[:, t, t]
        move = (total - products[:, t]) / own
        grown = 1 + move
        shares[:, t] += move
        total = (total + move * (move * own + 2 * products[:, t])) / grown / grown
        products = (products + move[:, None] * matrix[:, t]) / grown[:, None]
        shares = shares / grown[:, None]
    return shares


OPERATIONS = {"pairwise": Operation(pairwise_array)}
