"""Functions on the emulated AWS: deployed, gated, shifted and called, what they print, resources that are functions."""

import base64
import gzip
import io
import json
import re
import zipfile
from typing import Any

import pytest

from lightship.rehearsal.clients import stack_outputs
from lightship.rehearsal.emulator.clients import Clients

BUCKET = "code"
ROLE = {
    "Type": "AWS::IAM::Role",
    "Properties": {
        "AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
            ],
        }
    },
}
HANDLER = """
import json, os
def handler(event, context):
    print(json.dumps({"_aws": {"Timestamp": 1700000000000, "CloudWatchMetrics": [
        {"Namespace": "Test", "Dimensions": [["Service"]], "Metrics": [{"Name": "Rows", "Unit": "Count"}]}]},
        "Service": "s", "Rows": 3}))
    return {"answer": ANSWER, "version": os.environ["AWS_LAMBDA_FUNCTION_VERSION"], "event": event}

def hook(event, context):
    import boto3
    reply = boto3.client("lambda").invoke(FunctionName=os.environ["TARGET"], Payload=b"{}")
    answer = json.loads(reply["Payload"].read())
    boto3.client("codedeploy").put_lifecycle_event_hook_execution_status(
        deploymentId=event["DeploymentId"], lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
        status="Succeeded" if answer["answer"] < 100 else "Failed")
    return {"saw": answer["answer"]}

def custom(event, context):
    import urllib.request
    failed = event["ResourceProperties"].get("Fail") == "true"
    answer = {"Status": "FAILED" if failed else "SUCCESS", "Reason": "as asked", "PhysicalResourceId": "made",
              "StackId": event["StackId"], "RequestId": event["RequestId"],
              "LogicalResourceId": event["LogicalResourceId"], "Data": {"Kind": event["RequestType"]}}
    request = urllib.request.Request(event["ResponseURL"], data=json.dumps(answer).encode(), method="PUT")
    urllib.request.urlopen(request).read()
"""


@pytest.fixture(scope="module")
def clients(clients: Clients) -> Clients:
    """With the bucket that code is uploaded to."""
    clients("s3").create_bucket(Bucket=BUCKET)
    return clients


