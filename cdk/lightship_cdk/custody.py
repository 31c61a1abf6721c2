"""Who keeps what the service writes: one key over logs and notifications, and log groups that outlive a mishap."""

from dataclasses import dataclass
from typing import cast

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from lightship_cdk.interfaces import principal
from lightship_cdk.settings import CustodySettings

RETENTION = {
    1: logs.RetentionDays.ONE_DAY,
    3: logs.RetentionDays.THREE_DAYS,
    7: logs.RetentionDays.ONE_WEEK,
    14: logs.RetentionDays.TWO_WEEKS,
    30: logs.RetentionDays.ONE_MONTH,
    60: logs.RetentionDays.TWO_MONTHS,
    90: logs.RetentionDays.THREE_MONTHS,
    180: logs.RetentionDays.SIX_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
    731: logs.RetentionDays.TWO_YEARS,
    1827: logs.RetentionDays.FIVE_YEARS,
    3653: logs.RetentionDays.TEN_YEARS,
}


@dataclass(frozen=True, slots=True)
class Custody:
    """The key, the days that logs are kept, and what happens to data when its stack goes."""

    key: kms.IKey
    log_retention_days: int
    removal_policy: cdk.RemovalPolicy

    def log_group(self, scope: Construct, id: str, *, name: str | None = None) -> logs.LogGroup:  # noqa: A002
        """An encrypted log group. Its name is left to CloudFormation unless a service dictates it, so that a kept
        one is never in the way of the next."""
        return logs.LogGroup(
            scope,
            id,
            log_group_name=name,
            encryption_key=self.key,
            retention=RETENTION[self.log_retention_days],
            removal_policy=self.removal_policy,
        )


def create_custody(scope: Construct, settings: CustodySettings) -> Custody:
    """The custody that the settings ask for, with a key of its own unless one is given."""
    # Kept on deletion, but not by the rollback of a creation that failed.
    removal = cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if settings.retain_data else cdk.RemovalPolicy.DESTROY
    if settings.kms_key_arn:
        key = kms.Key.from_key_arn(scope, "Key", settings.kms_key_arn)
    else:
        key = cast("kms.IKey", _create_key(scope, removal))
    return Custody(key, settings.log_retention_days, removal)


def _create_key(scope: Construct, removal: cdk.RemovalPolicy) -> kms.Key:
    stack = cdk.Stack.of(scope)
    key = kms.Key(
        scope, "Key", description="Lightship: logs and notifications", enable_key_rotation=True, removal_policy=removal
    )
    # Without this grant an alarm's message to the encrypted topic is dropped without a trace.
    key.add_to_resource_policy(
        iam.PolicyStatement(
            sid="AlarmsPublishToEncryptedTopics",
            principals=[principal("cloudwatch.amazonaws.com")],
            actions=["kms:Decrypt", "kms:GenerateDataKey*"],
            resources=["*"],
            conditions={"StringEquals": {"aws:SourceAccount": stack.account}},
        )
    )
    log_groups = stack.format_arn(
        service="logs", resource="log-group", resource_name="*", arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME
    )
    key.add_to_resource_policy(
        iam.PolicyStatement(
            sid="LogsAreEncrypted",
            principals=[principal(f"logs.{stack.region}.amazonaws.com")],
            actions=["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
            resources=["*"],
            conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": log_groups}},
        )
    )
    return key
