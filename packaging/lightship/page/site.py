"""The page's addresses: the document, its style and script, and the numbers that the script asks for."""

import json
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from typing import Any

from lightship.gateway import HttpRequest, HttpResponse
from lightship.loopback import Answer
from lightship.page.drift import Drift
from lightship.page.live import Live

PATH = "/dashboard"
FILES = {
    PATH: ("page.html", "text/html; charset=utf-8"),
    f"{PATH}/page.css": ("page.css", "text/css; charset=utf-8"),
    f"{PATH}/page.js": ("page.js", "text/javascript; charset=utf-8"),
}
# Nothing from elsewhere, nothing inline, and in nobody's frame.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
GUARDS = (
    ("cache-control", "no-store"),
    ("content-security-policy", POLICY),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
)

type Alarms = Callable[[], Sequence[Mapping[str, Any]]]
type Words = Callable[[], Mapping[str, str]]


class Site:
    """The page of one service. `objectives` are the latency in milliseconds and the share of requests answered;
    `alarms` gives their names and states, where there are alarms; `stack` says by subject what else there is to tell of
    a deployment; `refresh` fetches new telemetry before it is told."""

    def __init__(
        self,
        name: str,
        live: Live,
        drift: Drift,
        *,
        objectives: tuple[float, float],
        alarms: Alarms | None = None,
        stack: Words = dict,
        refresh: Callable[[], None] = lambda: None,
    ) -> None:
        self._name = name
        self._live = live
        self._drift = drift
        self._objectives = objectives
        self._alarms = alarms
        self._stack = stack
        self._refresh = refresh
        folder = resources.files("lightship.page")
        self._files = {path: (folder.joinpath(file).read_bytes(), kind) for path, (file, kind) in FILES.items()}

    @property
    def pages(self) -> dict[tuple[str, str], Answer]:
        """What a server answers by itself, by method and path."""
        routes: dict[tuple[str, str], Answer] = {("GET", path): self._file for path in self._files}
        return {**routes, ("GET", f"{PATH}/data"): self._data}

    def _file(self, request: HttpRequest) -> HttpResponse:
        body, kind = self._files[request.path]
        return HttpResponse(200, (("content-type", kind), *GUARDS), body)

    def _data(self, _request: HttpRequest) -> HttpResponse:
        body = json.dumps(self.data(), separators=(",", ":"), allow_nan=False).encode()
        return HttpResponse(200, (("content-type", "application/json"), *GUARDS), body)

    def data(self) -> dict[str, Any]:
        """Everything the page shows."""
        self._refresh()
        latency_ms, availability = self._objectives
        return {
            "name": self._name,
            "objective_ms": latency_ms,
            "availability": availability,
            **self._live.snapshot(),
            "drift": self._drift.snapshot(),
            "alarms": None if self._alarms is None else list(self._alarms()),
            "stack": list(self._stack().items()),
        }
