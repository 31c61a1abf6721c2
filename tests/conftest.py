"""What holds for every test."""

import os
import signal
import sys


def pytest_configure() -> None:
    """Let Ctrl-C reach what the tests start: a shell's background job ignores it, and children inherit that.

    Let bytecode be kept: the tests start hundreds of interpreters, each of which compiles aws_cdk, moto and
    scikit-learn anew where the environment forbids it.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
