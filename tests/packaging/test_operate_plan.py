"""What a deployment would change, widen, open and cost, told from two templates."""

import copy
from datetime import UTC, datetime
from typing import Any

import pytest

from lightship.operate.access import opened, widened
from lightship.operate.assembly import pointing_to
from lightship.operate.aws import OperateError
from lightship.operate.cdk import progress_of
from lightship.operate.differences import differences, impacts_of, outputs_differ, same
from lightship.operate.planning import plan_deployment
from lightship.operate.stacks import DeployedStack, StackResource
from lightship.operate.versions import Alias
from lightship_runtime.manifest import Engines, Release, Target

RELEASE = Release(
    name="planes",
    version="bbbb",
    lightship="0.1.0",
    target=Target("3.13", "x86_64", "2_34"),
    engine=Engines("pure", "array"),
    artifacts={},
    files={},
    proof=None,
)


def template_of(version: str = "V1", **statement: Any) -> dict[str, Any]:
    """A function, a version, the alias, and a hook's role that may invoke the version."""
    allowed = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": {"Ref": version}, **statement}
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
    return {
        "Resources": {
            "Function": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "MemorySize": 1024,
                    "Architectures": ["arm64"],
                    "Environment": {"Variables": {"LIGHTSHIP_STAGE": "live"}},
                },
                "Metadata": {"aws:cdk:path": "planes/Service/Predict/Function/Resource"},
            },
            version: {
                "Type": "AWS::Lambda::Version",
                "Properties": {"FunctionName": {"Ref": "Function"}},
                "DeletionPolicy": "Retain",
            },
            "Live": {
                "Type": "AWS::Lambda::Alias",
                "Properties": {
                    "FunctionName": {"Ref": "Function"},
                    "Name": "live",
                    "FunctionVersion": {"Fn::GetAtt": [version, "Version"]},
                },
                "UpdatePolicy": {"CodeDeployLambdaAliasUpdate": {"ApplicationName": "a"}},
            },
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "AssumeRolePolicyDocument": {"Statement": [trust]},
                    "Policies": [{"PolicyName": "p", "PolicyDocument": {"Statement": [allowed]}}],
                },
            },
        },
        "Outputs": {"ReleaseVersion": {"Value": "aaaa"}},
    }


def stack_of(template: dict[str, Any], status: str = "UPDATE_COMPLETE") -> DeployedStack:
    names = {name: each["Type"] for name, each in template["Resources"].items()}
    physical = {"Live": "arn:alias", "V1": "arn:aws:lambda:us-east-1:1:function:f:1"}
    return DeployedStack(
        id="arn:stack",
        name="planes",
        status=status,
        reason="",
        updated=datetime(2026, 1, 1, tzinfo=UTC),
        outputs={"FunctionName": "f", "LiveAlias": "arn:alias", "ReleaseVersion": "aaaa"},
        template=template,
        resources=tuple(StackResource(name, physical.get(name, name), kind) for name, kind in names.items()),
    )


def test_a_new_version_of_the_function_widens_nothing() -> None:
    assert widened(template_of("V1"), template_of("V2")) == ()


@pytest.mark.parametrize(
    "statement",
    [
        {"Resource": "*"},
        {"Action": ["lambda:InvokeFunction", "lambda:UpdateAlias"]},
        {"NotResource": "x"},
        {"Action": "lambda:*"},
    ],
)
def test_more_actions_or_resources_widen(statement: dict[str, Any]) -> None:
    (grant,) = widened(template_of(), template_of(**statement))
    assert "Role" in str(grant)
    assert widened(template_of(**statement), template_of(**statement)) == ()


def test_a_condition_that_goes_widens_and_a_statement_that_moves_does_not() -> None:
    conditional = template_of(Condition={"StringEquals": {"aws:SourceAccount": "1"}})
    assert len(widened(conditional, template_of())) == 1
    moved = template_of()
    policy = moved["Resources"]["Role"]["Properties"].pop("Policies")[0]
    moved["Resources"]["Policy"] = {
        "Type": "AWS::IAM::Policy",
        "Properties": {"PolicyDocument": policy["PolicyDocument"], "Roles": [{"Ref": "Role"}]},
    }
    assert widened(template_of(), moved) == ()


def test_a_boundary_or_denial_that_goes_widens_unless_its_holder_goes_too() -> None:
    bounded = template_of()
    bounded["Resources"]["Role"]["Properties"]["PermissionsBoundary"] = "arn:boundary"
    (grant,) = widened(bounded, template_of())
    assert str(grant) == "Role no longer bounded by arn:boundary"
    gone = template_of()
    del gone["Resources"]["Role"]
    assert widened(bounded, gone) == ()
    (grant,) = widened(template_of(Effect="Deny"), template_of(Effect="Deny", Action="s3:*"))
    assert "no longer denied" in str(grant)


def test_another_principal_of_a_resource_policy_or_right_widens() -> None:
    def topic(service: str) -> dict[str, Any]:
        statement = {"Effect": "Allow", "Action": "sns:Publish", "Resource": "t", "Principal": {"Service": service}}
        policy = {"Type": "AWS::SNS::TopicPolicy", "Properties": {"PolicyDocument": {"Statement": statement}}}
        right = {"Action": "lambda:InvokeFunction", "FunctionName": {"Ref": "Live"}, "Principal": service}
        return {"Resources": {"P": policy, "R": {"Type": "AWS::Lambda::Permission", "Properties": right}}}

    assert [str(each) for each in widened(topic("a"), topic("b"))] == [
        "P may sns:Publish on t by b",
        "b may lambda:InvokeFunction on Live",
    ]


