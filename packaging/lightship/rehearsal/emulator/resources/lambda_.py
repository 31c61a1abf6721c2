"""Lambda: functions, versions, aliases, permissions, event sources."""

import io
import json
import time
import zipfile
from typing import Any

from lightship.rehearsal.emulator.resources.base import (
    ApiResource,
    Context,
    Made,
    Properties,
    ReplaceInsteadError,
    Resource,
    ResourceError,
    gone_already,
)

DEPLOYMENT_POLL_S = 0.1
INLINE_FILE = "index.py"


def split_arn(name_or_arn: str) -> tuple[str, str | None]:
    """The function's name and the qualifier in a name or ARN."""
    if name_or_arn.startswith("arn:"):
        parts = name_or_arn.split(":")
        return parts[6], parts[7] if len(parts) > 7 else None
    name, _, qualifier = name_or_arn.partition(":")
    return name, qualifier or None


class Function(Resource):
    type = "AWS::Lambda::Function"

    def create(self, context: Context, properties: Properties) -> Made:
        name = properties.setdefault("FunctionName", context.generated_name(64))
        apart = _take_apart(properties)
        made = context.call("lambda", "CreateFunction", {**properties, "Code": _code(properties["Code"])})
        _set_apart(context, name, apart)
        return Made(name, {"Arn": made["FunctionArn"]})

    def update(self, context: Context, made: Made, properties: Properties, before: Properties) -> Made:
        for name in ("FunctionName", "PackageType"):
            if properties.get(name) != before.get(name):
                raise ReplaceInsteadError
        lambda_ = context.aws("lambda")
        apart = _take_apart(properties)
        code = _code(properties.pop("Code"))
        architectures = {"Architectures": properties.pop("Architectures")} if "Architectures" in properties else {}
        context.call("lambda", "UpdateFunctionCode", {"FunctionName": made.id, **code, **architectures})
        tags = {tag["Key"]: tag["Value"] for tag in properties.pop("Tags", [])}
        if tags:
            lambda_.tag_resource(Resource=made.attributes["Arn"], Tags=tags)
        for setting, empty in (("Environment", {"Variables": {}}), ("TracingConfig", {"Mode": "PassThrough"})):
            properties.setdefault(setting, empty)
        context.call("lambda", "UpdateFunctionConfiguration", {**properties, "FunctionName": made.id})
        if "ReservedConcurrentExecutions" in before and "ReservedConcurrentExecutions" not in apart:
            lambda_.delete_function_concurrency(FunctionName=made.id)
        _set_apart(context, made.id, apart)
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        del properties
        gone_already(context.aws("lambda").delete_function, FunctionName=made.id)


def _take_apart(properties: Properties) -> Properties:
    """The settings that have an operation of their own."""
    return {
        name: properties.pop(name)
        for name in ("ReservedConcurrentExecutions", "RuntimeManagementConfig")
        if name in properties
    }


def _set_apart(context: Context, name: str, apart: Properties) -> None:
    if (reserved := apart.get("ReservedConcurrentExecutions")) is not None:
        lambda_ = context.aws("lambda")
        lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=int(reserved))
    if config := apart.get("RuntimeManagementConfig"):
        context.call("lambda", "PutRuntimeManagementConfig", {"FunctionName": name, **config})


def _code(code: Properties) -> Properties:
    """Code in S3 as it is, code in the template as the zip that CloudFormation makes of it."""
    if "ZipFile" not in code:
        return code
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo(INLINE_FILE)
        info.external_attr = 0o644 << 16
        archive.writestr(info, code["ZipFile"])
    return {"ZipFile": buffer.getvalue()}


class Version(Resource):
    """A published version is never changed: another logical id is another version."""

    type = "AWS::Lambda::Version"

    def create(self, context: Context, properties: Properties) -> Made:
        provisioned = properties.pop("ProvisionedConcurrencyConfig", None)
        made = context.call("lambda", "PublishVersion", properties)
        name, version = split_arn(properties["FunctionName"])[0], made["Version"]
        if provisioned:
            _provision(context, name, version, provisioned)
        arn = context.arn("lambda", f"function:{name}:{version}")
        return Made(arn, {"Version": version, "FunctionArn": arn})

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        del properties
        name, version = split_arn(made.id)
        gone_already(context.aws("lambda").delete_function, FunctionName=name, Qualifier=version)


class Alias(Resource):
    """An alias, whose move to another version CodeDeploy carries out where its UpdatePolicy says so."""

    type = "AWS::Lambda::Alias"

    def create(self, context: Context, properties: Properties) -> Made:
        made = context.call("lambda", "CreateAlias", _alias(properties))
        if provisioned := properties.get("ProvisionedConcurrencyConfig"):
            _provision(context, split_arn(properties["FunctionName"])[0], properties["Name"], provisioned)
        return Made(made["AliasArn"], {"AliasArn": made["AliasArn"]})

    def update(self, context: Context, made: Made, properties: Properties, before: Properties) -> Made:
        if any(properties[name] != before[name] for name in ("FunctionName", "Name")):
            raise ReplaceInsteadError
        name, policy = properties["Name"], context.policy.get("CodeDeployLambdaAliasUpdate")
        function, target = split_arn(properties["FunctionName"])[0], _version(properties)
        current = context.aws("lambda").get_alias(FunctionName=function, Name=name)["FunctionVersion"]
        if policy and current != _version(before) and current != target:
            raise ResourceError(
                f"The alias {name} points to version {current}, which this stack didn't set "
                f"(it set {_version(before)}), so CodeDeploy refuses to shift it."
            )
        if policy and current != target:
            _shift(context, policy, (function, name, current, target))
            context.call("lambda", "UpdateAlias", {**_alias(properties), "FunctionVersion": target})
        else:
            context.call("lambda", "UpdateAlias", _alias(properties))
        if provisioned := properties.get("ProvisionedConcurrencyConfig"):
            _provision(context, function, name, provisioned)
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        del made
        function = split_arn(properties["FunctionName"])[0]
        gone_already(context.aws("lambda").delete_alias, FunctionName=function, Name=properties["Name"])


