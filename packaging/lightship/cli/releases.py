"""`lightship inspect` and `lightship prove`."""

from pathlib import Path
from typing import Any

import click

from lightship.api import Packaged
from lightship.cli.output import json_option, print_json, progress
from lightship.cli.package import print_release
from lightship_runtime.manifest import Release

release_argument = click.argument("release", type=click.Path(path_type=Path))


@click.command("inspect")
@release_argument
@json_option
def inspect_command(release: Path, as_json: bool) -> None:
    """What is inside RELEASE, how big, how fast, and why this engine."""
    found = Packaged(release, Release.read(release))
    if as_json:
        print_json(found.to_dict())
        return
    print_release(found)
    for engine, verdict in found.release.notes.get("engines", {}).items():
        click.echo(f"  {engine:>7}: {_verdict(verdict)}")


@click.command("prove")
@release_argument
@json_option
def prove_command(release: Path, as_json: bool) -> None:
    """Boot RELEASE's zips again and replay the golden rows."""
    from lightship.reproving import prove_release

    with progress() as say:
        proof = prove_release(release, say)
    if as_json:
        print_json({"release": str(release), "proof": proof})
        return
    click.echo(
        f"{release} holds: {proof['rows']} golden rows, largest difference {proof['max_abs_diff']:.2g}, "
        f"{proof['label_flips']} label flips; starts in {proof['init_ms']:.0f} ms, p50 {proof['p50_ms']:.2f} ms."
    )
    if batch := proof["batch"]:
        click.echo(f"  batch.zip too: {batch['rows']} golden rows, largest difference {batch['max_abs_diff']:.2g}.")


def _verdict(verdict: dict[str, Any]) -> str:
    if not verdict["accepted"]:
        return f"refused: {verdict['reason']}"
    return f"{verdict['row_us']:.0f} us a row, {verdict['batch_rows_per_s']:,.0f} rows/s in a batch"
