"""The command line: one module a group of commands, thin over the library."""

from lightship.cli.main import main

__all__ = ["main"]
