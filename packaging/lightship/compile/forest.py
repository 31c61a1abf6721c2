"""Decision trees of any library, laid out as the operation `trees.ensemble` reads them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lightship.compile.context import Context
from lightship.compile.values import Value
from lightship_runtime.program.numerics import Array


@dataclass(frozen=True, slots=True)
class Tree:
    """One tree of m nodes, the root first. `feature` is -1 at leaves; `values` is (m, outputs), read at leaves.

    `missing_left` (m) says where NaN goes. `categories` maps the nodes that split by category to what goes left: one
    flag a code, then one for any other value and one for NaN.
    """

    feature: Array
    threshold: Array
    left: Array
    right: Array
    values: Array
    missing_left: Array | None = None
    categories: dict[int, Array] | None = None


def emit_trees(
    c: Context,
    x: Value,
    trees: Sequence[Tree],
    *,
    base: Sequence[float],
    divisor: float = 1.0,
    limits: Sequence[int] | None = None,
    single_sums: bool = False,
) -> Value:
    """The sum of the trees' values for x. Trees of one value add to output t modulo len(base), others to all.

    `limits` is, for each column, the number of codes of a categorical one, else 0. `single_sums`: the original adds in
    float32.
    """
    ordered = [_preorder(tree) for tree in trees]
    sizes = np.array([len(tree.feature) for tree in ordered])
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    feature = np.concatenate([tree.feature for tree in ordered]).astype(np.int16 if x.width < 1 << 15 else np.int32)
    leaf: Array = np.less(feature, 0)
    values = np.concatenate([tree.values for tree in ordered])[leaf]
    rows, places = np.unique(values, axis=0, return_inverse=True)
    if len(rows) * 2 > len(values):
        rows, places = values, np.arange(len(values))
    right = np.concatenate([tree.right + start for tree, start in zip(ordered, starts, strict=True)])
    right[leaf] = places.ravel()
    arrays: dict[str, Array] = {
        "feature": feature,
        "threshold": _narrow(np.where(leaf, 0.0, np.concatenate([tree.threshold for tree in ordered])), x),
        "right": right.astype(np.int32),
        "roots": starts.astype(np.int32),
        "values": np.ascontiguousarray(rows.T, dtype=np.float32 if single_sums else np.float64),
        "base": np.asarray(base, dtype=np.float64),
    }
    arrays |= _missing(ordered, leaf) | _categories(ordered, starts, limits)
    params = {"divisor": float(divisor), "single": single_sums}
    dtype = "float32" if single_sums else "float64"
    return c.emit("trees.ensemble", [x], width=len(base), dtype=dtype, params=params, arrays=arrays)


def _preorder(tree: Tree) -> Tree:
    """The same tree with every left child right behind its parent."""
    inner = np.flatnonzero(tree.feature >= 0)
    if np.array_equal(tree.left[inner], inner + 1) and (tree.right[inner] > inner).all():
        return tree
    order: list[int] = []
    waiting = [0]
    left, right, feature = tree.left.tolist(), tree.right.tolist(), tree.feature.tolist()
    while waiting:
        node = waiting.pop()
        order.append(node)
        if feature[node] >= 0:
            waiting += [right[node], left[node]]
    moved = np.zeros(len(feature), dtype=np.int64)
    moved[order] = np.arange(len(order))
    return Tree(
        feature=tree.feature[order],
        threshold=tree.threshold[order],
        left=moved[tree.left[order]],
        right=moved[tree.right[order]],
        values=tree.values[order],
        missing_left=None if tree.missing_left is None else tree.missing_left[order],
        categories=None if tree.categories is None else {int(moved[n]): flags for n, flags in tree.categories.items()},
    )


def _narrow(threshold: Array, x: Value) -> Array:
    """For float32 values, the largest float32 not above each threshold: it splits them the same way."""
    if not x.is_single:
        return threshold
    with np.errstate(over="ignore"):
        narrow = threshold.astype(np.float32)
    above = narrow.astype(np.float64) > threshold
    narrow[above] = np.nextafter(narrow[above], np.float32(-np.inf))
    return narrow


def _missing(trees: Sequence[Tree], leaf: Array) -> dict[str, Array]:
    if all(tree.missing_left is None for tree in trees):
        return {}
    flags = np.concatenate(
        [np.zeros(len(tree.feature)) if tree.missing_left is None else tree.missing_left for tree in trees]
    ).astype(np.uint8)
    flags[leaf] = 0
    if not flags.any() and all(not tree.categories for tree in trees):
        return {}
    return {"missing_left": flags}


def _categories(trees: Sequence[Tree], starts: Array, limits: Sequence[int] | None) -> dict[str, Array]:
    if limits is None or all(not tree.categories for tree in trees):
        return {}
    begin = np.full(sum(len(tree.feature) for tree in trees), -1, dtype=np.int32)
    tables: list[Array] = []
    length = 0
    for tree, start in zip(trees, starts, strict=True):
        for node, flags in (tree.categories or {}).items():
            begin[start + node] = length
            tables.append(flags.astype(np.uint8))
            length += len(flags)
    return {
        "categories": begin,
        "table": np.concatenate(tables),
        "limits": np.asarray(limits, dtype=np.int32),
        "missing_left": np.concatenate([np.asarray(tree.missing_left) for tree in trees]).astype(np.uint8),
    }
