"""The operations of CloudFormation that its clients use, over the stacks and the engine."""

import threading
import uuid
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from lightship.rehearsal.emulator.cloudformation.changes import NO_CHANGES, describe_changes, is_unchanged
from lightship.rehearsal.emulator.cloudformation.engine import Engine
from lightship.rehearsal.emulator.cloudformation.errors import AlreadyExistsError, CloudFormationError
from lightship.rehearsal.emulator.cloudformation.stacks import IN_REVIEW, ChangeSet, Stack, StackResource
from lightship.rehearsal.emulator.cloudformation.template import Template

CREATING = "CREATE_IN_PROGRESS"
UPDATING = "UPDATE_IN_PROGRESS"

type Input = dict[str, Any]
type Output = Mapping[str, Any]


class Api:
    """Answers operations by their names. Those that take long run in a thread, as on AWS."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._stacks = engine.stacks
        self._lock = threading.RLock()
        self._actions: Mapping[str, Callable[[Input], Output]] = {
            "CancelUpdateStack": self._cancel_update_stack,
            "CreateChangeSet": self._create_change_set,
            "DeleteChangeSet": self._delete_change_set,
            "DeleteStack": self._delete_stack,
            "DescribeChangeSet": self._describe_change_set,
            "DescribeEvents": self._describe_events,
            "DescribeStackEvents": self._describe_stack_events,
            "DescribeStackResource": self._describe_stack_resource,
            "DescribeStackResources": self._describe_stack_resources,
            "DescribeStacks": self._describe_stacks,
            "ExecuteChangeSet": self._execute_change_set,
            "GetTemplate": self._get_template,
            "ListChangeSets": self._list_change_sets,
            "ListExports": self._list_exports,
            "ListStackResources": self._list_stack_resources,
            "ListStacks": self._list_stacks,
            "UpdateTerminationProtection": self._update_termination_protection,
        }

    def __call__(self, action: str, given: Input) -> Output:
        """Raises CloudFormationError, for an unknown operation too."""
        if action not in self._actions:
            raise CloudFormationError(f"The emulated CloudFormation has no operation {action}.")
        with self._lock:
            return self._actions[action](given)

    def _create_change_set(self, given: Input) -> Output:
        stack = self._stack_for(given["StackName"], given.get("ChangeSetType", "UPDATE"))
        if stack.busy:
            raise CloudFormationError(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")
        if any(change_set.name == given["ChangeSetName"] for change_set in stack.change_sets.values()):
            raise AlreadyExistsError(f"ChangeSet {given['ChangeSetName']} already exists")
        template = self._template(stack, given)
        parameters = _parameters(stack, given.get("Parameters", []))
        scope = self._engine.scope(stack, template, parameters)
        change_set = ChangeSet(
            name=given["ChangeSetName"],
            id=self._stacks.change_set_arn(given["ChangeSetName"]),
            kind=given.get("ChangeSetType", "UPDATE"),
            template=template,
            parameters=parameters,
            tags=given.get("Tags", []),
            capabilities=given.get("Capabilities", []),
            description=given.get("Description"),
            changes=describe_changes(stack, template, scope),
        )
        if is_unchanged(stack, template, scope.parameters, change_set.tags):
            change_set.status, change_set.reason, change_set.execution = "FAILED", NO_CHANGES, "UNAVAILABLE"
        stack.change_sets[change_set.id] = change_set
        return {"Id": change_set.id, "StackId": stack.id}

    def _stack_for(self, name: str, kind: str) -> Stack:
        if kind != "CREATE":
            return self._stacks.find(name)
        for stack in self._stacks.living():
            if stack.name == name:
                if stack.status != IN_REVIEW:
                    raise AlreadyExistsError(f"Stack [{name}] already exists and cannot be created again.")
                return stack
        stack = self._stacks.add(name)
        stack.set_status(IN_REVIEW, "User Initiated")
        return stack

    def _template(self, stack: Stack, given: Input) -> Template:
        if given.get("UsePreviousTemplate"):
            if stack.template is None:
                raise CloudFormationError(f"Stack {stack.name} has no previous template.")
            return stack.template
        if "TemplateBody" in given:
            return Template.parse(given["TemplateBody"])
        # The CDK addresses buckets by path, since the endpoint is an IP address.
        bucket, _, key = unquote(urlsplit(given["TemplateURL"]).path).lstrip("/").partition("/")
        body = self._engine.aws("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        return Template.parse(body.decode())

    def _execute_change_set(self, given: Input) -> Output:
        stack, change_set = self._change_set(given)
        if change_set.execution != "AVAILABLE":
            raise CloudFormationError(f"ChangeSet [{change_set.id}] cannot be executed: {change_set.reason}")
        change_set.execution = "EXECUTE_IN_PROGRESS"
        stack.operation = str(uuid.uuid4())
        stack.stopped.clear()
        first = stack.template is None
        stack.status = CREATING if first else UPDATING
        stack.making = change_set.template if first else None
        stack.tags, stack.capabilities = change_set.tags, change_set.capabilities

        def run() -> None:
            with stack.lock:
                self._engine.deploy(stack, change_set.template, change_set.parameters)
                change_set.execution = "EXECUTE_COMPLETE"
                stack.change_sets.pop(change_set.id, None)

        threading.Thread(target=run, name=f"deploy-{stack.name}", daemon=True).start()
        return {}

    def _delete_stack(self, given: Input) -> Output:
        try:
            stack = self._stacks.find(given["StackName"])
        except CloudFormationError:
            return {}
        if stack.protected:
            raise CloudFormationError(f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
        if stack.status == CREATING:
            stack.stopped.set()
        elif stack.busy:
            raise CloudFormationError(f"Stack:{stack.id} is in {stack.status} state and can not be deleted.")
        stack.operation = str(uuid.uuid4())
        stack.status = "DELETE_IN_PROGRESS"

        def run() -> None:
            with stack.lock:
                self._engine.delete(stack)

        threading.Thread(target=run, name=f"delete-{stack.name}", daemon=True).start()
        return {}

    def _cancel_update_stack(self, given: Input) -> Output:
        stack = self._stacks.find(given["StackName"])
        if stack.status != UPDATING:
            raise CloudFormationError("CancelUpdateStack cannot be called from current stack status")
        stack.stopped.set()
        return {}

    def _delete_change_set(self, given: Input) -> Output:
        try:
            stack, change_set = self._change_set(given)
        except CloudFormationError:
            return {}
        del stack.change_sets[change_set.id]
        return {}

    def _describe_change_set(self, given: Input) -> Output:
        stack, change_set = self._change_set(given)
        return {
            "ChangeSetName": change_set.name,
            "ChangeSetId": change_set.id,
            "StackId": stack.id,
            "StackName": stack.name,
            "Description": change_set.description,
            "Parameters": _listed(change_set.parameters),
            "CreationTime": change_set.created,
            "ExecutionStatus": change_set.execution,
            "Status": change_set.status,
            "StatusReason": change_set.reason,
            "Capabilities": change_set.capabilities,
            "Tags": change_set.tags,
            "Changes": change_set.changes,
        }

    def _list_change_sets(self, given: Input) -> Output:
        stack = self._stacks.find(given["StackName"])
        return {
            "Summaries": [
                {
                    "StackId": stack.id,
                    "StackName": stack.name,
                    "ChangeSetId": change_set.id,
                    "ChangeSetName": change_set.name,
                    "Status": change_set.status,
                    "StatusReason": change_set.reason,
                    "ExecutionStatus": change_set.execution,
                    "CreationTime": change_set.created,
                }
                for change_set in stack.change_sets.values()
            ]
        }

    def _change_set(self, given: Input) -> tuple[Stack, ChangeSet]:
        name = given["ChangeSetName"]
        if "StackName" in given:
            stack = self._stacks.find(given["StackName"])
            return stack, stack.change_set(name)
        for stack in self._stacks.living():
            if name in stack.change_sets:
                return stack, stack.change_sets[name]
        raise CloudFormationError(f"ChangeSet [{name}] does not exist")

    def _describe_stacks(self, given: Input) -> Output:
        found = [self._stacks.find(given["StackName"])] if given.get("StackName") else self._stacks.living()
        return {"Stacks": [_described(stack) for stack in found]}

    def _list_stacks(self, given: Input) -> Output:
        wanted = given.get("StackStatusFilter")
        return {
            "StackSummaries": [
                {
                    "StackId": stack.id,
                    "StackName": stack.name,
                    "CreationTime": stack.created,
                    "LastUpdatedTime": stack.updated,
                    "DeletionTime": stack.deleted,
                    "StackStatus": stack.status,
                    "StackStatusReason": stack.reason,
                }
                for stack in self._stacks.all
                if not wanted or stack.status in wanted
            ]
        }

    def _describe_stack_events(self, given: Input) -> Output:
        return {"StackEvents": list(reversed(self._stacks.find(given["StackName"]).events))}

    def _describe_events(self, given: Input) -> Output:
        if "StackName" not in given:
            return {"OperationEvents": []}
        events = [
            {**event, "EventType": "STACK_EVENT"}
            for event in reversed(self._stacks.find(given["StackName"]).events)
            if given.get("OperationId") in {None, event["OperationId"]}
        ]
        return {"OperationEvents": events}

    def _describe_stack_resource(self, given: Input) -> Output:
        stack = self._stacks.find(given["StackName"])
        resource = stack.resources.get(given["LogicalResourceId"])
        if resource is None:
            raise CloudFormationError(f"Resource {given['LogicalResourceId']} does not exist for stack {stack.name}")
        return {"StackResourceDetail": {**_resource(resource), "StackId": stack.id, "StackName": stack.name}}

    def _describe_stack_resources(self, given: Input) -> Output:
        stack = self._stacks.find(given["StackName"])
        wanted = given.get("LogicalResourceId")
        resources = [
            {**_resource(resource), "Timestamp": resource.updated, "StackId": stack.id, "StackName": stack.name}
            for resource in stack.resources.values()
            if wanted in {None, resource.logical_id}
        ]
        return {"StackResources": resources}

    def _list_stack_resources(self, given: Input) -> Output:
        stack = self._stacks.find(given["StackName"])
        return {"StackResourceSummaries": [_resource(each) for each in (*stack.resources.values(), *stack.gone)]}

    def _list_exports(self, given: Input) -> Output:
        del given
        exports = [
            {"ExportingStackId": stack.id, "Name": output["ExportName"], "Value": output["OutputValue"]}
            for stack in self._stacks.living()
            for output in stack.outputs
            if "ExportName" in output
        ]
        return {"Exports": exports}

    def _get_template(self, given: Input) -> Output:
        if "ChangeSetName" in given:
            template: Template | None = self._change_set(given)[1].template
        else:
            stack = self._stacks.find(given["StackName"])
            template = stack.template or stack.making
        return {"TemplateBody": template.text if template else "{}", "StagesAvailable": ["Original", "Processed"]}

    def _update_termination_protection(self, given: Input) -> Output:
        stack = self._stacks.find(given["StackName"])
        stack.protected = given["EnableTerminationProtection"]
        return {"StackId": stack.id}


def _parameters(stack: Stack, given: list[dict[str, Any]]) -> dict[str, str]:
    values = {}
    for parameter in given:
        name = parameter["ParameterKey"]
        if not parameter.get("UsePreviousValue"):
            values[name] = parameter.get("ParameterValue", "")
        elif name in stack.parameters:
            values[name] = stack.parameters[name]
    return values


def _listed(parameters: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"ParameterKey": name, "ParameterValue": text} for name, text in parameters.items()]


def _described(stack: Stack) -> dict[str, Any]:
    # A parameter of an SSM type is told by its name; what it stood for comes apart.
    parameters = [
        {"ParameterKey": name, "ParameterValue": stack.parameters.get(name, str(value)), "ResolvedValue": str(value)}
        for name, value in stack.resolved_parameters.items()
    ]
    return {
        "StackId": stack.id,
        "StackName": stack.name,
        "Description": stack.template.description if stack.template else None,
        "Parameters": parameters,
        "CreationTime": stack.created,
        "LastUpdatedTime": stack.updated,
        "DeletionTime": stack.deleted,
        "StackStatus": stack.status,
        "StackStatusReason": stack.reason,
        "DisableRollback": False,
        "NotificationARNs": [],
        "Capabilities": stack.capabilities,
        "Outputs": stack.outputs,
        "Tags": stack.tags,
        "EnableTerminationProtection": stack.protected,
    }


def _resource(resource: StackResource) -> dict[str, Any]:
    return {
        "LogicalResourceId": resource.logical_id,
        "PhysicalResourceId": resource.made.id,
        "ResourceType": resource.type,
        "LastUpdatedTimestamp": resource.updated,
        "ResourceStatus": resource.status,
        "ResourceStatusReason": resource.reason,
    }
