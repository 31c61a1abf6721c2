"""The records of stacks, their resources, events and change sets."""

import secrets
import threading
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lightship.rehearsal.emulator.cloudformation.errors import ChangeSetNotFoundError, CloudFormationError
from lightship.rehearsal.emulator.cloudformation.template import Template
from lightship.rehearsal.emulator.resources.base import Made

GONE = "DELETE_COMPLETE"
IN_REVIEW = "REVIEW_IN_PROGRESS"


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class StackResource:
    """A resource as the stack knows it: its type, its resolved properties, and what was made."""

    logical_id: str
    type: str
    properties: dict[str, Any]
    definition: dict[str, Any]
    made: Made
    status: str = "CREATE_COMPLETE"
    reason: str | None = None
    updated: datetime = field(default_factory=now)


@dataclass
class ChangeSet:
    name: str
    id: str
    kind: str
    template: Template
    parameters: dict[str, str]
    tags: list[dict[str, str]]
    capabilities: list[str]
    description: str | None
    changes: list[dict[str, Any]]
    created: datetime = field(default_factory=now)
    status: str = "CREATE_COMPLETE"
    reason: str | None = None
    execution: str = "AVAILABLE"


@dataclass
class Stack:
    """A stack. `template` is the one it was made by, `making` that of a first creation until then.

    `lock` is held by the one operation that may be under way, and `stopped` is set to end it early. `gone` are the
    resources that its deletion took or left behind, which AWS still lists for ninety days.
    """

    name: str
    id: str
    created: datetime = field(default_factory=now)
    updated: datetime | None = None
    deleted: datetime | None = None
    status: str = IN_REVIEW
    reason: str | None = None
    template: Template | None = None
    making: Template | None = None
    parameters: dict[str, str] = field(default_factory=dict)
    resolved_parameters: dict[str, Any] = field(default_factory=dict)
    tags: list[dict[str, str]] = field(default_factory=list)
    capabilities: list[str] = field(default_factory=list)
    role: str | None = None
    protected: bool = False
    resources: dict[str, StackResource] = field(default_factory=dict)
    gone: list[StackResource] = field(default_factory=list)
    outputs: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    change_sets: dict[str, ChangeSet] = field(default_factory=dict)
    operation: str = ""
    stopped: threading.Event = field(default_factory=threading.Event, repr=False)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def busy(self) -> bool:
        return self.status.endswith("_IN_PROGRESS") and self.status != IN_REVIEW

    def set_status(self, status: str, reason: str | None = None) -> None:
        self.event(self.name, "AWS::CloudFormation::Stack", self.id, status, reason)
        self.status, self.reason = status, reason

    def event(self, logical: str, kind: str, physical: str, status: str, reason: str | None = None) -> None:
        """Add to the events, which are kept oldest first."""
        self.events.append(
            {
                "StackId": self.id,
                "EventId": str(uuid.uuid4()),
                "StackName": self.name,
                "OperationId": self.operation or None,
                "LogicalResourceId": logical,
                "PhysicalResourceId": physical,
                "ResourceType": kind,
                "Timestamp": now(),
                "ResourceStatus": status,
                "ResourceStatusReason": reason,
            }
        )

    def change_set(self, name: str) -> ChangeSet:
        """By name or ARN. Raises ChangeSetNotFoundError."""
        for change_set in self.change_sets.values():
            if name in {change_set.name, change_set.id}:
                return change_set
        raise ChangeSetNotFoundError(f"ChangeSet [{name}] does not exist")


class Stacks:
    """All stacks, those deleted included."""

    def __init__(self, account: str, region: str) -> None:
        self.account = account
        self.region = region
        self.all: list[Stack] = []

    def find(self, name: str) -> Stack:
        """A stack by ARN, or a living one by name. Raises CloudFormationError."""
        for stack in reversed(self.all):
            if stack.id == name or (stack.name == name and stack.status != GONE):
                return stack
        raise CloudFormationError(f"Stack with id {name} does not exist")

    def living(self) -> list[Stack]:
        return [stack for stack in self.all if stack.status != GONE]

    def add(self, name: str) -> Stack:
        stack = Stack(name, f"arn:aws:cloudformation:{self.region}:{self.account}:stack/{name}/{uuid.uuid4()}")
        self.all.append(stack)
        return stack

    def export(self, name: str) -> Any:
        """The value that a stack exports under a name. Raises CloudFormationError."""
        for stack in self.living():
            for output in stack.outputs:
                if output.get("ExportName") == name:
                    return output["OutputValue"]
        raise CloudFormationError(f"No export named {name} found.")

    def change_set_arn(self, name: str) -> str:
        return f"arn:aws:cloudformation:{self.region}:{self.account}:changeSet/{name}/{secrets.token_hex(16)}"
