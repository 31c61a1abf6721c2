"""What the user's own code imports, held against what its zip has, before anything is booted."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from lightship_runtime.errors import LightshipError

_CAUGHT = {"ImportError", "ModuleNotFoundError", "Exception"}


class MissingImportError(LightshipError):
    """The user's code imports what its zip doesn't have."""


def check_imports(code: Path, root: Path, engine: str, *, deep: bool) -> None:
    """Check a module or package against the artifact in `root`. With `deep`, what functions import counts too.

    What a `try` catches, and what is for type checkers alone, may be missing. Raises MissingImportError.
    """
    files = sorted(code.rglob("*.py")) if code.is_dir() else [code]
    for file in files:
        for name, line in _imported(ast.parse(file.read_bytes(), str(file)), deep):
            if name not in sys.stdlib_module_names and not _has(root, name):
                raise MissingImportError(
                    f"{file.name} imports {name} (line {line}), which the zip of the engine {engine} doesn't have. "
                    f"Use the standard library instead; or, if it is your own, add it to include; or choose an engine "
                    "whose zip has it (array has numpy, native has the model's libraries)."
                )


def _has(root: Path, name: str) -> bool:
    return any((root / f"{name}{end}").exists() for end in ("", ".pyc", ".py")) or any(root.glob(f"{name}.*.so"))


def _imported(node: ast.AST, deep: bool) -> Iterator[tuple[str, int]]:
    """(top-level name, line) of what is imported."""
    match node:
        case ast.Import():
            yield from ((alias.name.partition(".")[0], node.lineno) for alias in node.names)
        case ast.ImportFrom(level=0, module=str(module)):
            yield module.partition(".")[0], node.lineno
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda() if not deep:
            pass
        case ast.If() if _is_for_types(node.test):
            yield from _all(node.orelse, deep)
        case ast.Try() if any(_catches(handler) for handler in node.handlers):
            yield from _all([*node.handlers, *node.orelse, *node.finalbody], deep)
        case _:
            yield from _all(list(ast.iter_child_nodes(node)), deep)


def _all(nodes: list[ast.stmt] | list[ast.AST] | list[ast.ExceptHandler], deep: bool) -> Iterator[tuple[str, int]]:
    for each in nodes:
        yield from _imported(each, deep)


def _is_for_types(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def _catches(handler: ast.ExceptHandler) -> bool:
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(each is None or (isinstance(each, ast.Name) and each.id in _CAUGHT) for each in caught)
