"""What must be true of a deployed monitoring, read back through boto3 and compared with the configuration."""

import base64
import json
from collections.abc import Iterator
from typing import Any

from lightship.rehearsal.findings import Check, Deployed

PROCESSORS = ["Decompression", "CloudWatchLogProcessing", "AppendDelimiterToRecord"]


def monitoring_checks(deployed: Deployed) -> Iterator[Check]:
    """None but the first for a release or a configuration that isn't monitored."""
    wanted = "monitor" in deployed.release.artifacts and deployed.config.monitoring.capture != "off"
    yield Check("the model is monitored", wanted, "MonitoringBucket" in deployed.outputs)
    if wanted:
        yield from _bucket(deployed)
        yield from _delivery(deployed)
        yield from _function(deployed)
        yield from _schedule(deployed)


def _bucket(deployed: Deployed) -> Iterator[Check]:
    s3, bucket = deployed.clients("s3"), deployed.outputs["MonitoringBucket"]
    rules = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    found = {rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] for rule in rules}
    yield Check("encryption of the monitoring bucket", {"aws:kms"}, found)
    blocked = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    yield Check("the monitoring bucket is closed to the public", {True}, set(blocked.values()))
    policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
    denied = [each for each in policy if each["Effect"] == "Deny" and "aws:SecureTransport" in json.dumps(each)]
    yield Check("the monitoring bucket takes TLS alone", 1, len(denied))
    lifecycle = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    days = {_prefix(rule): rule["Expiration"]["Days"] for rule in lifecycle if "Expiration" in rule}
    kept = deployed.config.monitoring.retention_days
    expected = {"telemetry/": kept, "counts/": kept, "labels/": kept, "errors/": kept}
    yield Check("days that telemetry and labels are kept", expected, days)


def _prefix(rule: dict[str, Any]) -> str:
    return str(rule.get("Prefix") or rule["Filter"]["Prefix"])


def _delivery(deployed: Deployed) -> Iterator[Check]:
    group = deployed.clients("lambda").get_function_configuration(FunctionName=deployed.outputs["FunctionName"])
    filters = deployed.clients("logs").describe_subscription_filters(logGroupName=group["LoggingConfig"]["LogGroup"])
    arns = [each["destinationArn"] for each in filters["subscriptionFilters"] if ":firehose:" in each["destinationArn"]]
    yield Check("subscriptions of telemetry", 1, len(arns))
    stream = deployed.clients("firehose").describe_delivery_stream(DeliveryStreamName=arns[0].rpartition("/")[2])
    (destination,) = stream["DeliveryStreamDescription"]["Destinations"]
    settings = destination["ExtendedS3DestinationDescription"]
    bucket = f"arn:aws:s3:::{deployed.outputs['MonitoringBucket']}"
    yield Check("where telemetry goes", bucket, settings["BucketARN"])
    yield Check("telemetry lies by the hour", "telemetry/!{timestamp:yyyy/MM/dd/HH}/", settings["Prefix"])
    kinds = [each["Type"] for each in settings["ProcessingConfiguration"]["Processors"]]
    yield Check("what is done to telemetry on its way", PROCESSORS, kinds)


def _function(deployed: Deployed) -> Iterator[Check]:
    found = deployed.clients("lambda").get_function_configuration(FunctionName=deployed.outputs["MonitorFunction"])
    artifact = deployed.release.artifacts["monitor"]
    digest = base64.b64encode(bytes.fromhex(artifact.sha256)).decode()
    yield Check("the monitor's code is the release's monitor.zip", digest, found["CodeSha256"])
    yield Check("the monitor's handler", artifact.handler, found["Handler"])
    place = f"s3://{deployed.outputs['MonitoringBucket']}"
    yield Check("what the monitor reads", place, found["Environment"]["Variables"]["LIGHTSHIP_MONITORING"])
    yield Check("runs of the monitor that fail are kept", True, bool(found["DeadLetterConfig"]["TargetArn"]))


def _schedule(deployed: Deployed) -> Iterator[Check]:
    schedule = deployed.clients("scheduler").get_schedule(Name=deployed.outputs["MonitorSchedule"])
    minute, *rest = schedule["ScheduleExpression"].removeprefix("cron(").removesuffix(")").split()
    yield Check("the monitor runs hourly", (True, ["*", "*", "*", "?", "*"]), (minute.isdigit(), rest))
    arn = deployed.clients("lambda").get_function_configuration(FunctionName=deployed.outputs["MonitorFunction"])
    yield Check("what the hour starts", arn["FunctionArn"], schedule["Target"]["Arn"])
    queues = deployed.clients("sqs").list_queues().get("QueueUrls", [])
    letters = schedule["Target"]["DeadLetterConfig"]["Arn"].rpartition(":")[2]
    yield Check("hours that can't be started are kept", True, any(url.endswith(f"/{letters}") for url in queues))
