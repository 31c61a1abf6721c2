"""Everything that is off by default, switched on at once, under the same rules."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from aws_cdk.assertions import Template
from cfnlint.api import lint
from cfnlint.core import get_rules

from lightship.config import parse_config
from lightship_cdk import (
    ComparisonSettings,
    CustodySettings,
    Domain,
    EndpointSettings,
    FunctionSettings,
    MonitoringSettings,
    Network,
    Recipients,
    RolloutSettings,
    ServiceSettings,
)
from lightship_cdk.settings_error import SettingsError

KEY = "arn:aws:kms:eu-central-1:123456789012:key/0c5bd3a7-1111-2222-3333-444455556666"
BOUNDARY = "arn:aws:iam::123456789012:policy/boundary"
CERTIFICATE = "arn:aws:acm:eu-central-1:123456789012:certificate/0c5bd3a7-1111-2222-3333-444455556666"
NETWORK = Network("vpc-0a1b2c3d", ("subnet-0a1b2c3d", "subnet-0a1b2c3e"), ("sg-0a1b2c3d",))


@pytest.fixture(scope="module")
def rich(synthesise: Callable[..., Any]) -> Any:
    """An HTTP API with every option it has."""
    return synthesise(
        ServiceSettings(
            stage="prod",
            function=FunctionSettings(
                memory_mb=2048, timeout_s=20, snapstart=True, reserved_concurrency=5, tracing=True
            ),
            endpoint=EndpointSettings(
                cors_origins=("https://app.example.com",), domain=Domain("predict.example.com", CERTIFICATE)
            ),
            rollout=RolloutSettings(shift="AllAtOnce"),
            recipients=Recipients(("oncall@example.com", "https://hooks.example.com/x"), ("team@example.com",)),
            custody=CustodySettings(log_retention_days=365, retain_data=False, kms_key_arn=KEY),
            network=NETWORK,
            permissions_boundary_arn=BOUNDARY,
            monitoring=MonitoringSettings(
                capture="raw", capture_share=0.1, capture_without=("carrier",), accuracy_floor=0.8
            ),
            tags={"team": "planes"},
        )
    )


@pytest.fixture(scope="module")
def guarded(synthesise: Callable[..., Any]) -> Any:
    """A REST API with every option it has."""
    return synthesise(
        ServiceSettings(
            function=FunctionSettings(provisioned_concurrency=2),
            endpoint=EndpointSettings(auth="api_key", waf=True, domain=Domain("predict.example.com", CERTIFICATE)),
            monitoring=None,
        )
    )


@pytest.fixture(scope="module")
def compared(synthesise: Callable[..., Any]) -> Any:
    """Live requests compared while traffic shifts."""
    return synthesise(ServiceSettings(comparison=ComparisonSettings(share=0.1, limit=0.02)))


@pytest.fixture(scope="module")
def shadowed(
    synthesise: Callable[..., Any], make_release: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Any:
    """Live requests compared with a candidate that callers don't reach."""
    candidate = make_release(
        tmp_path_factory.mktemp("candidate"), handler_source="def handler(event, context): return 3"
    )
    return synthesise(ServiceSettings(comparison=ComparisonSettings(share=0.1, shadow=str(candidate))))


def only(stack: Any, kind: str, part: str) -> dict[str, Any]:
    """The properties of the only resource of a type whose logical id holds `part`."""
    (found,) = [each for name, each in stack.of_type(kind).items() if part in name]
    return found["Properties"]  # type: ignore[no-any-return]


def environment(function: dict[str, Any]) -> dict[str, Any]:
    variables: dict[str, Any] = function["Environment"]["Variables"]
    return variables