def upload(clients: Clients, answer: int) -> dict[str, str]:
    """Code whose handler answers a number, where CloudFormation finds it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("app.py")
        info.external_attr = 0o644 << 16
        archive.writestr(info, HANDLER.replace("ANSWER", str(answer)))
    key = f"{answer}.zip"
    clients("s3").put_object(Bucket=BUCKET, Key=key, Body=buffer.getvalue())
    return {"S3Bucket": BUCKET, "S3Key": key}


def function(clients: Clients, answer: int, **more: Any) -> dict[str, Any]:
    properties = {
        "Code": upload(clients, answer),
        "Handler": "app.handler",
        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        "Runtime": "python3.13",
        **more,
    }
    return {"Type": "AWS::Lambda::Function", "Properties": properties}


def service(clients: Clients, answer: int) -> dict[str, Any]:
    """A function behind an alias that CodeDeploy shifts, gated by a hook."""
    version = f"Version{answer}"
    role = {"Fn::GetAtt": ["Role", "Arn"]}
    hook = function(clients, 0, Handler="app.hook", Environment={"Variables": {"TARGET": {"Ref": version}}})
    alarm = {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmName": "undo",
            "Namespace": "Test",
            "MetricName": "Errors",
            "Statistic": "Sum",
            "Period": "60",
            "EvaluationPeriods": 1,
            "Threshold": 1,
            "ComparisonOperator": "GreaterThanThreshold",
        },
    }
    group = {
        "Type": "AWS::CodeDeploy::DeploymentGroup",
        "Properties": {
            "ApplicationName": {"Ref": "Application"},
            "ServiceRoleArn": role,
            "DeploymentConfigName": "CodeDeployDefault.LambdaLinear10PercentEvery1Minute",
            "AlarmConfiguration": {"Enabled": True, "Alarms": [{"Name": {"Ref": "Alarm"}}]},
        },
    }
    shift = {
        "ApplicationName": {"Ref": "Application"},
        "DeploymentGroupName": {"Ref": "Group"},
        "BeforeAllowTrafficHook": {"Ref": "Hook"},
    }
    alias = {
        "Type": "AWS::Lambda::Alias",
        "Properties": {
            "FunctionName": {"Ref": "Function"},
            "Name": "live",
            "FunctionVersion": {"Fn::GetAtt": [version, "Version"]},
        },
        "UpdatePolicy": {"CodeDeployLambdaAliasUpdate": shift},
    }
    version_of = {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Function"}}}
    return {
        "Resources": {
            "Alias": alias,
            "Hook": hook,
            "Group": group,
            "Alarm": alarm,
            version: {**version_of, "DeletionPolicy": "Retain"},
            "Function": function(clients, answer, SnapStart={"ApplyOn": "PublishedVersions"}),
            "Application": {"Type": "AWS::CodeDeploy::Application", "Properties": {"ComputePlatform": "Lambda"}},
            "Role": ROLE,
        },
        "Outputs": {"Name": {"Value": {"Ref": "Function"}}},
    }


def call(clients: Clients, name: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(
        clients("lambda").invoke(FunctionName=f"{name}:live", Payload=b'{"a": 1}')["Payload"].read()
    )
    return answer


def test_a_shift_is_gated_by_its_hook_and_stopped_by_an_alarm(clients: Clients, deploy: Any) -> None:
    assert deploy("service", service(clients, 1))["StackStatus"] == "CREATE_COMPLETE"
    name = stack_outputs(clients, "service")["Name"]
    assert call(clients, name) == {"answer": 1, "version": "1", "event": {"a": 1}}
    live = clients("lambda").get_function_configuration(FunctionName=name, Qualifier="live")
    assert live["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"}

    assert deploy("service", service(clients, 2))["StackStatus"] == "UPDATE_COMPLETE"
    assert call(clients, name)["answer"] == 2
    assert call(clients, name)["version"] == "2"

    refused = deploy("service", service(clients, 666))
    assert refused["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert "said Failed" in refused["StackStatusReason"]
    assert call(clients, name)["answer"] == 2

    clients("cloudwatch").set_alarm_state(AlarmName="undo", StateValue="ALARM", StateReason="test")
    stopped = deploy("service", service(clients, 3))
    assert stopped["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert "alarms have been activated: undo" in stopped["StackStatusReason"]
    alias = clients("lambda").get_alias(FunctionName=name, Name="live")
    assert (alias["FunctionVersion"], alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})) == ("2", {})

    clients("cloudwatch").set_alarm_state(AlarmName="undo", StateValue="OK", StateReason="test")
    clients("lambda").update_alias(FunctionName=name, Name="live", FunctionVersion="1")
    moved = deploy("service", service(clients, 4))
    assert moved["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert "which this stack didn't set" in moved["StackStatusReason"]


def test_what_a_function_prints_becomes_logs_and_metrics(clients: Clients, deploy: Any) -> None:
    template = {
        "Resources": {
            "Role": ROLE,
            "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "printed"}},
            "F": function(clients, 5, FunctionName="prints", LoggingConfig={"LogGroup": {"Ref": "Logs"}}),
        }
    }
    assert deploy("printing", template)["StackStatus"] == "CREATE_COMPLETE"
    clients("lambda").invoke(FunctionName="prints", Payload=b"{}")
    messages = [event["message"] for event in clients("logs").filter_log_events(logGroupName="printed")["events"]]
    assert messages[0].startswith("START RequestId: ")
    assert '"Rows": 3' in messages[1]
    (metric,) = clients("cloudwatch").list_metrics(Namespace="Test")["Metrics"]
    assert metric["Dimensions"] == [{"Name": "Service", "Value": "s"}]


def test_lines_of_a_subscription_reach_their_bucket(clients: Clients, deploy: Any) -> None:
    """What a deployed function prints, by way of a subscription and the stream's processors; other lines don't."""
    parameter = {"ParameterName": "CompressionFormat", "ParameterValue": "GZIP"}
    extraction = {"ParameterName": "DataMessageExtraction", "ParameterValue": "true"}
    processors = [
        {"Type": "Decompression", "Parameters": [parameter]},
        {"Type": "CloudWatchLogProcessing", "Parameters": [extraction]},
        {"Type": "AppendDelimiterToRecord"},
    ]
    destination = {
        "BucketARN": {"Fn::GetAtt": ["Bucket", "Arn"]},
        "RoleARN": {"Fn::GetAtt": ["Role", "Arn"]},
        "Prefix": "telemetry/!{timestamp:yyyy/MM/dd/HH}/",
        "ErrorOutputPrefix": "errors/!{firehose:error-output-type}/",
        "CompressionFormat": "GZIP",
        "ProcessingConfiguration": {"Enabled": True, "Processors": processors},
    }
    subscription = {
        "LogGroupName": {"Ref": "Logs"},
        "FilterPattern": '{ $.Service = "*" }',
        "DestinationArn": {"Fn::GetAtt": ["Stream", "Arn"]},
        "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
    }
    stream = {"DeliveryStreamType": "DirectPut", "ExtendedS3DestinationConfiguration": destination}
    template = {
        "Resources": {
            "Role": ROLE,
            "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "subscribed"}},
            "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "telemetry"}},
            "Stream": {"Type": "AWS::KinesisFirehose::DeliveryStream", "Properties": stream},
            "Subscription": {"Type": "AWS::Logs::SubscriptionFilter", "Properties": subscription},
            "F": function(clients, 8, FunctionName="measured", LoggingConfig={"LogGroup": {"Ref": "Logs"}}),
        }
    }
    assert deploy("subscribing", template)["StackStatus"] == "CREATE_COMPLETE"
    clients("lambda").invoke(FunctionName="measured", Payload=b"{}")
    name = clients("firehose").list_delivery_streams()["DeliveryStreamNames"][0]
    clients("firehose").put_record(DeliveryStreamName=name, Record={"Data": b"no gzip"})
    s3 = clients("s3")
    arrived, failed = sorted(entry["Key"] for entry in s3.list_objects_v2(Bucket="telemetry")["Contents"])[::-1]
    assert re.fullmatch(r"telemetry/\d{4}/\d\d/\d\d/\d\d/.+\.gz", arrived)
    text = gzip.decompress(s3.get_object(Bucket="telemetry", Key=arrived)["Body"].read()).decode()
    (line,) = filter(None, text.split("\n"))
    assert json.loads(line)["Rows"] == 3
    assert failed.startswith("errors/decompression-failed/")
    broken = s3.get_object(Bucket="telemetry", Key=failed)["Body"].read()
    assert json.loads(broken)["rawData"] == base64.b64encode(b"no gzip").decode()


@pytest.mark.parametrize("fail", [False, True])
def test_custom_resources_answer_by_http(clients: Clients, deploy: Any, fail: bool) -> None:
    custom = {"Type": "Custom::Thing", "Properties": {"ServiceToken": {"Fn::GetAtt": ["F", "Arn"]}, "Fail": fail}}
    template = {
        "Resources": {"Role": ROLE, "F": function(clients, 6, Handler="app.custom"), "C": custom},
        "Outputs": {"Kind": {"Value": {"Fn::GetAtt": ["C", "Kind"]}}},
    }
    stack = deploy(f"custom-{fail}".lower(), template)
    assert stack["StackStatus"] == ("ROLLBACK_COMPLETE" if fail else "CREATE_COMPLETE")
    if fail:
        assert "as asked" in stack["StackStatusReason"]
    else:
        assert stack["Outputs"][0]["OutputValue"] == "Create"


def test_a_trigger_that_fails_stops_the_deployment(clients: Clients, deploy: Any) -> None:
    trigger = {"Type": "Custom::Trigger", "Properties": {"HandlerArn": {"Ref": "V"}, "ServiceToken": "unused"}}
    version = {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "F"}}}
    resources = {"Role": ROLE, "F": function(clients, 7, Handler="app.absent"), "V": version, "T": trigger}
    stack = deploy("trigger", {"Resources": resources})
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "Runtime.HandlerNotFound" in stack["StackStatusReason"]
