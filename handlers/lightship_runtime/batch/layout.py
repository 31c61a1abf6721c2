"""Which of a file's columns go where: to the engine, through to the output, or nowhere."""

from collections.abc import Sequence
from dataclasses import dataclass

from lightship_runtime.batch.columns import Checker
from lightship_runtime.batch.errors import UnreadableError
from lightship_runtime.batch.records import Settings
from lightship_runtime.contract import Contract


@dataclass(frozen=True)
class Layout:
    """`names` are the file's columns in its order; `absent` those of the contract that it lacks; `kept` the names
    passed through, the keys first."""

    names: tuple[str, ...]
    checkers: tuple[Checker, ...]
    absent: frozenset[str]
    kept: tuple[str, ...]
    keys: tuple[str, ...]


def make_layout(file: str, names: Sequence[str], contract: Contract, settings: Settings) -> Layout:
    """Raises UnreadableError for columns that can't be told apart, or without the key or a column to keep."""
    seen: set[str] = set()
    for place, name in enumerate(names, start=1):
        if not name:
            raise UnreadableError(file, f"its column {place} has no name. Name it in the header.")
        if name in seen:
            raise UnreadableError(file, f"it has the column {name!r} more than once. Rename or drop one.")
        seen.add(name)
    match settings.keep:
        case None:
            others = tuple(name for name in names if name not in contract.positions)
        case ("*",):
            others = tuple(names)
        case _:
            others = settings.keep
    kept = tuple(dict.fromkeys((*settings.key, *others)))
    for name in kept:
        if name not in seen:
            what = "key column" if name in settings.key else "column to keep,"
            raise UnreadableError(file, f"it has no {what} {name!r}; it has {', '.join(names)[:200]}.")
    checkers = tuple(Checker(column) for column in contract.columns)
    return Layout(tuple(names), checkers, frozenset(contract.names) - seen, kept, settings.key)
