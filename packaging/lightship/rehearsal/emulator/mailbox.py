"""Where custom resources leave their answers: one unguessable path for each question."""

import json
import secrets
import threading
from dataclasses import dataclass, field
from typing import Any

PREFIX = "/_custom-resource/"


@dataclass
class Slot:
    """One awaited answer."""

    path: str
    _box: "Mailbox"
    _arrived: threading.Event = field(default_factory=threading.Event)
    _answer: dict[str, Any] | None = None

    def wait(self, timeout_s: float) -> dict[str, Any] | None:
        """The answer, or None when none came in time."""
        self._arrived.wait(timeout_s)
        self.close()
        return self._answer

    def close(self) -> None:
        self._box.slots.pop(self.path, None)

    def put(self, answer: dict[str, Any]) -> None:
        self._answer = answer
        self._arrived.set()


class Mailbox:
    """The slots that are open."""

    def __init__(self) -> None:
        self.slots: dict[str, Slot] = {}

    def open(self) -> Slot:
        slot = Slot(f"{PREFIX}{secrets.token_urlsafe(24)}", self)
        self.slots[slot.path] = slot
        return slot

    def deliver(self, path: str, body: bytes) -> bool:
        """Whether the answer was awaited, and is JSON."""
        slot = self.slots.get(path)
        try:
            answer = json.loads(body)
        except ValueError:
            return False
        if slot is None or not isinstance(answer, dict):
            return False
        slot.put(answer)
        return True


MAILBOX = Mailbox()
