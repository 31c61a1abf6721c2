"""What holds for every test."""

import signal


def pytest_configure() -> None:
    """Let Ctrl-C reach what the tests start: a shell's background job ignores it, and children inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
