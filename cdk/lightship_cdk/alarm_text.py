"""What an alarm says of itself: the engineer on call reads it in the message, before anything else."""

from dataclasses import dataclass
from typing import Self, cast

import aws_cdk as cdk
from aws_cdk import aws_logs as logs
from constructs import Construct

from lightship_cdk import console
from lightship_cdk.alarm_table import COMPOSITES, Log, Row
from lightship_cdk.watched import Watched

DESCRIPTION_LIMIT = 1024
# What CloudFormation knows only later, at its longest: a region, and what follows a log group's logical id.
LONGEST_REGION = "ap-southeast-99"
SUFFIX = "-ABCDEFGHIJKL"


@dataclass(frozen=True, slots=True)
class Places:
    """The region and the names of log groups: as the template has them, or as long as they can become."""

    region: str
    groups: dict[Log, str]

    @classmethod
    def in_template(cls, watched: Watched, scope: Construct) -> Self:
        groups: dict[Log, str] = {name: group.log_group_name for name, group in watched.log_groups.items()}
        return cls(cdk.Stack.of(scope).region, groups)

    @classmethod
    def at_longest(cls, watched: Watched, scope: Construct) -> Self:
        stack = cdk.Stack.of(scope)
        groups: dict[Log, str] = {}
        for name, group in watched.log_groups.items():
            logical = stack.get_logical_id(cast("logs.CfnLogGroup", group.node.default_child))
            groups[name] = f"{stack.stack_name}-{logical}{SUFFIX}"
        return cls(LONGEST_REGION, groups)


def describe(row: Row, watched: Watched, places: Places, *, logs_link: bool = True) -> str:
    """The impact first, then causes, what to do, links, and how to undo the last deployment."""
    lines = [
        f"[{row.severity}] {watched.service}: {row.meaning}",
        f"Likely: {row.causes}",
        f"First: {row.first_steps}",
        f"Runbook: {runbook_link(row, watched, places)}",
        f"Graphs: {console.dashboard(places.region, watched.service)}",
    ]
    if logs_link and row.query and row.log in places.groups:
        lines.append(f"Logs: {console.logs_query(places.region, places.groups[row.log], row.query)}")
    lines.append(f"Undo the last deployment: lightship rollback{watched.options}")
    return "\n".join(lines)


def fitting_description(row: Row, watched: Watched, places: Places, longest: Places) -> str:
    """The description, without the link to the log where that would be too long; the runbook has it too.

    Raises ValueError when it is too long even so.
    """
    logs_link = len(describe(row, watched, longest)) <= DESCRIPTION_LIMIT
    length = len(describe(row, watched, longest, logs_link=logs_link))
    if length > DESCRIPTION_LIMIT:
        raise ValueError(f"The description of alarm {row.id} has {length} characters; CloudWatch takes 1,024.")
    return describe(row, watched, places, logs_link=logs_link)


def runbook_name(row: Row) -> str:
    """The title of the page that has the alarm: its own, or that of the composite that it is silent for."""
    owner = next((each for each in COMPOSITES if row.id in each.members), row)
    return owner.title


def runbook_link(row: Row, watched: Watched, places: Places) -> str:
    """Below the address that lightship.toml gives, or else the dashboard that holds them all."""
    if watched.runbooks:
        return f"{watched.runbooks.rstrip('/')}/{runbook_name(row)}.md"
    return console.dashboard(places.region, runbooks_dashboard(watched.service))


def runbooks_dashboard(service: str) -> str:
    return f"{service}-runbooks"
