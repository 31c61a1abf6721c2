"""Sums of decision trees.

All trees lie in one list of nodes, each tree in preorder: a node's left child follows it, `right` is the position of
the other one. A leaf has the feature -1, and its `right` is its place in `values`. A row goes left where
`row[feature] <= threshold`; a NaN goes left where `missing_left` is 1, else right. With `categories`, a node with
`categories[node] >= 0` reads instead `table[categories[node] + code]`, 1 for left, where code is the row's value as an
integer in 0 .. limit-1 for the feature's own limit in `limits`, the limit itself for any other value, and one more for
NaN.

`values` is (outputs, leaves): every tree adds to every output. Or it is (1, leaves), and tree t adds to output
t modulo the number of outputs. Sums start from `base`, run in the order of the trees, and are divided by `divisor`;
with `single` every addition is rounded to float32.
"""

from array import array
from collections.abc import Callable, Sequence
from math import isnan
from typing import Any, NamedTuple

from lightship_runtime.program.format import Block, InvalidProgramError, Node
from lightship_runtime.program.numerics import Array, Floats, Integers, np
from lightship_runtime.program.operations import Operation, Step

LIST_LIMIT = 1 << 16
"""Up to this many nodes, lists (a third faster than mapped memory) cost less than 4 ms to fill."""
CELLS = 1 << 15
"""Rows times trees walked at once: what the caches hold."""

type Walk = Callable[[Sequence[float]], list[int]]


def ensemble_pure(node: Node) -> Step:
    """dense -> dense."""
    walk = _walk(node)
    base = node.block("base", shape=(node.width,)).items()
    divisor = node.param("divisor", float, 1.0)
    values = [_quick(block) for block in _value_rows(node)]
    count = node.width
    if node.param("single", bool, False):
        return _single_sums(node, walk, base, values)
    if count == 1:
        start, leaf_values = base[0], values[0]

        def one(row: Sequence[float]) -> list[float]:
            total = start
            for leaf in walk(row):
                total += leaf_values[leaf]
            return [total / divisor]

        return one

    cyclic = len(values) == 1

    def several(row: Sequence[float]) -> list[float]:
        leaves = walk(row)
        totals = []
        for output in range(count):
            total = base[output]
            column = values[0] if cyclic else values[output]
            for leaf in leaves[output::count] if cyclic else leaves:
                total += column[leaf]
            totals.append(total / divisor)
        return totals

    return several


def _single_sums(node: Node, walk: Walk, base: list[float], values: Sequence[Sequence[float]]) -> Step:
    """Each tree adds to one output, in float32: an array item rounds what is put into it."""
    count = node.width
    if len(values) != 1:
        raise InvalidProgramError("trees that add to every output can't be summed in single precision")
    leaf_values = values[0]

    def step(row: Sequence[float]) -> list[float]:
        totals = array("f", base)
        output = 0
        for leaf in walk(row):
            totals[output] += leaf_values[leaf]
            output = (output + 1) % count
        return totals.tolist()

    return step


def _value_rows(node: Node) -> list[Block]:
    values = node.block("values", shape=(None, None))
    outputs, leaves = values.shape
    if outputs not in {1, node.width}:
        raise InvalidProgramError(f"the trees have values for {outputs} outputs, not {node.width}")
    return [Block(values.view[i * leaves : (i + 1) * leaves], (leaves,)) for i in range(outputs)]


def _quick(block: Block) -> Sequence[Any]:
    return block.items() if block.shape[0] <= LIST_LIMIT else block.view


class _Nodes(NamedTuple):
    feature: Sequence[int]
    threshold: Sequence[float]
    right: Sequence[int]
    roots: Sequence[int]


def _walk(node: Node) -> Walk:
    """The places in `values` where a row ends, tree by tree."""
    count = _count(node)
    feature, right = (_quick(node.block(name, formats="hi", shape=(count,))) for name in ("feature", "right"))
    threshold = _quick(node.block("threshold", shape=(count,)))
    nodes = _Nodes(feature, threshold, right, node.block("roots", formats="i", shape=(None,)).items())
    if "missing_left" not in node.blocks:
        return _plain(nodes)
    missing_left = _quick(node.block("missing_left", formats="B", shape=(count,)))
    if "categories" not in node.blocks:
        return _with_missing(nodes, missing_left)
    categories = _quick(node.block("categories", formats="i", shape=(count,)))
    table = _quick(node.block("table", formats="B", shape=(None,)))
    return _with_categories(nodes, missing_left, categories, table, _codes(node))


def _count(node: Node) -> int:
    return node.block("threshold", shape=(None,)).shape[0]


def _plain(nodes: _Nodes) -> Walk:
    feature, threshold, right, roots = nodes.feature, nodes.threshold, nodes.right, nodes.roots

    def walk(row: Sequence[float]) -> list[int]:
        leaves = []
        for root in roots:
            place = root
            which = feature[place]
            while which >= 0:
                place = place + 1 if row[which] <= threshold[place] else right[place]
                which = feature[place]
            leaves.append(right[place])
        return leaves

    return walk


def _with_missing(nodes: _Nodes, missing_left: Sequence[int]) -> Walk:
    feature, threshold, right, roots = nodes.feature, nodes.threshold, nodes.right, nodes.roots
    complete = _plain(nodes)

    def walk(row: Sequence[float]) -> list[int]:
        if not any(map(isnan, row)):
            return complete(row)
        leaves = []
        for root in roots:
            place = root
            which = feature[place]
            while which >= 0:
                value = row[which]
                left = missing_left[place] if isnan(value) else value <= threshold[place]
                place = place + 1 if left else right[place]
                which = feature[place]
            leaves.append(right[place])
        return leaves

    return walk