def predict_function(stack: Any) -> dict[str, Any]:
    (found,) = [each for name, each in stack.of_type("AWS::Lambda::Function").items() if "Predict" in name]
    return found["Properties"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", ["rich", "guarded", "compared", "shadowed"])
def test_the_rules_hold_with_everything_on(request: pytest.FixtureRequest, name: str) -> None:
    template = json.dumps(request.getfixturevalue(name).template)
    assert lint(template, get_rules([], [], ["W", "E"]), ["eu-central-1"]) == []


def test_the_function_is_what_was_asked_for(rich: Any) -> None:
    function = predict_function(rich)
    assert function["MemorySize"] == 2048
    assert function["Timeout"] == 20
    assert function["SnapStart"] == {"ApplyOn": "PublishedVersions"}
    assert function["ReservedConcurrentExecutions"] == 5
    assert function["TracingConfig"] == {"Mode": "Active"}
    assert {"Key": "team", "Value": "planes"} in function["Tags"]


def test_functions_that_see_rows_are_in_the_network_and_those_that_call_more_than_s3_are_not(rich: Any) -> None:
    expected = {"SecurityGroupIds": list(NETWORK.security_group_ids), "SubnetIds": list(NETWORK.subnet_ids)}
    for part in ("PredictFunction", "MonitoringFunction", "MonitoringFeedback"):
        function = only(rich, "AWS::Lambda::Function", part)
        assert function["VpcConfig"] == expected
        role = rich.template["Resources"][function["Role"]["Fn::GetAtt"][0]]["Properties"]
        assert "ec2:CreateNetworkInterface" in json.dumps(role["Policies"])
    for part in ("NotifierFunction", "RolloutHook"):
        assert "VpcConfig" not in only(rich, "AWS::Lambda::Function", part)
    assert not [said for said in rich.said if "subnet" in said.lower()]


def test_what_is_captured_is_told_to_the_function(rich: Any) -> None:
    captured = {name: text for name, text in environment(predict_function(rich)).items() if "CAPTURE" in name}
    assert captured == {
        "LIGHTSHIP_CAPTURE": "raw",
        "LIGHTSHIP_CAPTURE_SHARE": "0.1",
        "LIGHTSHIP_CAPTURE_WITHOUT": '["carrier"]',
    }
    monitor = only(rich, "AWS::Lambda::Function", "MonitoringFunction")
    assert environment(monitor)["LIGHTSHIP_ACCURACY_FLOOR"] == "0.8"


def test_without_monitoring_nothing_is_captured_or_deployed_for_it(guarded: Any) -> None:
    assert environment(predict_function(guarded))["LIGHTSHIP_CAPTURE"] == "off"
    assert not [name for name in guarded.template["Resources"] if "Monitoring" in name or "Feedback" in name]
    assert not guarded.of_type("AWS::KinesisFirehose::DeliveryStream")
    assert "MonitoringBucket" not in guarded.template["Outputs"]


def test_alarms_name_the_command_for_their_stage(rich: Any) -> None:
    for alarm in rich.of_type("AWS::CloudWatch::Alarm").values():
        assert "lightship rollback --stage prod" in str(alarm["Properties"]["AlarmDescription"])


def test_browsers_of_one_origin_may_call(rich: Any) -> None:
    cors = rich.only("AWS::ApiGatewayV2::Api")["CorsConfiguration"]
    assert cors["AllowOrigins"] == ["https://app.example.com"]
    assert "AllowCredentials" not in cors


@pytest.mark.parametrize("name", ["rich", "guarded"])
def test_a_domain_is_the_only_way_in(request: pytest.FixtureRequest, name: str) -> None:
    stack = request.getfixturevalue(name)
    kind = "AWS::ApiGateway::RestApi" if name == "guarded" else "AWS::ApiGatewayV2::Api"
    assert stack.only(kind)["DisableExecuteApiEndpoint"] is True
    assert stack.template["Outputs"]["EndpointUrl"]["Value"] == "https://predict.example.com"


def test_a_given_key_and_boundary_are_used_everywhere(rich: Any) -> None:
    assert not rich.of_type("AWS::KMS::Key")
    for kind, key in (("AWS::Logs::LogGroup", "KmsKeyId"), ("AWS::SNS::Topic", "KmsMasterKeyId")):
        assert {each["Properties"][key] for each in rich.of_type(kind).values()} == {KEY}
    for role in rich.of_type("AWS::IAM::Role").values():
        assert role["Properties"]["PermissionsBoundary"] == BOUNDARY


def test_data_goes_with_the_stack_when_that_is_said(rich: Any) -> None:
    for group in rich.of_type("AWS::Logs::LogGroup").values():
        assert group["DeletionPolicy"] == "Delete"
        assert group["Properties"]["RetentionInDays"] == 365


def test_recipients_hear_what_concerns_them(rich: Any) -> None:
    every = [each["Properties"] for each in rich.of_type("AWS::SNS::Subscription").values()]
    heard = [each for each in every if each["Protocol"] != "lambda"]
    pages = {each["Endpoint"] for each in heard if "Pages" in each["TopicArn"]["Ref"]}
    tickets = {each["Endpoint"] for each in heard if "Tickets" in each["TopicArn"]["Ref"]}
    assert pages == {"oncall@example.com", "https://hooks.example.com/x"}
    assert tickets == pages | {"team@example.com"}
    assert not any("Nobody is told" in each for each in rich.said)


def test_a_recipient_that_cant_hear_is_refused(synthesise: Callable[..., Any]) -> None:
    with pytest.raises(SettingsError, match="'slack'"):
        synthesise(ServiceSettings(recipients=Recipients(("slack",))))


def test_a_web_acl_guards_the_stage(guarded: Any) -> None:
    acl = guarded.only("AWS::WAFv2::WebACL")
    limit = acl["Rules"][-1]["Statement"]["RateBasedStatement"]["Limit"]
    assert limit == 50 * 300
    assert "WebACLArn" in guarded.only("AWS::WAFv2::WebACLAssociation")


def test_disagreement_with_the_version_before_undoes_a_shift(compared: Any) -> None:
    alarm = only(compared, "AWS::CloudWatch::Alarm", "NewVersionDisagreement")
    assert alarm["Threshold"] == 2
    group = compared.only("AWS::CodeDeploy::DeploymentGroup")
    assert "NewVersionDisagreement" in str(group["AlarmConfiguration"])
    environment = only(compared, "AWS::Lambda::Function", "Comparison")["Environment"]["Variables"]
    (version,) = compared.of_type("AWS::Lambda::Version")
    assert environment["LIGHTSHIP_CANDIDATE"] == {"Ref": version}
    assert "live" in str(environment["LIGHTSHIP_ALIAS"])
    assert only(compared, "AWS::Lambda::Function", "Predict")["Environment"]["Variables"] == {
        "LIGHTSHIP_STAGE": "live",
        "LIGHTSHIP_SAMPLED_SHARE": "0.1",
    }


def test_samples_reach_the_comparison_and_failures_are_kept(compared: Any) -> None:
    # A log group has room for two; the other is the monitoring's.
    assert len(compared.of_type("AWS::Logs::SubscriptionFilter")) == 2
    subscription = only(compared, "AWS::Logs::SubscriptionFilter", "Comparison")
    assert subscription["FilterPattern"] == '{ $.lightshipCompare.executed = "*" }'
    function = only(compared, "AWS::Lambda::Function", "Comparison")
    (queue,) = [name for name in compared.of_type("AWS::SQS::Queue") if "Comparison" in name]
    assert function["DeadLetterConfig"] == {"TargetArn": {"Fn::GetAtt": [queue, "Arn"]}}
    alarm = only(compared, "AWS::CloudWatch::Alarm", "UncomparedSamples")
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanOrEqualToThreshold", 1)


def test_a_shadow_is_reported_and_undoes_nothing(shadowed: Any) -> None:
    assert len(shadowed.of_type("AWS::Lambda::Version")) == 2
    environment = only(shadowed, "AWS::Lambda::Function", "Comparison")["Environment"]["Variables"]
    assert "Shadow" in environment["LIGHTSHIP_CANDIDATE"]["Ref"]
    assert environment["LIGHTSHIP_ALIAS"] == ""
    assert environment["LIGHTSHIP_RELEASE"] != shadowed.template["Outputs"]["ReleaseVersion"]["Value"]
    assert not [name for name in shadowed.of_type("AWS::CloudWatch::Alarm") if "Disagreement" in name]
    permissions = shadowed.of_type("AWS::Lambda::Permission").values()
    (permission,) = [each for each in permissions if "apigateway" in str(each) and "Feedback" not in str(each)]
    assert "PredictLive" in permission["Properties"]["FunctionName"]["Ref"]
    (policy,) = only(shadowed, "AWS::IAM::Role", "Comparison")["Policies"]
    (invoke,) = [each for each in policy["PolicyDocument"]["Statement"] if each["Action"] == "lambda:InvokeFunction"]
    assert "Shadow" in invoke["Resource"]["Ref"]


def test_a_shadow_without_a_share_is_refused() -> None:
    with pytest.raises(SettingsError, match="Give a share"):
        ComparisonSettings(shadow="dist/flights/1")


def test_provisioned_concurrency_is_on_the_alias(guarded: Any) -> None:
    provisioned = guarded.only("AWS::Lambda::Alias")["ProvisionedConcurrencyConfig"]
    assert provisioned == {"ProvisionedConcurrentExecutions": 2}


def test_the_account_role_for_logs_outlives_the_stack(guarded: Any) -> None:
    (account,) = guarded.of_type("AWS::ApiGateway::Account").values()
    assert account["DeletionPolicy"] == "RetainExceptOnCreate"


def test_the_defaults_of_lightship_toml_are_the_constructs_defaults() -> None:
    assert ServiceSettings.from_config(asdict(parse_config({}, folder=Path()))) == ServiceSettings()


def test_every_key_of_lightship_toml_that_shapes_the_stack_reaches_it() -> None:
    document = {
        "allow_unproven": True,
        "endpoint": {
            "auth": "jwt",
            "throttle": {"rate": 7, "burst": 8},
            "memory": 512,
            "timeout": 9,
            "snapstart": True,
            "canary": "AllAtOnce",
            "jwt": {"issuer": "https://issuer.example.com", "audience": ["a"]},
            "quota": {"limit": 10, "period": "WEEK"},
            "cors": ["https://app.example.com"],
            "domain": {"name": "predict.example.com", "certificate": CERTIFICATE},
            "tracing": True,
            "reserved_concurrency": 3,
            "log_retention_days": 7,
            "hook_latency_ms": 250,
            "compare": {"share": 0.2, "tolerance": 0.1, "limit": 0.3, "shadow": "candidate"},
        },
        "monitoring": {
            "availability": 0.99,
            "latency_ms": 90,
            "notify": ["a@example.com"],
            "notify_tickets": ["b@example.com"],
            "notify_explained": ["c@example.com"],
            "chat": ["https://hooks.example.com/x"],
            "quiet_hours": 3,
            "runbooks": "https://runbooks.example.com",
            "accuracy_floor": 0.7,
            "capture": "raw",
            "capture_share": 0.5,
            "capture_without": ["name"],
            "retention_days": 30,
            "window_hours": 24,
        },
        "batch": {
            "schedule": "rate(1 day)",
            "input": "s3://bucket/in/",
            "output": "s3://bucket/out/",
            "key": ["id"],
        },
        "deploy": {
            "tags": {"team": "planes"},
            "permissions_boundary": BOUNDARY,
            "kms_key": KEY,
            "retain_data": False,
            "vpc": {"id": "vpc-1", "subnets": ["subnet-1"], "security_groups": ["sg-1"]},
        },
        "stages": {"prod": {}},
    }
    settings = ServiceSettings.from_config(asdict(parse_config(document, folder=Path(), stage="prod")))
    plain = asdict(ServiceSettings())
    same = [
        f"{part}.{name}"
        for part, value in asdict(settings).items()
        for name, each in (value.items() if isinstance(plain[part], dict) and plain[part] else [("", value)])
        if each == (plain[part][name] if name else plain[part])
    ]
    # What excludes another key, and what lightship.toml has no key for.
    assert [name for name in same if not name.startswith("monitoring.")] == [
        "function.provisioned_concurrency",
        "endpoint.waf",
    ]
    assert [name.partition(".")[2] for name in same if name.startswith("monitoring.")] == [
        "buffer_s",
        "buffer_mb",
        "minute",
        "memory_mb",
        "storage_mb",
        "timeout_s",
    ]


def test_several_models_share_an_app_and_a_stack(
    release_folder: Path, make_release: Callable[..., Path], tmp_path: Path
) -> None:
    import aws_cdk as cdk

    from lightship_cdk import ModelService

    other = make_release(tmp_path / "other", name="trains")
    stack = cdk.Stack(cdk.App(outdir=str(tmp_path / "out")), "Travel")
    ModelService(stack, "Flights", release=release_folder)
    ModelService(stack, "Trains", release=other, settings=ServiceSettings(stage="dev"))
    template = Template.from_stack(stack)
    template.resource_count_is("AWS::Lambda::Alias", 2)
    dashboards = template.find_resources("AWS::CloudWatch::Dashboard").values()
    names = {each["Properties"]["DashboardName"] for each in dashboards}
    assert names == {"flights-live", "flights-live-runbooks", "trains-dev", "trains-dev-runbooks"}
