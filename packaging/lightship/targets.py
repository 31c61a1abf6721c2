"""What a release can be built for, and whether this machine can boot it."""

import platform
import sys

from lightship_runtime.errors import LightshipError
from lightship_runtime.manifest import Target

# Both run on Amazon Linux 2023, whose C library is glibc 2.34.
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
GLIBC = {"3.12": "2_34", "3.13": "2_34"}
MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}


class TargetError(LightshipError):
    """The target isn't one that Lightship builds for."""


def make_target(python: str, architecture: str) -> Target:
    """Raises TargetError for a Python version or an architecture that isn't supported."""
    if python not in GLIBC:
        raise TargetError(f"Python {python!r} isn't a target; choose one of {', '.join(GLIBC)}.")
    match architecture:
        case "x86_64" | "arm64":
            return Target(python, architecture, GLIBC[python])
        case _:
            raise TargetError(f"The architecture {architecture!r} isn't one of AWS Lambda's; choose x86_64 or arm64.")


def wheel_platform(target: Target) -> str:
    """The target as uv's `--python-platform` names it."""
    return f"{MACHINES[target.architecture]}-manylinux_{target.glibc}"


def bootable_here(target: Target) -> bool:
    """Whether this host runs the target's own machine code."""
    return sys.platform == "linux" and platform.machine() == MACHINES[target.architecture]
