"""`lightship mute` and `unmute`."""

from datetime import UTC, datetime
from pathlib import Path

import click

from lightship.cli.operate import place_of, project_option, stage_option
from lightship.cli.output import json_option, print_json


@click.command("mute")
@project_option
@stage_option
@click.option("--for", "length", required=True, metavar="TIME", help="How long: 30m, 2h, 1d12h; 15 days at most.")
@click.option("--reason", required=True, help="Why. `lightship status` shows it.")
@json_option
def mute_command(*, project: Path, stage: str | None, length: str, reason: str, as_json: bool) -> None:
    """Mute the alarms of a stage for a stated time. It ends by itself.

    Alarms go on changing state, and those that undo a shift of traffic act as ever. What still sounds at the end
    is told then.
    """
    from lightship.operate.muting import mute, parse_duration
    from lightship.operate.stacks import deployed_stack

    wanted = parse_duration(length)
    with place_of(project, stage) as place:
        made = mute(place.aws, deployed_stack(place.aws, place.stack), wanted, reason, datetime.now(UTC))
    if as_json:
        print_json({"stack": place.stack, **made.to_dict()})
        return
    click.echo(f"{made.alarms} alarms of {place.stack} are mute from the next minute until {made.until}: {reason}")


@click.command("unmute")
@project_option
@stage_option
@json_option
def unmute_command(*, project: Path, stage: str | None, as_json: bool) -> None:
    """Let the alarms of a stage speak again."""
    from lightship.operate.muting import unmute
    from lightship.operate.stacks import deployed_stack
    from lightship.operate.status import read_alarms

    with place_of(project, stage) as place:
        stack = deployed_stack(place.aws, place.stack)
        was, sounding = unmute(place.aws, stack), read_alarms(place.aws, stack)["ALARM"]
    if as_json:
        print_json({"stack": place.stack, "was_muted": was, "sounding": list(sounding)})
        return
    click.echo(f"The alarms of {place.stack} speak again." if was else f"{place.stack} wasn't muted by this tool.")
    for name in sounding:
        click.echo(f"  ALARM {name}")
