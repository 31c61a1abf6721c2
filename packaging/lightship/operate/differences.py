"""What differs between the deployed template and the new one, in words. What is replaced, `cdk diff` knows."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lightship.operate.wording import label, noun, text_of

type Kind = Literal["add", "change", "replace", "may replace", "remove", "keep"]
type Template = Mapping[str, Any]

KEPT = frozenset({"Retain", "RetainExceptOnCreate", "Snapshot"})
IMPACTS: Mapping[str, Kind] = {"replace": "replace", "may be replaced": "may replace"}
# A line of `cdk diff`: [~] AWS::Lambda::Function Path/Of/It LogicalId may be replaced
DIFF_LINE = re.compile(r"^\[[+~-]\] (?P<type>\S+) .*?(?P<id>\S+) (?P<impact>replace|may be replaced)$")
# They say where the CDK made something, or when; not what is deployed.
UNTOLD = frozenset({"Metadata"})
LONGEST = 60
# Whose values are digests, which tell nobody anything.
WORDS = {"Code.S3Key": "new code"}


@dataclass(frozen=True, slots=True)
class Change:
    """One resource that changes. `details` are its properties; `keep` leaves the stack and stays in the account."""

    kind: Kind
    logical: str
    type: str
    name: str
    details: tuple[str, ...] = ()

    def __str__(self) -> str:
        details = f": {'; '.join(self.details)}" if self.details else ""
        return f"{self.kind} {noun(self.type)} {self.name}{details}"


def differences(old: Template, new: Template, impacts: Mapping[str, Kind] | None = None) -> tuple[Change, ...]:
    """Every resource that differs, in the new template's order, then what goes. `impacts` are by logical id."""
    before, after = old.get("Resources", {}), new.get("Resources", {})
    changes = [
        _added(name, each, new)
        if name not in before
        else _changed(name, before[name], each, _Sides(old, new), impacts or {})
        for name, each in after.items()
        if name not in before or not same(before[name], each)
    ]
    gone = [_removed(name, each, old) for name, each in before.items() if name not in after]
    return (*changes, *gone)


def same(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether two definitions mean the same. CloudFormation gives other characters than ASCII back as `?`."""
    return _canonical(old) == _canonical(new)


def outputs_differ(old: Template, new: Template) -> bool:
    """Whether anything besides resources differs."""
    return any(
        _canonical(old.get(part, {})) != _canonical(new.get(part, {}))
        for part in ("Outputs", "Parameters", "Conditions", "Mappings")
    )


def impacts_of(printed: str) -> dict[str, Kind]:
    """What `cdk diff` says will be replaced, by logical id."""
    found = (DIFF_LINE.match(line.strip()) for line in printed.splitlines())
    return {each["id"]: IMPACTS[each["impact"]] for each in found if each}


@dataclass(frozen=True, slots=True)
class _Sides:
    """Both templates, since each names its own resources."""

    old: Template
    new: Template


def _added(name: str, definition: Mapping[str, Any], template: Template) -> Change:
    return Change("add", name, definition["Type"], label(name, template))


def _removed(name: str, definition: Mapping[str, Any], template: Template) -> Change:
    kind: Kind = "keep" if definition.get("DeletionPolicy") in KEPT else "remove"
    return Change(kind, name, definition["Type"], label(name, template))


def _changed(
    name: str, old: Mapping[str, Any], new: Mapping[str, Any], sides: _Sides, impacts: Mapping[str, Kind]
) -> Change:
    kind: Kind = "replace" if old["Type"] != new["Type"] else impacts.get(name, "change")
    return Change(kind, name, new["Type"], label(name, sides.new), tuple(_details(old, new, sides)))


def _details(old: Mapping[str, Any], new: Mapping[str, Any], sides: _Sides) -> Iterator[str]:
    before, after = old.get("Properties", {}), new.get("Properties", {})
    for key in dict.fromkeys([*after, *before]):
        if _canonical(before.get(key)) != _canonical(after.get(key)):
            yield from _property(key, before.get(key), after.get(key), sides)
    for key in dict.fromkeys([*new, *old]):
        if key not in {"Type", "Properties", *UNTOLD} and _canonical(old.get(key)) != _canonical(new.get(key)):
            yield key


def _property(key: str, old: Any, new: Any, sides: _Sides) -> Iterator[str]:
    match old, new:
        case dict(), dict() if not _is_intrinsic(old) and not _is_intrinsic(new):
            for inner in dict.fromkeys([*new, *old]):
                if _canonical(old.get(inner)) != _canonical(new.get(inner)):
                    yield from _property(f"{key}.{inner}", old.get(inner), new.get(inner), sides)
        case list() | dict(), _ if not _is_intrinsic(old):
            yield key
        case _, list() | dict() if not _is_intrinsic(new):
            yield key
        case _:
            yield _transition(key, old, new, sides)


def _transition(key: str, old: Any, new: Any, sides: _Sides) -> str:
    before, after = _short(old, sides.old), _short(new, sides.new)
    return WORDS.get(key, key) if before == after or key in WORDS else f"{key} {before} -> {after}"


def _short(value: Any, template: Template) -> str:
    if value is None:
        return "(none)"
    text = text_of(value, template)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def _is_intrinsic(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)).startswith(("Ref", "Fn::"))


def _canonical(value: Any) -> str:
    told = {key: each for key, each in value.items() if key not in UNTOLD} if isinstance(value, dict) else value
    text = json.dumps(told, sort_keys=True, ensure_ascii=False)
    return text.encode("ascii", "replace").decode()
