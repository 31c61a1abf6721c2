"""`lightship deploy`, `status`, `rollback`, `destroy` and `prune`."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lightship.cli.operate_text import print_plan, print_status
from lightship.cli.output import json_option, print_json, progress
from lightship_runtime.errors import LightshipError

if TYPE_CHECKING:
    from lightship.config import Config
    from lightship.operate.aws import Aws
    from lightship.operate.planning import DeployPlan
    from lightship.operate.project import Chosen
    from lightship.operate.stacks import DeployedStack

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
DEFAULT_TRAFFIC = 1_000_000

project_option = click.option(
    "--project", type=FOLDER, default=".", help="The folder with cdk.json and lightship.toml.  [default: here]"
)
stage_option = click.option("--stage", help="The stage of lightship.toml.")
yes_option = click.option("--yes", is_flag=True, help="Don't ask.")


class ConsentError(LightshipError):
    """Something wants a yes, and nobody can be asked."""


@dataclass(frozen=True)
class Place:
    """One stage of a project, and its AWS."""

    project: Path
    config: "Config"
    aws: "Aws"

    @property
    def stack(self) -> str:
        return self.config.service


@contextmanager
def place_of(project: Path, stage: str | None) -> Iterator[Place]:
    """The stage with the caller's credentials; AWS's errors are told in one line each."""
    from lightship.operate.aws import aws_errors, connect
    from lightship.operate.project import load_project

    config = load_project(project, stage)
    aws = connect(config.deploy.region, config.deploy.account)
    with aws_errors():
        yield Place(project.absolute(), config, aws)


def consent(question: str, *, yes: bool) -> None:
    """Ask, unless it was answered beforehand. Raises ConsentError where nobody sits, Abort for a no."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise ConsentError(f"{question} Nobody is here to be asked: add --yes.")
    click.confirm(question, abort=True, err=True)


@click.command("deploy")
@project_option
@stage_option
@click.option(
    "--traffic", type=click.FloatRange(min=0), default=DEFAULT_TRAFFIC, help="Requests a month, for the cost."
)
@click.option("--dry-run", is_flag=True, help="Show the plan, and stop.")
@yes_option
@json_option
def deploy_command(
    *, project: Path, stage: str | None, traffic: float, dry_run: bool, yes: bool, as_json: bool
) -> None:
    """Show what deploying the locked release changes, and deploy it with the CDK.

    Asks before permissions are widened or the endpoint is opened.
    """
    from lightship.operate.project import locked

    with place_of(project, stage) as place:
        _deploy(place, locked(place.project), traffic, ask=None, dry_run=dry_run, yes=yes, as_json=as_json)


@click.command("rollback")
@project_option
@stage_option
@click.option(
    "--to", "wanted", metavar="VERSION", help="A release, or a number of Lambda's.  [default: the one before]"
)
@click.option("--release", "folder", type=FOLDER, help="Where that release lies.  [default: dist/NAME/VERSION]")
@click.option("--now", is_flag=True, help="Move the alias within seconds; the next deploy reconciles.")
@yes_option
@json_option
def rollback_command(
    *, project: Path, stage: str | None, wanted: str | None, folder: Path | None, now: bool, yes: bool, as_json: bool
) -> None:
    """Go back to an earlier release, through CloudFormation and all at once."""
    from lightship.operate.going_back import find_target, move_now
    from lightship.operate.planning import refuse_moving
    from lightship.operate.project import other_release
    from lightship.operate.stacks import deployed_stack

    with place_of(project, stage) as place:
        stack = deployed_stack(place.aws, place.stack)
        if now:
            consent(f"Move {place.stack} at once, behind CloudFormation's back?", yes=yes)
            said = move_now(place.aws, stack, wanted)
            print_json({"stack": place.stack, "done": said}) if as_json else click.echo(said)
            return
        refuse_moving(stack)
        target = find_target(place.aws, stack, wanted)
        if target.to.release is None:
            raise ConsentError(f"{target.to} isn't of a release that this tool deployed. Use --now, or another --to.")
        with other_release(place.project, place.config.model.name, target.to.release, folder) as chosen:
            ask = f"Go back from {target.live} to release {target.to.release}?"
            done = _deploy(place, chosen, DEFAULT_TRAFFIC, ask=ask, yes=yes, as_json=as_json)
        if done and not as_json:
            click.echo(
                "lightship.lock names the release it named before: the next `lightship deploy` deploys that one."
            )


@click.command("status")
@project_option
@stage_option
@json_option
def status_command(*, project: Path, stage: str | None, as_json: bool) -> None:
    """Live and previous version, traffic, alarms, the last shift, and whatever is half-moved."""
    from lightship.operate.stacks import deployed_stack
    from lightship.operate.status import read_status

    with place_of(project, stage) as place:
        status = read_status(place.aws, deployed_stack(place.aws, place.stack))
    print_json(status.to_dict()) if as_json else print_status(status)


