"""cdk-nag's AwsSolutions rules over an app, and the place where a finding is accepted with its reason."""

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks
from constructs import IConstruct

from lightship_runtime.errors import LightshipError


class FindingsError(LightshipError):
    """The synthesised template breaks a rule that nobody accepted."""


def add_checks(app: cdk.App) -> None:
    """Run the rules in every synth of the app; an unaccepted finding fails it."""
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))


def synthesise(app: cdk.App) -> None:
    """Synthesise the app under the rules. Raises FindingsError after the CDK has printed what it found."""
    add_checks(app)
    try:
        app.synth()
    except RuntimeError as error:
        if "ValidationFailed" not in str(error):
            raise
        raise FindingsError(
            "The template breaks the rules printed above. Mend what they name, or accept a finding with a reason."
        ) from None


def accept(construct: IConstruct, finding: str, reason: str) -> None:
    """Accept one of the rules' findings (`AwsSolutions-IAM5[Resource::*]`) beneath a construct, and say why."""
    cdk.Validations.of(construct).acknowledge(cdk.Acknowledgment(id=finding, reason=reason))


def wildcard(scope: IConstruct, arn: str) -> str:
    """The finding over an ARN with a star. What only AWS knows stands in it by its name (`<AWS::Region>`), as the rules
    write it; where the stack's account and region are given, they write those."""
    stack = cdk.Stack.of(scope)
    places = {"<AWS::Partition>": stack.partition, "<AWS::Region>": stack.region, "<AWS::AccountId>": stack.account}
    for name, place in places.items():
        arn = arn if cdk.Token.is_unresolved(place) else arn.replace(name, place)
    return f"AwsSolutions-IAM5[Resource::{arn}]"
