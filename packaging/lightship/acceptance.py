"""Accepting drift that was looked into: `accepted.json` of a monitoring store, which the monitor reads at each run."""

import difflib
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from lightship_runtime.batch.stores import Store
from lightship_runtime.documents import dump_document
from lightship_runtime.errors import LightshipError
from lightship_runtime.monitor.baseline import Baseline
from lightship_runtime.monitor.places import ACCEPTED, LATEST, baseline_name

SCORE = "score"
_ATTEMPTS = 5

type Acceptance = dict[str, Any]


class AcceptanceError(LightshipError):
    """Drift can't be accepted as it was asked for."""


def parse_until(text: str, now: float) -> float:
    """Seconds since 1970 of a date (its midnight, UTC) or time in ISO 8601 that lies ahead. Raises AcceptanceError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise AcceptanceError(f"{text!r} is no date. Write one like 2026-12-31.") from error
    until = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if until <= now:
        raise AcceptanceError(f"{text} is over. Write a date that lies ahead, or none to accept it for good.")
    return until


def accept(
    store: Store,
    column: str,
    reason: str,
    *,
    version: str | None = None,
    until: float | None = None,
    clock: Callable[[], float] = time.time,
) -> Acceptance:
    """Record that the drift of a column, or of the `score`, is no breach; what was recorded.

    It holds for `version`, by default the one the monitor last spoke of, and up to `until` (seconds since 1970; None is
    for good). One that was recorded before for the same column and version is replaced. Raises AcceptanceError for a
    column that the version's baseline doesn't have, or when others keep writing at the same time.
    """
    if not reason.strip():
        raise AcceptanceError("The reason is empty. Say why this drift is no breach, for those who come after you.")
    version = version or _latest_version(store)
    _check_column(store, column, version)
    entry = {"column": column, "version": version, "reason": reason.strip(), "time": clock(), "until": until}
    for _ in range(_ATTEMPTS):
        found = store.read(ACCEPTED)
        kept = [each for each in _entries(found[0]) if not _same(each, entry)] if found else []
        if store.replace(ACCEPTED, dump_document([*kept, entry]), found[1] if found else None):
            return entry
    raise AcceptanceError(f"{ACCEPTED} was changed by others {_ATTEMPTS} times meanwhile. Try again.")


def _latest_version(store: Store) -> str:
    found = store.read(LATEST)
    version = json.loads(found[0]).get("version") if found else None
    if not version:
        raise AcceptanceError(
            "The monitor hasn't judged any window in this store yet, so there is no drift to accept. "
            "Check --store, or name the version with --version."
        )
    return str(version)


def _check_column(store: Store, column: str, version: str) -> None:
    found = store.read(baseline_name(version))
    if found is None or column == SCORE:
        return
    names = [each.name for each in Baseline.from_json(found[0]).columns]
    if column not in names:
        nearest = difflib.get_close_matches(column, names, n=1, cutoff=0.0)
        hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
        raise AcceptanceError(f"The baseline of version {version} has no column {column!r}.{hint}")


def _entries(data: bytes) -> list[Any]:
    try:
        items = json.loads(data)
    except ValueError as error:
        raise AcceptanceError(
            f"{ACCEPTED} in the store is not JSON ({error}). Mend or remove it; what it accepted counts again then."
        ) from error
    if not isinstance(items, list):
        raise AcceptanceError(f"{ACCEPTED} in the store isn't a list. Mend or remove it.")
    return items


def _same(each: Any, entry: Acceptance) -> bool:
    return isinstance(each, dict) and (each.get("column"), each.get("version")) == (entry["column"], entry["version"])
