"""cdk-nag's AwsSolutions rules over an app, and the place where a finding is accepted with its reason."""

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks
from constructs import IConstruct


def add_checks(app: cdk.App) -> None:
    """Run the rules in every synth of the app; an unaccepted finding fails it."""
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))


def accept(construct: IConstruct, finding: str, reason: str) -> None:
    """Accept one of the rules' findings (`AwsSolutions-IAM5[Resource::*]`) beneath a construct, and say why."""
    cdk.Validations.of(construct).acknowledge(cdk.Acknowledgment(id=finding, reason=reason))
