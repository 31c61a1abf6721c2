"""The emulated AWS, spoken to by boto3 as any client would: who is admitted, stacks, refusals."""

import json
import time
from typing import Any

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError

from lightship.rehearsal.aws import EmulatedAws
from lightship.rehearsal.clients import clients_of, stack_outputs
from lightship.rehearsal.emulator.clients import Clients


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
    clients: Clients, deploy: Any, resources: dict[str, Any], told: str
) -> None:
    resources = {"Before": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "kept-back"}}, **resources}
    try:
        stack = deploy(f"unknown-{time.monotonic_ns()}", {"Resources": resources})
        reason = stack["StackStatusReason"] if stack["StackStatus"] == "ROLLBACK_COMPLETE" else "it was deployed"
    except ClientError as error:
        reason = str(error)
    assert told in reason
    groups = clients("logs").describe_log_groups(logGroupNamePrefix="kept-back")["logGroups"]
    assert groups == []


def test_a_failed_update_leaves_what_was_there(clients: Clients, deploy: Any) -> None:
    good = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "update-me", "RetentionInDays": 7}}
    topic = {"Type": "AWS::SNS::Topic", "DependsOn": "Group", "Properties": {"DisplayName": "before"}}
    assert deploy("updated", {"Resources": {"Group": good}})["StackStatus"] == "CREATE_COMPLETE"
    longer = {**good, "Properties": {**good["Properties"], "RetentionInDays": 30}}  # type: ignore[dict-item]
    broken = {"Type": "AWS::SQS::Queue", "DependsOn": "Topic", "Properties": {"NoSuchAttribute": "1"}}
    stack = deploy("updated", {"Resources": {"Group": longer, "Topic": topic, "Broken": broken}})
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    (group,) = clients("logs").describe_log_groups(logGroupNamePrefix="update-me")["logGroups"]
    assert group["retentionInDays"] == 7
    assert clients("sns").list_topics()["Topics"] == []
    names = [
        r["LogicalResourceId"]
        for r in clients("cloudformation").list_stack_resources(StackName="updated")["StackResourceSummaries"]
    ]
    assert names == ["Group"]


def test_a_stack_with_a_bucket_comes_up_in_another_region(deploy: Any) -> None:
    template = {"Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}}}
    with EmulatedAws.start(region="eu-central-1") as elsewhere:
        clients = clients_of(elsewhere)
        stack = deploy.to(clients)("elsewhere", template)
        assert stack["StackStatus"] == "CREATE_COMPLETE", stack
        (bucket,) = clients("s3").list_buckets()["Buckets"]
        location = clients("s3").get_bucket_location(Bucket=bucket["Name"])["LocationConstraint"]
    assert location == "eu-central-1"
    assert ":eu-central-1:" in stack["StackId"]


def test_parameters_conditions_and_substitutions(clients: Clients, deploy: Any) -> None:
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
    stack = deploy("resolved", template, Name="mine")
    assert stack["StackStatus"] == "CREATE_COMPLETE", stack
    (group,) = clients("logs").describe_log_groups(logGroupNamePrefix="mine")["logGroups"]
    assert group["logGroupName"] == "mine-east-${Literal}"
    assert group["retentionInDays"] == 14
    assert stack_outputs(clients, "resolved")["Arn"].endswith(":mine-east-${Literal}:*")
    importing = {"Resources": {"T": {"Type": "AWS::SNS::Topic", "Properties": {
        "DisplayName": {"Fn::Select": [6, {"Fn::Split": [":", {"Fn::ImportValue": "exported"}]}]}}}}}  # fmt: skip
    assert deploy("importing", importing)["StackStatus"] == "CREATE_COMPLETE"
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


def test_a_subscription_that_can_not_be_applied_fails_the_deployment(clients: Clients, deploy: Any) -> None:
    clients("logs").create_log_group(logGroupName="lines")
    subscription = {"LogGroupName": "lines", "FilterPattern": "ERROR", "DestinationArn": "arn:aws:firehose:::x"}
    resources = {"X": {"Type": "AWS::Logs::SubscriptionFilter", "Properties": subscription}}
    stack = deploy("unsubscribed", {"Resources": resources})
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "filter pattern 'ERROR'" in stack["StackStatusReason"]


def test_deletion_keeps_what_is_to_be_kept(clients: Clients, deploy: Any) -> None:
    kept = {"Type": "AWS::Logs::LogGroup", "DeletionPolicy": "Retain", "Properties": {"LogGroupName": "stays"}}
    gone = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "goes"}}
    deploy("kept", {"Resources": {"Kept": kept, "Gone": gone}})
    arn = clients("cloudformation").describe_stacks(StackName="kept")["Stacks"][0]["StackId"]
    clients("cloudformation").delete_stack(StackName="kept")
    assert deploy.wait(arn)["StackStatus"] == "DELETE_COMPLETE"
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
