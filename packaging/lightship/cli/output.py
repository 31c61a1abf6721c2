"""What commands print: progress on stderr, results on stdout."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """A function that tells what is being done: a spinner on a terminal, a line each elsewhere, all on stderr."""
    if not sys.stderr.isatty():
        yield lambda text: click.echo(text, err=True)
        return
    console = Console(stderr=True)
    with console.status("starting") as status:

        def say(text: str) -> None:
            status.update(text)

        yield say


def print_json(document: Any) -> None:
    click.echo(json.dumps(document, indent=2))


def megabytes(count: float) -> str:
    """Bytes in MB (10^6), with the digits that matter."""
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"
