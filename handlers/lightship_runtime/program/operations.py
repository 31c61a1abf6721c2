"""Finds what evaluates an operation by its name, `family.operation`, in the module of its family."""

import re
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NamedTuple

from lightship_runtime.program.format import InvalidProgramError, Node, Program

type Step = Callable[..., Any]
"""Takes the values of the node's inputs, gives the node's value.

Pure: a row. raw is a list of Python values (None or NaN for missing), dense a list of floats, sparse a pair of lists
(ascending columns, values). Array: n rows. raw is a list of columns, dense an (n, width) array, sparse a `Sparse`.
"""


class Operation(NamedTuple):
    """How one operation is evaluated: each function reads a node once and gives its step.

    `pure` is None where the operation needs NumPy.
    """

    array: Callable[[Node], Step]
    pure: Callable[[Node], Step] | None = None


class NotPureError(InvalidProgramError):
    """The program has an operation that the standard library alone doesn't evaluate."""


_FAMILY = re.compile(r"[a-z][a-z_]*")
_HERE = "lightship_runtime.program.ops"


def find_operation(name: str) -> Operation:
    """Raises InvalidProgramError for a name that no family module here has."""
    family, _, short = name.partition(".")
    if _FAMILY.fullmatch(family):
        module = f"{_HERE}.{family}"
        try:
            operations: dict[str, Operation] = import_module(module).OPERATIONS
        except ModuleNotFoundError as error:
            if error.name != module:
                raise
            operations = {}
        if short in operations:
            return operations[short]
    raise InvalidProgramError(f"it has the unknown operation {name!r}")


def impure_operations(program: Program) -> Sequence[str]:
    """The names of the operations that have no pure form, sorted; empty when the pure engine can take the program."""
    return sorted({node.op for node in program.nodes[1:] if find_operation(node.op).pure is None})


def pure_steps(program: Program) -> list[Step]:
    """One step a node after the inputs. Raises NotPureError."""
    steps = []
    for node in program.nodes[1:]:
        pure = find_operation(node.op).pure
        if pure is None:
            raise NotPureError(f"the operation {node.op!r} has no pure form, so it needs the array engine")
        steps.append(pure(node))
    return steps


def array_steps(program: Program) -> list[Step]:
    """One step a node after the inputs."""
    return [find_operation(node.op).array(node) for node in program.nodes[1:]]