def route(auth: str, *origins: str) -> dict[str, Any]:
    cors = {"CorsConfiguration": {"AllowOrigins": list(origins)}} if origins else {}
    return {
        "Resources": {
            "Api": {"Type": "AWS::ApiGatewayV2::Api", "Properties": cors},
            "Route": {"Type": "AWS::ApiGatewayV2::Route", "Properties": {"AuthorizationType": auth}},
        }
    }


def test_openness_is_told_once_and_only_when_it_grows() -> None:
    assert opened(route("AWS_IAM"), route("JWT")) == ()
    assert opened(route("AWS_IAM"), route("NONE", "https://a.example")) == (
        "Web pages of https://a.example may call the endpoint (CORS).",
        "Anybody who knows the address may call the endpoint (auth = none).",
    )
    assert opened(route("NONE"), route("NONE")) == ()
    assert opened(route("NONE"), route("AWS_IAM")) == ()
    method = {"Type": "AWS::ApiGateway::Method", "Properties": {"AuthorizationType": "NONE", "ApiKeyRequired": True}}
    (door,) = opened(route("AWS_IAM"), {"Resources": {"M": method}})
    assert "a key doesn't authenticate" in door


def test_differences_say_what_changes_from_what_to_what() -> None:
    new = template_of("V2")
    new["Resources"]["Function"]["Properties"] |= {"MemorySize": 2048, "Timeout": 10}
    by_name = {change.logical: change for change in differences(template_of("V1"), new, {"Function": "may replace"})}
    assert by_name["Function"].details == ("MemorySize 1024 -> 2048", "Timeout (none) -> 10")
    assert by_name["Function"].kind == "may replace"
    assert by_name["Function"].name == "Predict/Function"
    assert {name: change.kind for name, change in by_name.items() if name != "Function"} == {
        "V2": "add",
        "V1": "keep",
        "Live": "change",
        "Role": "change",
    }


def test_values_that_only_name_another_version_or_digest_are_not_told() -> None:
    old, new = template_of("V1"), template_of("V2")
    for version, template in (("V1", old), ("V2", new)):
        template["Resources"][version]["Metadata"] = {"aws:cdk:path": "planes/Service/Predict/Version/Resource"}
        template["Resources"]["Function"]["Properties"]["Code"] = {"S3Key": version * 40}
    by_name = {change.logical: change for change in differences(old, new)}
    assert by_name["Live"].details == ("FunctionVersion",)
    assert by_name["Function"].details == ("new code",)


def test_metadata_and_what_cloudformation_garbles_are_no_difference() -> None:
    moved = copy.deepcopy(template_of())
    moved["Resources"]["Function"]["Metadata"] = {"aws:asset:path": "elsewhere"}
    assert differences(template_of(), moved) == ()
    assert same({"Type": "T", "Properties": {"Text": "é"}}, {"Type": "T", "Properties": {"Text": "?"}})
    assert outputs_differ(template_of(), {**template_of(), "Outputs": {}})


def test_impacts_are_read_from_what_the_cdk_prints() -> None:
    printed = """\
Resources
[~] AWS::Lambda::Function Service/Predict/Function ServicePredictFunctionF7 may be replaced
 └─ [~] Code (requires replacement)
[~] AWS::SNS::Topic Service/Pages Pages12 replace
[~] AWS::IAM::Role Service/Role Role34
[-] AWS::Lambda::Version V1 orphan"""
    assert impacts_of(printed) == {"ServicePredictFunctionF7": "may replace", "Pages12": "replace"}


def test_progress_tells_what_came_to_an_end() -> None:
    line = "planes |  3/41 | 1:02:03 PM | CREATE_COMPLETE      | AWS::SNS::Topic | Service/Pages (Pages12)"
    assert progress_of(line) == "3 of 41: SNS::Topic create complete"
    assert progress_of(line.replace("CREATE_COMPLETE", "CREATE_IN_PROGRESS")) is None
    assert progress_of("planes: deploying...") is None


def test_a_plan_knows_what_it_would_change_and_what_that_costs() -> None:
    first = plan_deployment(template_of(), RELEASE, None, None, name="planes", requests=1e6)
    assert first.first
    assert first.cost_before is None
    assert first.needs_consent
    assert first.cost == pytest.approx(0.20 + 0.5 * 1.27e-3 * 1000 + 1.8, abs=0.05)
    assert first.replacement_known
    again = plan_deployment(template_of(), RELEASE, stack_of(template_of()), Alias(1, {}), name="planes", requests=1e6)
    assert not again.replacement_known
    assert again.unchanged
    assert not again.needs_consent
    assert again.cost_before == again.cost


def test_a_moved_alias_is_a_change_though_the_templates_agree() -> None:
    stack = stack_of(template_of())
    plan = plan_deployment(template_of(), RELEASE, stack, Alias(7, {}), name="planes", requests=0)
    assert (plan.live, plan.recorded, plan.moved, plan.unchanged) == (7, 1, True, False)
    books = pointing_to(stack, 7)["Resources"]["Live"]
    assert books["Properties"]["FunctionVersion"] == "7"
    assert "UpdatePolicy" not in books
    assert "UpdatePolicy" in stack.template["Resources"]["Live"]


@pytest.mark.parametrize("status", ["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_FAILED"])
def test_no_plan_is_made_over_another_deployment(status: str) -> None:
    with pytest.raises(OperateError, match=status):
        plan_deployment(template_of(), RELEASE, stack_of(template_of(), status), None, name="planes", requests=0)
