"""`lightship monitor`, `report`, `feedback` and `forget`."""

import tempfile
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lightship.cli.operate import FOLDER, place_of, project_option, stage_option
from lightship.cli.output import json_option, print_json, progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lightship.monitoring.late_labels import Delivered
    from lightship_runtime.batch.stores import Store
    from lightship_runtime.labels import Label
    from lightship_runtime.monitor.baseline import Baseline
    from lightship_runtime.monitor.run import Report

FEEDBACK = "/feedback"
BUCKET_OUTPUT = "MonitoringBucket"
HOUR = 3600

release_option = click.option("--release", type=FOLDER, help="Whose baseline is meant.  [default: those in the store]")


@click.command("monitor")
@click.argument("store", metavar="STORE")
@release_option
@click.option("--until", metavar="TIME", help="Hours that end later stay open (ISO 8601).  [default: now]")
@click.option(
    "--window-hours",
    type=click.IntRange(1, 168),
    default=1,
    show_default=True,
    help="Windows span a multiple of so many hours; 24 or 168 for inputs that follow the clock or the week.",
)
@click.option("--accuracy-floor", type=click.FloatRange(0, 1), help="Accuracy below this is a breach in any case.")
@json_option
def monitor_command(
    *,
    store: str,
    release: Path | None,
    until: str | None,
    window_hours: int,
    accuracy_floor: float | None,
    as_json: bool,
) -> None:
    """Bring the results in STORE, a folder or s3://BUCKET/PREFIX, up to date, as the deployed monitor does hourly."""
    from lightship_runtime.manifest import Release
    from lightship_runtime.monitor.run import run_monitor

    end = time.time() if until is None else _moment(until)
    own = None
    if release is not None:
        own = (Release.read(release).version, _baseline(release))
    with progress() as say, tempfile.TemporaryDirectory(prefix="lightship-monitor-") as scratch:
        say("reading telemetry")
        report = run_monitor(_opened(store), end, Path(scratch), own=own, floor=accuracy_floor, hours=window_hours)
    print_json(report.to_dict()) if as_json else _print_report(report)


