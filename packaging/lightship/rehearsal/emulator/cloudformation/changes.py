"""What a change set says it will do."""

from collections.abc import Mapping
from typing import Any

from lightship.rehearsal.emulator.cloudformation.engine import creation_order
from lightship.rehearsal.emulator.cloudformation.intrinsics import Scope
from lightship.rehearsal.emulator.cloudformation.stacks import Stack
from lightship.rehearsal.emulator.cloudformation.template import Template

NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."


def describe_changes(stack: Stack, template: Template, scope: Scope) -> list[dict[str, Any]]:
    """The resources to add, modify and remove, judged by their definitions. Replacement is only known in the doing."""
    names = creation_order(template, scope)
    changes = []
    for name in names:
        definition = template.resources[name]
        existing = stack.resources.get(name)
        if existing is None:
            changes.append(_change("Add", name, definition["Type"]))
        elif existing.definition != definition:
            changes.append(_change("Modify", name, existing.type, existing.made.id))
    changes += [
        _change("Remove", name, resource.type, resource.made.id)
        for name, resource in stack.resources.items()
        if name not in names
    ]
    return changes


def is_unchanged(stack: Stack, template: Template, parameters: Mapping[str, Any], tags: list[dict[str, str]]) -> bool:
    """Whether the stack already is what is asked for. `parameters` are resolved, so that a stored one counts."""
    if stack.template is None:
        return False
    before = stack.template
    same_template = (before.resources, before.outputs, before.conditions, before.mappings) == (
        template.resources,
        template.outputs,
        template.conditions,
        template.mappings,
    )
    return same_template and stack.resolved_parameters == dict(parameters) and stack.tags == tags


def _change(action: str, name: str, kind: str, physical: str | None = None) -> dict[str, Any]:
    change: dict[str, Any] = {"Action": action, "LogicalResourceId": name, "ResourceType": kind}
    if physical is not None:
        change["PhysicalResourceId"] = physical
    if action == "Modify":
        change |= {"Replacement": "Conditional", "Scope": ["Properties"], "Details": []}
    return {"Type": "Resource", "ResourceChange": change}
