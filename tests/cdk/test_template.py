"""The template by default: the function and its version, roles, encryption, what outlives the stack."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


def statements(resource: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every policy statement of a role or policy."""
    properties = resource["Properties"]
    documents = [each["PolicyDocument"] for each in properties.get("Policies", ())]
    documents += [properties["PolicyDocument"]] if "PolicyDocument" in properties else []
    for document in documents:
        yield from document["Statement"]


def of_type_names(stack: Any, kind: str, part: str) -> dict[str, Any]:
    """The properties of the only resource of a type whose logical id holds `part`."""
    (found,) = [each for name, each in stack.of_type(kind).items() if part in name]
    return found["Properties"]  # type: ignore[no-any-return]


def test_the_function_runs_the_release_as_it_was_proven(closed: Any) -> None:
    function = of_type_names(closed, "AWS::Lambda::Function", "Predict")
    assert function["Handler"] == "app.handler"
    assert function["Runtime"] == "python3.13"
    assert function["Architectures"] == ["x86_64"]
    assert function["RuntimeManagementConfig"] == {"UpdateRuntimeOn": "FunctionUpdate"}
    assert function["MemorySize"] == 512
    assert function["Timeout"] == 10
    assert function["Environment"]["Variables"] == {"LIGHTSHIP_STAGE": "live"}


def test_the_zip_is_deployed_byte_for_byte(closed: Any, release_folder: Path) -> None:
    function = of_type_names(closed, "AWS::Lambda::Function", "Predict")
    digest = function["Code"]["S3Key"].removesuffix(".zip")
    assets = json.loads((closed.folder / "flights.assets.json").read_text())["files"]
    source = assets[digest]["source"]
    assert source["packaging"] == "file"
    assert (closed.folder / source["path"]).read_bytes() == (release_folder / "realtime.zip").read_bytes()


def test_callers_reach_a_published_version_through_the_alias(closed: Any) -> None:
    (version,) = closed.of_type("AWS::Lambda::Version")
    alias = closed.only("AWS::Lambda::Alias")
    assert alias["Name"] == "live"
    assert alias["FunctionVersion"] == {"Fn::GetAtt": [version, "Version"]}
    assert closed.template["Resources"][version]["DeletionPolicy"] == "Retain"


def test_every_role_says_what_it_may_do_and_nothing_more(closed: Any) -> None:
    allowed: dict[str, set[str]] = {}
    for kind in ("AWS::IAM::Role", "AWS::IAM::Policy"):
        for name, resource in closed.of_type(kind).items():
            assert "ManagedPolicyArns" not in resource["Properties"]
            actions = allowed.setdefault(name.removeprefix("Service")[:-8], set())
            for each in statements(resource):
                actions |= set([each["Action"]] if isinstance(each["Action"], str) else each["Action"])
                if each["Resource"] == "*":
                    assert each["Action"] == "cloudwatch:DescribeAlarms"
    logging = {"logs:CreateLogStream", "logs:PutLogEvents"}
    assert allowed == {
        "MonitoringRole": {
            *logging,
            "kms:Decrypt",
            "kms:GenerateDataKey",
            "s3:GetObject",
            "s3:ListBucket",
            "s3:PutObject",
            "sqs:SendMessage",
        },
        "MonitoringFeedbackRole": {*logging, "kms:GenerateDataKey", "s3:PutObject"},
        "MonitoringScheduleRole": {"lambda:InvokeFunction", "sqs:SendMessage"},
        "MonitoringDeliverySenderRole": {"firehose:PutRecord", "firehose:PutRecordBatch"},
        "MonitoringDeliveryStreamRole": {
            "kms:Decrypt",
            "kms:GenerateDataKey",
            "logs:PutLogEvents",
            "s3:AbortMultipartUpload",
            "s3:GetBucketLocation",
            "s3:ListBucketMultipartUploads",
            "s3:PutObject",
        },
        "NotifierRole": {
            *logging,
            "cloudwatch:DescribeAlarmHistory",
            "cloudwatch:DescribeAlarms",
            "kms:Decrypt",
            "kms:GenerateDataKey",
            "lambda:GetAlias",
            "lambda:GetFunctionConfiguration",
            "lambda:ListVersionsByFunction",
            "s3:GetObject",
            "s3:ListBucket",
            "sns:Publish",
            "sqs:SendMessage",
        },
        "NotifierDeployments": {"codedeploy:GetDeployment", "codedeploy:ListDeployments"},
        "PredictRole": {"logs:CreateLogStream", "logs:PutLogEvents"},
        "RolloutHookRole": {"logs:CreateLogStream", "logs:PutLogEvents", "lambda:InvokeFunction"},
        "RolloutHookReports": {"codedeploy:PutLifecycleEventHookExecutionStatus"},
        "RolloutRole": {
            "lambda:GetAlias",
            "lambda:UpdateAlias",
            "lambda:GetProvisionedConcurrencyConfig",
            "lambda:InvokeFunction",
            "cloudwatch:DescribeAlarms",
        },
    }


