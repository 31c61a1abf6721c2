"""How a plan and a status read on a terminal."""

from collections import Counter
from typing import TYPE_CHECKING

import click

from lightship.operate.wording import noun

if TYPE_CHECKING:
    from lightship.operate.differences import Change
    from lightship.operate.planning import DeployPlan
    from lightship.operate.status import Status

SIGNS = {"add": "+", "change": "~", "replace": "!", "may replace": "!", "remove": "-", "keep": " "}
WORDS = {
    "replace": "replaced: ",
    "may replace": "may be replaced: ",
    "keep": "no longer in the stack, stays in the account: ",
}
MOST_COSTS = 6


def print_plan(plan: "DeployPlan") -> None:
    """What changes, what is replaced, who may do more, and what a month costs."""
    came = f"release {plan.from_release} -> {plan.release}" if plan.from_release else f"release {plan.release}, anew"
    if plan.from_release == plan.release:
        came = f"release {plan.release}, which is deployed"
    click.echo(f"{plan.stack}: {came}")
    if plan.unchanged:
        click.echo("  No difference: what is deployed is this release with these settings.")
    if plan.moved:
        click.echo(f"  ! the alias was moved to version {plan.live} by hand; CloudFormation believes {plan.recorded}")
    if plan.first:
        _print_counts(plan)
    else:
        for change in plan.changes:
            click.echo(f"  {_line(change)}")
        if not plan.replacement_known:
            click.echo("  ? `cdk diff` failed, so that nobody knows what is replaced")
        if plan.outputs_change:
            click.echo("  ~ outputs of the stack")
        if any(change.type == "AWS::Lambda::Version" and change.kind == "add" for change in plan.changes):
            click.echo(f"  Traffic: {plan.shift}, after the hook has replayed the golden rows.")
    _print_access(plan)
    _print_cost(plan)


def _line(change: "Change") -> str:
    details = f": {'; '.join(change.details)}" if change.details else ""
    return f"{SIGNS[change.kind]} {WORDS.get(change.kind, '')}{noun(change.type)} {change.name}{details}"


def _print_counts(plan: "DeployPlan") -> None:
    counts = Counter(noun(change.type) for change in plan.changes)
    click.echo(f"  + {len(plan.changes)} resources: {', '.join(_counted(*each) for each in counts.items())}")


def _counted(name: str, count: int) -> str:
    return name if count == 1 else f"{name} ({count})"


def _print_access(plan: "DeployPlan") -> None:
    for door in plan.opened:
        click.echo(f"  ! {door}")
    if plan.widened:
        click.echo("  Permissions added:")
    actions: dict[tuple[str, str, str], list[str]] = {}
    for grant in sorted(plan.widened, key=lambda grant: grant.who):
        actions.setdefault((grant.who, grant.verb, grant.where), []).append(grant.action)
    for (who, verb, where), several in actions.items():
        click.echo(f"    {who} {verb} {', '.join(several)} {where}".rstrip())


def _print_cost(plan: "DeployPlan") -> None:
    before = "" if plan.cost_before is None else f" (now ${plan.cost_before:,.2f})"
    click.echo(f"  About ${plan.cost:,.2f} a month{before} at {plan.requests:,.0f} requests, list prices:")
    dearest = plan.costs[:MOST_COSTS]
    rest = plan.cost - sum(line.dollars for line in dearest)
    told = [f"{line.what} ${line.dollars:,.2f}" for line in dearest]
    click.echo(f"    {', '.join(told)}{f', other ${rest:,.2f}' if rest >= 0.005 else ''}")


def print_status(status: "Status") -> None:
    """A few lines for whoever was just woken."""
    click.echo(f"{status.stack} ({status.stack_status}) {status.url}")
    click.echo(f"  live:     {status.live}, {status.live.published}")
    before = f"{status.previous}, {status.previous.published}" if status.previous else "none"
    click.echo(f"  previous: {before}")
    shares = ", ".join(f"{share:.0%} to version {number}" for number, share in status.alias.traffic.items())
    click.echo(f"  traffic:  {shares}")
    told = ", ".join(f"{len(names)} {state}" for state, names in status.alarms.items() if names)
    click.echo(f"  alarms:   {told or 'none'}")
    for name in status.alarms.get("ALARM", ()):
        click.echo(f"            ALARM {name}")
    for mute in status.mutes:
        state = "mute" if mute.status == "ACTIVE" else "mute soon"
        click.echo(f"            {state} until {mute.until}: {mute.alarms} alarms, {mute.reason or mute.name}")
    shift = status.deployment
    click.echo(f"  shift:    {f'{shift.id} {shift.status} ({shift.shift}), {shift.created}' if shift else 'none yet'}")
    if status.batch:
        click.echo(f"  batch:    {status.batch.name} {status.batch.status}, {status.batch.started}")
    for finding in status.findings:
        click.echo(f"  ! {finding}")
