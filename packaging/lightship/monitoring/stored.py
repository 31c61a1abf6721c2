"""Results in a monitoring store, read back for the report."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lightship.monitoring.errors import MonitoringError
from lightship_runtime.batch.stores import Store
from lightship_runtime.monitor.baseline import Baseline
from lightship_runtime.monitor.places import LATEST, RESULTS, baseline_name

OWN_FOLDERS = ("hours", "windows")
DAY = 86_400


@dataclass(frozen=True)
class StoredResults:
    """Windows' documents in the order of time, the version that was judged last, and the baseline it is judged by."""

    documents: Sequence[dict[str, Any]]
    version: str
    baseline: Baseline


def read_results(store: Store, *, days: float, baseline: Baseline | None = None) -> StoredResults:
    """The windows of the last `days` before the latest one. Raises MonitoringError where there are none.

    The baseline is that of the latest version, unless another is given; windows of versions with other columns are
    left out.
    """
    spans = sorted(_spans(store))
    if not spans:
        raise MonitoringError("The store has 0 results. Let the monitor run first: `lightship monitor STORE`.")
    latest = store.read(LATEST)
    version = json.loads(latest[0]).get("version", "") if latest else ""
    version = version or spans[-1][1].split("/")[1]
    if baseline is None:
        found = store.read(baseline_name(version))
        if found is None:
            raise MonitoringError(f"The store has no baseline of {version}. Name its release: --release FOLDER.")
        baseline = Baseline.from_json(found[0])
    wanted = {column.name for column in baseline.columns}
    documents = []
    for end, name in spans:
        if end > spans[-1][0] - days * DAY:
            found = store.read(name)
            document = json.loads(found[0]) if found else {"columns": {}}
            if document["columns"].keys() == wanted:
                documents.append(document)
    if not documents:
        raise MonitoringError("No window in the store has the baseline's columns. Name the release it was made with.")
    return StoredResults(documents, version, baseline)


def _spans(store: Store) -> list[tuple[int, str]]:
    """The end and the name of each window's document."""
    found = []
    for stored in store.list(RESULTS):
        parts = stored.name.split("/")
        if len(parts) == 3 and parts[1] not in OWN_FOLDERS and parts[2].endswith(".json"):
            end = parts[2].removesuffix(".json").rpartition("-")[2]
            if end.isdigit():
                found.append((int(end), stored.name))
    return found
