"""The monitor under an incident."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightship.drill.answers import Answers
from lightship.drill.incident import Incident
from lightship.drill.ledger import Ledger
from lightship.drill.timeline import Timeline


@dataclass
class Monitors:
    answers: Answers
    folder: Path

    def record(self, timeline: Timeline, ledger: Ledger) -> list[str]:
        del timeline, ledger
        return []

    def latest(self, incident: Incident) -> Mapping[str, Any] | None:
        del incident
        return None


@contextmanager
def monitors_of(folder: Path, answers: Answers) -> Iterator[Monitors]:
    yield Monitors(answers, folder)
