"""`lightship drill`."""

import sys
from pathlib import Path

import click

from lightship.cli.output import json_option, print_json, progress
from lightship_runtime.errors import LightshipError

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("drill")
@click.option("--project", type=FOLDER, default=".", help="The folder with cdk.json and lightship.toml.")
@click.option("--stage", help="The stage whose alarms are drilled.")
@click.option("--release", type=FOLDER, help="The release to run.  [default: the locked one]")
@click.option("--template", type=FILE, help="A synthesised template, in place of synthesising the project.")
@click.option("--only", multiple=True, metavar="NAME", help="A built-in incident; may be given several times.")
@click.option("--incident", "files", type=FILE, multiple=True, help="An incident of your own, a TOML file.")
@click.option("--messages", is_flag=True, help="Show the messages whole, as the engineer gets them.")
@click.option("--list", "listed", is_flag=True, help="List the built-in incidents.")
@json_option
def drill_command(
    *,
    project: Path,
    stage: str | None,
    release: Path | None,
    template: Path | None,
    only: tuple[str, ...],
    files: tuple[Path, ...],
    messages: bool,
    listed: bool,
    as_json: bool,
) -> None:
    """Replay incidents through the real functions, and see which of the stack's alarms sound, when, and what they say.

    Without --only and --incident all incidents are run, and months in which nothing is wrong.
    """
    try:
        from lightship.drill.incident import built_in
        from lightship.drill.run import Plan, drill
        from lightship.drill.text import told
    except ModuleNotFoundError as error:
        raise LightshipError(f"A drill needs {error.name}. Run `pip install 'lightship[rehearse]'`.") from error

    if listed:
        for each in built_in():
            click.echo(f"{each.name:24} {each.title}")
        return
    plan = Plan(project.absolute(), stage, _absolute(release), _absolute(template), only, files)
    with progress() as say:
        report = drill(plan, say)
    if as_json:
        print_json(report.to_dict())
    else:
        for line in told(report, messages=messages):
            click.echo(line)
    if report.failed:
        sys.exit(1)


def _absolute(path: Path | None) -> Path | None:
    return path.absolute() if path else None
