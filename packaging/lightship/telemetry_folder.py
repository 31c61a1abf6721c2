"""A monitoring store on this machine, filled by `lightship serve`: telemetry lines by the hour they came in."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

from lightship.gateway import HttpRequest, HttpResponse
from lightship.gateway.http_api import to_event, to_response
from lightship_runtime.batch.stores import LocalStore
from lightship_runtime.errors import LightshipError
from lightship_runtime.events import read_event
from lightship_runtime.feedback import answer, response
from lightship_runtime.labels import folder_of
from lightship_runtime.manifest import BASELINE, Release
from lightship_runtime.telemetry import is_telemetry

TELEMETRY, BASELINES = "telemetry", "baselines"
FILE = "serve.jsonl"


class TelemetryFolderError(LightshipError):
    """The folder for telemetry can't be written to."""


class TelemetryFolder:
    """Keeps telemetry lines in `root`/telemetry/YYYY/MM/DD/HH/serve.jsonl, and hands on whatever else is printed.

    Lines may come from several threads. Several servers may share a folder: a line is appended at once.
    """

    def __init__(
        self, root: Path, log: Callable[[str], None] = lambda _line: None, clock: Callable[[], float] = time.time
    ) -> None:
        self.root = root
        self._log = log
        self._clock = clock
        self._lock = threading.Lock()
        try:
            (root / TELEMETRY).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TelemetryFolderError(
                f"Telemetry can't be kept in {root}: {error.strerror}. Name a folder that can be written to."
            ) from error

    def keep_baseline(self, folder: Path, release: Release) -> None:
        """What the codes of this release's lines mean, for monitors that run over the store."""
        source = folder / BASELINE
        if source.exists():
            place = self.root / BASELINES / f"{release.version}.json"
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(source.read_bytes())

    def feedback(self, request: HttpRequest) -> HttpResponse:
        """`POST /feedback` as the deployed function answers it. The labels go into this store."""
        told = answer(read_event(to_event(request)), self._clock(), LocalStore(self.root).write)
        return to_response(json.dumps(response(told)).encode(), error=False)

    def log(self, line: str) -> None:
        """One line that the function printed. A line that can't be kept is handed on, with the reason."""
        if not is_telemetry(line):
            self._log(line)
            return
        path = self.root / TELEMETRY / folder_of(self._clock()) / FILE
        try:
            with self._lock:
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("ab", buffering=0) as file:
                    file.write(line.encode() + b"\n")
        except OSError as error:
            self._log(f"Telemetry wasn't kept in {path}: {error.strerror}")
            self._log(line)
