"""S3: buckets with what is set on them, and their policies."""

import json
from typing import Any

from lightship.rehearsal.emulator.resources.base import (
    Context,
    Made,
    Properties,
    ReplaceInsteadError,
    Resource,
    ResourceError,
    gone_already,
    tag_list,
)


class Bucket(Resource):
    type = "AWS::S3::Bucket"

    def create(self, context: Context, properties: Properties) -> Made:
        name = properties.pop("BucketName", None) or context.generated_name(63, lower=True)
        context.aws.create_bucket(name)
        self._configure(context, name, properties)
        return Made(
            name,
            {
                "Arn": f"arn:aws:s3:::{name}",
                "DomainName": f"{name}.s3.amazonaws.com",
                "RegionalDomainName": f"{name}.s3.{context.aws.region}.amazonaws.com",
            },
        )

    def update(self, context: Context, made: Made, properties: Properties, before: Properties) -> Made:
        if properties.pop("BucketName", None) != before.pop("BucketName", None):
            raise ReplaceInsteadError
        if gone := sorted(before.keys() - properties.keys()):
            raise ResourceError(f"The emulation can't take {', '.join(gone)} from bucket {made.id}.")
        self._configure(context, made.id, properties)
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        del properties
        gone_already(context.aws("s3").delete_bucket, Bucket=made.id)

    def _configure(self, context: Context, name: str, properties: Properties) -> None:
        if tags := tag_list(properties):
            context.aws("s3").put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags})
        for key, value in properties.items():
            if key == "Tags":
                continue
            operation, parameter, content = _setting(key, value)
            context.call("s3", operation, {"Bucket": name, parameter: content})


def _setting(key: str, value: Any) -> tuple[str, str, Any]:
    """The operation, parameter and argument that one property of a bucket comes to. Raises ResourceError."""
    match key:
        case "AccessControl" if value == "Private":
            return "PutBucketAcl", "ACL", "private"
        case "PublicAccessBlockConfiguration":
            return "PutPublicAccessBlock", key, value
        case "VersioningConfiguration":
            return "PutBucketVersioning", key, value
        case "OwnershipControls":
            return "PutBucketOwnershipControls", key, value
        case "BucketEncryption":
            rules = [
                {
                    ("ApplyServerSideEncryptionByDefault" if name == "ServerSideEncryptionByDefault" else name): item
                    for name, item in rule.items()
                }
                for rule in value["ServerSideEncryptionConfiguration"]
            ]
            return "PutBucketEncryption", "ServerSideEncryptionConfiguration", {"Rules": rules}
        case "LifecycleConfiguration":
            rules = [_lifecycle_rule(index, rule) for index, rule in enumerate(value["Rules"])]
            return "PutBucketLifecycleConfiguration", "LifecycleConfiguration", {"Rules": rules}
        case "NotificationConfiguration":
            # EventBridge takes no settings; the other targets are a custom resource's work in the CDK.
            if value.keys() <= {"EventBridgeConfiguration"}:
                return "PutBucketNotificationConfiguration", key, {"EventBridgeConfiguration": {}}
        case "LoggingConfiguration":
            logging = {"TargetBucket": value["DestinationBucketName"], "TargetPrefix": value.get("LogFilePrefix", "")}
            return "PutBucketLogging", "BucketLoggingStatus", {"LoggingEnabled": logging}
    raise ResourceError(f"The emulation doesn't know {key} of a bucket as {json.dumps(value)[:200]}.")


def _lifecycle_rule(index: int, rule: dict[str, Any]) -> dict[str, Any]:
    rule = dict(rule)
    made: dict[str, Any] = {
        "ID": rule.pop("Id", f"rule-{index}"),
        "Status": rule.pop("Status"),
        "Filter": {"Prefix": rule.pop("Prefix", "")},
    }
    if "ExpirationInDays" in rule:
        made["Expiration"] = {"Days": rule.pop("ExpirationInDays")}
    for name in ("NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload"):
        if name in rule:
            made[name] = rule.pop(name)
    if "Transitions" in rule:
        made["Transitions"] = [
            {"StorageClass": step["StorageClass"], "Days": step["TransitionInDays"]} for step in rule.pop("Transitions")
        ]
    if "TagFilters" in rule or rule:
        raise ResourceError(f"The emulation doesn't know {', '.join(rule)} of a lifecycle rule.")
    return made


class BucketPolicy(Resource):
    type = "AWS::S3::BucketPolicy"

    def create(self, context: Context, properties: Properties) -> Made:
        policy = {"Bucket": properties["Bucket"], "Policy": properties["PolicyDocument"]}
        context.call("s3", "PutBucketPolicy", policy)
        return Made(properties["Bucket"])

    def update(self, context: Context, made: Made, properties: Properties, before: Properties) -> Made:
        if properties["Bucket"] != before["Bucket"]:
            raise ReplaceInsteadError
        del made
        return self.create(context, properties)

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        del properties
        gone_already(context.aws("s3").delete_bucket_policy, Bucket=made.id)


TYPES = (Bucket(), BucketPolicy())
