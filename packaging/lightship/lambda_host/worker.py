"""One execution environment: a fresh process of the target's Python that runs the artifact under AWS's own client."""

import contextlib
import json
import os
import secrets
import signal
import subprocess
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty
from types import TracebackType
from typing import Self

from lightship.lambda_host.function import Function, lambda_environment
from lightship.lambda_host.interpreter import python_for
from lightship.lambda_host.memory import peak_rss_bytes
from lightship.lambda_host.output import LineReader
from lightship.lambda_host.runtime_api import Event, Exited, Finished, InitFailed, Outcome, Ready, RuntimeApi
from lightship.lambda_host.runtime_dir import client_dir, sdk_dir
from lightship_runtime.errors import LightshipError

BOOTSTRAP = Path(__file__).with_name("bootstrap.py")
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: 6 MB a synchronous request and response,
# and the figure that Lambda's own error message names.
MAX_PAYLOAD = 6_291_556
LOG_TAIL = 40


class InitError(LightshipError):
    """The artifact doesn't start: its handler can't be imported, it exits, or it takes too long.

    `payload` is the JSON error a caller of the function would get.
    """

    def __init__(self, handler: str, payload: bytes, tail: list[str]) -> None:
        self.payload = payload
        told = _told(payload)
        lines = "".join(f"\n  {line}" for line in tail)
        super().__init__(f"The function {handler!r} doesn't start: {told}{lines}")


class PayloadTooLargeError(LightshipError):
    """An event over Lambda's limit of 6 MB."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """What one invocation gave: `payload` is JSON, the function's answer or, when `error`, Lambda's error document.

    `ms` is from handing over the event to having the whole answer, as Lambda's Duration. `logs` are the lines printed
    meanwhile, `request_id` what the function saw as its own.
    """

    payload: bytes
    error: bool
    ms: float
    request_id: str
    logs: tuple[str, ...] = ()


class Worker:
    """Runs one function, one invocation at a time. Make it with `start`, end it with `stop` or as a context manager.

    A function that crashes or runs out of time is reported in its Invocation, and started again by the next one.
    The process never outlives the host, however the host ends.
    """

    def __init__(self, function: Function, log: Callable[[str], None] | None, init_timeout_s: float) -> None:
        self.function = function
        self.init_ms = 0.0
        self._log = log
        self._init_timeout_s = init_timeout_s
        self._lock = threading.Lock()
        self._tail: deque[str] = deque(maxlen=LOG_TAIL)
        self._lines: list[str] = []
        self._process: _Process | None = None
        self._peak = 0
        self._stopped = False

    @classmethod
    def start(
        cls, function: Function, *, log: Callable[[str], None] | None = None, init_timeout_s: float = 60.0
    ) -> Self:
        """Boot the function and wait until it asks for its first event.

        `log` gets each line it prints, from another thread. Raises InitError when it doesn't come up, having removed
        every trace of the process. Lambda allows 10 s for this and then tries once more within the function's timeout.
        """
        worker = cls(function, log, init_timeout_s)
        worker._boot()
        return worker

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def alive(self) -> bool:
        """Whether a process is up; a crashed one comes back with the next invocation, or by `restart`."""
        return self._process is not None

    @property
    def pid(self) -> int | None:
        """The process's id, or None while there is none."""
        return self._process.pid if self._process else None

    def invoke(self, event: bytes, *, arn: str | None = None) -> Invocation:
        """Run the handler on a JSON event. `arn` is what the caller invoked, when it isn't the function's own ARN."""
        if len(event) > MAX_PAYLOAD:
            raise PayloadTooLargeError(
                f"The event has {len(event):,} bytes; Lambda accepts {MAX_PAYLOAD:,}. Send fewer instances at a time."
            )
        with self._lock:
            self._lines = []
            request_id = str(uuid.uuid4())
            begun = time.perf_counter()
            try:
                if self._process and self._process.exited:
                    self._end()
                if self._process is None:
                    self._boot()
            except InitError as error:
                return self._invocation(error.payload, True, time.perf_counter() - begun, request_id)
            deadline_ms = int((time.time() + self.function.timeout_s) * 1000)
            sent = Event(request_id, event, deadline_ms, arn or self.function.arn, _trace_id())
            return self._await(sent)

    def restart(self) -> None:
        """Replace the process by a fresh one. Raises InitError."""
        with self._lock:
            self._end()
            self._boot()

    def stop(self) -> None:
        """End the process and all that it started, an invocation under way included. More than once is harmless."""
        self._stopped = True
        if process := self._process:
            process.kill()
        with self._lock:
            self._end()

    def peak_rss_mb(self) -> float:
        """The most memory resident at once, in MB of 10^6 bytes, over all processes this worker has had.

        On Linux the kernel's own high-water mark (VmHWM). Elsewhere the resident size is only seen now, after each
        invocation and at this call, so a peak within a request is missed.
        """
        self._note_memory()
        return self._peak / 1e6

    def _boot(self) -> None:
        if self._stopped:
            raise LightshipError("This worker was stopped. Start another one.")
        self._process = process = _Process(self.function, self._on_line)
        try:
            ready = self._wait_ready(process)
        except BaseException:
            self._end()
            raise
        self.init_ms = (ready.at - process.spawned) * 1000

    def _wait_ready(self, process: "_Process") -> Ready:
        outcome = process.next_outcome(self._init_timeout_s)
        process.output.drain()
        match outcome:
            case Ready():
                return outcome
            case InitFailed(body):
                raise InitError(self.function.handler, body, list(self._tail))
            case Exited(code):
                raise InitError(self.function.handler, _exit_payload(code), list(self._tail))
            case _:
                took = _error("Sandbox.Timedout", f"Init timed out after {self._init_timeout_s:.2f} seconds")
                raise InitError(self.function.handler, took, list(self._tail))

    def _await(self, event: Event) -> Invocation:
        process = self._process
        if process is None:
            raise LightshipError("The worker has no process to invoke.")
        begun = time.perf_counter()
        process.api.deliver(event)
        try:
            outcome = process.next_outcome(self.function.timeout_s)
        except BaseException:
            self._end()
            raise
        seconds = time.perf_counter() - begun
        process.output.drain()
        match outcome:
            case Finished(_, body, error, took):
                if len(body) > MAX_PAYLOAD:
                    return self._invocation(_too_large(event.request_id, len(body)), True, took, event.request_id)
                if not _linux():
                    self._note_memory()
                return self._invocation(body, error, took, event.request_id)
            case Exited(code):
                payload = _exit_payload(code, event.request_id)
            case InitFailed(body):
                payload = body
            case _:
                told = f"Task timed out after {self.function.timeout_s:.2f} seconds"
                self._on_line(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + f"Z {event.request_id} {told}")
                payload = _error("Sandbox.Timedout", f"RequestId: {event.request_id} Error: {told}")
        self._end()
        return self._invocation(payload, True, seconds, event.request_id)

    def _invocation(self, payload: bytes, error: bool, seconds: float, request_id: str) -> Invocation:
        return Invocation(payload, error, seconds * 1000, request_id, tuple(self._lines))

    def _on_line(self, line: str) -> None:
        self._tail.append(line)
        self._lines.append(line)
        if self._log:
            self._log(line)

    def _note_memory(self) -> None:
        if (pid := self.pid) is not None:
            self._peak = max(self._peak, peak_rss_bytes(pid))

    def _end(self) -> None:
        self._note_memory()
        process, self._process = self._process, None
        if process:
            process.end()


