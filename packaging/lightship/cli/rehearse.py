"""`lightship rehearse`."""

import json
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from lightship.cli.output import json_option, print_json, progress
from lightship_runtime.errors import LightshipError

if TYPE_CHECKING:
    from lightship.rehearsal.rehearse import Listener, Plan, Step

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("rehearse")
@click.option("--project", type=FOLDER, default=".", help="The folder with cdk.json and lightship.toml.")
@click.option("--stage", help="The stage to deploy.")
@click.option("--release", type=FOLDER, help="The release to deploy.  [default: the locked one]")
@click.option("--keep", is_flag=True, help="Deploy, call, and leave everything running until Ctrl-C.")
@click.option("--verbose", is_flag=True, help="Show what the CDK and the emulated AWS print, on stderr.")
@json_option
def rehearse_command(
    *, project: Path, stage: str | None, release: Path | None, keep: bool, verbose: bool, as_json: bool
) -> None:
    """Deploy with the real CDK into an emulated AWS on this machine, then call, update, refuse, roll back, destroy."""
    try:
        from lightship.rehearsal.rehearse import NOT_PROVEN, Listener, Plan, rehearse
    except ModuleNotFoundError as error:
        raise LightshipError(f"A rehearsal needs {error.name}. Run `pip install 'lightship[rehearse]'`.") from error

    # Ended either way, it takes down what it started.
    signal.signal(signal.SIGTERM, _interrupt)
    plan = Plan(project.absolute(), stage, release.absolute() if release else None)
    with progress() as say:
        listener = Listener(
            begin=say,
            done=lambda step: None if as_json else click.echo(_line(step)),
            line=(lambda line: click.echo(f"  {line}", err=True)) if verbose else lambda _line: None,
        )
        if keep:
            _keep(plan, listener, as_json)
            return
        steps = rehearse(plan, listener)
    if as_json:
        print_json({"steps": [_told(step) for step in steps], "not_proven": list(NOT_PROVEN)})
        return
    click.echo(f"\nRehearsed in {sum(step.seconds for step in steps):.0f} s. An emulation can't prove:")
    for each in NOT_PROVEN:
        click.echo(f"  - {each}")


def _keep(plan: "Plan", listener: "Listener", as_json: bool) -> None:
    from lightship.rehearsal.rehearse import keep

    def ready(told: dict[str, Any]) -> threading.Event:
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        # Scripts read one line.
        click.echo(json.dumps(told) if as_json else _invitation(told))
        sys.stdout.flush()
        return stop

    keep(plan, listener, ready=ready)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _invitation(told: dict[str, Any]) -> str:
    lines = [
        f"\n{told['stack']} answers on {told['api_url']} (auth: {told['auth']}). Ctrl-C ends it.",
        f"Live numbers: {told['dashboard_url']}. AWS's tools want",
        f"  export AWS_ENDPOINT_URL={told['endpoint_url']} AWS_DEFAULT_REGION={told['region']}",
        f"  export AWS_ACCESS_KEY_ID={told['access_key_id']} AWS_SECRET_ACCESS_KEY={told['secret_access_key']}",
    ]
    if "api_key" in told:
        lines.append(f"and callers need the header x-api-key: {told['api_key']}")
    if "token" in told:
        lines.append(f"and callers need the header authorization: Bearer {told['token']}")
    return "\n".join(lines)


def _line(step: "Step") -> str:
    return f"{step.name} ({step.seconds:.0f} s): {step.result}"


def _told(step: "Step") -> dict[str, Any]:
    return {"name": step.name, "result": step.result, "seconds": round(step.seconds, 1)}
