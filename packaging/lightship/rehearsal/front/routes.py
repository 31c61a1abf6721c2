"""Matching a path against templates such as /v2/models/{name}/infer and /{proxy+}."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote


@dataclass(frozen=True, slots=True)
class Match:
    """A template that fits, and what its variables stand for."""

    template: str
    parameters: dict[str, str]
    rank: tuple[int, ...]


def match(template: str, path: str) -> Match | None:
    """How the template fits the path; a lower rank is a closer fit."""
    wanted, given = _parts(template), _parts(path)
    parameters: dict[str, str] = {}
    rank: list[int] = []
    for index, part in enumerate(wanted):
        if part.startswith("{") and part.endswith("+}"):
            if index >= len(given):
                return None
            parameters[part[1:-2]] = unquote("/".join(given[index:]))
            return Match(template, parameters, (*rank, 2))
        if index >= len(given):
            return None
        if part.startswith("{") and part.endswith("}"):
            parameters[part[1:-1]] = unquote(given[index])
            rank.append(1)
        elif part == given[index]:
            rank.append(0)
        else:
            return None
    return Match(template, parameters, tuple(rank)) if len(given) == len(wanted) else None


def best(templates: Iterable[str], path: str) -> Match | None:
    """The closest fit of all."""
    fits = [found for template in templates if (found := match(template, path))]
    return min(fits, key=lambda found: found.rank, default=None)


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]
