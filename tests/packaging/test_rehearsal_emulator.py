"""The emulated AWS, spoken to by boto3 as any client would: stacks, deployed functions, gates, refusals."""

import base64
import gzip
import io
import json
import re
import time
import zipfile
from collections.abc import Iterator
from typing import Any

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError

from lightship.rehearsal.aws import EmulatedAws
from lightship.rehearsal.clients import clients_of, stack_outputs
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
def aws() -> Iterator[EmulatedAws]:
    with EmulatedAws.start() as running:
        yield running


@pytest.fixture(scope="module")
def clients(aws: EmulatedAws) -> Clients:
    made = clients_of(aws)
    made("s3").create_bucket(Bucket=BUCKET)
    return made


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


def deploy(clients: Clients, name: str, template: dict[str, Any], **parameters: str) -> dict[str, Any]:
    """Deploy as the CDK does, through a change set; gives the stack as it ended."""
    cloudformation = clients("cloudformation")
    living = [stack["StackName"] for stack in cloudformation.describe_stacks()["Stacks"]]
    change_set = cloudformation.create_change_set(
        StackName=name,
        ChangeSetName=f"change-{time.monotonic_ns()}",
        ChangeSetType="UPDATE" if name in living else "CREATE",
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": key, "ParameterValue": text} for key, text in parameters.items()],
    )
    cloudformation.execute_change_set(ChangeSetName=change_set["Id"], StackName=name)
    return wait(clients, name)


