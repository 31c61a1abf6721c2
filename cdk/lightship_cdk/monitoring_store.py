"""The bucket that the monitor lives on: telemetry and labels come in, results and baselines stay."""

from collections.abc import Sequence
from typing import cast

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from lightship_cdk.checks import accept
from lightship_cdk.custody import Custody
from lightship_cdk.roles import allow

TELEMETRY, COUNTS, LABELS, RESULTS, BASELINES = "telemetry/", "counts/", "labels/", "results/", "baselines/"
ERRORS = "errors/"
ACCEPTED = "accepted.json"
EXPIRING = (TELEMETRY, COUNTS, LABELS, ERRORS)


class MonitoringStore(Construct):
    """An encrypted bucket that takes TLS alone. What comes in expires after `retention_days`.

    It keeps no old versions: each object is written once or can be computed again, and a deleted row has to be gone.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 (the CDK's own name)
        *,
        custody: Custody,
        retention_days: int,
    ) -> None:
        super().__init__(scope, id)
        self._key = custody.key
        self.bucket = s3.Bucket(
            self,
            "Bucket",
            encryption=s3.BucketEncryption.KMS,
            encryption_key=custody.key,
            # One request to KMS for many objects.
            bucket_key_enabled=True,
            enforce_ssl=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            lifecycle_rules=_lifecycle(retention_days),
            removal_policy=custody.removal_policy,
        )
        accept(
            self.bucket,
            "AwsSolutions-S1",
            "Only the functions of this stack use it, and their logs say what they did; access logs would be another "
            "bucket to keep. Those who need them turn on CloudTrail's data events.",
        )

    @property
    def address(self) -> str:
        """As the functions are told it."""
        return f"s3://{self.bucket.bucket_name}"

    def statements(
        self, *, read: Sequence[str] = (), write: Sequence[str] = (), in_parts: bool = False
    ) -> list[iam.PolicyStatement]:
        """What a role needs to read and write below these prefixes; `in_parts` where it uploads large objects.
        `accept_prefixes` says why, on that role."""
        # The parts of an upload are decrypted to be joined.
        actions = [*(["kms:Decrypt"] if read or in_parts else []), *(["kms:GenerateDataKey"] if write else [])]
        made = [allow(actions, self._key.key_arn)]
        if read:
            # A key that isn't there is an error of permission for whoever may not list.
            made += [allow(["s3:GetObject"], *self.objects(read)), allow(["s3:ListBucket"], self.bucket.bucket_arn)]
        if write:
            made.append(allow(["s3:PutObject"], *self.objects(write)))
        return made

    def accept_prefixes(self, role: iam.Role, prefixes: Sequence[str]) -> None:
        """Say why a role has a statement over all objects below each prefix."""
        bucket = cdk.Stack.of(self).get_logical_id(cast("s3.CfnBucket", self.bucket.node.default_child))
        for prefix in prefixes:
            finding = f"AwsSolutions-IAM5[Resource::<{bucket}.Arn>/{prefix}*]"
            accept(role, finding, "The objects below this prefix of the one bucket, named by their hour.")

    def objects(self, places: Sequence[str]) -> list[str]:
        """The ARNs of all objects below prefixes, which end in a slash, and of single objects."""
        return [f"{self.bucket.bucket_arn}/{place}{'*' if place.endswith('/') else ''}" for place in places]


def _lifecycle(days: int) -> list[s3.LifecycleRule]:
    expiring = [
        s3.LifecycleRule(id=prefix.rstrip("/"), prefix=prefix, expiration=cdk.Duration.days(days))
        for prefix in EXPIRING
    ]
    halves = s3.LifecycleRule(id="half-uploaded", abort_incomplete_multipart_upload_after=cdk.Duration.days(7))
    return [*expiring, halves]
