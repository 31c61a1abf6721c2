"""`lightship batch`: scoring files, here or deployed."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from lightship.cli.operate import place_of, project_option, stage_option
from lightship.cli.output import json_option, print_json
from lightship_runtime.batch.records import FORMATS
from lightship_runtime.errors import LightshipError


@click.group("batch")
def batch_group() -> None:
    """Score files of rows: CSV, JSON Lines, Parquet."""


@batch_group.command("run")
@click.argument("source", metavar="SRC")
@click.argument("destination", metavar="DST")
@click.option("--release", required=True, type=click.Path(path_type=Path), help="The release's folder.")
@click.option("--key", "keys", required=True, multiple=True, metavar="COLUMN", help="Tells rows apart. Repeatable.")
@click.option("--format", "output_format", type=click.Choice(FORMATS), default="parquet", show_default=True)
@click.option("--input-format", type=click.Choice(FORMATS), help="If the files' names don't say it.")
@click.option("--keep", multiple=True, metavar="COLUMN", help="Pass through these only; '*' for all.  "
              "[default: what the model doesn't take]")  # fmt: skip
@click.option("--delimiter", default=",", help="Of CSV.  [default: ,]")
@click.option("--encoding", default="utf-8", show_default=True, help="Of CSV and JSON Lines.")
@click.option("--max-rejects", type=click.FloatRange(0, 1), default=0.01, show_default=True, help="Share of rows.")
@click.option("--workers", type=click.IntRange(1), help="Processes.  [default: one a core]")
@click.option("--monitoring", metavar="DIR", help="Add the run's counts to this monitoring store, or s3://bucket/.")
@click.option("--run", "run_id", help="The run's id.  [default: from the input and the release]")
@json_option
def run_command(source: str, destination: str, release: Path, as_json: bool, **options: Any) -> None:
    """Score the files at SRC (a file, a folder, s3://bucket/prefix/) into DST, on all cores.

    Run again after an interruption, it goes on where it stopped; after a success, it does nothing.
    """
    from lightship.batch.locations import sink_location, source_location
    from lightship_runtime.batch.records import Settings

    try:
        from lightship.batch.running import Job, run_job
    except ModuleNotFoundError as error:
        raise LightshipError(f"Scoring files needs {error.name}. Run `pip install 'lightship[batch]'`.") from error

    settings = Settings(
        key=tuple(options["keys"]),
        format=options["output_format"],
        keep=tuple(options["keep"]) or None,
        delimiter=options["delimiter"],
        encoding=options["encoding"],
        max_reject_share=options["max_rejects"],
    )
    job = Job(
        source=source_location(source),
        sink=sink_location(destination),
        release=release,
        settings=settings,
        format=options["input_format"],
        run=options["run_id"],
        workers=options["workers"] or 0,
        monitoring=sink_location(options["monitoring"]) if options["monitoring"] else None,
    )
    begun = time.perf_counter()
    with _progress_bar() as report:
        outcome = run_job(job, report)
    seconds = time.perf_counter() - begun
    if as_json:
        print_json({**outcome.to_dict(), "seconds": round(seconds, 3)})
        return
    click.echo(
        f"{outcome.rows_in:,} rows in: {outcome.rows_scored:,} scored, {outcome.rows_rejected:,} rejected, "
        f"in {len(outcome.parts)} parts and {seconds:.1f} s (run {outcome.run})"
    )
    for part in (*outcome.parts, *outcome.rejects)[:10]:
        click.echo(f"  {part}")


@contextmanager
def _progress_bar() -> Iterator[Callable[[Any], None]]:
    """A bar with rows a second and the time left, on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _progress: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("scoring"), BarColumn(), TextColumn("{task.fields[rows]}"), TimeRemainingColumn())
    begun = time.monotonic()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("scoring", total=None, rows="")

        def report(progress: Any) -> None:
            speed = progress.rows / max(time.monotonic() - begun, 1e-9)
            shown = f"{progress.rows:,} rows, {speed:,.0f} a second"
            bar.update(task, completed=progress.done_bytes, total=progress.total_bytes or None, rows=shown)

        yield report


@batch_group.command("status")
@project_option
@stage_option
@json_option
def status_command(*, project: Path, stage: str | None, as_json: bool) -> None:
    """The latest runs of a deployed stage."""
    from lightship.batch.deployed import executions, state_machine_of
    from lightship.operate.stacks import deployed_stack

    with place_of(project, stage) as place:
        machine = state_machine_of(deployed_stack(place.aws, place.stack).outputs)
        found = executions(place.aws("stepfunctions"), machine)
    if as_json:
        print_json([each.to_dict() for each in found])
        return
    for each in found:
        times = "once" if each.redrives == 1 else f"{each.redrives} times"
        again = f"  redriven {times}" if each.redrives else ""
        click.echo(f"{each.started}  {each.status:<10} {each.name}{again}")


@batch_group.command("redrive")
@click.argument("name", required=False)
@project_option
@stage_option
@json_option
def redrive_command(*, name: str | None, project: Path, stage: str | None, as_json: bool) -> None:
    """Drive a failed run of a deployed stage on from where it failed: the run NAME, or the latest.

    What was scored is not scored again. An object that was rewritten since is the next run's: a redrive refuses it.
    """
    from lightship.batch.deployed import redrive, state_machine_of
    from lightship.operate.stacks import deployed_stack

    with place_of(project, stage) as place:
        machine = state_machine_of(deployed_stack(place.aws, place.stack).outputs)
        driven = redrive(place.aws("stepfunctions"), machine, name)
    print_json(driven.to_dict()) if as_json else click.echo(f"{driven.name} goes on from where it failed.")
