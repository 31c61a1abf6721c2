"""`lightship package` and `lightship check`."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from lightship.advice import sentence
from lightship.api import Packaged
from lightship.baseline_note import baseline_sentence
from lightship.candidates import ORDER
from lightship.cli.output import json_option, megabytes, print_json, progress
from lightship.config import FILE, Config, load_config
from lightship.lockfile import FILE as LOCK_FILE
from lightship.plan import Limits, Plan, make_plan
from lightship_runtime.contract import TASKS
from lightship_runtime.manifest import Release

EXISTING = click.Path(exists=False, dir_okay=False, path_type=Path)


def source_options(command: Any) -> Any:
    """The options that say which model, which sample and what is trusted."""
    for option in reversed(
        (
            click.argument("model", required=False, type=EXISTING),
            click.option("--sample", type=EXISTING, help="Rows of its input: Parquet, CSV, JSON Lines or .npy."),
            click.option("--task", type=click.Choice(TASKS), help="What the model does, if it doesn't say so."),
            click.option("--trust", multiple=True, metavar="NAME", help="Trust this type in the file. Repeatable."),
            click.option("--trust-pickle", is_flag=True, help="Load a pickle or joblib file after its scan."),
            click.option(
                "--include", multiple=True, type=click.Path(path_type=Path), help="A module or package the model needs."
            ),
            click.option("--module", type=EXISTING, help="Your preprocess(row) and postprocess(prediction)."),
        )
    ):
        command = option(command)
    return command


@click.command("package")
@source_options
@click.option("--labels", type=EXISTING, help="What happened, one label a row of the sample.")
@click.option("--baseline", type=EXISTING, help="Rows to compare later ones with.  [default: the sample]")
@click.option("--baseline-label", metavar="COLUMN", help="Its column of what happened.  [default: label]")
@click.option("--segment", "segments", multiple=True, metavar="COLUMN", help="Report accuracy by it. Repeatable.")
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Folder of releases.  [default: dist]")
@click.option("--name", help="The model's name.  [default: the file's]")
@click.option("--engine", type=click.Choice(("auto", *ORDER)), help="The engine to use.  [default: auto]")
@click.option("--python", "python_version", help="The target's Python.  [default: 3.13]")
@click.option("--architecture", help="The target's architecture, x86_64 or arm64.  [default: x86_64]")
@click.option(
    "--golden", type=click.Choice(("sample", "synthetic")), help="Where golden rows come from.  [default: sample]"
)
@click.option("--upgrade", is_flag=True, help="Choose and resolve anew instead of following lightship.lock.")
@click.option("--dry-run", is_flag=True, help="Print what would be done, and stop.")
@json_option
def package_command(*, as_json: bool, dry_run: bool, **options: Any) -> None:
    """Build and prove a release of MODEL, or of the one in lightship.toml."""
    plan = _plan(**options)
    if dry_run:
        _print_plan(plan, as_json)
        return
    from lightship.pipeline import run

    with progress() as say:
        place = run(plan, say)
    packaged = Packaged(place, Release.read(place))
    if as_json:
        print_json(packaged.to_dict())
    else:
        print_release(packaged)


@click.command("check")
@source_options
@json_option
def check_command(
    model: Path | None,
    sample: Path | None,
    task: str | None,
    trust: tuple[str, ...],
    trust_pickle: bool,
    include: tuple[Path, ...],
    module: Path | None,
    as_json: bool,
) -> None:
    """Which engines reproduce MODEL, and how fast. Builds nothing."""
    from lightship.checking import check_file

    plan = _plan(
        model=model,
        sample=sample,
        task=task,
        trust=trust,
        trust_pickle=trust_pickle,
        include=include,
        module=module,
        upgrade=True,
    )
    with progress() as say:
        result = check_file(plan, say)
    if as_json:
        print_json(result.to_dict())
    else:
        click.echo(result.table())


def _plan(*, model: Path | None, sample: Path | None, **options: Any) -> Plan:
    """Options first, lightship.toml in this folder second, defaults last."""
    config = load_config(Path()) if Path(FILE).exists() else None
    if model is None:
        if config is None or config.model.path is None:
            raise click.UsageError(f"Name a model file, or write {FILE} with [model] path (`lightship init` does).")
        model, sample = config.model.path, sample or config.model.sample
        options = {**_from_config(config), **{key: value for key, value in options.items() if value}}
    chosen = {key: value for key, value in options.items() if value is not None}
    renamed = {"python" if key == "python_version" else key: value for key, value in chosen.items()}
    return make_plan(**{"out": Path("dist"), **renamed, "model": model, "sample": sample})


def _from_config(config: Config) -> dict[str, Any]:
    package = config.package
    return {
        "name": config.model.name,
        "labels": config.model.labels,
        "module": config.model.module,
        "task": config.model.task,
        "thresholds": config.model.threshold,
        "python_version": package.python,
        "architecture": package.architecture,
        "engine": package.engine,
        "include": package.include,
        "golden": package.golden,
        "baseline": config.monitoring.baseline,
        "baseline_label": config.monitoring.baseline_label,
        "segments": config.monitoring.segments,
        "limits": Limits(**asdict(package.budgets)),
        "lock": config.folder / LOCK_FILE,
        "upgrade": False,
    }


def _print_plan(plan: Plan, as_json: bool) -> None:
    if as_json:
        print_json(plan.to_dict())
        return
    click.echo(f"Packaging {plan.name}:")
    for number, step in enumerate(plan.steps(), 1):
        click.echo(f"  {number}. {step}")


def print_release(packaged: Packaged) -> None:
    """What a release holds, in a few lines."""
    release = packaged.release
    click.echo(f"{packaged.path}")
    for use, artifact in release.artifacts.items():
        click.echo(f"  {use}: {megabytes(artifact.zip_bytes)} zipped, {megabytes(artifact.unzipped_bytes)} unzipped")
    click.echo(f"  engine: {release.engine.request} for requests, {release.engine.batch} for batches")
    click.echo(f"  why: {release.notes.get('why', '')}")
    if baseline := release.notes.get("baseline"):
        click.echo(f"  baseline: {baseline_sentence(baseline)}")
    proof = release.proof
    if proof is None:
        click.echo("  unproven")
        return
    click.echo(
        f"  proof ({proof.grade}): {proof.rows} golden rows, largest difference {proof.max_abs_diff:.2g}, "
        f"{proof.label_flips} label flips, {proof.ties} ties"
    )
    click.echo(
        f"  starts in {proof.init_ms:.0f} ms, then p50 {proof.p50_ms:.2f} ms and p99 {proof.p99_ms:.2f} ms a request, "
        f"{proof.peak_rss_mb:.0f} MB"
    )
    for each in release.notes.get("put_back", ()):
        click.echo(f"  put back into {each['use']}.zip: {each['file']}, which the rule {each['rule']!r} had left out")
    if memory := release.notes.get("memory"):
        click.echo(f"  memory: {sentence(memory, release.target)}")
