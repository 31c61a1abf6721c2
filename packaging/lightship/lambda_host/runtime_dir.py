"""The folders that stand for /var/runtime: AWS's runtime client, and the AWS SDK that Lambda brings along."""

import os
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from lightship.cache import cache_root, make_once
from lightship.lambda_host.interpreter import find_uv, python_for
from lightship_runtime.errors import LightshipError

HERE = Path(__file__).parent
INSTALL_TIMEOUT_S = 600


class InstallError(LightshipError):
    """What Lambda's runtime brings along couldn't be installed into the cache."""


def client_dir(version: str) -> Path:
    """A folder with awslambdaric for Python `version` ("3.13"), made at its first use. It needs the network then."""
    folder = cache_root() / "ric" / _name(version, HERE / "client.txt")
    return make_once(folder, lambda draft: _install_client(draft, version))


def sdk_dir(version: str) -> Path:
    """A folder with boto3 for Python `version`, made at its first use."""
    requirements = HERE / "sdk.txt"
    folder = cache_root() / "sdk" / _name(version, requirements)
    return make_once(folder, lambda draft: _install(draft, version, requirements))


def _name(version: str, requirements: Path) -> str:
    """`3.13-4.2.2-1f0c2a9b`: Python, the first package's version, and a digest of everything that is pinned."""
    text = requirements.read_text()
    first = next(line for line in text.splitlines() if "==" in line)
    return f"{version}-{first.partition('==')[2].split()[0]}-{sha256(text.encode()).hexdigest()[:8]}"


def _install_client(draft: Path, version: str) -> None:
    _install(draft, version, HERE / "client.txt")
    if not sys.platform.startswith("linux"):
        shutil.copy(HERE / "fallback" / "runtime_client.py", draft)


def _install(draft: Path, version: str, requirements: Path) -> None:
    command = [str(find_uv()), "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:"]
    command += ["--target", str(draft), "--python-version", version, "--requirements", str(requirements)]
    # Away from Linux the wheels' plain Python modules are used, and the fallback for the compiled one.
    if not sys.platform.startswith("linux"):
        command += ["--python-platform", "x86_64-manylinux_2_28"]
    interpreter = python_for(version)
    _run([*command, "--python", str(interpreter)], draft.parent)
    _run([str(interpreter), "-I", "-S", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(draft)])


def _run(command: list[str], folder: Path | None = None) -> None:
    environment = {name: text for name, text in os.environ.items() if name != "VIRTUAL_ENV"}
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
    except subprocess.TimeoutExpired as error:
        raise InstallError(f"`{command[0]}` didn't finish within {INSTALL_TIMEOUT_S} s. Try again.") from error
    if done.returncode != 0:
        raise InstallError(
            f"The Lambda runtime client couldn't be installed: {(done.stderr or done.stdout).strip()[-2000:]}\n"
            "Its first use needs the package index; check the network, or uv's index settings."
        )