def _alias(properties: Properties) -> Properties:
    made: Properties = {name: properties[name] for name in properties if name in {"Name", "Description"}}
    made["FunctionName"] = split_arn(properties["FunctionName"])[0]
    made["FunctionVersion"] = _version(properties)
    if routing := properties.get("RoutingConfig"):
        weights = {pair["FunctionVersion"]: pair["FunctionWeight"] for pair in routing["AdditionalVersionWeights"]}
        made["RoutingConfig"] = {"AdditionalVersionWeights": weights}
    known = {"FunctionName", "Name", "Description", "FunctionVersion", "RoutingConfig", "ProvisionedConcurrencyConfig"}
    if unknown := sorted(properties.keys() - known):
        raise ResourceError(f"The emulation doesn't know {', '.join(unknown)} of an alias.")
    return made


def _version(properties: Properties) -> str:
    return str(properties["FunctionVersion"]).rpartition(":")[2]


def _provision(context: Context, function: str, qualifier: str, config: Properties) -> None:
    parameters = {"FunctionName": function, "Qualifier": qualifier, **config}
    context.call("lambda", "PutProvisionedConcurrencyConfig", parameters)


def _shift(context: Context, policy: Any, move: tuple[str, str, str, str]) -> None:
    """Have CodeDeploy shift the alias and wait. Raises ResourceError when the deployment doesn't succeed."""
    function, alias, current, target = move
    codedeploy = context.aws("codedeploy")
    hooks = [
        {event: policy[f"{event}Hook"]}
        for event in ("BeforeAllowTraffic", "AfterAllowTraffic")
        if policy.get(f"{event}Hook")
    ]
    moved = {"Name": function, "Alias": alias, "CurrentVersion": current, "TargetVersion": target}
    content = {
        "version": 0.0,
        "Resources": [{function: {"Type": "AWS::Lambda::Function", "Properties": moved}}],
        "Hooks": hooks,
    }
    deployment_id = codedeploy.create_deployment(
        applicationName=policy["ApplicationName"],
        deploymentGroupName=policy["DeploymentGroupName"],
        revision={"revisionType": "AppSpecContent", "appSpecContent": {"content": json.dumps(content)}},
    )["deploymentId"]
    context.say(f"CodeDeploy shifts {function}:{alias} from version {current} to {target} ({deployment_id})")
    while (info := codedeploy.get_deployment(deploymentId=deployment_id)["deploymentInfo"])["status"] not in {
        "Succeeded",
        "Failed",
        "Stopped",
    }:
        time.sleep(DEPLOYMENT_POLL_S)
    if info["status"] != "Succeeded":
        told = info.get("errorInformation", {}).get("message", "")
        raise ResourceError(f"CodeDeploy deployment {deployment_id} {info['status'].lower()}: {told}")


class Permission(Resource):
    type = "AWS::Lambda::Permission"

    def create(self, context: Context, properties: Properties) -> Made:
        name, qualifier = split_arn(properties["FunctionName"])
        sid = context.generated_name(100)
        parameters = {**properties, "FunctionName": name, "StatementId": sid}
        if qualifier:
            parameters["Qualifier"] = qualifier
        context.call("lambda", "AddPermission", parameters)
        return Made(sid, {"Id": sid})

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        name, qualifier = split_arn(properties["FunctionName"])
        which = {"FunctionName": name, "StatementId": made.id} | ({"Qualifier": qualifier} if qualifier else {})
        gone_already(context.aws("lambda").remove_permission, **which)


class EventInvokeConfig(Resource):
    type = "AWS::Lambda::EventInvokeConfig"

    def create(self, context: Context, properties: Properties) -> Made:
        context.call("lambda", "PutFunctionEventInvokeConfig", properties)
        return Made(f"{properties['FunctionName']}|{properties['Qualifier']}")

    def update(self, context: Context, made: Made, properties: Properties, before: Properties) -> Made:
        if any(properties[name] != before[name] for name in ("FunctionName", "Qualifier")):
            raise ReplaceInsteadError
        del made
        return self.create(context, properties)

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        del made
        which = {name: properties[name] for name in ("FunctionName", "Qualifier")}
        gone_already(context.aws("lambda").delete_function_event_invoke_config, **which)


TYPES = (
    Function(),
    Version(),
    Alias(),
    Permission(),
    EventInvokeConfig(),
    ApiResource(
        type="AWS::Lambda::EventSourceMapping",
        service="lambda",
        make="CreateEventSourceMapping",
        change="UpdateEventSourceMapping",
        remove="DeleteEventSourceMapping",
        id="out.UUID",
        key={"UUID": "$id"},
        attributes={"Id": "out.UUID"},
        fixed=frozenset({"EventSourceArn"}),
    ),
)