class _Process:
    """The operating system's side of a worker: the process, its pipe of output, its lifeline and its Runtime API."""

    def __init__(self, function: Function, on_line: Callable[[str], None]) -> None:
        if os.name != "posix":
            raise LightshipError("Functions run locally on Linux and macOS only. On Windows, use WSL.")
        runtime_dirs = [client_dir(function.python)] + ([sdk_dir(function.python)] if function.sdk else [])
        python = python_for(function.python)
        stream = f"{datetime.now(UTC):%Y/%m/%d}/[{function.version}]{secrets.token_hex(16)}"
        self.api = RuntimeApi()
        out_read, out_write = os.pipe()
        lifeline_read, self._lifeline = os.pipe()
        # -S: no site-packages of the interpreter; -P: nor the bootstrap's own folder; -B: /var/task can't be written.
        command = [str(python), "-S", "-P", "-B", str(BOOTSTRAP), str(lifeline_read), *map(str, runtime_dirs)]
        self.spawned = time.perf_counter()
        try:
            self._child = subprocess.Popen(
                command,
                cwd=function.root,
                env=lambda_environment(function, runtime_dirs[0], self.api.address, stream),
                stdin=subprocess.DEVNULL,
                stdout=out_write,
                stderr=out_write,
                start_new_session=True,
                pass_fds=(lifeline_read,),
            )
        except OSError as error:
            self.api.close()
            os.close(out_read)
            os.close(self._lifeline)
            raise LightshipError(f"{function.root} can't be run: {error}. Unzip the artifact there first.") from error
        finally:
            os.close(out_write)
            os.close(lifeline_read)
        self.output = LineReader(out_read, on_line)
        self.pid = self._child.pid
        threading.Thread(target=self._watch, name="lambda-process", daemon=True).start()

    def next_outcome(self, timeout_s: float) -> Outcome | None:
        """What happens next, or None when nothing does within the timeout."""
        try:
            outcome = self.api.outcomes.get(timeout=timeout_s)
        except Empty:
            return None
        if isinstance(outcome, InitFailed):
            # What it still prints belongs to the error.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(timeout=2)
        return outcome

    @property
    def exited(self) -> bool:
        return self._child.poll() is not None

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def end(self) -> None:
        self.kill()
        self._child.wait()
        self.api.close()
        self.output.close()
        os.close(self._lifeline)

    def _watch(self) -> None:
        self.api.outcomes.put(Exited(self._child.wait()))


def _linux() -> bool:
    return Path("/proc/self/status").exists()


def _trace_id() -> str:
    return f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)};Parent={secrets.token_hex(8)};Sampled=0"


def _error(kind: str, message: str) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()


def _exit_payload(code: int, request_id: str = "") -> bytes:
    how = f"exit status {code}" if code >= 0 else f"signal: {signal.Signals(-code).name}"
    told = "Runtime exited without providing a reason" if code == 0 else f"Runtime exited with error: {how}"
    return _error("Runtime.ExitError", f"RequestId: {request_id} Error: {told}" if request_id else told)


def _too_large(request_id: str, size: int) -> bytes:
    told = f"Response payload size ({size} bytes) exceeded maximum allowed payload size ({MAX_PAYLOAD} bytes)."
    return json.dumps(
        {"errorType": "Function.ResponseSizeTooLarge", "errorMessage": told, "requestId": request_id}
    ).encode()


def _told(payload: bytes) -> str:
    try:
        document = json.loads(payload)
        return f"{document['errorType']}: {document['errorMessage']}"
    except (ValueError, TypeError, KeyError):
        return payload.decode(errors="replace")[:500]
