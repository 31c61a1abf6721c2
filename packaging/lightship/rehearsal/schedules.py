"""Fires a schedule of EventBridge Scheduler by hand: its target is called as it would be at a given time."""

import json
import time
import uuid
from datetime import UTC, datetime
from typing import Any

from lightship.rehearsal.emulator.clients import Clients
from lightship_runtime.errors import LightshipError

RUN_TIMEOUT_S = 300.0
POLL_S = 0.2
DEFAULT_GROUP = "default"


class ScheduleError(LightshipError):
    """A schedule can't be fired, or what it started failed."""


def fire(clients: Clients, schedule: str, when: datetime | None = None) -> Any:
    """Call the target of the schedule with its input, as at `when` (now unless given), and wait for the outcome.

    Gives what the function returned, or the execution's output. Raises ScheduleError when it failed.
    https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
    """
    found = _schedule(clients, schedule)
    target = found["Target"]
    given = target.get("Input", "{}")
    for name, text in _context(found["Arn"], when or datetime.now(UTC)).items():
        given = given.replace(f"<aws.scheduler.{name}>", text)
    match target["Arn"].split(":")[2]:
        case "lambda":
            return _invoke(clients, target["Arn"], given)
        case "states":
            return _execute(clients, target["Arn"], given)
    raise ScheduleError(f"The rehearsal fires schedules of functions and state machines, not of {target['Arn']}.")


def _schedule(clients: Clients, schedule: str) -> dict[str, Any]:
    """By its name, or by `group|name`, which is what CloudFormation refers to some by."""
    group, _, name = schedule.rpartition("|")
    found: dict[str, Any] = clients("scheduler").get_schedule(Name=name, GroupName=group or DEFAULT_GROUP)
    if found["State"] != "ENABLED":
        raise ScheduleError(f"The schedule {name} is {found['State'].lower()}: it would never fire.")
    return found


def _context(arn: str, when: datetime) -> dict[str, str]:
    return {
        "schedule-arn": arn,
        "scheduled-time": f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "execution-id": uuid.uuid4().hex,
        "attempt-number": "1",
    }


def _invoke(clients: Clients, arn: str, given: str) -> Any:
    """The Scheduler doesn't wait for a function; a rehearsal does, to say what went wrong."""
    reply = clients("lambda").invoke(FunctionName=arn, Payload=given.encode())
    answer = json.loads(reply["Payload"].read())
    if "FunctionError" in reply:
        raise ScheduleError(f"{arn} failed on {given}: {answer.get('errorType')}: {answer.get('errorMessage')}")
    return answer


def _execute(clients: Clients, arn: str, given: str) -> Any:
    client = clients("stepfunctions")
    started = client.start_execution(stateMachineArn=arn, input=given, name=uuid.uuid4().hex)["executionArn"]
    return output_of(clients, started)


def output_of(clients: Clients, execution: str) -> Any:
    """What an execution gives when it has ended. Raises ScheduleError when it didn't end well, or in time."""
    deadline = time.monotonic() + RUN_TIMEOUT_S
    while time.monotonic() < deadline:
        run = clients("stepfunctions").describe_execution(executionArn=execution)
        if run["status"] == "SUCCEEDED":
            return json.loads(run["output"])
        if run["status"] != "RUNNING":
            raise ScheduleError(f"The run {execution} {run['status'].lower()}: {run.get('error')}: {run.get('cause')}")
        time.sleep(POLL_S)
    raise ScheduleError(f"The run {execution} didn't end within {RUN_TIMEOUT_S:.0f} s.")
