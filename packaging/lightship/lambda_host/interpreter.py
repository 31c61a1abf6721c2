"""Finds the programs the host needs: uv, and an interpreter of the target's Python version."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from lightship_runtime.errors import LightshipError

PROBE_TIMEOUT_S = 30


class MissingToolError(LightshipError):
    """A program the host needs isn't on this machine."""


@cache
def find_uv() -> Path:
    """The uv that was installed with Lightship, or else one on the PATH that answers."""
    try:
        from uv import find_uv_bin

        return Path(find_uv_bin())
    except (ImportError, FileNotFoundError):
        pass
    on_path = shutil.which("uv")
    if on_path and _output([on_path, "--version"]) is not None:
        return Path(on_path)
    raise MissingToolError("uv isn't installed, or doesn't answer. Install it with `pip install uv`.")


@cache
def python_for(version: str) -> Path:
    """The path of a CPython of minor version `version` ("3.13"): this one, or else uv's, pyenv's or the PATH's.

    Never a virtual environment's: nothing it has installed may be seen by the function.
    Raises MissingToolError when there is none.
    """
    if version == minor_version():
        return _base_interpreter()
    for candidate in _candidates(version):
        if _answers(candidate, version):
            return candidate.resolve()
    raise MissingToolError(
        f"Python {version}, which the function runs on, isn't on this machine. "
        f"Install it with `uv python install {version}`, or choose the version you have under [package] python."
    )


def minor_version() -> str:
    """The minor version of this interpreter, such as "3.13"."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _base_interpreter() -> Path:
    """This interpreter outside of its virtual environment."""
    named = Path(sys.base_prefix) / "bin" / f"python{minor_version()}"
    return named.resolve() if named.exists() else Path(sys.executable).resolve()


def _candidates(version: str) -> Iterator[Path]:
    # A pyenv shim answers for the folder it is called in and fails in others, and uv stops at the first that fails.
    folders = [folder for folder in os.get_exec_path() if Path(folder).name != "shims"]
    environment = {**os.environ, "PATH": os.pathsep.join(folders)}
    find = [str(find_uv()), "python", "find", "--no-project", "--no-python-downloads", version]
    if found := _output(find, environment):
        yield Path(found)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for folder in sorted(pyenv.glob(f"versions/{version}.*"), reverse=True):
        yield folder / "bin" / "python"
    if found := shutil.which(f"python{version}", path=environment["PATH"]):
        yield Path(found)


def _answers(python: Path, version: str) -> bool:
    code = "import sys; print('%d.%d' % sys.version_info[:2], sys.implementation.name)"
    return _output([str(python), "-I", "-S", "-c", code]) == f"{version} cpython"


def _output(command: list[str], environment: dict[str, str] | None = None) -> str | None:
    """What the command prints, or None when it can't be run or fails. Run in a folder without a .python-version."""
    try:
        done = subprocess.run(
            command,
            env=environment,
            cwd=tempfile.gettempdir(),
            capture_output=True,
            text=True,
            timeout=PROBE_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
