"""Puts back what slimming left out and the artifact turns out to need, and nothing else.

An artifact that fails its proof is tried with everything put back. If it holds then, halving finds what of it is
needed: first among the rules, then among their files, a start of the function for each try.
"""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from lightship import slimming
from lightship.bytecode import KEEP_SOURCE
from lightship.lambda_host import python_for, remove_tree, unpack
from lightship.wheels import install
from lightship_runtime.errors import LightshipError
from lightship_runtime.manifest import Target

SOURCES = "sources of what is compiled"
MOST_TRIES = 40

type Trial = Callable[[Path], object]
type Say = Callable[[str], None]


@dataclass(frozen=True)
class PutBack:
    """A file that a rule names and the artifact needs all the same."""

    file: str
    rule: str

    def to_dict(self) -> dict[str, str]:
        return asdict(self)


def heal(
    archive: Path, *, lock: str, target: Target, host: bool, trial: Trial, failure: LightshipError, say: Say
) -> tuple[PutBack, ...]:
    """What to put back into the artifact so that `trial`, which raises a LightshipError for a folder that fails,
    holds. Raises `failure` where slimming isn't to blame.

    `lock`, `target` and `host` are what the artifact's libraries were installed by.
    """
    say("trying with everything that was slimmed")
    with tempfile.TemporaryDirectory(prefix="lightship-heal-") as scratch:
        whole, root = Path(scratch) / "whole", Path(scratch) / "task"
        install(lock, None if host else target, python_for(target.python), whole)
        unpack(archive, root)
        for path in (root, *root.rglob("*")):
            path.chmod(path.stat().st_mode | 0o200)
        try:
            return Search(root, whole, trial, say).run(failure)
        finally:
            remove_tree(root)


class Search:
    """The tries on one artifact, counted."""

    def __init__(self, root: Path, whole: Path, trial: Trial, say: Say) -> None:
        self._root = root
        self._whole = whole
        self._trial = trial
        self._say = say
        self._tries = 0
        self._failure = ""

    def run(self, failure: LightshipError) -> tuple[PutBack, ...]:
        left_out = candidates(self._whole, self._root)
        if not left_out or not self._works(left_out):
            raise failure
        self._failure = str(failure)
        hinted = self._hinted(left_out)
        if hinted:
            return tuple(self._smallest(hinted))
        by_rule: dict[str, list[PutBack]] = {}
        for each in left_out:
            by_rule.setdefault(each.rule, []).append(each)
        rules = smallest(lambda names: self._works([each for name in names for each in by_rule[name]]), list(by_rule))
        return tuple(self._smallest([each for name in rules for each in by_rule[name]]))

    def _hinted(self, left_out: Sequence[PutBack]) -> list[PutBack]:
        """The files that the failure itself names, where these are enough; what it says next may name more."""
        found: list[PutBack] = []
        while True:
            more = [each for each in left_out if each not in found and _is_named(each.file, self._failure)]
            if not more:
                return []
            found += more
            if self._works(found):
                return found

    def _smallest(self, files: list[PutBack]) -> list[PutBack]:
        return smallest(self._works, files, more=lambda: self._tries < MOST_TRIES)

    def _works(self, files: Sequence[PutBack]) -> bool:
        self._tries += 1
        if self._tries > 1:
            self._say(f"finding what slimming must leave: try {self._tries}, with {len(files)} files")
        made: list[Path] = []
        try:
            for each in files:
                made += _copied(self._whole / each.file, self._root / each.file)
            self._trial(self._root)
        except LightshipError as error:
            self._failure = str(error)
            return False
        finally:
            for path in reversed(made):
                path.rmdir() if path.is_dir() else path.unlink()
        return True


def candidates(whole: Path, root: Path) -> list[PutBack]:
    """The files of the libraries as installed that aren't in the artifact, with the rule that names each."""
    found = {path.relative_to(whole).as_posix(): rule.name for path, rule in slimming.dropped(whole)}
    for path in sorted(whole.rglob("*.py")):
        name = path.relative_to(whole).as_posix()
        if name not in KEEP_SOURCE:
            found.setdefault(name, SOURCES)
    return [PutBack(name, rule) for name, rule in sorted(found.items()) if not (root / name).exists()]


def smallest[T](
    works: Callable[[Sequence[T]], bool], items: Sequence[T], *, more: Callable[[], bool] = lambda: True
) -> list[T]:
    """A smallest part of `items` that works, in some k * log2(n) tries, where all of them do and none of them doesn't.

    Ulrich Junker's QuickXplain (2004). When `more` says no, what isn't settled yet stays in.
    """

    def search(known: list[T], has_more: bool, rest: list[T]) -> list[T]:
        if has_more and more() and works(known):
            return []
        if len(rest) == 1 or not more():
            return rest
        middle = len(rest) // 2
        first, second = rest[:middle], rest[middle:]
        of_second = search([*known, *first], True, second)
        of_first = search([*known, *of_second], bool(of_second), first)
        return [*of_first, *of_second]

    return search([], False, list(items))


def _is_named(file: str, text: str) -> bool:
    """Whether an error message names the file, by its path or as a module."""
    if file in text:
        return True
    module = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return file.endswith(".py") and (f"'{module}'" in text or any(f"'{part}'" in text for part in _parents(module)))


def _parents(module: str) -> list[str]:
    """The packages that a module is in, but for the top-level one, whose absence names nothing."""
    parts = module.split(".")
    return [".".join(parts[:count]) for count in range(2, len(parts))]


def _copied(source: Path, place: Path) -> list[Path]:
    """Copy a file; what was made, folders first."""
    missing = [each for each in reversed(place.parents) if not each.exists()]
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, place)
    return [*missing, place]
