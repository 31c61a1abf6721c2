"""A report's material: the windows in order, and since when each thing has been as it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from lightship.monitoring.report.charts import Mark
from lightship.monitoring.report.words import day, moment

FLAGGED = ("warn", "high")


@dataclass(frozen=True)
class History:
    """Result documents by time. Places count windows from zero."""

    windows: Sequence[Mapping[str, Any]]

    @classmethod
    def of(cls, documents: Sequence[Mapping[str, Any]]) -> "History":
        def order(document: Mapping[str, Any]) -> tuple[float, str]:
            return document["window"]["end"] or 0, document["window"]["version"]

        return cls(sorted(documents, key=order))

    def thinned(self, most: int) -> "History":
        """At most so many windows: of neighbours the one in which most has changed, and the last one in any case."""
        count = len(self.windows)
        if count <= most:
            return self
        borders = [count * place // (most - 1) for place in range(most)]
        borders[-1] = count - 1
        chosen = [max(range(first, last), key=self._changes) for first, last in pairwise(borders)]
        return History([*(self.windows[place] for place in chosen), self.last])

    def _changes(self, place: int) -> tuple[int, int]:
        """How many columns are flagged in a window; of several, the later one counts more."""
        columns = self.windows[place]["columns"].values()
        return sum(entry["drift"]["level"] in FLAGGED for entry in columns), place

    @property
    def last(self) -> Mapping[str, Any]:
        return self.windows[-1]

    def start(self, place: int) -> str:
        return moment(self.windows[place]["window"]["start"], place)

    def axis(self) -> tuple[str, str]:
        """The texts under the two ends of a time axis."""
        first, last = self.windows[0]["window"]["start"], self.last["window"]["end"]
        return day(first, 0), day(last, len(self.windows) - 1)

    def versions(self) -> list[str]:
        """The versions, in the order of their first windows."""
        found = [str(document["window"]["version"]) for document in self.windows]
        return [version for version in dict.fromkeys(found) if version]

    def marks(self) -> list[Mark]:
        """Where another version begins."""
        versions = [str(document["window"]["version"]) for document in self.windows]
        return [Mark(place, now) for place, (then, now) in enumerate(pairwise(versions), 1) if then != now]

    def names(self) -> list[str]:
        return [self.start(place) for place in range(len(self.windows))]

    def levels(self, part: str, name: str | None = None) -> list[str]:
        """The drift level in each window of a column (`part` columns), or of `score` or `prediction`."""
        found = []
        for document in self.windows:
            entry = document.get(part) if name is None else document[part].get(name)
            found.append("insufficient" if entry is None else str(entry["drift"]["level"]))
        return found

    def since(self, levels: Sequence[str]) -> int | None:
        """The place where the present run of flagged windows began; None when the last judged window is not flagged.

        Windows that couldn't be judged don't end a run.
        """
        began = None
        for place in range(len(levels) - 1, -1, -1):
            if levels[place] in FLAGGED:
                began = place
            elif levels[place] != "insufficient":
                break
        return began

    def latest(self, levels: Sequence[str]) -> int:
        """The last window that could be judged, or else the last."""
        judged = [place for place, level in enumerate(levels) if level != "insufficient"]
        return judged[-1] if judged else len(levels) - 1

    def metric(self, part: str, name: str, side: str) -> list[float | None]:
        """A metric's value, low or high in each window; None where it is missing."""
        return [document[part].get(name, {}).get(side) for document in self.windows]

    def last_with(self, part: str) -> int | None:
        """The last window where a part (`observed`, `estimated`) isn't empty."""
        places = [place for place, document in enumerate(self.windows) if document[part]]
        return places[-1] if places else None
