"""Where a rollback leads, and the emergency that moves the alias at once."""

from dataclasses import dataclass

from lightship.operate.aws import Clients, OperateError
from lightship.operate.stacks import DeployedStack
from lightship.operate.status import last_deployment
from lightship.operate.versions import (
    ALIAS,
    Version,
    choose,
    previous,
    read_alias,
    read_versions,
    recorded_version,
    version_of,
)


@dataclass(frozen=True, slots=True)
class Target:
    """From the live version to another."""

    function: str
    live: Version
    to: Version


def find_target(aws: Clients, stack: DeployedStack, wanted: str | None) -> Target:
    """The version that is wanted (a number, or the beginning of a release's version), or else the one before.

    After a `--now`, the one before is where the alias was moved to: going back through CloudFormation makes it last.
    Raises OperateError when there is nothing to go back to.
    """
    function = stack.output("FunctionName")
    versions, alias = read_versions(aws, function), read_alias(aws, function)
    live = version_of(versions, alias.version)
    if wanted is not None:
        return Target(function, live, choose(versions, wanted))
    if recorded_version(stack) not in {None, alias.version} and not alias.weights and not stack.moving:
        return Target(function, live, live)
    before = previous(versions, alias.version)
    if before is None:
        raise OperateError(
            f"There is nothing before {live} to go back to. Name a version with --to; "
            f"there are {', '.join(str(each.number) for each in versions)}."
        )
    return Target(function, live, before)


def move_now(aws: Clients, stack: DeployedStack, wanted: str | None) -> str:
    """Send all traffic to one version within seconds, behind CloudFormation's back, and say what was done.

    A shift that is under way is stopped instead, upon which CodeDeploy returns the alias and CloudFormation its stack.
    """
    deployment = last_deployment(aws, stack)
    if deployment is not None and deployment.under_way:
        if wanted is not None:
            raise OperateError(
                f"A shift is under way ({deployment.id}). Stop it first (`lightship rollback --now` without --to), "
                "wait until `lightship status` shows it undone, then go back further."
            )
        aws("codedeploy").stop_deployment(deploymentId=deployment.id, autoRollbackEnabled=True)
        return (
            f"The shift {deployment.id} is stopped: CodeDeploy sends all traffic back to the version before, and "
            "CloudFormation undoes the deployment. `lightship status` follows it."
        )
    if stack.moving:
        return _cancel(aws, stack)
    function = stack.output("FunctionName")
    found = aws("lambda").get_alias(FunctionName=function, Name=ALIAS)
    alias, versions = read_alias(aws, function), read_versions(aws, function)
    live = version_of(versions, alias.version)
    # Of a split that nobody carries on, the version with the most traffic stays.
    to = live if wanted is None and alias.weights else find_target(aws, stack, wanted).to
    if to == live and not alias.weights:
        return f"All traffic goes to {live} already."
    aws("lambda").update_alias(
        FunctionName=function,
        Name=ALIAS,
        FunctionVersion=str(to.number),
        RoutingConfig={"AdditionalVersionWeights": {}},
        # Fails rather than overriding somebody who moved it in this very moment.
        RevisionId=found["RevisionId"],
    )
    return (
        f"All traffic goes to {to} now; before, it was {live}. CloudFormation doesn't know: the next "
        "`lightship deploy` or `lightship rollback` reconciles; until then a plain `cdk deploy` fails."
    )


def _cancel(aws: Clients, stack: DeployedStack) -> str:
    """An update that hasn't come to its shift, or is past it, is CloudFormation's to undo."""
    if stack.status != "UPDATE_IN_PROGRESS":
        raise OperateError(
            f"The stack {stack.name} is {stack.status}, which can't be stopped. `lightship status` follows it."
        )
    aws("cloudformation").cancel_update_stack(StackName=stack.name)
    return (
        "The deployment is cancelled, and CloudFormation goes back to what was before. `lightship status` follows it."
    )
