"""Starts the emulated AWS and holds on to it."""

import json
import os
import secrets
import string
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import IO, Self

from lightship_runtime.errors import LightshipError

ACCOUNT = "123456789012"
REGION = "us-east-1"
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 15.0
TAIL = 40


class EmulatorError(LightshipError):
    """The emulated AWS didn't start, or ended too early."""


@dataclass(frozen=True)
class RunCredentials:
    """An access key that was made up for one rehearsal and means nothing elsewhere."""

    access_key_id: str
    secret_access_key: str = field(repr=False)

    @classmethod
    def random(cls) -> Self:
        letters = string.ascii_uppercase + string.digits
        return cls("AKIA" + "".join(secrets.choice(letters) for _ in range(16)), secrets.token_urlsafe(30))


class EmulatedAws:
    """An emulator process. It ends with `stop`, with the context, or with this process."""

    def __init__(
        self, process: subprocess.Popen[str], credentials: RunCredentials, endpoint_url: str, account: str, region: str
    ) -> None:
        self._process = process
        self.credentials = credentials
        self.endpoint_url = endpoint_url
        self.account = account
        self.region = region

    @classmethod
    def start(
        cls, *, account: str = ACCOUNT, region: str = REGION, log: Callable[[str], None] = lambda _line: None
    ) -> Self:
        """Boot the emulator; `log` gets what it complains about. Raises EmulatorError."""
        credentials = RunCredentials.random()
        process = subprocess.Popen(
            [sys.executable, "-m", "lightship.rehearsal.emulator"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=_environment(),
            # Ctrl-C is for the rehearsal, which then ends the emulator in order.
            start_new_session=True,
        )
        tail: deque[str] = deque(maxlen=TAIL)
        stdin, stdout, stderr = process.stdin, process.stdout, process.stderr
        if stdin is None or stdout is None or stderr is None:
            raise EmulatorError("The emulated AWS has no pipes.")

        def follow(stream: IO[str]) -> None:
            with stream:
                for line in stream:
                    tail.append(line.rstrip())
                    log(line.rstrip())

        threading.Thread(target=follow, args=(stderr,), name="emulator-log", daemon=True).start()
        watchdog = threading.Timer(START_TIMEOUT_S, process.kill)
        watchdog.start()
        try:
            stdin.write(json.dumps({**asdict(credentials), "account": account, "region": region}) + "\n")
            stdin.flush()
            answer = stdout.readline()
        except BrokenPipeError:
            answer = ""
        finally:
            watchdog.cancel()
        if not answer:
            process.kill()
            process.wait()
            told = "\n".join(tail)
            raise EmulatorError(
                f"The emulated AWS didn't start:\n{told}\nIt needs `pip install 'moto[server]==5.2.5'`."
            )
        return cls(process, credentials, json.loads(answer)["endpoint_url"], account, region)

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which AWS's tools find this emulator and nothing else."""
        return {
            "AWS_ACCESS_KEY_ID": self.credentials.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.credentials.secret_access_key,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_REGION": self.region,
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def stop(self) -> None:
        if self._process.stdin and not self._process.stdin.closed:
            self._process.stdin.close()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _environment() -> dict[str, str]:
    """This process's variables without those that speak of the user's own AWS or of a proxy."""
    hidden = ("AWS_", "MOTO_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
    return {name: text for name, text in os.environ.items() if not name.startswith(hidden)}