def _with_categories(
    nodes: _Nodes,
    missing_left: Sequence[int],
    categories: Sequence[int],
    table: Sequence[int],
    codes_of: Callable[[Sequence[float]], Sequence[int]],
) -> Walk:
    feature, threshold, right, roots = nodes.feature, nodes.threshold, nodes.right, nodes.roots

    def walk(row: Sequence[float]) -> list[int]:
        codes = codes_of(row)
        leaves = []
        for root in roots:
            place = root
            which = feature[place]
            while which >= 0:
                start = categories[place]
                if start >= 0:
                    left = table[start + codes[which]]
                else:
                    value = row[which]
                    left = value <= threshold[place] or (isnan(value) and missing_left[place])
                place = place + 1 if left else right[place]
                which = feature[place]
            leaves.append(right[place])
        return leaves

    return walk


def _codes(node: Node) -> Callable[[Sequence[float]], Sequence[int]]:
    """For every categorical feature its code, for the others 0."""
    limits = [(i, limit) for i, limit in enumerate(_limits(node).items()) if limit]
    width = node.inputs[0].width

    def codes_of(row: Sequence[float]) -> list[int]:
        codes = [0] * width
        for i, limit in limits:
            value = row[i]
            # -1 < value keeps what truncates to zero, as a cast to an integer does.
            codes[i] = int(value) if -1 < value < limit else limit + isnan(value)
        return codes

    return codes_of


def _limits(node: Node) -> Block:
    return node.block("limits", formats="i", shape=(node.inputs[0].width,))


class _Forest:
    """The array form: walks all rows through a group of trees, level by level."""

    def __init__(self, node: Node) -> None:
        count = _count(node)
        self.feature, self.right = (node.block(n, formats="hi", shape=(count,)).numpy() for n in ("feature", "right"))
        self.threshold = node.block("threshold", shape=(count,)).numpy()
        self.roots = node.block("roots", formats="i", shape=(None,)).numpy().astype(np.int64)
        self.missing_left = self.categories = self.table = None
        if "missing_left" in node.blocks:
            self.missing_left = node.block("missing_left", formats="B", shape=(count,)).numpy().astype(bool)
        if "categories" in node.blocks:
            self.categories = node.block("categories", formats="i", shape=(count,)).numpy()
            self.table = node.block("table", formats="B", shape=(None,)).numpy().astype(bool)
            self.limits = _limits(node).numpy().astype(np.int64)

    def leaves(self, dense: Floats, trees: slice) -> Integers:
        """(trees, n): the place in `values` where each row ends."""
        roots = self.roots[trees]
        n, width = dense.shape
        flat = np.ascontiguousarray(dense).ravel()
        codes = self._codes(dense)
        place = np.repeat(roots, n)
        start = np.tile(np.arange(n) * width, len(roots))
        slot = np.arange(len(place))
        leaves = np.empty(len(place), dtype=np.int64)
        missing = self.missing_left is not None and bool(np.isnan(flat).any())
        while len(place):
            which = self.feature[place]
            inner = which >= 0
            if not inner.all():
                done = ~inner
                leaves[slot[done]] = self.right[place[done]]
                place, start, slot, which = place[inner], start[inner], slot[inner], which[inner]
            cell = start + which
            value = flat[cell]
            left = value <= self.threshold[place]
            if missing and self.missing_left is not None:
                left |= np.isnan(value) & self.missing_left[place]
            if codes is not None and self.categories is not None and self.table is not None:
                begin = self.categories[place]
                chosen = np.flatnonzero(begin >= 0)
                left[chosen] = self.table[begin[chosen] + codes[cell[chosen]]]
            place = np.where(left, place + 1, self.right[place])
        return leaves.reshape(len(roots), n)

    def _codes(self, dense: Floats) -> Integers | None:
        if self.categories is None:
            return None
        inside = (dense > -1) & (dense < self.limits)
        outside = self.limits + np.isnan(dense)
        codes: Integers = np.where(inside, np.where(inside, dense, 0).astype(np.int64), outside).ravel()
        return codes


def ensemble_array(node: Node) -> Step:
    forest = _Forest(node)
    dtype = np.float32 if node.param("single", bool, False) else np.float64
    base = node.block("base", shape=(node.width,)).numpy().astype(dtype)
    divisor = node.param("divisor", float, 1.0)
    values = [block.numpy().astype(dtype, copy=False) for block in _value_rows(node)]
    count = node.width
    trees = len(forest.roots)

    def step(dense: Floats) -> Floats:
        n = len(dense)
        totals = np.repeat(base[:, None], n, axis=1)
        group = max(1, CELLS // n)
        group += -group % count
        for first in range(0, trees, group):
            leaves = forest.leaves(dense, slice(first, first + group))
            for output in range(count):
                if len(values) == 1 < count:
                    _add(totals[output], values[0][leaves[output::count]])
                else:
                    _add(totals[output], values[output][leaves])
        return np.ascontiguousarray(totals.T) / divisor

    return step


def _add(total: Array, terms: Array) -> None:
    """total (n) += terms (trees, n), one tree after the other, as the original adds them."""
    if len(total) > 64:
        for term in terms:
            total += term
    elif len(terms):
        terms[0] += total
        total[:] = np.add.accumulate(terms, axis=0)[-1]


OPERATIONS = {"ensemble": Operation(ensemble_array, ensemble_pure)}
