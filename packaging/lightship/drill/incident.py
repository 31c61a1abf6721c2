"""Incidents as small TOML files: what happens, from when to when, and which alarms have to sound."""

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from lightship_runtime.errors import LightshipError

# What a change may say besides its kind, `from_minute`, `until_minute` and `share`.
KINDS: Mapping[str, frozenset[str]] = {
    # Requests, answered by the real function.
    "model-raises": frozenset(),
    "function-dies": frozenset(),
    "function-times-out": frozenset(),
    "slow": frozenset({"objectives", "timeouts"}),
    "bad-requests": frozenset(),
    "cold-starts": frozenset(),
    # Rows that the real function scores and the real monitor reads.
    "nulls": frozenset({"columns"}),
    "new-category": frozenset({"columns"}),
    "drift": frozenset({"columns", "deviations", "over_hours"}),
    "callers": frozenset({"kept"}),
    "labels": frozenset({"accuracy_lost"}),
    "labels-stop": frozenset(),
    # A monitor that fails at every run; with share = 0 one that isn't run at all.
    "monitor-dies": frozenset(),
    # Batch runs, by the real handlers.
    "batch-stops": frozenset(),
    "batch-fails": frozenset(),
    "batch-rejects": frozenset(),
    "batch-late": frozenset({"hours"}),
    # A release that the real hook judges, and one that the real comparison sees differ on live requests.
    "release-differs": frozenset(),
    "versions-disagree": frozenset(),
    # What happens around the functions.
    "traffic": frozenset({"factor", "limits"}),
    "throttled": frozenset(),
    "metric": frozenset({"namespace", "name", "of", "value", "every_minutes"}),
}
_TIMES = frozenset({"kind", "from_minute", "until_minute", "share"})
_KEYS = {"title", "traffic_per_hour", "lasts_minutes", "must_fire", "may_fire", "pages", "change"}
_SUFFIX = ".toml"


class IncidentError(LightshipError):
    """An incident's file says something that the drill doesn't understand."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is otherwise than usual, in minutes after the incident's beginning; to its end without `until`.

    `share` is how many of the requests, rows or runs are hit. `options` are the kind's own keys.
    """

    kind: str
    from_minute: int = 0
    until_minute: int | None = None
    share: float = 1.0
    options: Mapping[str, Any] = field(default_factory=dict)

    def number(self, key: str, default: float) -> float:
        return float(self.options.get(key, default))


@dataclass(frozen=True, slots=True)
class Incident:
    """What is replayed. `must_fire` and `may_fire` are titles of alarms, without the service's name before them.

    `pages` is how many pages an engineer may get of it, at most.
    """

    name: str
    title: str
    must_fire: tuple[str, ...]
    may_fire: tuple[str, ...]
    changes: tuple[Change, ...]
    traffic_per_hour: float = 1000.0
    lasts_minutes: int = 60
    pages: int | None = None

    def of_kind(self, *kinds: str) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.kind in kinds)


def read_incident(path: Path) -> Incident:
    """Raises IncidentError, naming the file and the key."""
    try:
        return parse_incident(path.stem, path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise IncidentError(f"{path} can't be read: {error}") from error


def built_in() -> tuple[Incident, ...]:
    """The incidents that come with Lightship, by name."""
    folder = resources.files("lightship.drill") / "incidents"
    files = sorted((each for each in folder.iterdir() if each.name.endswith(_SUFFIX)), key=lambda each: each.name)
    return tuple(parse_incident(each.name.removesuffix(_SUFFIX), each.read_text(encoding="utf-8")) for each in files)


def parse_incident(name: str, text: str) -> Incident:
    """An incident from its TOML. Raises IncidentError."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise IncidentError(f"The incident {name} isn't valid TOML: {error}") from error
    _check_keys(name, document, _KEYS)
    lasts = _number(name, document, "lasts_minutes", 60)
    changes = tuple(_changes(name, document))
    if not changes:
        raise IncidentError(f"The incident {name} changes nothing. Add a [[change]] with a kind: {', '.join(KINDS)}.")
    return Incident(
        name=name,
        title=str(document.get("title", name)),
        must_fire=_names(name, document, "must_fire"),
        may_fire=_names(name, document, "may_fire"),
        changes=changes,
        traffic_per_hour=_number(name, document, "traffic_per_hour", 1000),
        lasts_minutes=int(lasts),
        pages=int(_number(name, document, "pages", 0)) if "pages" in document else None,
    )


def _changes(name: str, document: Mapping[str, Any]) -> Iterator[Change]:
    for table in document.get("change", ()):
        kind = str(table.get("kind", ""))
        if kind not in KINDS:
            raise IncidentError(f"The incident {name} has a change of the kind {kind!r}.{_nearest(kind, KINDS)}")
        _check_keys(name, table, _TIMES | KINDS[kind])
        share = _number(name, table, "share", 1.0)
        if not 0 <= share <= 1:
            raise IncidentError(f"The incident {name} has share = {share}; it lies in 0 to 1.")
        until = table.get("until_minute")
        yield Change(
            kind=kind,
            from_minute=int(_number(name, table, "from_minute", 0)),
            until_minute=None if until is None else int(until),
            share=share,
            options={key: value for key, value in table.items() if key not in _TIMES},
        )


def _names(name: str, document: Mapping[str, Any], key: str) -> tuple[str, ...]:
    values = document.get(key, [])
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        raise IncidentError(f"The incident {name} has {key} = {values!r}; write a list of alarm titles.")
    return tuple(values)


def _number(name: str, table: Mapping[str, Any], key: str, default: float) -> float:
    value = table.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise IncidentError(f"The incident {name} has {key} = {value!r}; write a number.")
    return float(value)


def _check_keys(name: str, table: Mapping[str, Any], known: frozenset[str] | set[str]) -> None:
    for key in table:
        if key not in known:
            raise IncidentError(f"The incident {name} has the unknown key {key!r}.{_nearest(key, known)}")


def _nearest(word: str, known: Mapping[str, Any] | frozenset[str] | set[str]) -> str:
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.0)
    return f" Did you mean {found[0]!r}? Known are {', '.join(sorted(known))}."
