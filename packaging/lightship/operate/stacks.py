"""A stack as CloudFormation has it."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lightship.operate.aws import Clients, OperateError, code_of

POLL_S = 3.0
TIMEOUT_S = 3600.0
# A stack whose creation failed, or which holds nothing yet: it can't be updated.
NEVER_MADE = frozenset({"REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"})
ABSENT = "ABSENT"

type Template = Mapping[str, Any]
type Sleep = Callable[[float], None]
type Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class StackResource:
    """One resource by the template's name and by AWS's."""

    logical: str
    physical: str
    type: str


@dataclass(frozen=True)
class DeployedStack:
    """`updated` changes with every operation. `template` is the one that was given to CloudFormation."""

    id: str
    name: str
    status: str
    reason: str
    updated: datetime
    outputs: Mapping[str, str]
    template: Template
    resources: tuple[StackResource, ...]

    @property
    def moving(self) -> bool:
        """Whether an operation is under way."""
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"

    @property
    def serves(self) -> bool:
        """Whether it was ever made whole, so that there is something to update, call or go back from."""
        return self.status not in NEVER_MADE and "FunctionName" in self.outputs

    def output(self, name: str) -> str:
        """Raises OperateError for a stack without it."""
        if name not in self.outputs:
            raise OperateError(
                f"The stack {self.name} ({self.status}) has no output {name}. Deploy it first: lightship deploy"
            )
        return self.outputs[name]

    def of_type(self, kind: str) -> tuple[StackResource, ...]:
        return tuple(resource for resource in self.resources if resource.type == kind)

    def physical(self, logical: str) -> str | None:
        return next((each.physical for each in self.resources if each.logical == logical), None)


def stack_status(aws: Clients, name: str) -> tuple[str, str]:
    """Status and reason of a stack by its name or id; ABSENT when there is none."""
    found = _describe(aws, name)
    if found is None:
        return ABSENT, ""
    return found["StackStatus"], found.get("StackStatusReason") or ""


def read_stack(aws: Clients, name: str) -> DeployedStack | None:
    """None when there is no such stack."""
    found = _describe(aws, name)
    if found is None or found["StackStatus"] == "DELETE_COMPLETE":
        return None
    reviewed = found["StackStatus"] == "REVIEW_IN_PROGRESS"
    body = {} if reviewed else aws("cloudformation").get_template(StackName=name)["TemplateBody"]
    return DeployedStack(
        id=found["StackId"],
        name=found["StackName"],
        status=found["StackStatus"],
        reason=found.get("StackStatusReason") or "",
        updated=found.get("LastUpdatedTime") or found["CreationTime"],
        outputs={each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs") or ()},
        template=json.loads(body) if isinstance(body, str) else body,
        resources=() if reviewed else stack_resources(aws, name),
    )


def deployed_stack(aws: Clients, name: str) -> DeployedStack:
    """Raises OperateError when there is no stack, or one that was never made whole."""
    stack = read_stack(aws, name)
    if stack is None:
        raise OperateError(f"There is no stack {name} in this account and region. `lightship deploy` makes it.")
    if not stack.serves:
        raise OperateError(
            f"The stack {name} is {stack.status}: it was never made whole. `lightship deploy` makes it anew."
        )
    return stack


def wait_until_still(aws: Clients, stack_id: str, say: Say, sleep: Sleep = time.sleep) -> tuple[str, str]:
    """The status and reason in which a stack comes to rest. Raises OperateError after an hour."""
    waited, told = 0.0, ""
    while waited < TIMEOUT_S:
        status, reason = stack_status(aws, stack_id)
        if not status.endswith("_IN_PROGRESS"):
            return status, reason
        if status != told:
            say(status.lower().replace("_", " "))
            told = status
        sleep(POLL_S)
        waited += POLL_S
    raise OperateError(f"{stack_id} is still {told} after an hour. Look at its events in the CloudFormation console.")


def failure_reasons(aws: Clients, stack_id: str, since: datetime) -> list[str]:
    """What CloudFormation gives as reasons for a failure, the first cause first."""
    pages = aws("cloudformation").get_paginator("describe_stack_events").paginate(StackName=stack_id)
    reasons: list[str] = []
    for page in pages:
        for event in page["StackEvents"]:
            if event["Timestamp"] < since:
                return reasons[::-1]
            reason = event.get("ResourceStatusReason") or ""
            # What was cancelled because something else failed isn't a cause.
            if event["ResourceStatus"].endswith("_FAILED") and "cancelled" not in reason:
                reasons.append(f"{event['LogicalResourceId']}: {reason}")
    return reasons[::-1]


def _describe(aws: Clients, name: str) -> dict[str, Any] | None:
    from botocore.exceptions import ClientError

    try:
        found: dict[str, Any] = aws("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if code_of(error) == "ValidationError" and "does not exist" in str(error):
            return None
        raise
    return found


def stack_resources(aws: Clients, name: str) -> tuple[StackResource, ...]:
    """What a stack has; of a deleted one, by its id, what it left behind."""
    pages = aws("cloudformation").get_paginator("list_stack_resources").paginate(StackName=name)
    return tuple(
        StackResource(each["LogicalResourceId"], each.get("PhysicalResourceId", ""), each["ResourceType"])
        for page in pages
        for each in page["StackResourceSummaries"]
        if each.get("ResourceStatus") != "DELETE_COMPLETE"
    )
