"""The Lambda host runs real processes of the target's Python under AWS's own runtime client."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lightship.lambda_host import Function, InitError, PayloadTooLargeError, ReservedVariableError, Worker, tree_digest
from lightship.lambda_host.runtime_dir import client_dir
from lightship_runtime.errors import LightshipError

HANDLER = """
import json, os, sys, time

def echo(event, context):
    return event

def world(event, context):
    import importlib.util
    seen = {name: importlib.util.find_spec(name) is not None for name in ("numpy", "boto3", "pytest", "lightship")}
    return {
        "environment": dict(os.environ), "path": sys.path, "cwd": os.getcwd(), "version": sys.version_info[:2],
        "argv": sys.argv[1:], "seen": seen, "stdin": sys.stdin.read(), "written": not sys.dont_write_bytecode,
        "context": [context.function_name, context.function_version, context.memory_limit_in_mb,
                    context.invoked_function_arn, context.aws_request_id],
        "left": context.get_remaining_time_in_millis(),
    }

def misbehave(event, context):
    print("before", event)
    match event:
        case "exit": os._exit(3)
        case "signal": os.kill(os.getpid(), 11)
        case "sleep": time.sleep(60)
        case "spin":
            while True: pass
        case "raise": raise ValueError("no such airport: XYZ")
        case "large": return "x" * 7_000_000
        case "child":
            import subprocess
            return subprocess.Popen(["sleep", "300"]).pid
    return "fine"

def chatty(event, context):
    print(json.dumps({"n": event}))
    print("to stderr", file=sys.stderr)
    print("x" * 200_000)
    sys.stdout.write("unfinished")
    return None
"""


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    folder = tmp_path / "task"
    folder.mkdir()
    (folder / "app.py").write_text(HANDLER)
    return folder


@pytest.fixture
def started(artifact: Path) -> Iterator[Callable[..., Worker]]:
    workers: list[Worker] = []

    def start(handler: str, **settings: object) -> Worker:
        function = Function(artifact, f"app.{handler}", **settings)  # type: ignore[arg-type]
        workers.append(Worker.start(function))
        return workers[-1]

    yield start
    for worker in workers:
        worker.stop()


def gone(pid: int, within_s: float = 5) -> bool:
    """Whether the process ends (a zombie has ended) within the time."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("python", ["3.12", "3.13"])
def test_answers_with_the_bytes_of_the_handler(started: Callable[..., Worker], python: str) -> None:
    worker = started("echo", python=python)
    first, second = worker.invoke(b'{"a": [1.5, "\xc3\xa9", null]}'), worker.invoke(b"2")
    assert json.loads(first.payload) == {"a": [1.5, "é", None]}
    assert not first.error
    assert second.payload == b"2"
    assert first.request_id != second.request_id
    assert 0 < first.ms < 5000
    assert 0 < worker.init_ms < 10_000
    assert 5 < worker.peak_rss_mb() < 100


