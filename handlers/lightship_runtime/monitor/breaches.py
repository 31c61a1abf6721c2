"""What holds now: which kinds of breach are on, and since when, by two of three successive windows.

Only windows that could be judged count: labels come late, so that accuracy is told from older windows than drift is.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lightship_runtime.monitor.coverage import judge_coverage
from lightship_runtime.monitor.ledger import FLAGGED, Entry
from lightship_runtime.monitor.performance import LEAST_LABELS
from lightship_runtime.monitor.results import volume

SUCCESSIVE, ENOUGH = 3, 2
MOST_NAMED = 5
REJECTED, VOLUME = "(refused rows)", "(volume)"
"""What stands in place of a column where the whole input is concerned."""

type State = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Drift that was looked into: a column (or `score`) of a version (or of any) isn't a breach until a time."""

    column: str
    version: str | None = None
    until: float | None = None

    def holds(self, column: str, version: str, now: float) -> bool:
        return self.column == column and self.version in (None, version) and (self.until is None or now < self.until)


def read_acceptances(data: bytes | None) -> tuple[Acceptance, ...]:
    """`accepted.json`; what isn't an acceptance is passed over, so that a slip of the pen hides nothing else."""
    try:
        items = json.loads(data or b"[]")
    except (ValueError, RecursionError):
        return ()
    found = []
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict) and isinstance(item.get("column"), str):
            until = item.get("until")
            number = isinstance(until, int | float) and not isinstance(until, bool)
            if until is None or number:
                found.append(Acceptance(item["column"], item.get("version") or None, until))
    return tuple(found)


def two_of_three(flags: Iterable[tuple[float, bool]]) -> tuple[bool, float | None]:
    """Whether two of the last three are flagged, and the start of the first of those that began it.

    `flags` are the windows that could be judged, in order: when each began, and whether it is flagged.
    """
    recent: list[tuple[float, bool]] = []
    since: float | None = None
    for each in flags:
        recent = [*recent, each][-SUCCESSIVE:]
        if sum(flagged for _, flagged in recent) < ENOUGH:
            since = None
        elif since is None:
            since = next(start for start, flagged in recent if flagged)
    return since is not None, since


def breaches(
    entries: Sequence[Entry],
    *,
    version: str,
    now: float,
    accepted: Sequence[Acceptance] = (),
    floor: float | None = None,
    hours: Sequence[tuple[int, int, int | None]] = (),
) -> dict[str, State]:
    """The state of every kind.

    `entries` are a version's windows in order; `floor` an accuracy that is a breach whatever the baseline's was;
    `hours` the last hours as (start, rows, rows of the same hour a week before).
    """
    judged = [entry for entry in entries if entry["judged"]]
    refused = {entry.column for entry in accepted if entry.holds(entry.column, version, now)}
    quality = _columns(judged, "quality", refused)
    quality += _rejected(entries)
    quality += _volume(hours)
    scored = [entry for entry in entries if entry["score"]]
    score = _single(scored, lambda entry: "score" not in refused and entry["score"]["level"] in FLAGGED)
    if score["on"]:
        score["columns"] = [{"name": "score", "n": scored[-1]["rows"], **scored[-1]["score"]}]
    return {
        "drift": _state(_columns(judged, "drift", refused)),
        "quality": _state(quality),
        "score": score,
        "accuracy": _metric(entries, "accuracy", floor),
        "estimated": _metric(entries, "estimated", None),
        "coverage": judge_coverage(entries, now, two_of_three),
    }


def _columns(entries: Sequence[Entry], kind: str, refused: set[str]) -> list[State]:
    """The columns that are on, with their latest flagged window's numbers and since when."""
    names = {name for entry in entries[-SUCCESSIVE:] for name in entry[kind]} - refused
    found = []
    for name in sorted(names):
        on, since = two_of_three((entry["start"], name in entry[kind]) for entry in entries)
        if on:
            last = next(entry for entry in reversed(entries) if name in entry[kind])
            found.append({"name": name, "n": last["rows"], **last[kind][name], "since": since})
    return found


def _whole(name: str, levels: Sequence[tuple[float, str]]) -> list[State]:
    judged = [(start, level in FLAGGED) for start, level in levels if level != "insufficient"]
    on, since = two_of_three(judged)
    return [{"name": name, "level": "high", "effect": 1.0, "since": since}] if on else []


def _rejected(entries: Sequence[Entry]) -> list[State]:
    found = _whole(REJECTED, [(entry["start"], entry["rejected"]) for entry in entries])
    if found:
        # Whoever tells of a column tells the rows it was seen in.
        found[0]["n"] = entries[-1]["rows"]
    return found


def _volume(hours: Sequence[tuple[int, int, int | None]]) -> list[State]:
    judged = [(start, rows, then) for start, rows, then in hours if then is not None]
    found = _whole(VOLUME, [(start, str(volume(rows, then)["level"])) for start, rows, then in judged])
    if found:
        _, rows, then = judged[-1]
        found[0] |= {"level": "warn", "n": rows, "then": then}
    return found


def _state(columns: Sequence[State]) -> State:
    """All columns are counted, and the worst five named."""
    worst = sorted(columns, key=lambda column: (-column["effect"], column["name"]))
    since = min((column["since"] for column in columns), default=None)
    return {"on": bool(columns), "since": since, "count": len(columns), "columns": worst[:MOST_NAMED]}


def _single(entries: Sequence[Entry], flagged: Callable[[Entry], bool]) -> State:
    on, since = two_of_three((entry["start"], flagged(entry)) for entry in entries)
    return {"on": on, "since": since, "columns": []}


def _metric(entries: Sequence[Entry], kind: str, floor: float | None) -> State:
    """A metric's state with its last known value."""
    known = [entry for entry in entries if entry[kind]]
    judged = [entry for entry in known if entry[kind]["level"] != "insufficient" or _under(entry[kind], floor)]
    state = _single(judged, lambda entry: entry[kind]["level"] in FLAGGED or _under(entry[kind], floor))
    shown: Mapping[str, Any] | None = (judged or known)[-1] if known else None
    if shown:
        state |= {name: shown[kind].get(name) for name in ("metric", "value", "low", "high", "n")}
        state["window"] = [shown["start"], shown["end"]]
    return state


def _under(metric: Mapping[str, Any], floor: float | None) -> bool:
    if floor is None or metric["metric"] != "accuracy" or metric["n"] < LEAST_LABELS:
        return False
    return bool(metric["high"] < floor)
