"""The endpoint in its four auth modes: what is closed, what is warned of, and that the rules hold in each."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from cfnlint.api import lint
from cfnlint.core import get_rules

from lightship_cdk import EndpointSettings, FunctionSettings, Jwt
from lightship_cdk.settings_error import SettingsError

MODES = ("iam", "jwt", "api_key", "none")
PATHS = {"POST /predict", "GET /ping", "GET /contract", "GET /openapi.json", "GET /docs"}


@pytest.mark.parametrize("auth", MODES)
def test_cfn_lint_finds_nothing(by_auth: Callable[[str], Any], auth: str) -> None:
    """That the synth came to its end says that cdk-nag has no unaccepted finding."""
    rules = get_rules([], [], ["W", "E"])
    found = lint(json.dumps(by_auth(auth).template), rules, ["eu-central-1", "us-east-1"])
    assert found == []


def test_the_default_endpoint_wants_a_signature_on_every_route(closed: Any) -> None:
    routes = [each["Properties"] for each in closed.of_type("AWS::ApiGatewayV2::Route").values()]
    assert {each["RouteKey"] for each in routes} == PATHS | {"POST /feedback"}
    assert {each["AuthorizationType"] for each in routes} == {"AWS_IAM"}
    assert "CorsConfiguration" not in closed.only("AWS::ApiGatewayV2::Api")


def test_an_http_api_is_throttled_and_logged(closed: Any) -> None:
    stage = closed.only("AWS::ApiGatewayV2::Stage")
    assert stage["DefaultRouteSettings"] == {"ThrottlingBurstLimit": 100, "ThrottlingRateLimit": 50}
    assert stage["AutoDeploy"] is True
    line = json.loads(stage["AccessLogSettings"]["Format"])
    assert line["status"] == "$context.status"
    assert not any("header" in value or "body" in value for value in line.values())


@pytest.mark.parametrize("auth", ["iam", "api_key"])
def test_the_api_may_invoke_the_alias_and_the_feedback_function(by_auth: Callable[[str], Any], auth: str) -> None:
    stack = by_auth(auth)
    (alias,) = stack.of_type("AWS::Lambda::Alias")
    (feedback,) = [name for name in stack.of_type("AWS::Lambda::Function") if "Feedback" in name]
    every = [each["Properties"] for each in stack.of_type("AWS::Lambda::Permission").values()]
    permissions = [each for each in every if each["Principal"] == "apigateway.amazonaws.com"]
    called = [each["FunctionName"] for each in permissions if "test-invoke" not in str(each)]
    assert sorted(called, key=str) == [{"Fn::GetAtt": [feedback, "Arn"]}, {"Ref": alias}]
    of_feedback = [str(each["SourceArn"]) for each in permissions if feedback in str(each["FunctionName"])]
    assert all("/feedback" in source for source in of_feedback)
    assert all("SourceArn" in each for each in permissions)


def test_tokens_are_checked_against_issuer_and_audience(by_auth: Callable[[str], Any]) -> None:
    stack = by_auth("jwt")
    authorizer = stack.only("AWS::ApiGatewayV2::Authorizer")
    assert authorizer["JwtConfiguration"] == {"Audience": ["predictors"], "Issuer": "https://issuer.example.com"}
    routes = stack.of_type("AWS::ApiGatewayV2::Route").values()
    assert {each["Properties"]["AuthorizationType"] for each in routes} == {"JWT"}


def test_an_open_endpoint_is_warned_of(by_auth: Callable[[str], Any], closed: Any) -> None:
    assert any("anybody who knows the address" in each for each in by_auth("none").said)
    assert not any("anybody" in each for each in closed.said)


def test_keys_are_wanted_by_every_method_and_counted(by_auth: Callable[[str], Any]) -> None:
    stack = by_auth("api_key")
    methods = [each["Properties"] for each in stack.of_type("AWS::ApiGateway::Method").values()]
    assert len(methods) == len(PATHS | {"POST /feedback"})
    assert all(each["ApiKeyRequired"] for each in methods)
    plan = stack.only("AWS::ApiGateway::UsagePlan")
    assert plan["Quota"] == {"Limit": 100_000, "Period": "DAY"}
    assert plan["Throttle"] == {"BurstLimit": 100, "RateLimit": 50}
    (settings,) = stack.only("AWS::ApiGateway::Stage")["MethodSettings"]
    assert (settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"]) == (50, 100)
    assert settings["DataTraceEnabled"] is False
    assert any("doesn't authenticate" in each for each in stack.said)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: EndpointSettings(auth="jwt"), "lacks an issuer"),
        (lambda: EndpointSettings(jwt=Jwt("https://x", ("a",))), 'auth = "iam" asks for no token'),
        (lambda: EndpointSettings(auth="api_key", cors_origins=("https://x",)), "no secret"),
        (lambda: EndpointSettings(waf=True), "can't have a web ACL"),
        (lambda: FunctionSettings(snapstart=True, provisioned_concurrency=2), "exclude each other"),
    ],
)
def test_settings_that_exclude_each_other_are_refused(make: Callable[[], object], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        make()
    assert said in str(caught.value)
