"""Lambda's Runtime API for one execution environment, on a loopback port of its own.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html. The runtime asks for the next event and waits; the
host puts events in by `deliver` and takes what happened out of `outcomes`.
"""

import contextlib
import socket
import threading
from dataclasses import dataclass
from queue import SimpleQueue
from time import perf_counter
from typing import BinaryIO

PREFIX = "/2018-06-01/runtime/"
MAX_BODY = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Event:
    """One invocation on its way to the runtime."""

    request_id: str
    body: bytes
    deadline_ms: int
    arn: str
    trace_id: str


@dataclass(frozen=True, slots=True)
class Ready:
    """The runtime has initialised and asked for its first event, at `at` on perf_counter's clock."""

    at: float


@dataclass(frozen=True, slots=True)
class InitFailed:
    """The runtime couldn't import the handler, or a snapshot hook failed; `body` is its JSON error."""

    body: bytes


@dataclass(frozen=True, slots=True)
class Finished:
    """The runtime answered an event, `seconds` after it took it."""

    request_id: str
    body: bytes
    error: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Exited:
    """The process is gone. `code` is as subprocess gives it: negative for a signal."""

    code: int


type Outcome = Ready | InitFailed | Finished | Exited


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    body: bytes


class RuntimeApi:
    """Serves one runtime. `address` is what AWS_LAMBDA_RUNTIME_API has to be."""

    def __init__(self) -> None:
        self.outcomes: SimpleQueue[Outcome] = SimpleQueue()
        self._events: SimpleQueue[Event | None] = SimpleQueue()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._closed = False
        self._ready = False
        self._taken: tuple[str, float] = ("", 0.0)
        host, port = self._listener.getsockname()[:2]
        self.address = f"{host}:{port}"
        threading.Thread(target=self._accept, name="runtime-api", daemon=True).start()

    def deliver(self, event: Event) -> None:
        """Hand an event to the runtime at its next request."""
        self._events.put(event)

    def close(self) -> None:
        """Stop serving and drop every connection, so that the runtime ends by itself too."""
        with self._lock:
            self._closed = True
            connections = list(self._connections)
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._events.put(None)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if self._closed:
                    connection.close()
                    return
                self._connections.add(connection)
            threading.Thread(target=self._converse, args=(connection,), name="runtime-api", daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            with connection, connection.makefile("rb") as stream:
                while request := _read_request(stream):
                    answer = self._answer(request)
                    if answer is None:
                        return
                    connection.sendall(answer)
        except OSError:
            return
        finally:
            with self._lock:
                self._connections.discard(connection)

    def _answer(self, request: _Request) -> bytes | None:
        arrived = perf_counter()
        match request.method, request.path.removeprefix(PREFIX).split("/"):
            case "GET", ["invocation", "next"]:
                return self._next(arrived)
            case "POST", ["invocation", request_id, "response" | "error" as kind]:
                return self._finish(request_id, kind == "error", request.body, arrived)
            case "POST", ["init" | "restore", "error"]:
                self.outcomes.put(InitFailed(request.body))
                return _response("202 Accepted")
            case "GET", ["restore", "next"]:
                return _response("200 OK")
            case _:
                return _response("404 Not Found", b'{"errorType":"UnknownPath"}')

    def _next(self, arrived: float) -> bytes | None:
        if not self._ready:
            self._ready = True
            self.outcomes.put(Ready(arrived))
        event = self._events.get()
        if event is None:
            return None
        headers = {
            "Lambda-Runtime-Aws-Request-Id": event.request_id,
            "Lambda-Runtime-Deadline-Ms": str(event.deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": event.arn,
            "Lambda-Runtime-Trace-Id": event.trace_id,
        }
        self._taken = (event.request_id, perf_counter())
        return _response("200 OK", event.body, headers)

    def _finish(self, request_id: str, error: bool, body: bytes, arrived: float) -> bytes:
        taken, since = self._taken
        if request_id != taken:
            return _response("400 Bad Request", b'{"errorType":"InvalidRequestID"}')
        self._taken = ("", 0.0)
        self.outcomes.put(Finished(request_id, body, error, arrived - since))
        return _response("202 Accepted", b'{"status":"OK"}')


def _read_request(stream: BinaryIO) -> _Request | None:
    """The next request, or None when the peer has gone or doesn't speak as the two runtime clients do."""
    line = stream.readline(65536).decode("latin-1").split()
    if len(line) != 3:
        return None
    length = 0
    while (header := stream.readline(2 * 1024 * 1024)) not in {b"\r\n", b"\n", b""}:
        name, _, text = header.partition(b":")
        if name.lower() == b"content-length":
            length = int(text)
    if not 0 <= length <= MAX_BODY:
        return None
    body = stream.read(length)
    return _Request(line[0], line[1], body) if len(body) == length else None


def _response(status: str, body: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
    fields = {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}
    head = "".join(f"{name}: {text}\r\n" for name, text in fields.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode("latin-1") + body
