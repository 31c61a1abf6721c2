"""lightship.lock: what packaging settled, committed beside lightship.toml so that the next packaging follows it."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from lightship_runtime.documents import load_document
from lightship_runtime.errors import InvalidDocumentError
from lightship_runtime.manifest import Engines, Release

FILE = "lightship.lock"
SCHEMA = 1


@dataclass(frozen=True)
class Lock:
    """`digest` is the release's, which synth compares; `requirements` has, by the use of each zip, the resolved wheels
    with their hashes."""

    name: str
    version: str
    digest: str
    engine: Engines
    requirements: Mapping[str, str]

    def to_json(self) -> str:
        document: dict[str, Any] = {
            "schema": SCHEMA,
            "name": self.name,
            "version": self.version,
            "digest": self.digest,
            "engine": {"request": self.engine.request, "batch": self.engine.batch},
            "requirements": {use: lines.splitlines() for use, lines in self.requirements.items()},
        }
        return json.dumps(document, indent=2) + "\n"

    def write(self, path: Path) -> None:
        """Replace the file at once."""
        pending = path.with_name(f".{path.name}.{os.getpid()}")
        pending.write_text(self.to_json())
        pending.replace(path)

    @classmethod
    def of(cls, release: Release, requirements: Mapping[str, str]) -> Self:
        return cls(release.name, release.version, release.digest, release.engine, requirements)

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """None where there is no lock yet. Raises InvalidDocumentError or UnknownSchemaError."""
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        document = load_document(data, what=str(path), schema=SCHEMA)
        try:
            return cls(
                name=document["name"],
                version=document["version"],
                digest=document["digest"],
                engine=Engines(**document["engine"]),
                requirements={use: "\n".join(lines) + "\n" for use, lines in _by_use(document).items()},
            )
        except (KeyError, TypeError) as error:
            raise InvalidDocumentError(f"{path} lacks a key ({error}). Package again with --upgrade.") from error


def _by_use(document: Mapping[str, Any]) -> Mapping[str, list[str]]:
    """A list alone is that of realtime.zip."""
    requirements = document["requirements"]
    return requirements if isinstance(requirements, dict) else {"realtime": requirements}
