"""What must be true of a deployed stack, read back through boto3 and compared with the configuration.

An exit code proves nothing here: a deployment counts when what was asked for exists.
"""

import base64
import json
from collections.abc import Iterator

from lightship.rehearsal.clients import stack_resources
from lightship.rehearsal.emulator.clients import Clients
from lightship.rehearsal.findings import Check, CheckFailedError, Deployed
from lightship.rehearsal.monitoring_checks import monitoring_checks

ROUTE_AUTH = {"iam": "AWS_IAM", "jwt": "JWT", "none": "NONE"}
ALIAS = "live"


def check_all(deployed: Deployed) -> list[Check]:
    """Every check. Raises CheckFailedError naming all that don't hold."""
    checks = [
        *_stack(deployed),
        *_function(deployed),
        *(_rest_api(deployed) if deployed.config.endpoint.auth == "api_key" else _http_api(deployed)),
        *_rollout(deployed),
        *_alarms(deployed),
        *_logs(deployed),
        *_batch(deployed),
        *monitoring_checks(deployed),
    ]
    if failed := [check for check in checks if not check.holds]:
        told = "\n".join(f"  {check.name}: expected {check.expected!r}, found {check.found!r}" for check in failed)
        raise CheckFailedError(f"The stack {deployed.stack} was deployed, but isn't what was configured:\n{told}")
    return checks


def live_version(clients: Clients, function: str) -> str:
    """The version that callers reach."""
    return str(clients("lambda").get_alias(FunctionName=function, Name=ALIAS)["FunctionVersion"])


def _stack(deployed: Deployed) -> Iterator[Check]:
    cloudformation = deployed.clients("cloudformation")
    stack = cloudformation.describe_stacks(StackName=deployed.stack)["Stacks"][0]
    yield Check(
        "stack status", "_COMPLETE", stack["StackStatus"][-9:] if "ROLLBACK" not in stack["StackStatus"] else ""
    )
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=deployed.stack)
    made = {resource["LogicalResourceId"] for page in pages for resource in page["StackResourceSummaries"]}
    yield Check("resources of the template that are missing", [], sorted(deployed.template["Resources"].keys() - made))


def _function(deployed: Deployed) -> Iterator[Check]:
    lambda_ = deployed.clients("lambda")
    artifact = deployed.release.artifacts["realtime"]
    live = lambda_.get_function_configuration(FunctionName=deployed.outputs["FunctionName"], Qualifier=ALIAS)
    digest = base64.b64encode(bytes.fromhex(artifact.sha256)).decode()
    yield Check("the live version's code is the release's zip", digest, live["CodeSha256"])
    yield Check("the live version is published", True, live["Version"].isdigit())
    yield Check("handler", artifact.handler, live["Handler"])
    yield Check("runtime", f"python{deployed.release.python}", live["Runtime"])
    yield Check("architecture", [deployed.release.architecture], live["Architectures"])
    yield Check("timeout", deployed.config.endpoint.timeout, live["Timeout"])
    wanted = "PublishedVersions" if deployed.config.endpoint.snapstart else "None"
    yield Check("SnapStart", wanted, live["SnapStart"]["ApplyOn"])
    mode = lambda_.get_runtime_management_config(FunctionName=deployed.outputs["FunctionName"])["UpdateRuntimeOn"]
    yield Check("runtime updates", "FunctionUpdate", mode)


