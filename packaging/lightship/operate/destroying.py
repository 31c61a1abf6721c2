"""Takes a stack down. What holds data stays, unless it is to go too; either way it is named."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lightship.operate.aws import Clients, OperateError
from lightship.operate.stacks import DeployedStack, Say, Sleep, wait_until_still
from lightship.operate.wording import noun

KEPT = frozenset({"Retain", "RetainExceptOnCreate", "Snapshot"})
# They go with their function and their log group, whatever the template says of them.
GO_ALONG = frozenset({"AWS::Lambda::Version", "AWS::Logs::LogStream"})
KEY_WINDOW_DAYS = 30


@dataclass(frozen=True, slots=True)
class Kept:
    """Something that outlives its stack, by AWS's name."""

    type: str
    physical: str

    def __str__(self) -> str:
        return f"{noun(self.type)} {self.physical}"


def kept_by(stack: DeployedStack) -> tuple[Kept, ...]:
    """What stays when the stack is deleted, as its template says."""
    definitions = stack.template.get("Resources", {})
    return tuple(
        Kept(each.type, each.physical)
        for each in stack.resources
        if each.type not in GO_ALONG
        and each.physical
        and definitions.get(each.logical, {}).get("DeletionPolicy") in KEPT
    )


def destroy(aws: Clients, stack: DeployedStack, say: Say, sleep: Sleep = time.sleep) -> None:
    """Delete the stack and wait until it is gone. Raises OperateError when it isn't."""
    if stack.moving and stack.status not in {"CREATE_IN_PROGRESS", "DELETE_IN_PROGRESS"}:
        raise OperateError(f"The stack {stack.name} is {stack.status}. Wait until it is still: `lightship status`.")
    empty_unkept(aws, stack, say)
    say("deleting the stack")
    aws("cloudformation").delete_stack(StackName=stack.name)
    try:
        status, reason = wait_until_still(aws, stack.id, say, sleep)
    except KeyboardInterrupt:
        raise OperateError(
            f"Interrupted, but a deletion can't be stopped: {stack.name} goes. `lightship destroy` again watches it."
        ) from None
    if status not in {"DELETE_COMPLETE", "ABSENT"}:
        raise OperateError(f"The stack {stack.name} is {status}: {reason} Mend that, then destroy again.")


def empty_unkept(aws: Clients, stack: DeployedStack, say: Say) -> None:
    """Empty the buckets that go with the stack, as its template says: CloudFormation deletes none that has objects."""
    definitions = stack.template.get("Resources", {})
    for each in stack.of_type("AWS::S3::Bucket"):
        if each.physical and definitions.get(each.logical, {}).get("DeletionPolicy") == "Delete":
            say(f"emptying bucket {each.physical}")
            _empty_bucket(aws, each.physical)


def delete_kept(aws: Clients, kept: tuple[Kept, ...], say: Say) -> tuple[Kept, ...]:
    """Delete what stayed, and give back what still stays. A key is only scheduled, so that it can be had back for
    thirty days."""
    left = []
    for each in kept:
        deletion = DELETIONS.get(each.type)
        if deletion is None:
            left.append(each)
            continue
        say(f"deleting {each}")
        deletion(aws, each.physical)
    return tuple(left)


def _delete_log_group(aws: Clients, name: str) -> None:
    aws("logs").delete_log_group(logGroupName=name)


def _delete_key(aws: Clients, name: str) -> None:
    aws("kms").schedule_key_deletion(KeyId=name, PendingWindowInDays=KEY_WINDOW_DAYS)


def _delete_table(aws: Clients, name: str) -> None:
    aws("dynamodb").delete_table(TableName=name)


def _empty_bucket(aws: Clients, name: str) -> None:
    """Delete all objects of a bucket, with their old versions."""
    s3 = aws("s3")
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
        found: list[Mapping[str, Any]] = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        objects = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in found]
        if objects:
            s3.delete_objects(Bucket=name, Delete={"Objects": objects, "Quiet": True})


def _delete_bucket(aws: Clients, name: str) -> None:
    _empty_bucket(aws, name)
    aws("s3").delete_bucket(Bucket=name)


DELETIONS: Mapping[str, Callable[[Clients, str], None]] = {
    "AWS::DynamoDB::GlobalTable": _delete_table,
    "AWS::DynamoDB::Table": _delete_table,
    "AWS::KMS::Key": _delete_key,
    "AWS::Logs::LogGroup": _delete_log_group,
    "AWS::S3::Bucket": _delete_bucket,
}