@pytest.mark.parametrize("python", ["3.12", "3.13"])
def test_the_function_sees_lambda_and_nothing_of_the_host(
    started: Callable[..., Worker], artifact: Path, python: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_HOST", "leak")
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    worker = started("world", python=python, name="flights", version="7", memory_mb=512, environment={"STAGE": "test"})
    world = json.loads(worker.invoke(b"{}").payload)
    environment = world["environment"]
    assert set(environment) <= {
        "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_RUNTIME_API", "AWS_REGION",
        "AWS_XRAY_CONTEXT_MISSING", "AWS_XRAY_DAEMON_ADDRESS", "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT", "LANG",
        "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "STAGE", "TZ",
        "LC_CTYPE",  # Python coerces the C locale where en_US.UTF-8 isn't installed
    }  # fmt: skip
    assert environment["AWS_EXECUTION_ENV"] == f"AWS_Lambda_python{python}"
    assert environment["STAGE"] == "test"
    assert world["version"] == [int(part) for part in python.split(".")]
    assert world["seen"] == {"numpy": False, "boto3": False, "pytest": False, "lightship": False}
    assert world["path"][0] == world["cwd"] == environment["LAMBDA_TASK_ROOT"] == str(artifact)
    assert not any("site-packages" in folder for folder in world["path"])
    assert world["argv"] == ["app.world"]
    assert world["stdin"] == ""
    arn = "arn:aws:lambda:us-east-1:123456789012:function:flights:7"
    assert world["context"][:4] == ["flights", "7", "512", arn]
    assert 20_000 < world["left"] <= 30_000


def test_the_artifacts_packages_win_over_the_runtimes(started: Callable[..., Worker], artifact: Path) -> None:
    (artifact / "boto3.py").write_text("__version__ = 'of the artifact'")
    (artifact / "own.py").write_text(
        "import boto3, botocore\ndef handler(event, context): return [boto3.__version__, botocore.__version__]"
    )
    function = Function(artifact, "own.handler", sdk=True)
    with Worker.start(function) as worker:
        ours, theirs = json.loads(worker.invoke(b"{}").payload)
    assert ours == "of the artifact"
    assert theirs[0].isdigit()


def test_nothing_is_written_into_the_artifact(started: Callable[..., Worker], artifact: Path) -> None:
    before = tree_digest(artifact)
    started("echo").invoke(b"1")
    assert tree_digest(artifact) == before
    (artifact / "__pycache__").mkdir()
    assert tree_digest(artifact) != before


def test_what_is_printed_arrives_line_by_line_before_the_answer(artifact: Path) -> None:
    lines: list[str] = []
    with Worker.start(Function(artifact, "app.chatty"), log=lines.append) as worker:
        result = worker.invoke(b"1")
        assert lines == ['{"n": 1}', "to stderr", "x" * 200_000]
        assert result.logs == tuple(lines)
        assert worker.invoke(b"2").logs[0] == 'unfinished{"n": 2}'
    assert lines[-1] == "unfinished"


def test_an_exception_is_the_functions_error(started: Callable[..., Worker]) -> None:
    worker = started("misbehave")
    result = worker.invoke(b'"raise"')
    error = json.loads(result.payload)
    assert result.error
    assert (error["errorType"], error["errorMessage"]) == ("ValueError", "no such airport: XYZ")
    assert worker.invoke(b'""').payload == b'"fine"'


@pytest.mark.parametrize(("event", "told"), [("exit", "exit status 3"), ("signal", "signal: SIGSEGV")])
def test_a_crash_is_reported_and_the_next_invocation_starts_anew(
    started: Callable[..., Worker], event: str, told: str
) -> None:
    worker = started("misbehave")
    pid = worker.pid
    result = worker.invoke(json.dumps(event).encode())
    error = json.loads(result.payload)
    assert result.error
    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"] == f"RequestId: {result.request_id} Error: Runtime exited with error: {told}"
    assert result.logs == (f"before {event}",)
    assert not worker.alive
    assert worker.invoke(b'""').payload == b'"fine"'
    assert worker.pid != pid


@pytest.mark.parametrize("event", ["sleep", "spin"])
def test_time_out_kills_the_process(started: Callable[..., Worker], event: str) -> None:
    worker = started("misbehave", timeout_s=0.4)
    pid = worker.pid
    assert pid
    result = worker.invoke(json.dumps(event).encode())
    error = json.loads(result.payload)
    assert error["errorType"] == "Sandbox.Timedout"
    assert "Task timed out after 0.40 seconds" in error["errorMessage"]
    assert "Task timed out after 0.40 seconds" in result.logs[-1]
    assert 400 <= result.ms < 3000
    assert gone(pid)
    assert worker.invoke(b'""').payload == b'"fine"'


def test_payload_limits_are_lambdas(started: Callable[..., Worker]) -> None:
    worker = started("misbehave")
    result = worker.invoke(b'"large"')
    assert result.error
    assert json.loads(result.payload)["errorType"] == "Function.ResponseSizeTooLarge"
    with pytest.raises(PayloadTooLargeError, match="6,291,556"):
        worker.invoke(b'"' + b"x" * 6_291_556 + b'"')


@pytest.mark.parametrize(
    ("handler", "told"),
    [
        ("absent.handler", "Runtime.ImportModuleError: Unable to import module 'absent'"),
        ("app.absent", "Runtime.HandlerNotFound"),
        ("broken.handler", "ZeroDivisionError: division by zero"),
        ("leaving.handler", "Runtime exited with error: exit status 9"),
    ],
)
def test_a_function_that_does_not_start_says_why(artifact: Path, handler: str, told: str) -> None:
    (artifact / "broken.py").write_text("print('loading'); 1 / 0")
    (artifact / "leaving.py").write_text("import os; os._exit(9)")
    with pytest.raises(InitError) as raised:
        Worker.start(Function(artifact, handler))
    assert told in str(raised.value)
    assert json.loads(raised.value.payload)["errorType"]
    if handler == "broken.handler":
        assert "\n  loading\n" in str(raised.value)


def test_a_start_that_takes_too_long_ends(artifact: Path) -> None:
    (artifact / "slow.py").write_text("import time; time.sleep(60)")
    with pytest.raises(InitError, match="Init timed out"):
        Worker.start(Function(artifact, "slow.handler"), init_timeout_s=0.3)


def test_snapshot_hooks_run_before_and_after(artifact: Path) -> None:
    (artifact / "snap.py").write_text(
        "from snapshot_restore_py import register_before_snapshot, register_after_restore\n"
        "seen = []\n"
        "register_before_snapshot(lambda: seen.append('before'))\n"
        "register_after_restore(lambda: seen.append('after'))\n"
        "def handler(event, context): return seen\n"
    )
    with Worker.start(Function(artifact, "snap.handler", initialization="snap-start")) as worker:
        assert json.loads(worker.invoke(b"{}").payload) == ["before", "after"]
    with Worker.start(Function(artifact, "snap.handler")) as worker:
        assert json.loads(worker.invoke(b"{}").payload) == []


def test_stop_ends_the_process_and_what_it_started(started: Callable[..., Worker]) -> None:
    worker = started("misbehave")
    pid, grandchild = worker.pid, int(worker.invoke(b'"child"').payload)
    assert pid
    worker.stop()
    assert gone(pid)
    assert gone(grandchild)
    with pytest.raises(LightshipError, match="stopped"):
        worker.restart()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's signal on a closed pipe is Linux's")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("event", ["", "spin"])
def test_no_process_outlives_the_host(artifact: Path, sent: signal.Signals, event: str) -> None:
    host = (
        "import sys; from pathlib import Path; from lightship.lambda_host import Function, Worker\n"
        "function = Function(Path(sys.argv[1]), 'app.misbehave')\n"
        "worker = Worker.start(function, log=lambda line: print(line, flush=True))\n"
        "print(worker.pid, flush=True)\n"
        "worker.invoke(sys.argv[2].encode()); import time; time.sleep(60)\n"
    )
    command = [sys.executable, "-c", host, str(artifact), json.dumps(event)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        assert parent.stdout.readline().startswith("before")
        parent.send_signal(sent)
        parent.wait(timeout=10)
        assert gone(pid)


def test_reserved_variables_are_refused(artifact: Path) -> None:
    with pytest.raises(ReservedVariableError, match="AWS_REGION"):
        Function(artifact, "app.echo", environment={"AWS_REGION": "eu-west-1"})


def test_the_plain_python_transport_speaks_the_same_protocol(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = tmp_path / "client"
    shutil.copytree(client_dir("3.13"), plain)
    for compiled in plain.glob("runtime_client*.so"):
        compiled.unlink()
    source = Path(sys.modules["lightship.lambda_host"].__path__[0]) / "fallback" / "runtime_client.py"
    shutil.copy(source, plain)
    monkeypatch.setattr("lightship.lambda_host.worker.client_dir", lambda _version: plain)
    with Worker.start(Function(artifact, "app.misbehave")) as worker:
        assert worker.invoke(b'""').payload == b'"fine"'
        assert json.loads(worker.invoke(b'"raise"').payload)["errorType"] == "ValueError"
        assert worker.invoke(b'"no"').payload == b'"fine"'
