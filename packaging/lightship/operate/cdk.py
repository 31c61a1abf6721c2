"""Runs the CDK's command line with the caller's own AWS."""

import os
import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lightship.rehearsal.node import CdkTool
from lightship_runtime.errors import LightshipError

STOP_TIMEOUT_S = 15
TAIL = 30
QUIET = {
    "CI": "true",
    "NO_COLOR": "1",
    "CDK_DISABLE_CLI_TELEMETRY": "1",
    "JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION": "1",
    "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "1",
    "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
    "NODE_NO_WARNINGS": "1",
}
EVENT = re.compile(
    r"\|\s*(?P<done>\d+)/(?P<all>\d+)\s*\|[^|]*\|\s*(?P<status>[A-Z_]+)\s*\|\s*(?P<type>\S+)\s*\|\s*(?P<id>.*)"
)


class CdkError(LightshipError):
    """A command of the CDK failed."""


@dataclass(frozen=True, slots=True)
class CdkRun:
    """What a command printed. Its exit code proves nothing about what exists."""

    returncode: int
    output: str

    @property
    def tail(self) -> str:
        """The last lines that tell something."""
        lines = [line for line in self.output.splitlines() if line.strip() and not line.lstrip().startswith("at ")]
        return "\n".join(lines[-TAIL:])


@dataclass(frozen=True)
class CdkProgram:
    """The command line of the CDK in a project's folder. `start` is subprocess.Popen."""

    tool: CdkTool
    project: Path
    region: str
    start: Callable[..., Any] = field(default=subprocess.Popen)

    def run(
        self,
        *arguments: str,
        app: Path | None = None,
        context: Mapping[str, str] | None = None,
        line: Callable[[str], None] = lambda _line: None,
    ) -> CdkRun:
        """Run a command; `line` hears each line it prints. Ctrl-C ends the program and is passed on."""
        command = [*self.tool.command, *arguments, "--no-notices"]
        if app is not None:
            command += ["--app", str(app)]
        for name, text in (context or {}).items():
            command += ["--context", f"{name}={text}"]
        process = self.start(
            command,
            cwd=self.project,
            env={**os.environ, **QUIET, "PATH": self.tool.path, "AWS_REGION": self.region},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            # Ctrl-C is for us, who then put things back in order.
            start_new_session=True,
        )
        lines: list[str] = []
        try:
            for text in process.stdout:
                lines.append(text.rstrip())
                line(text.rstrip())
            return CdkRun(process.wait(), "\n".join(lines))
        finally:
            _end(process)

    def must(self, *arguments: str, **settings: Any) -> CdkRun:
        """Run a command that has to succeed. Raises CdkError."""
        done = self.run(*arguments, **settings)
        if done.returncode != 0:
            raise CdkError(f"`cdk {arguments[0]}` failed:\n{done.tail}")
        return done


def progress_of(line: str) -> str | None:
    """A line of `--progress events` in short: how far, and what came to an end. None for other lines."""
    found = EVENT.search(line)
    if not found or found["status"].endswith("_IN_PROGRESS"):
        return None
    status = found["status"].lower().replace("_", " ")
    return f"{found['done']} of {found['all']}: {found['type'].removeprefix('AWS::')} {status}"


def _end(process: Any) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    process.stdout.close()
