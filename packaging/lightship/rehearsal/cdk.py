"""Runs the CDK's command line against a rehearsal's AWS."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lightship.rehearsal.aws import EmulatedAws
from lightship.rehearsal.node import CdkTool
from lightship_runtime.errors import LightshipError

TIMEOUT_S = 600
NOISE = ("at ", "b'!!")
PROGRESS = ("_IN_PROGRESS", "_COMPLETE ")
# The CDK's own environment variables pass; everything that would point it to another AWS doesn't.
HIDDEN = ("AWS_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


class CdkError(LightshipError):
    """A command of the CDK failed."""


@dataclass(frozen=True)
class CdkRun:
    """What a command printed, and whether it succeeded. Not proof of anything: look at what exists."""

    arguments: tuple[str, ...]
    returncode: int
    output: str


@dataclass(frozen=True)
class Cdk:
    """Commands of the CDK in one project folder. `app` is the program, or a folder that was synthesised."""

    tool: CdkTool
    aws: EmulatedAws
    project: Path
    log: Callable[[str], None]

    def run(
        self,
        *arguments: str,
        app: str | None = None,
        extra: Mapping[str, str] | None = None,
        context: Mapping[str, str] | None = None,
    ) -> CdkRun:
        """Run a command and pass its output on line by line. `extra` are environment variables of the app."""
        command = [*self.tool.command, *arguments, "--no-notices"]
        if app is not None:
            command += ["--app", app]
        for name, text in (context or {}).items():
            command += ["--context", f"{name}={text}"]
        lines: list[str] = []
        with subprocess.Popen(
            command,
            cwd=self.project,
            env=self._environment(extra or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            # It starts the app and Node beneath it: all of them end with an interrupted rehearsal.
            start_new_session=True,
        ) as process:
            try:
                for line in process.stdout or ():
                    lines.append(line.rstrip())
                    self.log(line.rstrip())
                returncode = process.wait(TIMEOUT_S)
            except BaseException:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                raise
        return CdkRun(tuple(arguments), returncode, "\n".join(lines))

    def must(self, *arguments: str, **settings: object) -> CdkRun:
        """Run a command that has to succeed. Raises CdkError."""
        done = self.run(*arguments, **settings)  # type: ignore[arg-type] # the same settings
        if done.returncode != 0:
            tail = "\n".join(_telling(done.output.splitlines())[-30:])
            raise CdkError(f"`cdk {' '.join(arguments)}` failed in the rehearsal:\n{tail}")
        return done

    def _environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        own = {name: text for name, text in os.environ.items() if not name.startswith(HIDDEN)}
        return {
            **own,
            **self.aws.environment,
            "PATH": self.tool.path,
            "CI": "true",
            "NO_COLOR": "1",
            "CDK_DISABLE_CLI_TELEMETRY": "1",
            "CDK_DEFAULT_ACCOUNT": self.aws.account,
            "CDK_DEFAULT_REGION": self.aws.region,
            "JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION": "1",
            "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "1",
            "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
            "NODE_NO_WARNINGS": "1",
            **extra,
        }


def _telling(lines: Sequence[str]) -> list[str]:
    """The lines without progress, stack traces, and jsii's opinion of Node."""
    return [
        line
        for line in lines
        if line.strip() and not line.lstrip().startswith(NOISE) and not any(word in line for word in PROGRESS)
    ]
