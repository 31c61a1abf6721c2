"""What holds for every test."""

import os
import signal
import sys

import pytest

LONGEST = (
    "test_rehearsal_command.py",
    "test_operate_deployed.py",
    "test_drill_stack.py",
    "test_release.py",
    "test_batch_scale.py",
    "test_all_estimators.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The modules whose tests take longest come first, so that no worker ends alone with one of them."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes don't name a test: gzip writes the time into them, and workers that collect a second apart would differ."""
    return argname if isinstance(val, bytes) else None


def pytest_configure() -> None:
    """Let Ctrl-C reach what the tests start: a shell's background job ignores it, and children inherit that.

    Let bytecode be kept: the tests start hundreds of interpreters, each of which compiles aws_cdk, moto and
    scikit-learn anew where the environment forbids it.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