def wait(clients: Clients, name: str) -> dict[str, Any]:
    for _ in range(300):
        stack: dict[str, Any] = clients("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        if not stack["StackStatus"].endswith("_IN_PROGRESS"):
            return stack
        time.sleep(0.05)
    raise AssertionError(f"{name} is still busy")


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


def test_strangers_and_web_pages_are_refused(aws: EmulatedAws) -> None:
    stranger = boto3.client(
        "sts",
        endpoint_url=aws.endpoint_url,
        region_name=aws.region,
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="guessed",  # noqa: S106 - a guess
    )
    with pytest.raises(ClientError, match="isn't one of this rehearsal's"):
        stranger.get_caller_identity()
    for headers in ({}, {"Origin": "https://evil.example"}, {"Host": "evil.example"}):
        answer = httpx.get(f"{aws.endpoint_url}/moto-api/data.json", headers=headers, trust_env=False)
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers


def test_assumed_roles_are_admitted(aws: EmulatedAws, clients: Clients) -> None:
    session = clients("sts").assume_role(RoleArn="arn:aws:iam::123456789012:role/deploy", RoleSessionName="test")
    issued = session["Credentials"]
    assumed = Clients(aws.endpoint_url, issued["AccessKeyId"], issued["SecretAccessKey"])
    assert assumed("sts").get_caller_identity()["Account"] == "123456789012"


@pytest.mark.parametrize(
    ("resources", "told"),
    [
        ({"X": {"Type": "AWS::EC2::Instance"}}, "doesn't know AWS::EC2::Instance"),
        ({"X": {"Type": "AWS::Logs::LogGroup", "Properties": {"Colour": "red"}}}, "has no 'Colour'"),
        ({"X": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": {"Fn::Magic": 1}}}}, "Fn::Magic"),
        ({"X": {"Type": "AWS::Logs::LogGroup", "CreationPolicies": {}}}, "CreationPolicies"),
        ({"X": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": {"Ref": "Nobody"}}}}, "Nobody"),
        ({"X": {"Type": "AWS::S3::Bucket", "Properties": {"WebsiteConfiguration": {}}}}, "WebsiteConfiguration"),
    ],
)
def test_what_the_emulation_does_not_know_fails_the_deployment(
    clients: Clients, resources: dict[str, Any], told: str
) -> None:
    resources = {"Before": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "kept-back"}}, **resources}
    try:
        stack = deploy(clients, f"unknown-{time.monotonic_ns()}", {"Resources": resources})
        reason = stack["StackStatusReason"] if stack["StackStatus"] == "ROLLBACK_COMPLETE" else "it was deployed"
    except ClientError as error:
        reason = str(error)
    assert told in reason
    groups = clients("logs").describe_log_groups(logGroupNamePrefix="kept-back")["logGroups"]
    assert groups == []


def test_a_failed_update_leaves_what_was_there(clients: Clients) -> None:
    good = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "update-me", "RetentionInDays": 7}}
    topic = {"Type": "AWS::SNS::Topic", "DependsOn": "Group", "Properties": {"DisplayName": "before"}}
    assert deploy(clients, "updated", {"Resources": {"Group": good}})["StackStatus"] == "CREATE_COMPLETE"
    longer = {**good, "Properties": {**good["Properties"], "RetentionInDays": 30}}  # type: ignore[dict-item]
    broken = {"Type": "AWS::SQS::Queue", "DependsOn": "Topic", "Properties": {"NoSuchAttribute": "1"}}
    stack = deploy(clients, "updated", {"Resources": {"Group": longer, "Topic": topic, "Broken": broken}})
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    (group,) = clients("logs").describe_log_groups(logGroupNamePrefix="update-me")["logGroups"]
    assert group["retentionInDays"] == 7
    assert clients("sns").list_topics()["Topics"] == []
    names = [
        r["LogicalResourceId"]
        for r in clients("cloudformation").list_stack_resources(StackName="updated")["StackResourceSummaries"]
    ]
    assert names == ["Group"]


def test_a_stack_with_a_bucket_comes_up_in_another_region() -> None:
    template = {"Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}}}
    with EmulatedAws.start(region="eu-central-1") as elsewhere:
        clients = clients_of(elsewhere)
        stack = deploy(clients, "elsewhere", template)
        assert stack["StackStatus"] == "CREATE_COMPLETE", stack
        (bucket,) = clients("s3").list_buckets()["Buckets"]
        location = clients("s3").get_bucket_location(Bucket=bucket["Name"])["LocationConstraint"]
    assert location == "eu-central-1"
    assert ":eu-central-1:" in stack["StackId"]


def test_parameters_conditions_and_substitutions(clients: Clients) -> None:
    clients("ssm").put_parameter(Name="/days", Value="14", Type="String")
    template: dict[str, Any] = {
        "Parameters": {
            "Days": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/days"},
            "Name": {"Type": "String"},
        },
        "Conditions": {"Long": {"Fn::Equals": [{"Ref": "Days"}, "14"]}},
        "Mappings": {"Suffix": {"us-east-1": {"text": "east"}}},
        "Resources": {
            "Group": {
                "Type": "AWS::Logs::LogGroup",
                "Condition": "Long",
                "Properties": {
                    "LogGroupName": {"Fn::Sub": ["${Name}-${Where}-${!Literal}", {
                        "Where": {"Fn::FindInMap": ["Suffix", {"Ref": "AWS::Region"}, "text"]}}]},
                    "RetentionInDays": {"Ref": "Days"},
                },
            },
            "Never": {"Type": "AWS::SNS::Topic", "Condition": "Short"},
        },
        "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["Group", "Arn"]}, "Export": {"Name": "exported"}}},
    }  # fmt: skip
    template["Conditions"]["Short"] = {"Fn::Not": [{"Condition": "Long"}]}
    stack = deploy(clients, "resolved", template, Name="mine")
    assert stack["StackStatus"] == "CREATE_COMPLETE", stack
    (group,) = clients("logs").describe_log_groups(logGroupNamePrefix="mine")["logGroups"]
    assert group["logGroupName"] == "mine-east-${Literal}"
    assert group["retentionInDays"] == 14
    assert stack_outputs(clients, "resolved")["Arn"].endswith(":mine-east-${Literal}:*")
    importing = {"Resources": {"T": {"Type": "AWS::SNS::Topic", "Properties": {
        "DisplayName": {"Fn::Select": [6, {"Fn::Split": [":", {"Fn::ImportValue": "exported"}]}]}}}}}  # fmt: skip
    assert deploy(clients, "importing", importing)["StackStatus"] == "CREATE_COMPLETE"
    arn = clients("sns").list_topics()["Topics"][0]["TopicArn"]
    name = clients("sns").get_topic_attributes(TopicArn=arn)["Attributes"]["DisplayName"]
    assert name == "mine-east-${Literal}"
    clients("cloudformation").delete_stack(StackName="importing")
    unchanged = clients("cloudformation").create_change_set(
        StackName="resolved",
        ChangeSetName="same",
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": "Name", "UsePreviousValue": True}],
    )
    told = clients("cloudformation").describe_change_set(ChangeSetName=unchanged["Id"])
    assert (told["Status"], "didn't contain changes" in told["StatusReason"]) == ("FAILED", True)


def test_a_shift_is_gated_by_its_hook_and_stopped_by_an_alarm(clients: Clients) -> None:
    assert deploy(clients, "service", service(clients, 1))["StackStatus"] == "CREATE_COMPLETE"
    name = stack_outputs(clients, "service")["Name"]
    assert call(clients, name) == {"answer": 1, "version": "1", "event": {"a": 1}}
    live = clients("lambda").get_function_configuration(FunctionName=name, Qualifier="live")
    assert live["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"}

    assert deploy(clients, "service", service(clients, 2))["StackStatus"] == "UPDATE_COMPLETE"
    assert call(clients, name)["answer"] == 2
    assert call(clients, name)["version"] == "2"

    refused = deploy(clients, "service", service(clients, 666))
    assert refused["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert "said Failed" in refused["StackStatusReason"]
    assert call(clients, name)["answer"] == 2

    clients("cloudwatch").set_alarm_state(AlarmName="undo", StateValue="ALARM", StateReason="test")
    stopped = deploy(clients, "service", service(clients, 3))
    assert stopped["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert "alarms have been activated: undo" in stopped["StackStatusReason"]
    alias = clients("lambda").get_alias(FunctionName=name, Name="live")
    assert (alias["FunctionVersion"], alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})) == ("2", {})

    clients("cloudwatch").set_alarm_state(AlarmName="undo", StateValue="OK", StateReason="test")
    clients("lambda").update_alias(FunctionName=name, Name="live", FunctionVersion="1")
    moved = deploy(clients, "service", service(clients, 4))
    assert moved["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert "which this stack didn't set" in moved["StackStatusReason"]


def test_what_a_function_prints_becomes_logs_and_metrics(clients: Clients) -> None:
    template = {
        "Resources": {
            "Role": ROLE,
            "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "printed"}},
            "F": function(clients, 5, FunctionName="prints", LoggingConfig={"LogGroup": {"Ref": "Logs"}}),
        }
    }
    assert deploy(clients, "printing", template)["StackStatus"] == "CREATE_COMPLETE"
    clients("lambda").invoke(FunctionName="prints", Payload=b"{}")
    messages = [event["message"] for event in clients("logs").filter_log_events(logGroupName="printed")["events"]]
    assert messages[0].startswith("START RequestId: ")
    assert '"Rows": 3' in messages[1]
    (metric,) = clients("cloudwatch").list_metrics(Namespace="Test")["Metrics"]
    assert metric["Dimensions"] == [{"Name": "Service", "Value": "s"}]


def test_lines_of_a_subscription_reach_their_bucket(clients: Clients) -> None:
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
    assert deploy(clients, "subscribing", template)["StackStatus"] == "CREATE_COMPLETE"
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


def test_a_subscription_that_can_not_be_applied_fails_the_deployment(clients: Clients) -> None:
    clients("logs").create_log_group(logGroupName="lines")
    subscription = {"LogGroupName": "lines", "FilterPattern": "ERROR", "DestinationArn": "arn:aws:firehose:::x"}
    resources = {"X": {"Type": "AWS::Logs::SubscriptionFilter", "Properties": subscription}}
    stack = deploy(clients, "unsubscribed", {"Resources": resources})
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "filter pattern 'ERROR'" in stack["StackStatusReason"]


@pytest.mark.parametrize("fail", [False, True])
def test_custom_resources_answer_by_http(clients: Clients, fail: bool) -> None:
    custom = {"Type": "Custom::Thing", "Properties": {"ServiceToken": {"Fn::GetAtt": ["F", "Arn"]}, "Fail": fail}}
    template = {
        "Resources": {"Role": ROLE, "F": function(clients, 6, Handler="app.custom"), "C": custom},
        "Outputs": {"Kind": {"Value": {"Fn::GetAtt": ["C", "Kind"]}}},
    }
    stack = deploy(clients, f"custom-{fail}".lower(), template)
    assert stack["StackStatus"] == ("ROLLBACK_COMPLETE" if fail else "CREATE_COMPLETE")
    if fail:
        assert "as asked" in stack["StackStatusReason"]
    else:
        assert stack["Outputs"][0]["OutputValue"] == "Create"


def test_a_trigger_that_fails_stops_the_deployment(clients: Clients) -> None:
    trigger = {"Type": "Custom::Trigger", "Properties": {"HandlerArn": {"Ref": "V"}, "ServiceToken": "unused"}}
    version = {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "F"}}}
    resources = {"Role": ROLE, "F": function(clients, 7, Handler="app.absent"), "V": version, "T": trigger}
    stack = deploy(clients, "trigger", {"Resources": resources})
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "Runtime.HandlerNotFound" in stack["StackStatusReason"]


def test_deletion_keeps_what_is_to_be_kept(clients: Clients) -> None:
    kept = {"Type": "AWS::Logs::LogGroup", "DeletionPolicy": "Retain", "Properties": {"LogGroupName": "stays"}}
    gone = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "goes"}}
    deploy(clients, "kept", {"Resources": {"Kept": kept, "Gone": gone}})
    arn = clients("cloudformation").describe_stacks(StackName="kept")["Stacks"][0]["StackId"]
    clients("cloudformation").delete_stack(StackName="kept")
    assert wait(clients, arn)["StackStatus"] == "DELETE_COMPLETE"
    names = {group["logGroupName"] for group in clients("logs").describe_log_groups()["logGroups"]}
    assert "stays" in names
    assert "goes" not in names
    with pytest.raises(ClientError, match="does not exist"):
        clients("cloudformation").describe_stacks(StackName="kept")


def test_an_unknown_operation_is_an_error_at_once(clients: Clients) -> None:
    with pytest.raises(ClientError, match="no operation ListTypes"):
        clients("cloudformation").list_types()
    with pytest.raises(ClientError, match="UnknownOperation"):
        clients("cloudtrail").lookup_events()