@click.command("destroy")
@project_option
@stage_option
@click.option("--delete-data", is_flag=True, help="Delete logs, keys, tables and buckets too.")
@yes_option
@json_option
def destroy_command(*, project: Path, stage: str | None, delete_data: bool, yes: bool, as_json: bool) -> None:
    """Take the stack down. Data stays, unless it is to go too, and is named."""
    from lightship.operate.destroying import KEY_WINDOW_DAYS, delete_kept, destroy, kept_by
    from lightship.operate.stacks import read_stack

    with place_of(project, stage) as place:
        stack = read_stack(place.aws, place.stack)
        if stack is None:
            raise ConsentError(f"There is no stack {place.stack}: nothing is to be taken down.")
        kept = kept_by(stack)
        data = f"and delete {len(kept)} things that hold data" if delete_data else "and keep its data"
        consent(f"Take {place.stack} down ({len(stack.resources)} resources), {data}?", yes=yes)
        with progress() as say:
            destroy(place.aws, stack, say)
            left = delete_kept(place.aws, kept, say) if delete_data else kept
    if as_json:
        print_json({"stack": place.stack, "left": [{"type": each.type, "id": each.physical} for each in left]})
        return
    click.echo(f"{place.stack} is gone." if left else f"{place.stack} is gone, and nothing of it is left.")
    for each in left:
        click.echo(f"  left: {each}")
    if delete_data and any(each.type == "AWS::KMS::Key" for each in kept):
        click.echo(f"  Its key is deleted in {KEY_WINDOW_DAYS} days, and can be had back until then.")


@click.command("prune")
@project_option
@stage_option
@click.option("--keep", type=click.IntRange(min=1), default=5, show_default=True, help="How many of the newest stay.")
@yes_option
@json_option
def prune_command(*, project: Path, stage: str | None, keep: int, yes: bool, as_json: bool) -> None:
    """Delete old versions of the function. Those that the alias or the stack points to stay."""
    from lightship.operate.pruning import plan_pruning, prune
    from lightship.operate.stacks import deployed_stack

    with place_of(project, stage) as place:
        pruning = plan_pruning(place.aws, deployed_stack(place.aws, place.stack), keep)
        if pruning.go:
            consent(f"Delete {', '.join(str(each) for each in pruning.go)}?", yes=yes)
            prune(place.aws, pruning)
    if as_json:
        gone, stay = ([each.number for each in versions] for versions in (pruning.go, pruning.stay))
        print_json({"deleted": gone, "kept": stay})
        return
    click.echo(f"{len(pruning.go)} versions deleted, {len(pruning.stay)} kept.")


def _deploy(
    place: Place,
    chosen: "Chosen",
    traffic: float,
    *,
    ask: str | None,
    yes: bool,
    as_json: bool,
    dry_run: bool = False,
) -> bool:
    """Plan, show, ask, deploy, tell. `ask` is put in any case. False when there was nothing to deploy."""
    from lightship.operate.cdk import CdkProgram
    from lightship.operate.deploying import Deployer
    from lightship.operate.project import synthesise
    from lightship.rehearsal.node import cdk_tool

    cdk = CdkProgram(cdk_tool(place.project), place.project, place.aws.region)
    with tempfile.TemporaryDirectory(prefix="lightship-deploy-") as scratch:
        with progress() as say:
            say("synthesising the stack")
            assembly = synthesise(cdk, place.config, chosen, Path(scratch) / "cdk.out")
            plan, seen = Deployer(place.aws, cdk, say).plan(assembly, chosen.release, traffic)
        if not as_json:
            print_plan(plan)
        if dry_run or plan.unchanged:
            _tell(plan, seen, as_json=as_json, deployed=False)
            return False
        _ask(plan, ask, yes=yes)
        with progress() as say:
            stack = Deployer(place.aws, cdk, say).deploy(assembly, plan, seen)
    _tell(plan, stack, as_json=as_json, deployed=True)
    return True


def _ask(plan: "DeployPlan", question: str | None, *, yes: bool) -> None:
    told = []
    if plan.widened:
        told.append(f"This deployment adds {len(plan.widened)} permissions.")
    told += plan.opened
    if told or question:
        consent(" ".join([*told, question or "Deploy?"]), yes=yes)


def _tell(plan: "DeployPlan", stack: "DeployedStack | None", *, as_json: bool, deployed: bool) -> None:
    outputs = dict(stack.outputs) if stack else {}
    if as_json:
        print_json({**plan.to_dict(), "deployed": deployed, "outputs": outputs})
        return
    if not deployed:
        click.echo("Nothing was changed.")
        return
    click.echo(f"\n{plan.stack} is deployed: release {plan.release}.")
    for name, value in outputs.items():
        click.echo(f"  {name:<16} {value}")
