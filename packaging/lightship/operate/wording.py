"""How resources of a template are called, and how its values read."""

import re
from collections.abc import Mapping
from typing import Any

NOUNS = {
    "AWS::ApiGateway::ApiKey": "API key",
    "AWS::ApiGateway::Method": "route",
    "AWS::ApiGateway::RestApi": "REST API",
    "AWS::ApiGateway::Stage": "API stage",
    "AWS::ApiGateway::UsagePlan": "usage plan",
    "AWS::ApiGatewayV2::Api": "HTTP API",
    "AWS::ApiGatewayV2::Authorizer": "authorizer",
    "AWS::ApiGatewayV2::Route": "route",
    "AWS::ApiGatewayV2::Stage": "API stage",
    "AWS::CloudWatch::Alarm": "alarm",
    "AWS::CloudWatch::CompositeAlarm": "alarm over alarms",
    "AWS::CloudWatch::Dashboard": "dashboard",
    "AWS::CodeDeploy::DeploymentGroup": "shift of traffic",
    "AWS::Events::Rule": "count of events",
    "AWS::IAM::Policy": "permissions",
    "AWS::IAM::Role": "role",
    "AWS::KMS::Key": "encryption key",
    "AWS::KinesisFirehose::DeliveryStream": "delivery of telemetry",
    "AWS::Lambda::Alias": "alias",
    "AWS::Lambda::Function": "function",
    "AWS::Lambda::Permission": "right to invoke",
    "AWS::Lambda::Version": "version of the function",
    "AWS::Logs::LogGroup": "log group",
    "AWS::Logs::MetricFilter": "metric of a log",
    "AWS::Logs::SubscriptionFilter": "subscription to a log",
    "AWS::S3::Bucket": "bucket",
    "AWS::Scheduler::Schedule": "schedule",
    "AWS::SNS::Topic": "topic",
    "AWS::SQS::Queue": "queue",
}

type Template = Mapping[str, Any]


def noun(kind: str) -> str:
    """A CloudFormation type as people say it, or else the type itself."""
    return NOUNS.get(kind, kind)


def label(logical: str, template: Template) -> str:
    """A resource's path within its stack, as the constructs made it, or else its logical id."""
    resource = template.get("Resources", {}).get(logical, {})
    path = resource.get("Metadata", {}).get("aws:cdk:path", "")
    parts = path.split("/")[1:]
    kept = [part for part in parts if part not in {"Resource", "Default"}]
    return "/".join(kept).removeprefix("Service/") or logical


def text_of(value: Any, template: Template) -> str:
    """A value of a template, with names in place of references."""
    match value:
        case str():
            return value
        case {"Ref": str(name)}:
            return f"<{name.removeprefix('AWS::')}>" if name.startswith("AWS::") else label(name, template)
        case {"Fn::GetAtt": [str(name), "Arn"]}:
            return label(name, template)
        case {"Fn::GetAtt": [str(name), str(attribute)]}:
            return f"{label(name, template)}.{attribute}"
        case {"Fn::Join": [str(glue), list(parts)]}:
            return glue.join(text_of(part, template) for part in parts)
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{(?:AWS::)?([^}]+)\}", r"<\1>", text)
        case dict():
            return ", ".join(f"{key}={text_of(each, template)}" for key, each in value.items())
        case list():
            return ", ".join(text_of(each, template) for each in value)
    return str(value)
