"""The monitor under an incident."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lightship.drill.answers import Answers
from lightship.drill.ledger import Ledger
from lightship.drill.timeline import Timeline


@dataclass
class Monitors:
    answers: Answers

    def record(self, timeline: Timeline, ledger: Ledger) -> list[str]:
        return []


@contextmanager
def monitors_of(folder: Path, answers: Answers) -> Iterator[Monitors]:
    yield Monitors(answers)
