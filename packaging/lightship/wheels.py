"""Resolves and installs the exact wheels of a target, with uv."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from lightship.lambda_host import find_uv
from lightship.targets import wheel_platform
from lightship_runtime.errors import LightshipError
from lightship_runtime.manifest import Target


class ResolutionError(LightshipError):
    """No set of wheels fits the target, or they can't be fetched."""


def resolve(requirements: Sequence[str], target: Target, *, locked: str = "") -> str:
    """A requirements file with hashes, for wheels only: the versions that Lightship pins, unless `requirements` pin
    others themselves. `locked` is an earlier result to keep to. Raises ResolutionError.
    """
    asked = {distribution(line) for line in requirements if "==" in line}
    pins = [line for line in (locked or _pins()).splitlines() if "==" in line and distribution(line) not in asked]
    constraints = "\n".join(line.split(" \\")[0].split(";")[0].strip() for line in pins)
    with _temporary("constraints.txt", constraints) as path:
        arguments = ["pip", "compile", "-", "--constraint", str(path), "--generate-hashes", "--no-annotate"]
        return _uv(
            # Any Python will do: without one named, uv tries what lies on the PATH, which takes seconds with pyenv.
            [*arguments, *_for(target), "--python", sys.executable],
            "\n".join(requirements),
            f"No wheels fit {', '.join(requirements)} on Python {target.python}, {target.architecture}",
        )


def install(lock: str, target: Target | None, python: Path, folder: Path) -> None:
    """Unpack the locked wheels into `folder`: the target's, or where that is None this host's own.

    Raises ResolutionError.
    """
    with _temporary("requirements.lock", lock) as path:
        _uv(
            [
                "pip", "install", "--target", str(folder), "--require-hashes", "--no-deps", "--link-mode", "copy",
                "--no-installer-metadata", "--requirement", str(path),
                "--python", str(python), *([] if target is None else _for(target)[:-2]),
            ],
            "",
            "The locked wheels can't be installed",
        )  # fmt: skip


def distribution(line: str) -> str:
    """The normalised name of the distribution a requirement asks for."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\s\[=<>!~;@]", line.strip(), maxsplit=1)[0]).lower()


def locked_hashes(lock: str) -> dict[tuple[str, str], tuple[str, ...]]:
    """The SHA-256 digests that requirements files accept of each distribution and version."""
    hashes: dict[tuple[str, str], tuple[str, ...]] = {}
    for stanza in re.split(r"\n(?=\S)", lock):
        if pinned := re.match(r"[^=\s]+==([^\s;\\]+)", stanza):
            found = re.findall(r"--hash=sha256:([0-9a-f]{64})", stanza)
            hashes[distribution(stanza), pinned[1]] = tuple(found)
    return hashes


def pinned_lines(name: str, lock: str = "") -> str:
    """One distribution's requirement and hashes out of a lock, or else out of the versions that Lightship pins.

    Raises ResolutionError where it isn't pinned.
    """
    for line in re.split(r"\n(?=\S)", lock or _pins()):
        if distribution(line) == name:
            return line
    raise ResolutionError(f"{name} isn't pinned, so that its wheel can't be fetched. Add it to the requirements.")


def _for(target: Target) -> list[str]:
    return [
        "--only-binary", ":all:", "--python-version", target.python, "--python-platform", wheel_platform(target),
        "--no-header", "--no-emit-index-url",
    ]  # fmt: skip


def _pins() -> str:
    return resources.files("lightship").joinpath("locks/runtime.txt").read_text()


def _uv(arguments: list[str], stdin: str, failure: str) -> str:
    try:
        done = subprocess.run(
            [find_uv(), *arguments, "--quiet", "--no-config"],
            input=stdin,
            capture_output=True,
            text=True,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        raise ResolutionError(
            f"{failure}: {error.stderr.strip()[-2000:]} Pin versions that have wheels, or check the package index."
        ) from error
    return done.stdout


@contextmanager
def _temporary(name: str, text: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="lightship-") as folder:
        path = Path(folder) / name
        path.write_text(text)
        yield path
