"""Reads a template: JSON, or YAML with or without short tags."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import yaml

from lightship.rehearsal.emulator.cloudformation.errors import TemplateError

SECTIONS = frozenset(
    {
        "AWSTemplateFormatVersion",
        "Conditions",
        "Description",
        "Mappings",
        "Metadata",
        "Outputs",
        "Parameters",
        "Resources",
        "Rules",
    }
)


@dataclass(frozen=True)
class Template:
    """A parsed template. `text` is what was sent, since clients compare it."""

    text: str
    parameters: Mapping[str, Any]
    mappings: Mapping[str, Any]
    conditions: Mapping[str, Any]
    resources: Mapping[str, Any]
    outputs: Mapping[str, Any]
    rules: Mapping[str, Any]
    description: str | None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises TemplateError."""
        try:
            document = json.loads(text) if text.lstrip().startswith("{") else yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
        except (ValueError, yaml.YAMLError) as error:
            raise TemplateError(f"Template format error: {error}") from error
        if not isinstance(document, dict):
            raise TemplateError("Template format error: the template is no object.")
        if unknown := sorted(document.keys() - SECTIONS):
            raise TemplateError(f"The emulation doesn't know the template sections {', '.join(unknown)}.")
        if not document.get("Resources"):
            raise TemplateError("Template format error: At least one Resources member must be defined.")
        return cls(
            text=text,
            parameters=document.get("Parameters") or {},
            mappings=document.get("Mappings") or {},
            conditions=document.get("Conditions") or {},
            resources=document["Resources"],
            outputs=document.get("Outputs") or {},
            rules=document.get("Rules") or {},
            description=document.get("Description"),
        )


class _Loader(yaml.SafeLoader):  # type: ignore[misc] # PyYAML has no types
    """YAML with CloudFormation's tags: `!Sub x` is `{"Fn::Sub": x}`. Dates stay text."""


def _tagged(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    match node:
        case yaml.ScalarNode():
            value: Any = loader.construct_scalar(node)
        case yaml.SequenceNode():
            value = loader.construct_sequence(node, deep=True)
        case yaml.MappingNode():
            value = loader.construct_mapping(node, deep=True)
        case _:
            raise TemplateError(f"Template format error: !{suffix}")
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _tagged)
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
