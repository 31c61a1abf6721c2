"""Old versions of a function: CloudFormation keeps every one for going back, and they count against a quota."""

from dataclasses import dataclass

from lightship.operate.aws import Clients, OperateError
from lightship.operate.stacks import DeployedStack
from lightship.operate.versions import Version, read_versions, recorded_version


@dataclass(frozen=True, slots=True)
class Pruning:
    """What goes, and what stays: the newest `keep`, and those that an alias or the stack points to."""

    function: str
    go: tuple[Version, ...]
    stay: tuple[Version, ...]


def plan_pruning(aws: Clients, stack: DeployedStack, keep: int) -> Pruning:
    """Raises OperateError while the stack moves, since a version may be about to be live."""
    if stack.moving:
        raise OperateError(f"The stack {stack.name} is {stack.status}. Prune when it is still: `lightship status`.")
    function = stack.output("FunctionName")
    versions = read_versions(aws, function)
    needed = _pointed_to(aws, function) | {recorded_version(stack)} | _in_stack(stack, function)
    newest = {each.number for each in versions[-keep:]}
    go = tuple(each for each in versions if each.number not in needed | newest)
    return Pruning(function, go, tuple(each for each in versions if each not in go))


def prune(aws: Clients, pruning: Pruning) -> None:
    for version in pruning.go:
        aws("lambda").delete_function(FunctionName=pruning.function, Qualifier=str(version.number))


def _pointed_to(aws: Clients, function: str) -> set[int]:
    found: set[int] = set()
    for page in aws("lambda").get_paginator("list_aliases").paginate(FunctionName=function):
        for alias in page["Aliases"]:
            weights = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
            found |= {int(number) for number in (alias["FunctionVersion"], *weights) if number != "$LATEST"}
    return found


def _in_stack(stack: DeployedStack, function: str) -> set[int]:
    """The versions that CloudFormation holds: it would fail to find them later."""
    ends = [each.physical.rpartition(":") for each in stack.of_type("AWS::Lambda::Version")]
    return {int(number) for arn, _, number in ends if arn.endswith(f":{function}") and number.isdigit()}
