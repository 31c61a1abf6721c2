"""Step Functions state machines."""

import json

from lightship.rehearsal.emulator.resources.base import (
    Context,
    Made,
    Properties,
    ReplaceInsteadError,
    Resource,
    ResourceError,
    gone_already,
    tag_list,
)

KNOWN = frozenset(
    {
        "Definition",
        "DefinitionString",
        "DefinitionSubstitutions",
        "EncryptionConfiguration",
        "LoggingConfiguration",
        "RoleArn",
        "StateMachineName",
        "StateMachineType",
        "Tags",
        "TracingConfiguration",
    }
)
PASSED_ON = ("RoleArn", "LoggingConfiguration", "TracingConfiguration", "EncryptionConfiguration")


class StateMachine(Resource):
    type = "AWS::StepFunctions::StateMachine"

    def create(self, context: Context, properties: Properties) -> Made:
        name = properties.get("StateMachineName") or context.generated_name(80)
        parameters = self._parameters(properties)
        parameters |= {"name": name, "type": properties.get("StateMachineType", "STANDARD")}
        parameters["tags"] = [{"key": tag["Key"], "value": tag["Value"]} for tag in tag_list(properties)]
        arn = context.call("stepfunctions", "CreateStateMachine", parameters)["stateMachineArn"]
        return Made(arn, {"Arn": arn, "Name": name})

    def update(self, context: Context, made: Made, properties: Properties, before: Properties) -> Made:
        if any(properties.get(name) != before.get(name) for name in ("StateMachineName", "StateMachineType")):
            raise ReplaceInsteadError
        parameters = {"stateMachineArn": made.id, **self._parameters(properties)}
        context.call("stepfunctions", "UpdateStateMachine", parameters)
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        del properties
        gone_already(context.aws("stepfunctions").delete_state_machine, stateMachineArn=made.id)

    def _parameters(self, properties: Properties) -> Properties:
        if unknown := sorted(properties.keys() - KNOWN):
            raise ResourceError(f"The emulation doesn't know {', '.join(unknown)} of a state machine.")
        text = properties.get("DefinitionString") or json.dumps(properties["Definition"])
        for name, value in (properties.get("DefinitionSubstitutions") or {}).items():
            text = text.replace("${" + name + "}", str(value))
        return {"definition": text, **{name: properties[name] for name in PASSED_ON if name in properties}}


TYPES = (StateMachine(),)