def _http_api(deployed: Deployed) -> Iterator[Check]:
    gateway, api = deployed.clients("apigatewayv2"), deployed.outputs["ApiId"]
    routes = {route["RouteKey"]: route for route in gateway.get_routes(ApiId=api)["Items"]}
    wanted = [
        resource["Properties"]["RouteKey"]
        for resource in deployed.template["Resources"].values()
        if resource["Type"] == "AWS::ApiGatewayV2::Route"
    ]
    yield Check("routes", sorted(wanted), sorted(routes))
    auth = ROUTE_AUTH[deployed.config.endpoint.auth]
    yield Check("authorisation of every route", {auth}, {route["AuthorizationType"] for route in routes.values()})
    if jwt := deployed.config.endpoint.jwt:
        (name,) = {route["AuthorizerId"] for route in routes.values()}
        found = gateway.get_authorizer(ApiId=api, AuthorizerId=name)["JwtConfiguration"]
        yield Check("token issuer", jwt.issuer, found["Issuer"])
        yield Check("token audiences", list(jwt.audience), found["Audience"])
    (stage,) = gateway.get_stages(ApiId=api)["Items"]
    settings, throttle = stage["DefaultRouteSettings"], deployed.config.endpoint.throttle
    found_limits = (settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"])
    yield Check("throttle", (throttle.rate, throttle.burst), found_limits)
    yield Check("access log", True, bool(stage.get("AccessLogSettings", {}).get("DestinationArn")))


def _rest_api(deployed: Deployed) -> Iterator[Check]:
    gateway, api = deployed.clients("apigateway"), deployed.outputs["ApiId"]
    items = gateway.get_resources(restApiId=api, embed=["methods"], limit=500)["items"]
    methods = [method for item in items for method in item.get("resourceMethods", {}).values()]
    wanted = [
        resource
        for resource in deployed.template["Resources"].values()
        if resource["Type"] == "AWS::ApiGateway::Method"
    ]
    yield Check("number of methods", len(wanted), len(methods))
    yield Check("every method wants a key", {True}, {method["apiKeyRequired"] for method in methods})
    (stage,) = gateway.get_stages(restApiId=api)["item"]
    settings, throttle = stage["methodSettings"]["*/*"], deployed.config.endpoint.throttle
    found_limits = (settings["throttlingRateLimit"], settings["throttlingBurstLimit"])
    yield Check("throttle", (throttle.rate, throttle.burst), found_limits)
    (plan,) = gateway.get_usage_plans()["items"]
    quota = deployed.config.endpoint.quota
    yield Check("quota", (quota.limit, quota.period), (plan["quota"]["limit"], plan["quota"]["period"]))
    yield Check("access log", True, bool(stage.get("accessLogSettings", {}).get("destinationArn")))


def _rollout(deployed: Deployed) -> Iterator[Check]:
    codedeploy = deployed.clients("codedeploy")
    (application,) = stack_resources(deployed.clients, deployed.stack)["AWS::CodeDeploy::Application"]
    group = codedeploy.get_deployment_group(
        applicationName=application, deploymentGroupName=deployed.outputs["DeploymentGroup"]
    )["deploymentGroupInfo"]
    shift = f"CodeDeployDefault.Lambda{deployed.config.endpoint.canary}"
    yield Check("traffic shift", shift, group["deploymentConfigName"])
    yield Check("shifts are undone", True, group["autoRollbackConfiguration"]["enabled"])
    watched = {alarm["name"] for alarm in group["alarmConfiguration"]["alarms"]}
    alarms = deployed.clients("cloudwatch").describe_alarms(AlarmNames=sorted(watched))["MetricAlarms"]
    yield Check("alarms that undo a shift", watched, {alarm["AlarmName"] for alarm in alarms})
    alias = next(r for r in deployed.template["Resources"].values() if r["Type"] == "AWS::Lambda::Alias")
    policy = alias.get("UpdatePolicy", {}).get("CodeDeployLambdaAliasUpdate", {})
    yield Check("the alias has a pre-traffic hook", True, "BeforeAllowTrafficHook" in policy)


def _alarms(deployed: Deployed) -> Iterator[Check]:
    wanted = [r for r in deployed.template["Resources"].values() if r["Type"] == "AWS::CloudWatch::Alarm"]
    names = stack_resources(deployed.clients, deployed.stack).get("AWS::CloudWatch::Alarm", [])
    alarms = deployed.clients("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"] if names else []
    yield Check("number of alarms", len(wanted), len(alarms))
    topics = {topic["TopicArn"] for topic in deployed.clients("sns").list_topics()["Topics"]}
    composites = deployed.clients("cloudwatch").describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    # A composite speaks for its members.
    spoken_for = " ".join(alarm["AlarmRule"] for alarm in composites)
    dumb = [alarm for alarm in [*alarms, *composites] if not set(alarm["AlarmActions"]) & topics]
    alone = sorted(alarm["AlarmName"] for alarm in dumb if alarm["AlarmArn"] not in spoken_for)
    yield Check("alarms that tell nobody", [], alone)
    for name in ("PagesTopic", "TicketsTopic"):
        attributes = deployed.clients("sns").get_topic_attributes(TopicArn=deployed.outputs[name])["Attributes"]
        statements = json.loads(attributes["Policy"])["Statement"]
        services = {s["Principal"].get("Service") for s in statements if isinstance(s["Principal"], dict)}
        yield Check(f"{name} admits alarms", True, "cloudwatch.amazonaws.com" in services)
        yield Check(f"{name} is encrypted", True, bool(attributes.get("KmsMasterKeyId")))


def _logs(deployed: Deployed) -> Iterator[Check]:
    names = stack_resources(deployed.clients, deployed.stack).get("AWS::Logs::LogGroup", [])
    groups = {group["logGroupName"]: group for group in deployed.clients("logs").describe_log_groups()["logGroups"]}
    days = {groups[name].get("retentionInDays") for name in names if name in groups}
    yield Check("log groups that are missing", [], sorted(set(names) - groups.keys()))
    yield Check("days that logs are kept", {deployed.config.endpoint.log_retention_days}, days)


def _batch(deployed: Deployed) -> Iterator[Check]:
    batch = deployed.config.batch
    yield Check("a batch is scheduled", bool(batch and batch.schedule), "BatchSchedule" in deployed.outputs)
    if batch is None or batch.schedule is None:
        return
    name, machine = deployed.outputs["BatchSchedule"], deployed.outputs["BatchStateMachine"]
    schedule = deployed.clients("scheduler").get_schedule(Name=name)
    yield Check("schedule", batch.schedule, schedule["ScheduleExpression"])
    yield Check("time zone of the schedule", batch.timezone, schedule["ScheduleExpressionTimezone"])
    window = schedule["FlexibleTimeWindow"].get("MaximumWindowInMinutes", 0)
    yield Check("minutes in which the schedule may start", batch.flexible_minutes, window)
    target = schedule["Target"]
    yield Check("what the schedule starts", machine, target["Arn"])
    queues = deployed.clients("sqs").list_queues().get("QueueUrls", [])
    letters = target["DeadLetterConfig"]["Arn"].rpartition(":")[2]
    yield Check("starts that fail are kept", True, any(url.endswith(f"/{letters}") for url in queues))
    found = deployed.clients("stepfunctions").describe_state_machine(stateMachineArn=machine)
    states = json.loads(found["definition"])["States"]
    maps = {each["MaxConcurrency"] for each in states.values() if each["Type"] == "Map"}
    yield Check("concurrency of the distributed maps", {batch.concurrency}, maps)
    function = states["Begin"]["Parameters"]["FunctionName"]
    code = deployed.clients("lambda").get_function_configuration(FunctionName=function)
    digest = base64.b64encode(bytes.fromhex(deployed.release.artifacts["batch"].sha256)).decode()
    yield Check("the batch function's code is the release's batch.zip", digest, code["CodeSha256"])
    yield Check("memory of the batch function", batch.memory, code["MemorySize"])
