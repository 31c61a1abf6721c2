"""A small HTTP server for this machine alone: loopback only, and deaf to web pages of other origins."""

import socket
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import urlsplit

from lightship.gateway.messages import MAX_REQUEST, HttpRequest, HttpResponse, message

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
IDLE_TIMEOUT_S = 60

type Answer = Callable[[HttpRequest], HttpResponse]


class LoopbackServer:
    """Serves `answer` on 127.0.0.1 from a thread a connection. Port 0 takes a free one. A context manager.

    Refused with 403: a Host that isn't loopback or among `hosts` (a name that was rebound to this machine), and an
    Origin that isn't loopback (a page of another site). Refused with 413: a body over 10 MiB.
    """

    def __init__(self, answer: Answer, *, port: int = 0, hosts: frozenset[str] = frozenset()) -> None:
        handler = type("Handler", (_Handler,), {"answer": staticmethod(answer), "hosts": LOOPBACK | hosts})
        self._server = _Server(("127.0.0.1", port), handler)
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="loopback", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._server.drop_connections()
        self._thread.join(timeout=5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(address, handler)

    def process_request_thread(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        self._open.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._open.discard(request)

    def handle_error(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        """A caller that hangs up is no error worth a traceback."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def drop_connections(self) -> None:
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "lightship"
    sys_version = ""
    timeout = IDLE_TIMEOUT_S
    disable_nagle_algorithm = True
    wbufsize = -1
    answer: Answer
    hosts: frozenset[str]

    def _serve(self) -> None:
        refusal = self._refusal()
        body = b"" if refusal else self._read_body()
        if refusal or isinstance(body, HttpResponse):
            self.close_connection = True
            self._send(refusal or body)  # type: ignore[arg-type]
            return
        path, _, query = self.path.partition("?")
        request = HttpRequest(
            self.command, path, query, tuple(self.headers.items()), body, scheme="http", source_ip="127.0.0.1"
        )
        self._send(type(self).answer(request))

    def _refusal(self) -> HttpResponse | None:
        host = urlsplit(f"//{self.headers.get('Host', '')}").hostname
        if host not in self.hosts:
            return message(403, f"This server answers to loopback names only, not to {host!r}.")
        origin = self.headers.get("Origin")
        if origin is not None and urlsplit(origin).hostname not in self.hosts:
            return message(403, f"This server answers no page of {origin}.")
        return None

    def _read_body(self) -> bytes | HttpResponse:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self._read_chunks()
        length = self.headers.get("Content-Length") or "0"
        if not length.isdecimal():
            return message(400, "Bad Request")
        if int(length) > MAX_REQUEST:
            return message(413, "Request Entity Too Large")
        return self.rfile.read(int(length))

    def _read_chunks(self) -> bytes | HttpResponse:
        body = bytearray()
        while True:
            try:
                size = int(self.rfile.readline(1024).partition(b";")[0], 16)
            except ValueError:
                return message(400, "Bad Request")
            if size < 0 or len(body) + size > MAX_REQUEST:
                return message(413, "Request Entity Too Large")
            body += self.rfile.read(size)
            if size == 0:
                while self.rfile.readline(65536).strip():
                    continue
                return bytes(body)
            self.rfile.readline(1024)

    def _send(self, response: HttpResponse) -> None:
        self.send_response(response.status)
        for name, text in response.headers:
            self.send_header(name, text)
        self.send_header("content-length", str(len(response.body)))
        if self.close_connection:
            self.send_header("connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Nothing on stderr: what the function prints is the log."""

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_HEAD = _serve  # noqa: N815 - the library's names
