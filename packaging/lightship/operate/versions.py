"""The versions of a deployed function, and which of them callers reach."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lightship.operate.aws import Clients, OperateError
from lightship.operate.stacks import DeployedStack

ALIAS = "live"


@dataclass(frozen=True, slots=True)
class Version:
    """A published version, by Lambda's number, and the release it was made from (None: not one of ours)."""

    number: int
    release: str | None
    published: str

    def __str__(self) -> str:
        return f"version {self.number} (release {self.release or 'unknown'})"


@dataclass(frozen=True, slots=True)
class Alias:
    """Which version callers reach, and the share of requests that others get."""

    version: int
    weights: Mapping[int, float]

    @property
    def traffic(self) -> dict[int, float]:
        """The share of requests by version."""
        return {self.version: round(1 - sum(self.weights.values()), 6), **self.weights}


def read_versions(aws: Clients, function: str) -> tuple[Version, ...]:
    """All published versions, oldest first."""
    pages = aws("lambda").get_paginator("list_versions_by_function").paginate(FunctionName=function)
    found = [each for page in pages for each in page["Versions"] if each["Version"] != "$LATEST"]
    return tuple(sorted((_version(each) for each in found), key=lambda version: version.number))


def read_alias(aws: Clients, function: str) -> Alias:
    """The alias that callers go through."""
    found = aws("lambda").get_alias(FunctionName=function, Name=ALIAS)
    weights = (found.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    return Alias(int(found["FunctionVersion"]), {int(number): share for number, share in weights.items()})


def version_of(versions: tuple[Version, ...], number: int) -> Version:
    """The version with this number, even when it isn't there any more."""
    return next((each for each in versions if each.number == number), Version(number, None, ""))


def previous(versions: tuple[Version, ...], live: int) -> Version | None:
    """The newest version before the live one that was made from another release."""
    release = version_of(versions, live).release
    older = [each for each in versions if each.number < live and each.release != release and each.release]
    return older[-1] if older else None


def choose(versions: tuple[Version, ...], wanted: str) -> Version:
    """The newest version that `wanted` names: a number of Lambda's, or the beginning of a release's version.

    Raises OperateError when there is none, or more than one release begins so.
    """
    by_release = [each for each in versions if each.release and each.release.startswith(wanted)]
    if len({each.release for each in by_release}) > 1:
        raise OperateError(f"{wanted!r} begins several releases: {_told(versions)}. Give more of it.")
    if by_release:
        return by_release[-1]
    for each in versions:
        if str(each.number) == wanted.removeprefix("v"):
            return each
    raise OperateError(f"There is no version {wanted!r}; the function has {_told(versions)}.")


def recorded_version(stack: DeployedStack) -> int | None:
    """The version that CloudFormation believes the alias points to."""
    wanted = stack.outputs.get("LiveAlias")
    for alias in stack.of_type("AWS::Lambda::Alias"):
        if alias.physical == wanted:
            return _recorded(stack, stack.template["Resources"][alias.logical]["Properties"]["FunctionVersion"])
    return None


def _recorded(stack: DeployedStack, value: Any) -> int | None:
    match value:
        case {"Fn::GetAtt": [str(logical), "Version"]}:
            number = (stack.physical(logical) or "").rpartition(":")[2]
            return int(number) if number.isdigit() else None
        case str() | int():
            return int(value)
    return None


def _version(found: Mapping[str, Any]) -> Version:
    release = re.match(r"release (\S+)", found.get("Description") or "")
    return Version(int(found["Version"]), release[1] if release else None, str(found.get("LastModified", "")))


def _told(versions: tuple[Version, ...]) -> str:
    return ", ".join(f"{each.number} ({each.release or 'unknown'})" for each in versions) or "none"