@click.command("report")
@click.argument("store", metavar="STORE", required=False)
@project_option
@stage_option
@release_option
@click.option("--days", type=click.FloatRange(min=0), default=30, show_default=True, help="How far back it goes.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), default="report.html", show_default=True)
@json_option
def report_command(
    *, store: str | None, project: Path, stage: str | None, release: Path | None, days: float, out: Path, as_json: bool
) -> None:
    """Write what monitoring found as one HTML page: of STORE, or else of the deployed stage."""
    from lightship.monitoring.report.page import render_report
    from lightship.monitoring.stored import read_results

    with _store_of(store, project, stage) as (opened, title), progress() as say:
        say("reading results")
        baseline = None if release is None else _baseline(release)
        found = read_results(opened, days=days, baseline=baseline)
    page = render_report(found.baseline, found.documents, title=title).encode()
    out.write_bytes(page)
    if as_json:
        print_json({"report": str(out), "bytes": len(page), "windows": len(found.documents), "version": found.version})
        return
    click.echo(f"{out} tells of {len(found.documents)} windows ({len(page) / 1000:.0f} kB).")


@click.command("feedback")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@project_option
@stage_option
@click.option("--store", "folder", metavar="STORE", help="Keep them in this store instead of calling the endpoint.")
@click.option("--url", help="Another address, such as a rehearsal's.  [default: the stack's]")
@click.option("--api-key", envvar="LIGHTSHIP_API_KEY", help="A caller's key.  [default: the stack's own]")
@click.option("--token", envvar="LIGHTSHIP_TOKEN", help="A token of your issuer, for auth = jwt.")
@json_option
def feedback_command(
    *,
    file: Path,
    project: Path,
    stage: str | None,
    folder: str | None,
    url: str | None,
    api_key: str | None,
    token: str | None,
    as_json: bool,
) -> None:
    """Tell what happened: the labels in FILE (CSV, JSON Lines or Parquet with id and actual, perhaps time).

    In any order, days late, and as often as you like: each prediction's latest label counts, once.
    """
    from lightship.monitoring.late_labels import Delivered, checked, keep, read_labels

    now = time.time()
    delivered = Delivered()
    with progress() as say:
        say("reading labels")
        labels = checked(read_labels(file), delivered, now)
        if folder is not None:
            keep(labels, _opened(folder), delivered, now, say)
        elif labels:
            _deliver(labels, delivered, project, stage, url, api_key, token, say)
    if as_json:
        print_json(delivered.to_dict())
    else:
        _print_delivered(delivered)
    if delivered.refused and not delivered.accepted:
        raise click.ClickException(f"None of the {delivered.refused:,} labels was taken.")


@click.command("forget")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@project_option
@stage_option
@click.option("--store", "folder", metavar="STORE", help="The store.  [default: the deployed stage's bucket]")
@json_option
def forget_command(
    *, ids: tuple[str, ...], project: Path, stage: str | None, folder: str | None, as_json: bool
) -> None:
    """Take predictions and their labels out of the monitoring store, by the ids they were answered with."""
    from dataclasses import asdict

    from lightship.monitoring.forgetting import forget

    with _store_of(folder, project, stage) as (store, _), progress() as say:
        forgotten = forget(store, ids, say)
    if as_json:
        print_json(asdict(forgotten))
        return
    click.echo(
        f"{forgotten.predictions:,} predictions and {forgotten.labels:,} labels were taken out of {forgotten.files:,} "
        "files. Results stay: they are counts."
    )


def _deliver(
    labels: "list[Label]",
    delivered: "Delivered",
    project: Path,
    stage: str | None,
    url: str | None,
    key: str | None,
    token: str | None,
    say: Any,
) -> None:
    from lightship.monitoring.late_labels import deliver
    from lightship.operate.calling import headers_of, send
    from lightship.operate.stacks import deployed_stack

    with place_of(project, stage) as place:
        stack = deployed_stack(place.aws, place.stack)
        address = (url or stack.output("EndpointUrl")).rstrip("/") + FEEDBACK
        auth = place.config.endpoint.auth

        def post(body: bytes) -> Any:
            request = ("POST", address, body)
            return send(request, headers_of(auth, place.aws, stack, request, key=key, token=token))

        deliver(labels, post, delivered, say)


@contextmanager
def _store_of(address: str | None, project: Path, stage: str | None) -> "Iterator[tuple[Store, str]]":
    """The store and what the page is called: the one named, or else the deployed stage's bucket."""
    from lightship.operate.stacks import deployed_stack
    from lightship_runtime.monitor.opening import open_store

    if address is not None:
        yield _opened(address), "Model monitoring"
        return
    with place_of(project, stage) as place:
        bucket = deployed_stack(place.aws, place.stack).output(BUCKET_OUTPUT)
        yield open_store(f"s3://{bucket}", lambda: place.aws("s3")), place.stack


def _opened(address: str) -> "Store":
    from lightship.batch.locations import s3_client
    from lightship.monitoring.errors import MonitoringError
    from lightship_runtime.monitor.opening import S3, open_store

    if not address.startswith(S3) and not Path(address).is_dir():
        raise MonitoringError(
            f"There is no folder {address}. Name the one that `lightship serve --telemetry` keeps, or s3://BUCKET."
        )
    return open_store(address, s3_client)


def _baseline(release: Path) -> "Baseline":
    from lightship_runtime.manifest import BASELINE
    from lightship_runtime.monitor.baseline import Baseline

    return Baseline.from_json((release / BASELINE).read_bytes())


def _moment(text: str) -> float:
    from lightship_runtime.labels import read_time

    try:
        found = read_time(float(text))
    except ValueError:
        found = read_time(text)
    if found is None:
        raise click.BadParameter(f"{text!r} isn't a time; write one such as 2026-11-23T14:00Z.", param_hint="--until")
    return found


def _when(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"


def _print_report(report: "Report") -> None:
    click.echo(f"{report.rows:,} rows counted, {len(report.windows)} windows written, up to {_when(report.until)} UTC.")
    if report.skipped:
        click.echo(f"{report.skipped:,} lines weren't telemetry and were passed over.")
    if report.waiting:
        click.echo(f"{report.waiting:,} labels wait for their prediction.")
    if not report.version:
        click.echo("No window has closed yet: one takes an hour that is over (or --until its end) and 500 rows.")
        return
    for kind, state in report.breaches.items():
        click.echo(f"  {kind:<10} {_state(state)}")


def _state(state: dict[str, Any]) -> str:
    named = ", ".join(f"{each['name']} ({each['effect']:.2f})" for each in state["columns"])
    known = "" if state.get("value") is None else f"{state['value']:.4g}"
    if state.get("low") is not None:
        known += f" (95%: {state['low']:.4g} to {state['high']:.4g})"
    detail = "; ".join(part for part in (known, named) if part)
    if not state["on"]:
        return f"no breach{f'; {detail}' if detail else ''}"
    return f"BREACH since {_when(state['since'])}{f': {detail}' if detail else ''}"


def _print_delivered(delivered: "Delivered") -> None:
    click.echo(f"{delivered.accepted:,} labels taken, {delivered.refused:,} refused.")
    for fault in delivered.faults:
        at = f"row {fault.row + 1}" if fault.row is not None else "a row"
        click.echo(f"  {at}: {fault.column or 'label'} is {fault.value!r}; expected {fault.expected}", err=True)
