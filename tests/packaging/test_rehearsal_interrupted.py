"""The emulated CloudFormation when an operation is stopped under way, with resources that wait until they are told."""

import json
import threading
import time
from typing import Any

import pytest

from lightship.rehearsal.emulator.clients import Clients
from lightship.rehearsal.emulator.cloudformation import engine as engine_module
from lightship.rehearsal.emulator.cloudformation.api import Api
from lightship.rehearsal.emulator.cloudformation.engine import Engine
from lightship.rehearsal.emulator.cloudformation.errors import CloudFormationError
from lightship.rehearsal.emulator.cloudformation.stacks import Stacks
from lightship.rehearsal.emulator.resources.base import Context, Made, Properties, Resource


class Slow(Resource):
    """What exists, by value. A resource whose value is `wait` isn't made before `go` is set."""

    def __init__(self) -> None:
        self.exists: dict[str, str] = {}
        self.waiting, self.go = threading.Event(), threading.Event()

    def create(self, context: Context, properties: Properties) -> Made:
        self._wait(properties)
        self.exists[context.logical_id] = properties["Value"]
        return Made(context.logical_id)

    def update(self, context: Context, made: Made, properties: Properties, before: Properties) -> Made:
        del before
        self._wait(properties)
        self.exists[context.logical_id] = properties["Value"]
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        del context, properties
        del self.exists[made.id]

    def _wait(self, properties: Properties) -> None:
        if properties["Value"] == "wait":
            self.waiting.set()
            assert self.go.wait(10)


class Cloud:
    """The operations over one type of resource."""

    def __init__(self, resource: Slow) -> None:
        self.resource = resource
        self.api = Api(Engine(Stacks("123456789012", "us-east-1"), Clients("http://127.0.0.1:9", "a", "b")))

    def begin(self, **values: str) -> None:
        """Deploy resources with these values, each after the one before it, without waiting for the end."""
        names = list(values)
        resources = {
            name: {
                "Type": "Slow",
                "Properties": {"Value": values[name]},
                "DeletionPolicy": "Retain" if values[name] == "kept" else "Delete",
                **({"DependsOn": before} if before else {}),
            }
            for name, before in zip(names, [None, *names], strict=False)
        }
        kind = "UPDATE" if self.status() != "ABSENT" else "CREATE"
        given = {"StackName": "s", "ChangeSetName": "c", "ChangeSetType": kind}
        made = self.api("CreateChangeSet", {**given, "TemplateBody": json.dumps({"Resources": resources})})
        self.api("ExecuteChangeSet", {"StackName": "s", "ChangeSetName": made["Id"]})

    def status(self) -> str:
        found = self.api("DescribeStacks", {})["Stacks"]
        return str(found[0]["StackStatus"]) if found else "ABSENT"

    def settled(self) -> str:
        deadline = time.monotonic() + 10
        while self.status().endswith("_IN_PROGRESS"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return self.status()


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    resource = Slow()

    def resource_for(_type: str) -> Any:
        return resource

    monkeypatch.setattr(engine_module, "resource_for", resource_for)
    return Cloud(resource)


def test_a_cancelled_update_goes_back_and_begins_nothing_more(cloud: Cloud) -> None:
    cloud.begin(A="1", B="1")
    assert cloud.settled() == "CREATE_COMPLETE"
    with pytest.raises(CloudFormationError, match="cannot be called from current stack status"):
        cloud.api("CancelUpdateStack", {"StackName": "s"})
    cloud.begin(A="2", B="wait", C="1")
    assert cloud.resource.waiting.wait(10)
    cloud.api("CancelUpdateStack", {"StackName": "s"})
    with pytest.raises(CloudFormationError, match="can not be deleted"):
        cloud.api("DeleteStack", {"StackName": "s"})
    cloud.resource.go.set()
    assert cloud.settled() == "UPDATE_ROLLBACK_COMPLETE"
    assert cloud.resource.exists == {"A": "1", "B": "1"}
    events = cloud.api("DescribeStackEvents", {"StackName": "s"})["StackEvents"]
    assert not [each for each in events if each["LogicalResourceId"] == "C"]
    cloud.begin(A="3", B="3")
    assert cloud.settled() == "UPDATE_COMPLETE"
    assert cloud.resource.exists == {"A": "3", "B": "3"}


def test_a_stack_deleted_while_it_is_made_leaves_what_it_keeps_and_names_it(cloud: Cloud) -> None:
    cloud.begin(A="kept", B="wait", C="1")
    assert cloud.resource.waiting.wait(10)
    assert "kept" in cloud.api("GetTemplate", {"StackName": "s"})["TemplateBody"]
    cloud.api("DeleteStack", {"StackName": "s"})
    assert cloud.status() == "DELETE_IN_PROGRESS"
    stack = cloud.api("DescribeStacks", {})["Stacks"][0]["StackId"]
    cloud.resource.go.set()
    assert cloud.settled() == "ABSENT"
    assert cloud.resource.exists == {"A": "kept"}
    told = cloud.api("ListStackResources", {"StackName": stack})["StackResourceSummaries"]
    assert {each["LogicalResourceId"]: each["ResourceStatus"] for each in told} == {
        "A": "DELETE_SKIPPED", "B": "DELETE_COMPLETE",
    }  # fmt: skip
