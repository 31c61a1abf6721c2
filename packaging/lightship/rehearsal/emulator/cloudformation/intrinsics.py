"""Intrinsic functions: what a template's values come to, and which resources they need first.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
"""

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lightship.rehearsal.emulator.cloudformation.errors import TemplateError

SUBSTITUTION = re.compile(r"\$\{(!?)([^}]*)\}")
DYNAMIC = re.compile(r"\{\{resolve:(\w+):([^}]*)\}\}")
NO_VALUE = object()


@dataclass
class Scope:
    """What names stand for. `reference` and `attribute` look resources up; `dynamic` resolves `{{resolve:...}}`."""

    pseudo: Mapping[str, Any]
    parameters: Mapping[str, Any]
    mappings: Mapping[str, Any]
    conditions: Mapping[str, Any]
    reference: Callable[[str], Any]
    attribute: Callable[[str, str], Any]
    imported: Callable[[str], Any]
    dynamic: Callable[[str, str], str]
    _truths: dict[str, bool] = field(default_factory=dict)

    def resolve(self, value: Any) -> Any:
        """The value with every intrinsic function evaluated. Raises TemplateError."""
        match value:
            case dict():
                if len(value) == 1:
                    ((name, argument),) = value.items()
                    if name in {"Ref", "Condition"} or name.startswith("Fn::"):
                        return self._call(name, argument)
                resolved = {key: self.resolve(item) for key, item in value.items()}
                return {key: item for key, item in resolved.items() if item is not NO_VALUE}
            case list():
                return [item for item in map(self.resolve, value) if item is not NO_VALUE]
            case str():
                return DYNAMIC.sub(lambda found: self.dynamic(found[1], found[2]), value)
        return value

    def is_true(self, name: str) -> bool:
        """A condition of the template, by name."""
        if name not in self._truths:
            if name not in self.conditions:
                raise TemplateError(f"There is no condition {name!r}.")
            self._truths[name] = bool(self.resolve(self.conditions[name]))
        return self._truths[name]

    def _call(self, name: str, argument: Any) -> Any:
        match name, argument:
            case "Ref", str():
                return self._ref(argument)
            case "Condition", str():
                return self.is_true(argument)
            case "Condition", _:
                # A key of an IAM statement, and no condition of the template.
                return {"Condition": self.resolve(argument)}
            case "Fn::GetAtt", str():
                return self.attribute(*argument.split(".", 1))
            case "Fn::GetAtt", [resource, attribute]:
                return self.attribute(resource, self.resolve(attribute))
            case "Fn::If", [condition, yes, no]:
                return self.resolve(yes if self.is_true(condition) else no)
            case "Fn::Sub", _:
                return self._sub(argument)
            case "Fn::ImportValue", _:
                return self.imported(self.resolve(argument))
        return _pure(name, self.resolve(argument), self)

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NO_VALUE
        for names in (self.pseudo, self.parameters):
            if name in names:
                return names[name]
        return self.reference(name)

    def _sub(self, argument: Any) -> str:
        text, extra = argument if isinstance(argument, list) else (argument, {})
        own = {key: self.resolve(item) for key, item in extra.items()}

        def replace(found: re.Match[str]) -> str:
            literal, name = found[1], found[2].strip()
            if literal:
                return "${" + name + "}"
            if name in own:
                return str(own[name])
            return str(self.attribute(*name.split(".", 1)) if "." in name else self._ref(name))

        resolved: str = self.resolve(SUBSTITUTION.sub(replace, text))
        return resolved


def _pure(name: str, argument: Any, scope: Scope) -> Any:
    """The functions that need their resolved argument only."""
    evaluate = _PURE.get(name)
    if evaluate is None:
        raise TemplateError(f"The emulation doesn't know {name}.")
    try:
        return evaluate(argument, scope)
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        raise TemplateError(f"{name} of {argument!r}: {error}") from error


def _join(argument: Any, _: Scope) -> str:
    separator, parts = argument
    return str(separator).join(str(part) for part in parts)


def _select(argument: Any, _: Scope) -> Any:
    index, items = argument
    return items[int(index)]


def _split(argument: Any, _: Scope) -> list[str]:
    separator, text = argument
    return str(text).split(separator)


def _find_in_map(argument: Any, scope: Scope) -> Any:
    table, first, second = argument
    return scope.mappings[table][first][second]


def _equals(argument: Any, _: Scope) -> bool:
    left, right = argument
    return str(left) == str(right)


def _not(argument: Any, _: Scope) -> bool:
    (only,) = argument
    return not only


def _contains(argument: Any, _: Scope) -> bool:
    items, item = argument
    return item in items


def _zones(argument: Any, scope: Scope) -> list[str]:
    return [f"{argument or scope.pseudo['AWS::Region']}{zone}" for zone in "abc"]


_PURE: Mapping[str, Callable[[Any, Scope], Any]] = {
    "Fn::And": lambda argument, _: all(argument),
    "Fn::Base64": lambda argument, _: base64.b64encode(argument.encode()).decode(),
    "Fn::Contains": _contains,
    "Fn::Equals": _equals,
    "Fn::FindInMap": _find_in_map,
    "Fn::GetAZs": _zones,
    "Fn::Join": _join,
    "Fn::Not": _not,
    "Fn::Or": lambda argument, _: any(argument),
    "Fn::Select": _select,
    "Fn::Split": _split,
}


def references(value: Any) -> Iterator[str]:
    """The names that a value refers to: resources, parameters and pseudo parameters alike."""
    match value:
        case {"Ref": str(name)} if len(value) == 1:
            yield name
        case {"Fn::GetAtt": str(path)} if len(value) == 1:
            yield path.split(".", 1)[0]
        case {"Fn::GetAtt": [name, attribute]} if len(value) == 1:
            yield name
            yield from references(attribute)
        case {"Fn::Sub": argument} if len(value) == 1:
            text, extra = argument if isinstance(argument, list) else (argument, {})
            yield from (found[2].split(".", 1)[0] for found in SUBSTITUTION.finditer(text) if not found[1])
            yield from references(extra)
        case dict():
            for item in value.values():
                yield from references(item)
        case list():
            for item in value:
                yield from references(item)
