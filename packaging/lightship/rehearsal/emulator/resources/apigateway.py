"""API Gateway's REST APIs."""

from typing import Any

from lightship.rehearsal.emulator.resources.base import (
    ApiResource,
    Context,
    Made,
    Properties,
    ReplaceInsteadError,
    Resource,
    gone_already,
)

SERVICE = "apigateway"
SETTINGS = {
    "CacheDataEncrypted": "caching/dataEncrypted",
    "CacheTtlInSeconds": "caching/ttlInSeconds",
    "CachingEnabled": "caching/enabled",
    "DataTraceEnabled": "logging/dataTrace",
    "LoggingLevel": "logging/loglevel",
    "MetricsEnabled": "metrics/enabled",
    "ThrottlingBurstLimit": "throttling/burstLimit",
    "ThrottlingRateLimit": "throttling/rateLimit",
}


class RestApi(Resource):
    type = "AWS::ApiGateway::RestApi"

    def create(self, context: Context, properties: Properties) -> Made:
        api = context.call(SERVICE, "CreateRestApi", _renamed(properties))
        items = context.aws(SERVICE).get_resources(restApiId=api["id"])["items"]
        root = next(item["id"] for item in items if item["path"] == "/")
        return Made(api["id"], {"RootResourceId": root, "RestApiId": api["id"]})

    def update(self, context: Context, made: Made, properties: Properties, before: Properties) -> Made:
        changed = {name for name in properties.keys() | before.keys() if properties.get(name) != before.get(name)}
        if not changed <= {"Name", "Description", "DisableExecuteApiEndpoint", "Tags"}:
            raise ReplaceInsteadError
        for name in sorted(changed - {"Tags"}):
            path = f"/{name[0].lower()}{name[1:]}"
            operations = [{"op": "replace", "path": path, "value": str(properties.get(name, "")).lower()}]
            context.aws(SERVICE).update_rest_api(restApiId=made.id, patchOperations=operations)
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        del properties
        gone_already(context.aws(SERVICE).delete_rest_api, restApiId=made.id)


def _renamed(properties: Properties) -> Properties:
    if "Parameters" in properties:
        properties["parameters"] = properties.pop("Parameters")
    return properties


class Method(Resource):
    type = "AWS::ApiGateway::Method"

    def create(self, context: Context, properties: Properties) -> Made:
        where = {name: properties[name] for name in ("RestApiId", "ResourceId", "HttpMethod")}
        integration = properties.pop("Integration", None)
        responses = properties.pop("MethodResponses", [])
        context.call(SERVICE, "PutMethod", properties)
        for response in responses:
            context.call(SERVICE, "PutMethodResponse", {**where, **response})
        if integration:
            self._integrate(context, where, integration)
        return Made(f"{where['RestApiId']}-{where['ResourceId']}-{where['HttpMethod']}")

    def update(self, context: Context, made: Made, properties: Properties, before: Properties) -> Made:
        if any(properties[name] != before[name] for name in ("RestApiId", "ResourceId", "HttpMethod")):
            raise ReplaceInsteadError
        self.delete(context, made, before)
        return self.create(context, properties)

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        del made
        where = {f"{name[0].lower()}{name[1:]}": properties[name] for name in ("RestApiId", "ResourceId", "HttpMethod")}
        gone_already(context.aws(SERVICE).delete_method, **where)

    def _integrate(self, context: Context, where: Properties, integration: Properties) -> None:
        responses = integration.pop("IntegrationResponses", [])
        integration = dict(integration)
        # The template's IntegrationHttpMethod keeps its name: httpMethod is the method's own.
        context.call(SERVICE, "PutIntegration", {**where, **integration})
        for response in responses:
            context.call(SERVICE, "PutIntegrationResponse", {**where, **response})


class Deployment(Resource):
    type = "AWS::ApiGateway::Deployment"

    def create(self, context: Context, properties: Properties) -> Made:
        made = context.call(SERVICE, "CreateDeployment", properties)
        return Made(made["id"], {"DeploymentId": made["id"]})

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        api = properties["RestApiId"]
        gone_already(context.aws(SERVICE).delete_deployment, restApiId=api, deploymentId=made.id)


