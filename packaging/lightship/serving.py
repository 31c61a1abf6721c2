"""`lightship serve`: the very artifact that deploys, behind a local HTTP endpoint that behaves as API Gateway does."""

import json
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from lightship.gateway import HttpRequest, HttpResponse
from lightship.gateway.http_api import TOO_LARGE, UNAVAILABLE, to_event, to_response
from lightship.gateway.messages import INTEGRATION_TIMEOUT_S
from lightship.lambda_host import Function, Invocation, PayloadTooLargeError, remove_tree, unpack
from lightship.loopback import Answer, LoopbackServer
from lightship.worker_pool import WorkerPool
from lightship_runtime.errors import LightshipError
from lightship_runtime.manifest import Release

REALTIME = "realtime"
MODEL_FOLDER = "model"
DEFAULT_TIMEOUT_S = 15.0

type Answered = Callable[[int, bytes], None]


@contextmanager
def unpacked_function(
    folder: Path,
    release: Release,
    *,
    use: str = REALTIME,
    memory_mb: int = 1024,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Function]:
    """The artifact `use` of a release, unzipped read-only into a temporary folder that goes away at the end."""
    artifact = release.artifacts[use]
    root = Path(tempfile.mkdtemp(prefix=f"lightship-{use}-"))
    try:
        unpack(folder / artifact.file, root)
        if (root / MODEL_FOLDER).is_dir():
            from lightship.verifying import verify_model

            verify_model(root / MODEL_FOLDER)
        yield Function(
            root,
            artifact.handler,
            python=release.python,
            name=release.name,
            memory_mb=memory_mb,
            timeout_s=timeout_s,
            environment=environment or {},
        )
    finally:
        remove_tree(root)


class ModelServer:
    """A function behind HTTP on 127.0.0.1: `workers` processes (one a core by default) and a front. Context manager.

    `pages` answers some `(method, path)` itself, before the function. `log` gets every line the function prints,
    `answered` the status and body of every answer of the function's.
    """

    def __init__(
        self,
        function: Function,
        *,
        port: int = 0,
        workers: int | None = None,
        log: Callable[[str], None] = lambda _line: None,
        pages: Mapping[tuple[str, str], Answer] | None = None,
        answered: Answered = lambda _status, _body: None,
    ) -> None:
        self._pages = dict(pages or {})
        self._answered = answered
        self.pool = WorkerPool.start(function, workers or os.cpu_count() or 1, log)
        try:
            self._front = LoopbackServer(self.answer, port=port)
        except BaseException:
            self.pool.stop()
            raise
        self.url = self._front.url
        self.port = self._front.port

    def answer(self, request: HttpRequest) -> HttpResponse:
        """One request, as an HTTP API with a Lambda proxy integration answers it."""
        if page := self._pages.get((request.method, request.path)):
            return page(request)
        event = json.dumps(to_event(request), separators=(",", ":"), ensure_ascii=False).encode(errors="replace")
        response = integrate(self.pool.submit(event))
        self._answered(response.status, response.body)
        return response

    def close(self) -> None:
        self._front.close()
        self.pool.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def integrate(future: Future[Invocation]) -> HttpResponse:
    """Wait for an invocation as long as API Gateway waits for an integration, and turn it into a response."""
    try:
        result = future.result(timeout=INTEGRATION_TIMEOUT_S)
    except TimeoutError:
        return UNAVAILABLE
    except PayloadTooLargeError:
        return TOO_LARGE
    except LightshipError:
        return UNAVAILABLE
    return to_response(result.payload, error=result.error)


def serve(
    function: Function,
    *,
    port: int = 0,
    workers: int | None = None,
    log: Callable[[str], None] = lambda _line: None,
    ready: Callable[[ModelServer], None],
    pages: Mapping[tuple[str, str], Answer] | None = None,
    answered: Answered = lambda _status, _body: None,
) -> None:
    """Serve until SIGINT or SIGTERM, calling `ready` once when requests are answered. From the main thread only."""
    stop = threading.Event()
    with (
        _stopping(stop),
        ModelServer(function, port=port, workers=workers, log=log, pages=pages, answered=answered) as server,
    ):
        if not stop.is_set():
            ready(server)
        stop.wait()


def ready_line(server: ModelServer, function: Function) -> str:
    """One line that says where the model answers and what runs it."""
    count = len(server.pool.workers)
    workers = f"{count} worker{'s' if count > 1 else ''}"
    return (
        f"{function.name} answers on {server.url} "
        f"({workers}, Python {function.python}, started in {server.pool.init_ms:.0f} ms). Ctrl-C stops it."
    )


@contextmanager
def _stopping(stop: threading.Event) -> Iterator[None]:
    def handle(_signal: int, _frame: object) -> None:
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
