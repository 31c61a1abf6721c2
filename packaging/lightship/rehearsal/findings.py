"""What a check of a deployed stack is made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightship.config import Config
from lightship.rehearsal.emulator.clients import Clients
from lightship_runtime.errors import LightshipError
from lightship_runtime.manifest import Release


class CheckFailedError(LightshipError):
    """Something that the configuration asks for isn't there."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was compared."""

    name: str
    expected: Any
    found: Any

    @property
    def holds(self) -> bool:
        return bool(self.expected == self.found)


@dataclass(frozen=True)
class Deployed:
    """A stack to be checked, and what it was made from."""

    clients: Clients
    stack: str
    outputs: Mapping[str, str]
    template: Mapping[str, Any]
    config: Config
    release: Release
    release_folder: Path
