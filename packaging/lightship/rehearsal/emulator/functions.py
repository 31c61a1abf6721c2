"""Runs deployed functions from the bytes that were uploaded, and writes what they print to their log groups."""

import contextlib
import json
import tempfile
import threading
import time
import zipfile
from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from lightship.lambda_host import (
    BadZipError,
    Credentials,
    Function,
    InitError,
    Invocation,
    PayloadTooLargeError,
    Worker,
    remove_tree,
    unpack,
)
from lightship.rehearsal.emulator.clients import Clients
from lightship.rehearsal.emulator.emf import metrics_in
from lightship_runtime.errors import LightshipError

MAX_WORKERS = 8
METRICS_A_CALL = 150


@dataclass(frozen=True)
class Deployed:
    """A function as Lambda has it, of one version."""

    arn: str
    name: str
    version: str
    runtime: str
    handler: str
    role: str
    memory_mb: int
    timeout_s: float
    environment: dict[str, str]
    log_group: str
    code: bytes = field(repr=False)
    snapstart: bool = False

    @property
    def key(self) -> str:
        settings = (self.arn, self.handler, self.memory_mb, self.timeout_s, sorted(self.environment.items()))
        return sha256(repr(settings).encode() + self.code).hexdigest()


@dataclass(frozen=True)
class Outcome:
    """What a caller of the function gets: JSON, whether it is an error, and the end of the log."""

    payload: str
    error: bool
    log: str


class Functions:
    """Keeps a few workers warm, the least recently used of them ending first."""

    def __init__(self, aws: Clients) -> None:
        self._aws = aws
        self._folder = Path(tempfile.mkdtemp(prefix="lightship-rehearsal-"))
        self._idle: OrderedDict[str, list[Worker]] = OrderedDict()
        self._count = 0
        self._lock = threading.Lock()

    def run(self, deployed: Deployed, event: bytes) -> Outcome:
        """Invoke, starting a worker if none is free. Whatever goes wrong is the function's error, as on AWS."""
        try:
            worker = self._take(deployed)
        except InitError as error:
            self._write_log(deployed, str(error).splitlines())
            return Outcome(error.payload.decode(), True, str(error))
        except LightshipError as error:
            return Outcome(_error("Runtime.InvalidEntrypoint", str(error)), True, str(error))
        try:
            result = worker.invoke(event)
        except PayloadTooLargeError as error:
            return Outcome(_error("RequestEntityTooLarge", str(error)), True, "")
        finally:
            self._give_back(deployed.key, worker)
        lines = _report(deployed, result)
        self._write_log(deployed, lines)
        self._write_metrics(result.logs)
        return Outcome(result.payload.decode(), result.error, "\n".join(lines)[-4096:])

    def close(self) -> None:
        with self._lock:
            workers = [worker for idle in self._idle.values() for worker in idle]
            self._idle.clear()
        for worker in workers:
            worker.stop()
        remove_tree(self._folder)

    def _take(self, deployed: Deployed) -> Worker:
        with self._lock:
            idle = self._idle.get(deployed.key)
            if idle:
                self._idle.move_to_end(deployed.key)
                return idle.pop()
            self._count += 1
            evicted = self._evict() if self._count > MAX_WORKERS else None
        if evicted:
            evicted.stop()
        try:
            return Worker.start(self._function(deployed))
        except BaseException:
            with self._lock:
                self._count -= 1
            raise

    def _evict(self) -> Worker | None:
        for key, idle in self._idle.items():
            if idle:
                self._count -= 1
                worker = idle.pop()
                if not idle:
                    del self._idle[key]
                return worker
        return None

    def _give_back(self, key: str, worker: Worker) -> None:
        with self._lock:
            self._idle.setdefault(key, []).append(worker)
            self._idle.move_to_end(key)

    def _function(self, deployed: Deployed) -> Function:
        if not deployed.runtime.startswith("python"):
            raise LightshipError(f"The rehearsal runs Python functions; {deployed.name} wants {deployed.runtime}.")
        return Function(
            self._unpacked(deployed.code),
            deployed.handler,
            python=deployed.runtime.removeprefix("python"),
            name=deployed.name,
            version=deployed.version,
            memory_mb=deployed.memory_mb,
            timeout_s=deployed.timeout_s,
            environment=deployed.environment,
            extra={"AWS_ENDPOINT_URL": self._aws.endpoint_url, "AWS_EC2_METADATA_DISABLED": "true"},
            region=self._aws.region,
            account=self._aws.account,
            initialization="snap-start" if deployed.snapstart and deployed.version != "$LATEST" else "on-demand",
            credentials=self._credentials(deployed),
            sdk=True,
            log_group=deployed.log_group,
        )

    def _unpacked(self, code: bytes) -> Path:
        root = self._folder / sha256(code).hexdigest()
        with self._lock:
            if not root.exists():
                try:
                    unpack(code, root)
                except (BadZipError, zipfile.BadZipFile):
                    remove_tree(root)
                    raise
        return root

    def _credentials(self, deployed: Deployed) -> Credentials:
        session = self._aws("sts").assume_role(RoleArn=deployed.role, RoleSessionName=deployed.name[:64])["Credentials"]
        return Credentials(session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"])

    def _write_log(self, deployed: Deployed, lines: list[str]) -> None:
        logs = self._aws("logs")
        stream = f"{time.strftime('%Y/%m/%d')}/[{deployed.version}]{deployed.key[:32]}"
        now = time.time_ns() // 1_000_000
        for create, which in (
            (logs.create_log_group, {"logGroupName": deployed.log_group}),
            (logs.create_log_stream, {"logGroupName": deployed.log_group, "logStreamName": stream}),
        ):
            with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
                create(**which)
        events = [{"timestamp": now, "message": line} for line in lines if line]
        if events:
            logs.put_log_events(logGroupName=deployed.log_group, logStreamName=stream, logEvents=events)

    def _write_metrics(self, lines: tuple[str, ...]) -> None:
        by_namespace: dict[str, list[dict[str, Any]]] = {}
        for line in lines:
            for namespace, datum in metrics_in(line):
                by_namespace.setdefault(namespace, []).append(datum)
        for namespace, data in by_namespace.items():
            for start in range(0, len(data), METRICS_A_CALL):
                chunk = data[start : start + METRICS_A_CALL]
                with contextlib.suppress(ClientError):
                    self._aws("cloudwatch").put_metric_data(Namespace=namespace, MetricData=chunk)


def _report(deployed: Deployed, result: Invocation) -> list[str]:
    """The log of one invocation between Lambda's own lines."""
    memory = f"Memory Size: {deployed.memory_mb} MB"
    return [
        f"START RequestId: {result.request_id} Version: {deployed.version}",
        *result.logs,
        f"END RequestId: {result.request_id}",
        f"REPORT RequestId: {result.request_id}\tDuration: {result.ms:.2f} ms\t{memory}",
    ]


def _error(kind: str, message: str) -> str:
    return json.dumps({"errorType": kind, "errorMessage": message})