class Stage(Resource):
    type = "AWS::ApiGateway::Stage"

    def create(self, context: Context, properties: Properties) -> Made:
        operations = _operations(properties)
        context.call(SERVICE, "CreateStage", properties)
        self._patch(context, properties["RestApiId"], properties["StageName"], operations)
        return Made(properties["StageName"])

    def update(self, context: Context, made: Made, properties: Properties, before: Properties) -> Made:
        if any(properties[name] != before[name] for name in ("RestApiId", "StageName")):
            raise ReplaceInsteadError
        operations = _operations(properties)
        operations.append({"op": "replace", "path": "/deploymentId", "value": properties["DeploymentId"]})
        self._patch(context, properties["RestApiId"], made.id, operations)
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        api = properties["RestApiId"]
        gone_already(context.aws(SERVICE).delete_stage, restApiId=api, stageName=made.id)

    def _patch(self, context: Context, api: str, stage: str, operations: list[dict[str, str]]) -> None:
        if operations:
            context.aws(SERVICE).update_stage(restApiId=api, stageName=stage, patchOperations=operations)


def _operations(properties: Properties) -> list[dict[str, str]]:
    """What CreateStage doesn't take: method settings and the access log, as operations of UpdateStage."""
    changes: dict[str, Any] = {}
    for settings in properties.pop("MethodSettings", []):
        resource = str(settings.pop("ResourcePath")).lstrip("/").replace("/", "~1") or "*"
        where = f"/{resource}/{settings.pop('HttpMethod')}"
        changes |= {f"{where}/{SETTINGS[name]}": item for name, item in settings.items()}
    if log := properties.pop("AccessLogSetting", None):
        changes |= {
            "/accessLogSettings/destinationArn": log["DestinationArn"],
            "/accessLogSettings/format": log["Format"],
        }
    return [
        {"op": "replace", "path": path, "value": str(item).lower() if isinstance(item, bool) else str(item)}
        for path, item in changes.items()
    ]


class Account(Resource):
    """The one setting an account has for all its REST APIs. It stays when a stack goes."""

    type = "AWS::ApiGateway::Account"

    def create(self, context: Context, properties: Properties) -> Made:
        role = properties["CloudWatchRoleArn"]
        operations = [{"op": "replace", "path": "/cloudwatchRoleArn", "value": role}]
        context.aws(SERVICE).update_account(patchOperations=operations)
        return Made(context.generated_name(64))

    def update(self, context: Context, made: Made, properties: Properties, before: Properties) -> Made:
        del before
        self.create(context, properties)
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        """Nothing to delete."""


TYPES = (
    RestApi(),
    Method(),
    Deployment(),
    Stage(),
    Account(),
    ApiResource(
        type="AWS::ApiGateway::Resource",
        service=SERVICE,
        make="CreateResource",
        remove="DeleteResource",
        id="out.id",
        key={"restApiId": "RestApiId", "resourceId": "$id"},
        attributes={"ResourceId": "out.id"},
    ),
    ApiResource(
        type="AWS::ApiGateway::ApiKey",
        service=SERVICE,
        make="CreateApiKey",
        remove="DeleteApiKey",
        id="out.id",
        key={"apiKey": "$id"},
        attributes={"APIKeyId": "out.id"},
        name="Name",
    ),
    ApiResource(
        type="AWS::ApiGateway::UsagePlan",
        service=SERVICE,
        make="CreateUsagePlan",
        remove="DeleteUsagePlan",
        id="out.id",
        key={"usagePlanId": "$id"},
        attributes={"Id": "out.id"},
        name="UsagePlanName",
        renamed={"UsagePlanName": "name"},
    ),
    ApiResource(
        type="AWS::ApiGateway::UsagePlanKey",
        service=SERVICE,
        make="CreateUsagePlanKey",
        remove="DeleteUsagePlanKey",
        id="out.id",
        key={"usagePlanId": "UsagePlanId", "keyId": "KeyId"},
        attributes={"Id": "out.id"},
    ),
    ApiResource(
        type="AWS::ApiGateway::DomainName",
        service=SERVICE,
        make="CreateDomainName",
        remove="DeleteDomainName",
        id="in.DomainName",
        key={"domainName": "$id"},
        attributes={"RegionalDomainName": "out.regionalDomainName", "RegionalHostedZoneId": "out.regionalHostedZoneId"},
    ),
    ApiResource(
        type="AWS::ApiGateway::BasePathMapping",
        service=SERVICE,
        make="CreateBasePathMapping",
        remove="DeleteBasePathMapping",
        id="out.basePath",
        key={"domainName": "DomainName", "basePath": "$id"},
    ),
)
