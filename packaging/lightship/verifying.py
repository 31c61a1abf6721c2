"""Checks of a compiled program that would cost a function's start too much: made when it is written, and by the tool
before it runs a release's artifacts.

Reading a program checks every length and reference, and evaluating one stays within its arrays whatever they hold. But
trees whose nodes point backwards would be walked without end, and a wide enough node would take all memory.
"""

from pathlib import Path
from typing import Any

import numpy as np

from lightship_runtime.loader import read_model_document
from lightship_runtime.program.format import GRAPH, InvalidProgramError, Node, Program, open_program
from lightship_runtime.program.operations import find_operation

MAXIMUM_WIDTH = 1 << 24
"""Numbers a row of a node that isn't sparse: 134 MB of float64."""


def verify_model(folder: Path) -> None:
    """The program of a packaged model's folder, where it has one. Raises InvalidDocumentError and its kin."""
    document = read_model_document(folder)
    if document["engine"] in ("pure", "array") or (folder / GRAPH).exists():
        verify_program(open_program(folder))


def verify_program(program: Program) -> None:
    """Raises InvalidProgramError for an unknown operation, trees that aren't trees, and sizes out of all bounds."""
    for node in program.nodes[1:]:
        find_operation(node.op)
        if node.kind != "sparse" and node.width > MAXIMUM_WIDTH:
            raise InvalidProgramError(f"the operation {node.op!r} gives {node.width} numbers a row")
        if node.op == "trees.ensemble":
            _verify_trees(node)


def _verify_trees(node: Node) -> None:
    feature = _array(node, "feature", "hi")
    right = _array(node, "right", "hi")
    roots = _array(node, "roots", "i")
    count, places = len(feature), np.arange(len(feature))
    leaves = node.block("values", shape=(None, None)).shape[1]
    inner = feature >= 0
    _check(len(right) == count == len(_array(node, "threshold", "df")), "have arrays of different lengths")
    _check((roots >= 0) & (roots < count), "have a root outside of their nodes")
    _check(feature[inner] < node.inputs[0].width, "split on a column that isn't there")
    # A left child follows its node; both children lie ahead, so that every walk ends.
    _check((right[inner] > places[inner] + 1) & (right[inner] < count), "have a child that doesn't lie ahead")
    _check((right[~inner] >= 0) & (right[~inner] < leaves), "have a leaf outside of their values")
    if count:
        _check(~inner[-1:], "end within a split")
    if "categories" in node.blocks:
        _verify_categories(node, feature, inner)


def _verify_categories(node: Node, feature: Any, inner: Any) -> None:
    categories = _array(node, "categories", "i")
    limits = _array(node, "limits", "i").astype(np.int64)
    table = _array(node, "table", "B")
    _check(len(categories) == len(feature), "have categories for other nodes")
    _check(len(limits) == node.inputs[0].width, "have limits for other columns")
    _check(limits >= 0, "have a limit below 0")
    chosen = inner & (categories >= 0)
    ends = categories[chosen].astype(np.int64) + limits[feature[chosen]] + 2
    _check(ends <= len(table), "look for a category outside of their table")


def _array(node: Node, name: str, formats: str) -> Any:
    return node.block(name, formats=formats, shape=(None,)).numpy()


def _check(holds: Any, problem: str) -> None:
    if not np.all(holds):
        raise InvalidProgramError(f"its trees {problem}")
