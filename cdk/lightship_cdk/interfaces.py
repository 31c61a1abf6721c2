"""The CDK's classes as the interfaces they implement. jsii names some parameters otherwise in a class than in its
interface, so that a type checker doesn't see that the one is the other."""

from typing import cast

from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_


def principal(service: str) -> iam.IPrincipal:
    """The principal of an AWS service, such as `lambda.amazonaws.com`."""
    return cast("iam.IPrincipal", iam.ServicePrincipal(service))


def as_function(function: lambda_.Function | lambda_.Alias) -> lambda_.IFunction:
    return cast("lambda_.IFunction", function)


def as_version(version: lambda_.Version) -> lambda_.IVersion:
    return cast("lambda_.IVersion", version)


def as_role(role: iam.Role) -> iam.IRole:
    return cast("iam.IRole", role)
