"""Deployed batches: what their runs did, and driving a failed one on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lightship.operate.aws import code_of
from lightship_runtime.batch.errors import BatchError

SHOWN = 20
REDRIVABLE = ("FAILED", "TIMED_OUT", "ABORTED")


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution of the state machine, times in ISO 8601."""

    name: str
    arn: str
    status: str
    started: str
    ended: str | None
    redrives: int

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


def state_machine_of(outputs: Mapping[str, str]) -> str:
    """From a stack's outputs. Raises BatchError for a stack without batches."""
    try:
        return outputs["BatchStateMachine"]
    except KeyError:
        raise BatchError(
            "The stack has no batch. Write [batch] with a schedule, an input and an output, then deploy."
        ) from None


def executions(client: Any, state_machine: str) -> list[Execution]:
    """The latest runs, newest first."""
    found = client.list_executions(stateMachineArn=state_machine, maxResults=SHOWN)["executions"]
    return [
        Execution(
            each["name"],
            each["executionArn"],
            each["status"],
            each["startDate"].isoformat(),
            each["stopDate"].isoformat() if each.get("stopDate") else None,
            each.get("redriveCount", 0),
        )
        for each in found
    ]


def redrive(client: Any, state_machine: str, name: str | None) -> Execution:
    """Drive a failed run on from where it failed: the one named, or the latest that can be. Raises BatchError."""
    every = executions(client, state_machine)
    wanted = [each for each in every if each.status in REDRIVABLE and name in (None, each.name)]
    if not wanted:
        listed = ", ".join(f"{each.name} {each.status}" for each in every[:5]) or "none at all"
        raise BatchError(f"There is no failed run{f' {name}' if name else ''} to redrive; the latest are: {listed}.")
    chosen = wanted[0]
    try:
        client.redrive_execution(executionArn=chosen.arn)
    except Exception as error:
        if code_of(error) != "ExecutionNotRedrivable":
            raise
        raise BatchError(
            f"AWS doesn't redrive {chosen.name}: {error} Nothing of it is published: the next scheduled run takes its "
            "objects."
        ) from error
    return chosen
