"""A synthesised template's alarms and the resources they look at, with intrinsic functions resolved.

A resource without a name of its own is called by its logical id, here as in the drill's metrics: what matters is that
an alarm and what feeds it mean the same thing.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightship.drill.cloudwatch.alarms import Alarm, composite_alarm, metric_alarm
from lightship.rehearsal.emulator.cloudformation.errors import TemplateError
from lightship.rehearsal.emulator.cloudformation.intrinsics import Scope
from lightship.rehearsal.emulator.cloudformation.template import Template
from lightship_runtime.errors import LightshipError

ACCOUNT = "000000000000"
REGION = "us-east-1"
# The number that Lambda gives the version in a template, in the drill.
LIVE_VERSION = "2"
_PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::NotificationARNs": [],
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/drill/0",
    "AWS::StackName": "drill",
    "AWS::URLSuffix": "amazonaws.com",
}
_NAMES = {
    "AWS::ApiGateway::RestApi": "",
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::CompositeAlarm": "AlarmName",
    "AWS::Events::Rule": "Name",
    "AWS::KinesisFirehose::DeliveryStream": "DeliveryStreamName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::Scheduler::Schedule": "Name",
    "AWS::StepFunctions::StateMachine": "StateMachineName",
}
_REF_IS_ARN = {
    "AWS::SNS::Topic": "sns",
    "AWS::StepFunctions::StateMachine": "states",
    "AWS::SecretsManager::Secret": "secretsmanager",
}


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource with resolved properties. `path` is where the CDK's construct tree has it, `ref` what Ref gives,
    `asset` the place of its code beside the template."""

    logical_id: str
    type: str
    properties: Mapping[str, Any]
    path: str = ""
    name: str = ""
    ref: str = ""
    asset: str = ""


@dataclass(frozen=True)
class Stack:
    """A template, resolved: every alarm, every resource by its logical id, and the outputs."""

    alarms: tuple[Alarm, ...]
    resources: Mapping[str, Resource]
    outputs: Mapping[str, Any]

    def of_type(self, kind: str) -> list[Resource]:
        return [each for each in self.resources.values() if each.type == kind]


def read_stack(path: Path) -> Stack:
    """Raises LightshipError when the file is no template, or has no alarm."""
    try:
        return stack_of(json.loads(path.read_text()))
    except (OSError, ValueError) as error:
        raise LightshipError(f"{path} can't be read as a template: {error}") from error


def stack_of(document: Mapping[str, Any]) -> Stack:
    """Raises LightshipError for a template without alarms, UnknownSemanticsError for an alarm that isn't modelled."""
    try:
        template = Template.parse(json.dumps(document))
        resolver = _Resolver(template)
        resources = {name: resolver.resource(name) for name in template.resources}
        outputs = {name: resolver.scope.resolve(each["Value"]) for name, each in template.outputs.items()}
    except TemplateError as error:
        raise LightshipError(f"The template can't be resolved: {error}") from error
    alarms: list[Alarm] = []
    for name, each in resources.items():
        if each.type == "AWS::CloudWatch::Alarm":
            alarms.append(metric_alarm(name, each.properties))
        if each.type == "AWS::CloudWatch::CompositeAlarm":
            alarms.append(composite_alarm(name, each.properties))
    if not alarms:
        raise LightshipError("The template has no alarm. Give the template of a stack that was synthesised.")
    return Stack(tuple(alarms), resources, outputs)


class _Resolver:
    def __init__(self, template: Template) -> None:
        self._template = template
        self.scope = Scope(
            pseudo=_PSEUDO,
            parameters={name: each.get("Default", name) for name, each in template.parameters.items()},
            mappings=template.mappings,
            conditions=template.conditions,
            reference=self._reference,
            attribute=self._attribute,
            imported=str,
            dynamic=lambda service, text: f"{{{{resolve:{service}:{text}}}}}",
        )

    def resource(self, name: str) -> Resource:
        given = self._template.resources[name]
        resolved = self.scope.resolve(given.get("Properties", {}))
        metadata = given.get("Metadata", {})
        return Resource(
            name,
            given["Type"],
            resolved,
            path=str(metadata.get("aws:cdk:path", "")),
            name=self._name(name),
            ref=self._reference(name),
            asset=str(metadata.get("aws:asset:path", "")),
        )

    def _name(self, logical_id: str) -> str:
        given = self._template.resources.get(logical_id)
        key = _NAMES.get(given["Type"], "") if given else ""
        own = given.get("Properties", {}).get(key) if given and key else None
        return str(self.scope.resolve(own)) if own is not None else logical_id

    def _kind(self, logical_id: str) -> str:
        return str(self._template.resources.get(logical_id, {}).get("Type", ""))

    def _arn(self, logical_id: str, service: str) -> str:
        return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{self._name(logical_id)}"

    def _reference(self, logical_id: str) -> str:
        if service := _REF_IS_ARN.get(self._kind(logical_id)):
            return self._arn(logical_id, service)
        return self._name(logical_id)

    def _attribute(self, logical_id: str, attribute: str) -> str:
        kind = self._kind(logical_id)
        match kind, attribute:
            case (("AWS::CloudWatch::Alarm" | "AWS::CloudWatch::CompositeAlarm"), "Arn"):
                return f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{self._name(logical_id)}"
            case (("AWS::SNS::Topic" | "AWS::StepFunctions::StateMachine"), ("Arn" | "TopicArn")):
                return self._reference(logical_id)
            case "AWS::Lambda::Version", "Version":
                return LIVE_VERSION
            case _, ("TopicName" | "QueueName" | "Name" | "BucketName" | "FunctionName"):
                return self._name(logical_id)
            case _, "Arn":
                return self._arn(logical_id, kind.split("::")[1].lower() if kind else "aws")
        return f"{self._name(logical_id)}.{attribute}"
