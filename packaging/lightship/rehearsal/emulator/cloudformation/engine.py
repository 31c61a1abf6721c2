"""Takes a stack from one template to the next, and back when something fails."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lightship.rehearsal.emulator.clients import Clients
from lightship.rehearsal.emulator.cloudformation.errors import CloudFormationError, TemplateError
from lightship.rehearsal.emulator.cloudformation.intrinsics import Scope, references
from lightship.rehearsal.emulator.cloudformation.stacks import Stack, StackResource, Stacks, now
from lightship.rehearsal.emulator.cloudformation.template import Template
from lightship.rehearsal.emulator.resources import resource_for
from lightship.rehearsal.emulator.resources.base import Context, ReplaceInsteadError
from lightship_runtime.errors import LightshipError

ATTRIBUTES = frozenset(
    {
        "Condition",
        "CreationPolicy",
        "DeletionPolicy",
        "DependsOn",
        "Metadata",
        "Properties",
        "Type",
        "UpdatePolicy",
        "UpdateReplacePolicy",
    }
)
FAILURES = (LightshipError, ClientError, BotoCoreError, KeyError, TypeError, ValueError, AttributeError)
KEPT_ON_ROLLBACK = frozenset({"Retain"})
KEPT = frozenset({"Retain", "RetainExceptOnCreate", "Snapshot"})


@dataclass
class _Journal:
    """What an operation has done so far, in order, for undoing it."""

    created: list[StackResource] = field(default_factory=list)
    updated: list[tuple[StackResource, StackResource]] = field(default_factory=list)
    replaced: list[StackResource] = field(default_factory=list)


class StoppedError(LightshipError):
    """Somebody cancelled the operation, or deletes the stack that it makes."""


class Engine:
    """Deploys and deletes stacks through the AWS APIs of the emulator."""

    def __init__(self, stacks: Stacks, aws: Clients) -> None:
        self.stacks = stacks
        self.aws = aws

    def deploy(self, stack: Stack, template: Template, parameters: Mapping[str, str]) -> None:
        """Make the stack what the template says; on failure undo, and leave the reason in the events and status.

        A creation that is stopped leaves what it made to the deletion that follows.
        """
        verb = "UPDATE" if stack.template else "CREATE"
        previous = dict(stack.resources)
        journal = _Journal()
        try:
            _go_on(stack)
            stack.set_status(f"{verb}_IN_PROGRESS", "User Initiated")
            scope = self.scope(stack, template, parameters)
            check_rules(template, scope)
            self._apply(stack, template, scope, journal)
            _go_on(stack)
            outputs = _outputs(template, scope)
        except FAILURES as error:
            if verb == "UPDATE" or not isinstance(error, StoppedError):
                self._roll_back(stack, verb, previous, journal, _told(error))
            return
        stack.template, stack.parameters, stack.outputs = template, dict(parameters), outputs
        stack.resolved_parameters = dict(scope.parameters)
        stack.updated = now() if verb == "UPDATE" else None
        if verb == "UPDATE":
            stack.set_status("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        self._clean_up(stack, template, scope, journal)
        stack.set_status(f"{verb}_COMPLETE")

    def delete(self, stack: Stack) -> None:
        """Delete what the stack made, last made first, except what its template says to keep."""
        stack.set_status("DELETE_IN_PROGRESS", "User Initiated")
        failed = []
        for resource in reversed(list(stack.resources.values())):
            if resource.definition.get("DeletionPolicy") in KEPT:
                _mark(stack, resource, "DELETE_SKIPPED")
            elif not self._delete(stack, resource):
                failed.append(resource.logical_id)
                continue
            stack.gone.append(stack.resources.pop(resource.logical_id))
        if failed:
            stack.set_status("DELETE_FAILED", f"The following resource(s) failed to delete: [{', '.join(failed)}].")
            return
        stack.deleted = now()
        stack.set_status("DELETE_COMPLETE")

    def scope(self, stack: Stack, template: Template, parameters: Mapping[str, str]) -> Scope:
        """What the template's names stand for in this stack. Raises CloudFormationError."""

        def made(name: str) -> StackResource:
            if name not in stack.resources:
                raise TemplateError(f"Unresolved resource dependencies [{name}] in the template")
            return stack.resources[name]

        def attribute(name: str, path: str) -> Any:
            attributes = made(name).made.attributes
            if path not in attributes or attributes[path] is None:
                raise TemplateError(f"The emulation's {made(name).type} ({name}) has no attribute {path!r}.")
            return attributes[path]

        return Scope(
            pseudo={
                "AWS::AccountId": self.aws.account,
                "AWS::NotificationARNs": [],
                "AWS::Partition": "aws",
                "AWS::Region": self.aws.region,
                "AWS::StackId": stack.id,
                "AWS::StackName": stack.name,
                "AWS::URLSuffix": "amazonaws.com",
            },
            parameters=self._parameters(template, parameters),
            mappings=template.mappings,
            conditions=template.conditions,
            reference=lambda name: made(name).made.id,
            attribute=attribute,
            imported=self.stacks.export,
            dynamic=self._dynamic,
        )

    def _parameters(self, template: Template, given: Mapping[str, str]) -> dict[str, Any]:
        if unknown := sorted(given.keys() - template.parameters.keys()):
            raise CloudFormationError(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
        values: dict[str, Any] = {}
        for name, declared in template.parameters.items():
            if name not in given and "Default" not in declared:
                raise CloudFormationError(f"Parameters: [{name}] must have values")
            values[name] = self._typed(declared.get("Type", "String"), given.get(name, declared.get("Default")))
        return values

    def _typed(self, kind: str, value: Any) -> Any:
        if kind.startswith("AWS::SSM::Parameter::Value<"):
            value = self.aws("ssm").get_parameter(Name=value)["Parameter"]["Value"]
            kind = kind.removeprefix("AWS::SSM::Parameter::Value<").removesuffix(">")
        if kind == "CommaDelimitedList" or kind.startswith("List<"):
            return [part.strip() for part in str(value).split(",")]
        return str(value)

    def _dynamic(self, service: str, reference: str) -> str:
        if service != "ssm":
            raise TemplateError(f"The emulation doesn't resolve {{{{resolve:{service}:...}}}}.")
        return str(self.aws("ssm").get_parameter(Name=reference)["Parameter"]["Value"])

    def _apply(self, stack: Stack, template: Template, scope: Scope, journal: _Journal) -> None:
        for name in creation_order(template, scope):
            _go_on(stack)
            definition = template.resources[name]
            properties = scope.resolve(definition.get("Properties") or {})
            existing = stack.resources.get(name)
            if existing is None or existing.type != definition["Type"]:
                self._create(stack, name, definition, properties, journal)
            elif existing.properties != properties:
                self._update(stack, existing, definition, properties, journal)
            else:
                existing.definition = definition

    def _create(
        self, stack: Stack, name: str, definition: dict[str, Any], properties: dict[str, Any], journal: _Journal
    ) -> None:
        kind = definition["Type"]
        stack.event(name, kind, "", "CREATE_IN_PROGRESS")
        try:
            made = resource_for(kind).create(self._context(stack, name, definition), dict(properties))
        except FAILURES as error:
            stack.event(name, kind, "", "CREATE_FAILED", _told(error))
            raise
        if name in stack.resources:
            journal.replaced.append(stack.resources.pop(name))
        resource = StackResource(name, kind, properties, definition, made)
        stack.resources[name] = resource
        journal.created.append(resource)
        _mark(stack, resource, "CREATE_COMPLETE")

    def _update(
        self,
        stack: Stack,
        existing: StackResource,
        definition: dict[str, Any],
        properties: dict[str, Any],
        journal: _Journal,
    ) -> None:
        name, kind = existing.logical_id, existing.type
        stack.event(name, kind, existing.made.id, "UPDATE_IN_PROGRESS")
        context = self._context(stack, name, definition)
        try:
            made = resource_for(kind).update(context, existing.made, dict(properties), dict(existing.properties))
        except ReplaceInsteadError:
            reason = "Requested update requires the creation of a new physical resource; hence creating one."
            stack.event(name, kind, existing.made.id, "UPDATE_IN_PROGRESS", reason)
            self._create(stack, name, definition, properties, journal)
            return
        except FAILURES as error:
            stack.event(name, kind, existing.made.id, "UPDATE_FAILED", _told(error))
            raise
        resource = StackResource(name, kind, properties, definition, made)
        stack.resources[name] = resource
        journal.updated.append((existing, resource))
        _mark(stack, resource, "UPDATE_COMPLETE")

    def _clean_up(self, stack: Stack, template: Template, scope: Scope, journal: _Journal) -> None:
        """Delete what was replaced or isn't in the template any more. A failure here is told and doesn't undo."""
        wanted = {name for name in template.resources if _wanted(template.resources[name], scope)}
        removed = [stack.resources.pop(name) for name in reversed(list(stack.resources)) if name not in wanted]
        for resource in removed:
            self._retire(stack, resource, "DeletionPolicy")
        for resource in reversed(journal.replaced):
            self._retire(stack, resource, "UpdateReplacePolicy")

    def _retire(self, stack: Stack, resource: StackResource, policy: str) -> None:
        if resource.definition.get(policy) in KEPT:
            _mark(stack, resource, "DELETE_SKIPPED")
        else:
            self._delete(stack, resource)

    def _roll_back(
        self, stack: Stack, verb: str, previous: Mapping[str, StackResource], journal: _Journal, reason: str
    ) -> None:
        prefix = "ROLLBACK" if verb == "CREATE" else "UPDATE_ROLLBACK"
        stack.set_status(f"{prefix}_IN_PROGRESS", reason)
        for before, after in reversed(journal.updated):
            self._revert(stack, before, after)
        for resource in reversed(journal.created):
            stack.resources.pop(resource.logical_id, None)
            if resource.definition.get("DeletionPolicy") in KEPT_ON_ROLLBACK:
                _mark(stack, resource, "DELETE_SKIPPED")
            else:
                self._delete(stack, resource)
        stack.resources = {name: stack.resources.get(name, resource) for name, resource in previous.items()}
        stack.set_status(f"{prefix}_COMPLETE", reason)

    def _revert(self, stack: Stack, before: StackResource, after: StackResource) -> None:
        context = self._context(stack, before.logical_id, {})
        try:
            made = resource_for(before.type).update(
                context, after.made, dict(before.properties), dict(after.properties)
            )
        except (ReplaceInsteadError, *FAILURES) as error:
            _mark(stack, before, "UPDATE_FAILED", _told(error))
            return
        before.made = made
        stack.resources[before.logical_id] = before
        _mark(stack, before, "UPDATE_COMPLETE")

    def _delete(self, stack: Stack, resource: StackResource) -> bool:
        stack.event(resource.logical_id, resource.type, resource.made.id, "DELETE_IN_PROGRESS")
        try:
            context = self._context(stack, resource.logical_id, resource.definition)
            resource_for(resource.type).delete(context, resource.made, dict(resource.properties))
        except FAILURES as error:
            _mark(stack, resource, "DELETE_FAILED", _told(error))
            return False
        _mark(stack, resource, "DELETE_COMPLETE")
        return True

    def _context(self, stack: Stack, name: str, definition: Mapping[str, Any]) -> Context:
        kind = str(definition.get("Type", ""))
        return Context(
            aws=self.aws,
            stack_name=stack.name,
            stack_id=stack.id,
            logical_id=name,
            policy=self._policy(stack, definition),
            say=lambda line: stack.event(name, kind, "", "UPDATE_IN_PROGRESS", line),
        )

    def _policy(self, stack: Stack, definition: Mapping[str, Any]) -> Mapping[str, Any]:
        policy = definition.get("UpdatePolicy") or {}
        names = {name: resource.made.id for name, resource in stack.resources.items()}

        def resolve(value: Any) -> Any:
            match value:
                case {"Ref": str(name)}:
                    return names[name]
                case dict():
                    return {key: resolve(item) for key, item in value.items()}
            return value

        resolved: Mapping[str, Any] = resolve(policy)
        return resolved


def creation_order(template: Template, scope: Scope) -> list[str]:
    """The resources whose conditions hold, each after those it needs. Raises TemplateError."""
    graph: dict[str, set[str]] = {}
    for name, definition in template.resources.items():
        if unknown := sorted(definition.keys() - ATTRIBUTES):
            raise TemplateError(f"The emulation doesn't know {', '.join(unknown)} of resource {name}.")
        resource_for(definition["Type"])
        if not _wanted(definition, scope):
            continue
        depends = definition.get("DependsOn") or []
        needed = {depends} if isinstance(depends, str) else set(depends)
        needed |= set(references(definition.get("Properties") or {}))
        needed |= set(references(definition.get("UpdatePolicy") or {}))
        graph[name] = needed & template.resources.keys() - {name}
    try:
        return [name for name in TopologicalSorter(graph).static_order() if name in graph]
    except CycleError as error:
        raise TemplateError(f"Circular dependency between resources: {error.args[1]}") from error


def check_rules(template: Template, scope: Scope) -> None:
    """The template's own assertions about its parameters. Raises CloudFormationError."""
    for name, rule in template.rules.items():
        if "RuleCondition" in rule and not scope.resolve(rule["RuleCondition"]):
            continue
        for assertion in rule["Assertions"]:
            if not scope.resolve(assertion["Assert"]):
                raise CloudFormationError(f"Template rule {name} failed: {assertion.get('AssertDescription', '')}")


def _go_on(stack: Stack) -> None:
    if stack.stopped.is_set():
        raise StoppedError("User Initiated")


def _wanted(definition: Mapping[str, Any], scope: Scope) -> bool:
    return "Condition" not in definition or scope.is_true(definition["Condition"])


def _outputs(template: Template, scope: Scope) -> list[dict[str, Any]]:
    outputs = []
    for name, declared in template.outputs.items():
        if not _wanted(declared, scope):
            continue
        output = {"OutputKey": name, "OutputValue": str(scope.resolve(declared["Value"]))}
        if "Description" in declared:
            output["Description"] = declared["Description"]
        if "Export" in declared:
            output["ExportName"] = str(scope.resolve(declared["Export"]["Name"]))
        outputs.append(output)
    return outputs


def _mark(stack: Stack, resource: StackResource, status: str, reason: str | None = None) -> None:
    resource.status, resource.reason, resource.updated = status, reason, now()
    stack.event(resource.logical_id, resource.type, resource.made.id, status, reason)


def _told(error: BaseException) -> str:
    if isinstance(error, LightshipError | ClientError | BotoCoreError):
        return str(error)[:1000]
    return f"{type(error).__name__}: {error}"[:1000]
