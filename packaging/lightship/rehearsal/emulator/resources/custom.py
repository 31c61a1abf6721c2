"""Custom resources: a function is invoked and answers by HTTP, as on AWS.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html. The CDK's trigger is one whose own
function runs on Node.js; what that function does, invoking another and failing when it fails, is done here instead.
"""

import json
import uuid
from typing import Any

from lightship.rehearsal.emulator.mailbox import MAILBOX
from lightship.rehearsal.emulator.resources.base import (
    Context,
    Made,
    Properties,
    ReplaceInsteadError,
    Resource,
    ResourceError,
)

ANSWER_TIMEOUT_S = 900.0


class CustomResource(Resource):
    type = "AWS::CloudFormation::CustomResource"

    def create(self, context: Context, properties: Properties) -> Made:
        return self._ask(context, "Create", properties)

    def update(self, context: Context, made: Made, properties: Properties, before: Properties) -> Made:
        if properties["ServiceToken"] != before["ServiceToken"]:
            raise ReplaceInsteadError
        old = {"PhysicalResourceId": made.id, "OldResourceProperties": before}
        return self._ask(context, "Update", properties, old)

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        self._ask(context, "Delete", properties, {"PhysicalResourceId": made.id})

    def _ask(self, context: Context, kind: str, properties: Properties, more: Properties | None = None) -> Made:
        slot = MAILBOX.open()
        event = {
            "RequestType": kind,
            "ResponseURL": f"{context.aws.endpoint_url}{slot.path}",
            "StackId": context.stack_id,
            "RequestId": str(uuid.uuid4()),
            "LogicalResourceId": context.logical_id,
            "ResourceType": self.type,
            "ResourceProperties": _as_text(properties),
            **(more or {}),
        }
        answer = invoke(context, properties["ServiceToken"], event)
        if "FunctionError" in answer:
            slot.close()
            raise ResourceError(f"{properties['ServiceToken']} failed: {answer['Payload'].read().decode()[:500]}")
        told = slot.wait(float(properties.get("ServiceTimeout", ANSWER_TIMEOUT_S)))
        if told is None:
            raise ResourceError(f"{properties['ServiceToken']} didn't answer for {context.logical_id} in time.")
        if told.get("Status") != "SUCCESS":
            raise ResourceError(f"Received response status [FAILED] from custom resource. {told.get('Reason', '')}")
        return Made(told["PhysicalResourceId"], told.get("Data") or {})


class Trigger(Resource):
    type = "Custom::Trigger"

    def create(self, context: Context, properties: Properties) -> Made:
        return self._run(context, properties)

    def update(self, context: Context, made: Made, properties: Properties, before: Properties) -> Made:
        del made, before
        return self._run(context, properties)

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        """A trigger runs when something is made or changed, never when it goes."""

    def _run(self, context: Context, properties: Properties) -> Made:
        handler = properties["HandlerArn"]
        kind = properties.get("InvocationType", "RequestResponse")
        answer = invoke(context, handler, {}, kind)
        if "FunctionError" in answer:
            told = answer["Payload"].read().decode()[:500]
            raise ResourceError(f"The trigger {context.logical_id} ran {handler}, which failed: {told}")
        return Made(handler)


def invoke(context: Context, function: str, event: Properties, kind: str = "RequestResponse") -> Any:
    """Invoke a function of the emulation."""
    return context.aws("lambda").invoke(FunctionName=function, InvocationType=kind, Payload=json.dumps(event).encode())


def _as_text(value: Any) -> Any:
    """CloudFormation passes a custom resource's scalars as text."""
    match value:
        case dict():
            return {key: _as_text(item) for key, item in value.items()}
        case list():
            return [_as_text(item) for item in value]
        case bool():
            return str(value).lower()
        case None:
            return None
    return str(value)


TYPES = (CustomResource(), Trigger())
