"""What a resource type is to the emulated CloudFormation, and the table-driven kind that most types are."""

import secrets
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jmespath
from botocore import xform_name
from botocore.exceptions import ClientError

from lightship.rehearsal.emulator.clients import Clients
from lightship.rehearsal.emulator.shapes import fit, operation
from lightship_runtime.errors import LightshipError

type Properties = dict[str, Any]

ALPHABET = string.ascii_uppercase + string.digits


class ResourceError(LightshipError):
    """A resource couldn't be made, changed or deleted."""


class ReplaceInsteadError(Exception):
    """This change can't be made in place: the engine makes a new resource and deletes the old one."""


@dataclass(frozen=True, slots=True)
class Made:
    """A resource that exists: `id` is what `Ref` gives, `attributes` what `Fn::GetAtt` gives."""

    id: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Context:
    """Where a resource is made. `policy` is the resource's UpdatePolicy, `say` adds a line to the stack's events."""

    aws: Clients
    stack_name: str
    stack_id: str
    logical_id: str
    policy: Mapping[str, Any]
    say: Callable[[str], None]

    def call(self, service: str, name: str, properties: Mapping[str, Any]) -> Any:
        """Run an operation with properties fitted to it."""
        return getattr(self.aws(service), xform_name(name))(**fit(service, name, properties))

    def generated_name(self, limit: int, *, lower: bool = False) -> str:
        """A physical name as CloudFormation makes it: stack, logical id, random end."""
        end = "".join(secrets.choice(ALPHABET) for _ in range(12))
        stem = f"{self.stack_name}-{self.logical_id}"[: limit - 13].rstrip("-")
        name = f"{stem}-{end}"
        return name.lower() if lower else name

    def arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self.aws.region}:{self.aws.account}:{resource}"


class Resource:
    """One resource type. `update` raises ReplaceInsteadError where CloudFormation would replace."""

    type: str

    def create(self, context: Context, properties: Properties) -> Made:
        raise NotImplementedError

    def update(self, context: Context, made: Made, properties: Properties, before: Properties) -> Made:
        del context, made, properties, before
        raise ReplaceInsteadError

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        raise NotImplementedError


@dataclass(frozen=True)
class ApiResource(Resource):
    """A type whose life is three operations of one service.

    `id` and `attributes` are JMESPath expressions over `{"in": properties, "out": the operation's output}`.
    `key` names the parameters that identify it for `change` and `remove`: `"$id"`, or a property; `change_key` those
    for `change` where they are others.
    `name` is the property that names it, generated within `name_limit` when the template gives none.
    `fixed` are the properties that can't be changed in place. `put` says that `make` also changes.
    `renamed` maps properties to parameters.
    """

    type: str
    service: str
    make: str
    id: str
    remove: str
    key: Mapping[str, str]
    change: str = ""
    change_key: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    name_limit: int = 64
    fixed: frozenset[str] = frozenset()
    put: bool = False
    renamed: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)

    def create(self, context: Context, properties: Properties) -> Made:
        properties = {**self.defaults, **properties}
        if self.name:
            properties.setdefault(self.name, context.generated_name(self.name_limit))
        out = context.call(self.service, self.make, self._parameters(properties)) or {}
        return self._made(properties, out)

    def update(self, context: Context, made: Made, properties: Properties, before: Properties) -> Made:
        if any(properties.get(name) != before.get(name) for name in self.fixed):
            raise ReplaceInsteadError
        properties = {**self.defaults, **properties}
        if self.put:
            if self.name:
                properties.setdefault(self.name, made.id)
            return self._made(properties, context.call(self.service, self.make, self._parameters(properties)) or {})
        if not self.change:
            raise ReplaceInsteadError
        shape = operation(self.service, self.change).input_shape
        known = {member.lower() for member in shape.members} if shape else set()
        parameters = self._parameters(properties)
        changed = {key: item for key, item in parameters.items() if key.lower() in known}
        context.call(self.service, self.change, {**changed, **self._key(made, properties, self.change_key)})
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        gone_already(context.call, self.service, self.remove, self._key(made, properties))

    def _made(self, properties: Properties, out: Any) -> Made:
        known = {"in": properties, "out": out}
        found = jmespath.search(self.id, known)
        if found is None:
            raise ResourceError(f"{self.type} was made, but {self.make} names no {self.id}.")
        return Made(str(found), {name: jmespath.search(path, known) for name, path in self.attributes.items()})

    def _parameters(self, properties: Properties) -> Properties:
        return {self.renamed.get(name, name): item for name, item in properties.items()}

    def _key(self, made: Made, properties: Properties, other: Mapping[str, str] | None = None) -> Properties:
        key = other or self.key
        return {name: made.id if source == "$id" else properties[source] for name, source in key.items()}


class Nothing(Resource):
    """A type that needs nothing here, such as the CDK's metadata."""

    def __init__(self, name: str) -> None:
        self.type = name

    def create(self, context: Context, properties: Properties) -> Made:
        del properties
        return Made(context.logical_id)

    def update(self, context: Context, made: Made, properties: Properties, before: Properties) -> Made:
        del context, properties, before
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        del context, made, properties


def gone_already(delete: Callable[..., Any], *what: Any, **which: Any) -> None:
    """Call `delete(*what, **which)`, taking "there is no such thing" for done."""
    try:
        delete(*what, **which)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if not any(word in code for word in ("NotFound", "NoSuch", "NonExistent", "DoesNotExist", "NotExist")):
            raise


def tag_list(properties: Properties) -> list[dict[str, str]]:
    """The tags as Key and Value."""
    return [{"Key": tag["Key"], "Value": str(tag["Value"])} for tag in properties.get("Tags") or []]
