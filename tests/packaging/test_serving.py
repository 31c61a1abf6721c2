"""Serving: real worker processes behind a real HTTP front."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from lightship import serving
from lightship.gateway import HttpResponse
from lightship.lambda_host import Function, InitError, unpack
from lightship.loopback import LoopbackServer
from lightship.serving import ModelServer

HANDLER = """
import json, os, time

def handler(event, context):
    path = event["rawPath"]
    print("saw", path)
    if path == "/crash":
        os._exit(1)
    if path == "/raise":
        raise RuntimeError("boom")
    if path == "/slow":
        time.sleep(60)
    if path == "/pause":
        time.sleep(0.4)
    if path == "/plain":
        return "plain"
    return {"statusCode": 200, "cookies": ["a=1"], "headers": {"content-type": "application/json"},
            "body": json.dumps({"pid": os.getpid(), "event": event})}
"""


@pytest.fixture(scope="module")
def function(tmp_path_factory: pytest.TempPathFactory) -> Function:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("app.py")
        info.external_attr = 0o644 << 16
        archive.writestr(info, HANDLER)
    root = unpack(buffer.getvalue(), tmp_path_factory.mktemp("task"))
    return Function(root, "app.handler", name="tiny", timeout_s=1.5)


@pytest.fixture(scope="module")
def lines() -> list[str]:
    return []


@pytest.fixture(scope="module")
def server(function: Function, lines: list[str]) -> Iterator[ModelServer]:
    pages = {("GET", "/page"): lambda _request: HttpResponse(200, (), b"of the host")}
    with ModelServer(function, workers=2, log=lines.append, pages=pages) as running:
        yield running


@pytest.fixture
def client(server: ModelServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=20, trust_env=False) as opened:
        yield opened


def test_a_request_reaches_the_function_as_an_event(client: httpx.Client, lines: list[str]) -> None:
    answer = client.post("/predict?x=1", json={"instances": [{"a": "é"}]}, headers={"X-Trace": "t"})
    event = answer.json()["event"]
    assert answer.status_code == 200
    assert answer.headers["set-cookie"] == "a=1"
    assert json.loads(event["body"]) == {"instances": [{"a": "é"}]}
    assert event["headers"]["x-trace"] == "t"
    assert event["headers"]["x-forwarded-proto"] == "http"
    assert event["rawQueryString"] == "x=1"
    assert "saw /predict" in lines


def test_chunked_bodies_and_keep_alive(client: httpx.Client) -> None:
    parts = iter([b'{"a"', b": 1}"])
    answer = client.post("/predict", content=parts, headers={"content-type": "application/json"})
    assert answer.json()["event"]["body"] == '{"a": 1}'
    assert client.get("/plain").text == "plain"
    assert client.head("/plain").content == b""
    assert client.get("/page").text == "of the host"


def test_requests_run_side_by_side(server: ModelServer) -> None:
    with httpx.Client(base_url=server.url, timeout=20, trust_env=False) as opened, ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(lambda _: opened.get("/pause").json()["pid"], range(2)))
    assert len(set(answers)) == 2


@pytest.mark.parametrize(("path", "status"), [("/crash", 500), ("/raise", 500), ("/slow", 500)])
def test_failures_are_the_gateways_and_the_next_request_works(client: httpx.Client, path: str, status: int) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert answer.json() == {"message": "Internal Server Error"}
    assert [client.get("/ok").status_code for _ in range(4)] == [200] * 4


def test_limits_are_the_services(client: httpx.Client) -> None:
    assert client.post("/predict", content=b"x" * 7_000_000).status_code == 413
    assert client.post("/predict", content=b"x" * (10 * 1024 * 1024 + 1)).status_code == 413


def test_an_integration_that_takes_too_long_is_unavailable(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "INTEGRATION_TIMEOUT_S", 0.1)
    answer = client.get("/pause")
    assert (answer.status_code, answer.json()) == (503, {"message": "Service Unavailable"})


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Origin": "null"}])
def test_other_hosts_and_origins_are_refused(client: httpx.Client, headers: dict[str, str]) -> None:
    assert client.get("/ok", headers=headers).status_code == 403
    assert client.get("/ok", headers={"Origin": "http://localhost:3000"}).status_code == 200


@pytest.mark.skipif(sys.platform != "linux", reason="reads the kernel's table of sockets")
def test_only_loopback_is_bound(server: ModelServer) -> None:
    rows = [line.split() for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
    listening = {row[1] for row in rows if row[3] == "0A" and row[1].endswith(f":{server.port:04X}")}
    assert listening == {f"0100007F:{server.port:04X}"}


def test_malformed_requests_do_not_stop_the_server(server: ModelServer) -> None:
    for sent in (b"nonsense\r\n\r\n", b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
                 b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"):  # fmt: skip
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as raw:
            raw.sendall(sent)
            assert b"400" in raw.recv(1000)
    assert httpx.get(f"{server.url}/ok", trust_env=False).status_code == 200


def test_a_function_that_does_not_start_leaves_nothing_running(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("1 / 0")
    with pytest.raises(InitError, match="ZeroDivisionError"):
        ModelServer(Function(tmp_path, "app.handler"), workers=2)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(function: Function, sent: signal.Signals) -> None:
    host = (
        "import sys; from pathlib import Path; from lightship.lambda_host import Function\n"
        "from lightship.serving import ready_line, serve\n"
        "function = Function(Path(sys.argv[1]), 'app.handler', name='tiny')\n"
        "show = lambda s: print(ready_line(s, function), *[w.pid for w in s.pool.workers], sep='|', flush=True)\n"
        "serve(function, workers=2, ready=show)\n"
    )
    command = [sys.executable, "-c", host, str(function.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stderr
        line, *pids = process.stdout.readline().strip().split("|")
        assert line.startswith("tiny answers on http://127.0.0.1:")
        assert "2 workers" in line
        url = line.split()[3]
        assert httpx.get(f"{url}/ok", trust_env=False).status_code == 200
        process.send_signal(sent)
        assert process.wait(timeout=10) == 0
        assert process.stderr.read() == ""
    for pid in pids:
        assert not Path(f"/proc/{pid}").exists() or os.name != "posix"


def test_the_loopback_server_closes(server: ModelServer) -> None:
    with LoopbackServer(lambda _request: HttpResponse(204)) as other:
        assert httpx.get(other.url, trust_env=False).status_code == 204
    with pytest.raises(httpx.ConnectError):
        httpx.get(other.url, trust_env=False)
