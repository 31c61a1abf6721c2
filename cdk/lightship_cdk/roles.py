"""Roles that hold exactly the statements they were made with: nothing that a construct grants later widens them."""

from collections.abc import Sequence

from aws_cdk import aws_iam as iam
from constructs import Construct

from lightship_cdk.checks import accept
from lightship_cdk.interfaces import principal


def create_role(scope: Construct, id: str, service: str, statements: Sequence[iam.PolicyStatement]) -> iam.Role:  # noqa: A002
    """A role for an AWS service. Its policy is part of it, so that whoever needs the role waits for both."""
    return iam.Role(
        scope,
        id,
        assumed_by=principal(service),
        inline_policies={"Policy": iam.PolicyDocument(statements=list(statements))},
    )


def closed(role: iam.Role) -> iam.IRole:
    """The role as constructs are given it: one that they can't add to."""
    return iam.Role.from_role_arn(role, "Closed", role.role_arn, mutable=False)


def allow(actions: Sequence[str], *resources: str) -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=list(actions), resources=list(resources))


def allow_logging(log_group_arn: str) -> iam.PolicyStatement:
    return allow(["logs:CreateLogStream", "logs:PutLogEvents"], log_group_arn)


def accept_any_resource(role: iam.Role, reason: str) -> None:
    """Say why a role has a statement over every resource."""
    accept(role, "AwsSolutions-IAM5[Resource::*]", reason)
