"""What watches a deployed model: its bucket, the way of its telemetry, the hourly run, and the route for labels."""

import json
from typing import Any

import pytest

from lightship.rehearsal.emulator.filter_patterns import matches
from lightship_cdk import MonitoringSettings
from lightship_cdk.settings_error import SettingsError
from lightship_runtime.sampling import sample_line
from lightship_runtime.telemetry import Source, request_lines


def one(stack: Any, kind: str, part: str) -> tuple[str, dict[str, Any]]:
    """The logical id and properties of the only resource of a type whose logical id holds `part`."""
    (found,) = [(name, each["Properties"]) for name, each in stack.of_type(kind).items() if part in name]
    return found


def test_the_bucket_is_closed_and_forgets_what_came_in(closed: Any) -> None:
    name, bucket = one(closed, "AWS::S3::Bucket", "MonitoringStore")
    (encryption,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    rules = bucket["LifecycleConfiguration"]["Rules"]
    expiring = {rule["Prefix"]: rule["ExpirationInDays"] for rule in rules if "ExpirationInDays" in rule}
    assert expiring == {"telemetry/": 90, "counts/": 90, "labels/": 90, "errors/": 90}
    assert "VersioningConfiguration" not in bucket
    assert closed.template["Resources"][name]["DeletionPolicy"] == "RetainExceptOnCreate"
    _, policy = one(closed, "AWS::S3::BucketPolicy", "MonitoringStore")
    (denial,) = [each for each in policy["PolicyDocument"]["Statement"] if each["Effect"] == "Deny"]
    assert denial["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_telemetry_goes_to_the_bucket_without_code_of_ours(closed: Any) -> None:
    bucket, _ = one(closed, "AWS::S3::Bucket", "MonitoringStore")
    stream, settings = one(closed, "AWS::KinesisFirehose::DeliveryStream", "Monitoring")
    destination = settings["ExtendedS3DestinationConfiguration"]
    assert destination["BucketARN"] == {"Fn::GetAtt": [bucket, "Arn"]}
    assert destination["Prefix"] == "telemetry/!{timestamp:yyyy/MM/dd/HH}/"
    assert destination["ErrorOutputPrefix"].startswith("errors/!{firehose:error-output-type}/")
    assert destination["CompressionFormat"] == "GZIP"
    kinds = [each["Type"] for each in destination["ProcessingConfiguration"]["Processors"]]
    assert kinds == ["Decompression", "CloudWatchLogProcessing", "AppendDelimiterToRecord"]
    log_group, _ = one(closed, "AWS::Logs::LogGroup", "PredictLogs")
    subscription = closed.only("AWS::Logs::SubscriptionFilter")
    assert subscription["LogGroupName"] == {"Ref": log_group}
    assert subscription["DestinationArn"] == {"Fn::GetAtt": [stream, "Arn"]}


def test_the_subscription_takes_telemetry_and_nothing_else(closed: Any) -> None:
    pattern = closed.only("AWS::Logs::SubscriptionFilter")["FilterPattern"]
    record = json.dumps({"i": "0" * 32, "p": 1, "c": "0" * 40_000})
    source = Source("flights", "live", "v1")
    answered = request_lines(source, now_ms=1_700_000_000_000, status=200, latency_ms=1.0, records=[record] * 9)
    refused = request_lines(source, now_ms=1_700_000_000_000, status=422, latency_ms=1.0, rejected=1)
    assert len(answered) > 1
    assert all(matches(pattern, line) for line in [*answered, *refused])
    sample = sample_line("1", [{"a": 1}], {"predictions": [1]})
    assert sample is not None
    assert not any(matches(pattern, line) for line in [sample, "START RequestId: x", "{}"])


def test_the_monitor_runs_every_hour_and_loses_no_run_unheard(closed: Any) -> None:
    function, settings = one(closed, "AWS::Lambda::Function", "MonitoringFunction")
    queue, _ = one(closed, "AWS::SQS::Queue", "MonitoringFailures")
    bucket, _ = one(closed, "AWS::S3::Bucket", "MonitoringStore")
    assert settings["Handler"] == "app.handle"
    assert settings["Environment"]["Variables"] == {
        "LIGHTSHIP_MONITORING": {"Fn::Join": ["", ["s3://", {"Ref": bucket}]]},
        "LIGHTSHIP_SERVICE": "flights",
        "LIGHTSHIP_STAGE": "live",
    }
    assert (settings["Timeout"], settings["MemorySize"], settings["EphemeralStorage"]) == (900, 1024, {"Size": 4096})
    assert settings["DeadLetterConfig"]["TargetArn"] == {"Fn::GetAtt": [queue, "Arn"]}
    schedule = closed.only("AWS::Scheduler::Schedule")
    assert schedule["ScheduleExpression"] == "cron(15 * * * ? *)"
    target = schedule["Target"]
    assert target["Arn"] == {"Fn::GetAtt": [function, "Arn"]}
    assert json.loads(target["Input"]) == {"time": "<aws.scheduler.scheduled-time>"}
    assert target["RetryPolicy"]["MaximumRetryAttempts"] == 5
    assert target["DeadLetterConfig"]["Arn"] == {"Fn::GetAtt": [queue, "Arn"]}


def test_feedback_may_put_labels_and_see_nothing(closed: Any) -> None:
    bucket, _ = one(closed, "AWS::S3::Bucket", "MonitoringStore")
    _, role = one(closed, "AWS::IAM::Role", "MonitoringFeedbackRole")
    statements = role["Policies"][0]["PolicyDocument"]["Statement"]
    (putting,) = [each for each in statements if "s3:" in str(each["Action"])]
    assert putting["Action"] == "s3:PutObject"
    assert putting["Resource"] == {"Fn::Join": ["", [{"Fn::GetAtt": [bucket, "Arn"]}, "/labels/*"]]}
    _, function = one(closed, "AWS::Lambda::Function", "MonitoringFeedback")
    assert function["Handler"] == "lightship_runtime.feedback.handler"


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"retention_days": 14}, "at least 15"), ({"buffer_s": 901}, "900"), ({"minute": 5}, "later minute")],
)
def test_settings_that_can_not_work_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        MonitoringSettings(**settings)


def test_a_column_to_leave_out_must_be_one_of_the_models() -> None:
    settings = MonitoringSettings(capture="raw", capture_without=("name",))
    settings.check_columns(("name", "age"))
    with pytest.raises(SettingsError, match="no column of the model: nom, age"):
        settings.check_columns(("nom", "age"))


def test_nothing_is_monitored_where_nothing_is_captured() -> None:
    raw = {
        "capture": "raw",
        "capture_share": 0.5,
        "capture_without": ("name",),
        "accuracy_floor": 0.8,
        "window_hours": 24,
    }
    assert MonitoringSettings.from_config({**raw, "capture": "off"}) is None
    assert MonitoringSettings.from_config({**raw, "retention_days": 30}) == MonitoringSettings(
        30, capture="raw", capture_share=0.5, capture_without=("name",), accuracy_floor=0.8, window_hours=24
    )
