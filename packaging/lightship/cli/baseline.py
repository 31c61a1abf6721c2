"""`lightship baseline`: what later rows are compared with, and drift that was looked into."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lightship.cli.output import json_option, print_json
from lightship.cli.releases import release_argument
from lightship_runtime.errors import LightshipError
from lightship_runtime.manifest import BASELINE, Release

if TYPE_CHECKING:
    from lightship_runtime.monitor.baseline import Baseline, ColumnBaseline

MOST_VALUES = 3


class NoBaselineError(LightshipError):
    """A release has no baseline."""


@click.group("baseline")
def baseline_group() -> None:
    """What monitoring compares with, and drift that is accepted."""


@baseline_group.command("show")
@release_argument
@json_option
def show_command(release: Path, as_json: bool) -> None:
    """The baseline of RELEASE: its columns, what the model made of them, and how well."""
    from lightship_runtime.monitor.baseline import Baseline

    found = Release.read(release)
    if BASELINE not in found.files:
        raise NoBaselineError(f"{release} has no {BASELINE}: it was made by an earlier Lightship. Package it again.")
    baseline = Baseline.from_json((release / BASELINE).read_bytes())
    if as_json:
        print_json(baseline.to_dict())
        return
    click.echo(f"{found.name} {found.version}: {baseline.rows:,} rows, {(release / BASELINE).stat().st_size:,} bytes")
    width = max((len(column.name) for column in baseline.columns), default=0)
    for column in baseline.columns:
        click.echo(f"  {column.name:<{width}}  {column.kind:<8}  {_column(column)}")
    click.echo(f"  outputs: {_outputs(baseline)}")
    for name, metric in baseline.performance.metrics.items():
        click.echo(f"  {name}: {metric['value']:.4g} (95%: {metric['low']:.4g} to {metric['high']:.4g})")
    if baseline.segments:
        click.echo(f"  accuracy also by: {', '.join(baseline.segments)}")


@baseline_group.command("accept")
@click.argument("column")
@click.option("--store", "address", required=True, metavar="FOLDER", help="The monitoring store: a folder or s3://...")
@click.option("--reason", required=True, help="Why it is no breach.")
@click.option("--until", metavar="DATE", help="When it counts again.  [default: never]")
@click.option("--version", help="The release's version.  [default: the one that the monitor last judged]")
@json_option
def accept_command(
    column: str, address: str, reason: str, until: str | None, version: str | None, as_json: bool
) -> None:
    """The drift of COLUMN (or of "score") was looked into: it is no breach any longer."""
    from lightship.acceptance import accept, parse_until
    from lightship.batch.locations import s3_client
    from lightship_runtime.monitor.opening import open_store

    store = open_store(address, s3_client)
    end = None if until is None else parse_until(until, time.time())
    entry = accept(store, column, reason, version=version, until=end)
    if as_json:
        print_json(entry)
        return
    when = "for good" if end is None else f"until {datetime.fromtimestamp(end, UTC):%Y-%m-%d %H:%M} UTC"
    click.echo(f"Drift of {column} in version {entry['version']} is accepted {when}, from the monitor's next run on.")


def _column(column: "ColumnBaseline") -> str:
    from lightship_runtime.monitor.bins import MISSING

    track = column.tracks[0]
    rows = sum(track.counts.values()) or 1
    missing = track.counts.get(MISSING, 0) / rows
    gaps = f", {missing:.1%} missing" if missing else ""
    match track.kind:
        case "numeric" if column.kind == "datetime":
            first, last = (datetime.fromtimestamp(each, UTC) for each in (track.minimum, track.maximum))
            return f"{first:%Y-%m-%d} to {last:%Y-%m-%d}{gaps}"
        case "numeric":
            what = "lengths " if column.kind == "text" else ""
            return f"{what}{track.minimum:.6g} to {track.maximum:.6g}, {len(track.edges) + 1} bins{gaps}"
        case "category":
            more = len(track.values) - MOST_VALUES
            others = " and more than are kept" if track.open else f" and {more + len(track.known)} more"
            shown = ", ".join(track.values[:MOST_VALUES])
            return f"{shown}{others if track.open or more + len(track.known) > 0 else ''}{gaps}"
        case _:
            return f"{track.counts.get('1', 0) / rows:.1%} true{gaps}"


def _outputs(baseline: "Baseline") -> str:
    outputs = baseline.outputs
    words: dict[str, Any] = {
        "binary": f"a score of {outputs.positive!r}",
        "multiclass": f"scores of {len(outputs.classes)} classes",
        "regression": "numbers",
        "labels": f"{len(outputs.classes)} labels",
        "none": "not watched" if not outputs.tracks else "labels, too many to watch each",
    }
    calibrated = any(each.scores for each in outputs.calibration)
    return f"{words[outputs.task]}{', calibrated' * calibrated}"