def test_logs_are_encrypted_kept_and_dropped_in_time(closed: Any) -> None:
    (key,) = closed.of_type("AWS::KMS::Key")
    groups = closed.of_type("AWS::Logs::LogGroup").values()
    assert len(groups) >= 6
    for group in groups:
        assert group["Properties"]["KmsKeyId"] == {"Fn::GetAtt": [key, "Arn"]}
        assert group["Properties"]["RetentionInDays"] == 30
        assert group["DeletionPolicy"] == "RetainExceptOnCreate"


def test_alarms_may_publish_to_the_encrypted_topics(closed: Any) -> None:
    (key,) = closed.of_type("AWS::KMS::Key").items()
    for topic in closed.of_type("AWS::SNS::Topic").values():
        assert topic["Properties"]["KmsMasterKeyId"] == {"Fn::GetAtt": [key[0], "Arn"]}
    admitted = {"Service": "cloudwatch.amazonaws.com"}
    (grant,) = [each for each in key[1]["Properties"]["KeyPolicy"]["Statement"] if each["Principal"] == admitted]
    assert set(grant["Action"]) == {"kms:Decrypt", "kms:GenerateDataKey*"}
    for policy in closed.of_type("AWS::SNS::TopicPolicy").values():
        said = policy["Properties"]["PolicyDocument"]["Statement"]
        # The explained messages come from the function, by its role.
        by_alarms = any(each["Principal"] == admitted and each["Action"] == "sns:Publish" for each in said)
        assert by_alarms == ("Notifications" in str(policy["Properties"]["Topics"]))
        assert any(each["Effect"] == "Deny" and "aws:SecureTransport" in json.dumps(each) for each in said)


def test_everything_that_takes_tags_has_them(closed: Any) -> None:
    function = of_type_names(closed, "AWS::Lambda::Function", "Predict")
    tags = {each["Key"]: each["Value"] for each in function["Tags"]}
    assert tags == {"lightship:model": "flights", "lightship:stage": "live"}


def test_outputs_have_the_names_that_scripts_read(closed: Any, by_auth: Callable[[str], Any]) -> None:
    names = {
        "EndpointUrl",
        "ApiId",
        "FunctionName",
        "LiveAlias",
        "ReleaseVersion",
        "PagesTopic",
        "TicketsTopic",
        "DeploymentGroup",
        "ExplainedPagesTopic",
        "ExplainedTicketsTopic",
        "MonitoringBucket",
        "MonitorFunction",
        "MonitorSchedule",
    }
    assert set(closed.template["Outputs"]) == names
    assert set(by_auth("api_key").template["Outputs"]) == names | {"ApiKeyId"}


@pytest.fixture(scope="module")
def next_release(
    synthesise: Callable[..., Any], make_release: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Any:
    folder = make_release(tmp_path_factory.mktemp("next"), handler_source="def handler(event, context): return 2")
    return synthesise(release=folder)


def test_a_new_release_changes_no_logical_id_but_its_version(closed: Any, next_release: Any) -> None:
    before, after = closed.template["Resources"], next_release.template["Resources"]
    gone, come = before.keys() - after.keys(), after.keys() - before.keys()
    assert [before[name]["Type"] for name in gone] == ["AWS::Lambda::Version"]
    assert [after[name]["Type"] for name in come] == ["AWS::Lambda::Version"]


def test_an_unchanged_release_is_no_change(closed: Any, synthesise: Callable[..., Any]) -> None:
    assert synthesise().template == closed.template
