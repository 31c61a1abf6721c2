"""The resource types that a rehearsal can make, one module a service. A type that isn't here fails the deployment."""

from collections.abc import Mapping
from functools import cache

from lightship.rehearsal.emulator.resources import (
    apigateway,
    apigatewayv2,
    cloudwatch,
    codedeploy,
    custom,
    dynamodb,
    events,
    firehose,
    iam,
    kms,
    lambda_,
    logs,
    messaging,
    s3,
    stepfunctions,
    storage,
    wafv2,
)
from lightship.rehearsal.emulator.resources.base import Nothing, Resource, ResourceError

MODULES = (
    apigateway,
    apigatewayv2,
    cloudwatch,
    codedeploy,
    custom,
    dynamodb,
    events,
    firehose,
    iam,
    kms,
    lambda_,
    logs,
    messaging,
    s3,
    stepfunctions,
    storage,
    wafv2,
)


class UnknownTypeError(ResourceError):
    """A template has a resource type that the emulation doesn't know."""


def resource_for(kind: str) -> Resource:
    """The resource type by its CloudFormation name. Raises UnknownTypeError."""
    known = _by_name()
    if kind in known:
        return known[kind]
    if kind.startswith("Custom::"):
        return known["AWS::CloudFormation::CustomResource"]
    raise UnknownTypeError(
        f"The rehearsal's CloudFormation doesn't know {kind}, so it can't tell whether this stack deploys. "
        "Leave the resource out for the rehearsal, or add the type under lightship/rehearsal/emulator/resources."
    )


@cache
def _by_name() -> Mapping[str, Resource]:
    types = [Nothing("AWS::CDK::Metadata"), *(resource for module in MODULES for resource in module.TYPES)]
    return {resource.type: resource for resource in types}
