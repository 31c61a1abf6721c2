"""Fits CloudFormation's properties to an AWS operation's input, by botocore's own model of that operation.

The two differ in case (`LogGroupName`, `logGroupName`), in scalars (CloudFormation passes "3" and "true" as text) and
in how tags are written. Everything else has to match: a property that the operation doesn't know is an error.
"""

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from lightship_runtime.errors import LightshipError


class UnknownPropertyError(LightshipError):
    """A template uses a property that the emulation has no place for."""


@cache
def operation(service: str, name: str) -> OperationModel:
    """botocore's model of an operation, by its wire name ("CreateFunction")."""
    return botocore.session.get_session().get_service_model(service).operation_model(name)


def fit(service: str, name: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """The keyword arguments of operation `name` for these properties. Raises UnknownPropertyError."""
    shape = operation(service, name).input_shape
    if shape is None:
        raise UnknownPropertyError(f"{service} {name} takes no input.")
    fitted: dict[str, Any] = _fit(shape, dict(properties), name)
    return fitted


def _fit(shape: Shape, value: Any, path: str) -> Any:
    match shape:
        case StructureShape():
            return _structure(shape, value, path)
        case ListShape():
            items = value if isinstance(value, list) else [value]
            return [_fit(shape.member, item, f"{path}[{index}]") for index, item in enumerate(items)]
        case MapShape():
            return _map(shape, value, path)
    convert = _SCALARS.get(shape.type_name)
    if convert is None:
        return value
    try:
        return convert(value)
    except (TypeError, ValueError) as error:
        raise UnknownPropertyError(f"{path} is {value!r}, which is no {shape.type_name}.") from error


def _structure(shape: StructureShape, value: Any, path: str) -> Any:
    if getattr(shape, "is_document_type", False):
        return value
    if not isinstance(value, Mapping):
        raise UnknownPropertyError(f"{path} is {value!r}, where an object is expected.")
    members = {member.lower(): member for member in shape.members}
    fitted = {}
    for key, item in value.items():
        member = members.get(key.lower())
        if member is None:
            known = ", ".join(sorted(shape.members))
            raise UnknownPropertyError(f"{path} has no {key!r}. The emulation knows {known}.")
        fitted[member] = _fit(shape.members[member], item, f"{path}.{member}")
    return fitted


def _map(shape: MapShape, value: Any, path: str) -> Any:
    if isinstance(value, list):
        value = {item["Key"]: item["Value"] for item in value}
    return {str(key): _fit(shape.value, item, f"{path}[{key}]") for key, item in value.items()}


def _boolean(value: Any) -> bool:
    match str(value).lower():
        case "true":
            return True
        case "false":
            return False
    raise ValueError(value)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


_SCALARS: Mapping[str, Callable[[Any], Any]] = {
    "boolean": _boolean,
    "double": float,
    "float": float,
    "integer": int,
    "long": int,
    "string": _text,
}
