"""The published windows of a version in short: the state of things is told from it, without reading every document."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from lightship_runtime.batch.stores import Store
from lightship_runtime.documents import dump_document, load_document
from lightship_runtime.errors import LightshipError
from lightship_runtime.monitor.drift import LEAST_ROWS
from lightship_runtime.monitor.places import RESULTS, result_name, safe, windows_name
from lightship_runtime.monitor.results import SCHEMA as RESULT_SCHEMA
from lightship_runtime.monitor.results import Result
from lightship_runtime.monitor.windows import Span

SCHEMA = 1
MOST_WINDOWS = 3_000
"""Four months of hourly ones."""
FLAGGED = ("warn", "high")

type Entry = Mapping[str, Any]


def entry_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a window's document."""
    window, columns = document["window"], document["columns"]
    values = {name: column["drift"] for name, column in columns.items()}
    labels = document["labels"]
    return {
        "start": window["start"],
        "end": window["end"],
        "rows": document["rows"],
        "judged": document["rows"] >= LEAST_ROWS,
        "worst": max((drift["effect"] for drift in values.values()), default=0.0),
        "drift": {name: found for name, drift in values.items() if (found := _drift(drift))},
        "quality": _quality(document),
        "rejected": document["quality"]["rejected_level"],
        "score": _score(document),
        "accuracy": _metric(document, "observed", document["breach"]),
        "estimated": _metric(document, "estimated", document["estimated_breach"]),
        "labels": {"rows": labels["rows"], "expected": labels["expected"], "within": labels.get("within_hours", {})},
    }


def _drift(drift: Mapping[str, Any]) -> dict[str, Any] | None:
    """A change that isn't one of quality alone; None without one."""
    if drift["values"] in FLAGGED:
        return {"level": drift["values"], "effect": drift["effect"]}
    if drift["level"] in FLAGGED and drift["quality"] not in FLAGGED:
        return {"level": drift["level"], "effect": drift["effect"]}
    return None


def _quality(document: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name, column in document["columns"].items():
        drift = column["drift"]
        if drift["quality"] in FLAGGED:
            shares = [part for part in drift["components"] if part.get("now", 0.0) > part.get("then", 0.0)]
            worst = max(shares, key=lambda part: part["effect"])
            found[name] = {
                "level": drift["quality"],
                "effect": worst["effect"],
                "measure": worst["measure"],
                "then": worst["then"],
                "now": worst["now"],
            }
    return found


def _score(document: Mapping[str, Any]) -> dict[str, Any] | None:
    """The worse of the scores' and the predictions' drift; None where neither could be judged."""
    drifts = [document[name]["drift"] for name in ("score", "prediction") if name in document]
    judged = [drift for drift in drifts if drift["level"] != "insufficient"]
    if not judged:
        return None
    worst = max(judged, key=lambda drift: (drift["level"] in FLAGGED, drift["effect"]))
    return {"level": worst["level"], "effect": worst["effect"]}


def _metric(document: Mapping[str, Any], part: str, breach: Mapping[str, Any]) -> dict[str, Any] | None:
    """The metric that a breach is about, with its level; None where it is unknown."""
    found = document[part].get(breach["metric"])
    if found is None:
        return None
    rows = document["labels"]["rows"] if part == "observed" else document["rows"]
    return {"level": breach["level"], "metric": breach["metric"], "n": rows, **found}


class Ledger:
    """The entries of one version, by span."""

    def __init__(self, store: Store, version: str) -> None:
        self._store = store
        self.version = version
        found = store.read(windows_name(version))
        self._written = found[0] if found else b""
        entries = _read(self._written) if found else None
        self.entries = self._rebuilt() if entries is None else entries

    def _rebuilt(self) -> dict[tuple[int, int], Entry]:
        """From the documents themselves, where the ledger is lost."""
        entries: dict[tuple[int, int], Entry] = {}
        for stored in self._store.list(f"{RESULTS}{safe(self.version)}/"):
            with contextlib.suppress(LightshipError, KeyError, TypeError, AttributeError, ValueError):
                found = self._store.read(stored.name)
                document = load_document(found[0] if found else b"", what=stored.name, schema=RESULT_SCHEMA)
                entries[document["window"]["start"], document["window"]["end"]] = entry_of(document)
        return entries

    def spans(self) -> Iterator[Span]:
        for start, end in self.entries:
            yield Span(self.version, start, end)

    def publish(self, span: Span, result: Result) -> bool:
        """Write the window's document where it differs from what is there, and keep its entry; whether it differed."""
        document = result.to_dict()
        data = dump_document(document)
        self.entries[span.start, span.end] = entry_of(document)
        name = result_name(span.version, span.start, span.end)
        found = self._store.read(name)
        if found and found[0] == data:
            return False
        self._store.write(name, data)
        return True

    def save(self) -> None:
        entries = [entry for _, entry in sorted(self.entries.items())][-MOST_WINDOWS:]
        data = dump_document({"schema": SCHEMA, "version": self.version, "windows": entries})
        if data != self._written and entries:
            self._store.write(windows_name(self.version), data)
            self._written = data

    def until(self, time: float) -> list[Entry]:
        """The entries of windows that ended by then, in order."""
        return [entry for (_, end), entry in sorted(self.entries.items()) if end <= time]


def _read(data: bytes) -> dict[tuple[int, int], Entry] | None:
    with contextlib.suppress(LightshipError, KeyError, TypeError):
        document = load_document(data, what="The windows", schema=SCHEMA)
        return {(entry["start"], entry["end"]): entry for entry in document["windows"]}
    return None
