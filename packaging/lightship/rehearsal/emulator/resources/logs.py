"""CloudWatch Logs: groups, streams, metric filters, subscriptions, saved queries."""

from lightship.rehearsal.emulator.filter_patterns import compile_pattern
from lightship.rehearsal.emulator.resources.base import (
    ApiResource,
    Context,
    Made,
    Properties,
    ReplaceInsteadError,
    Resource,
    gone_already,
)


class LogGroup(Resource):
    type = "AWS::Logs::LogGroup"

    def create(self, context: Context, properties: Properties) -> Made:
        name = properties.setdefault("LogGroupName", context.generated_name(512))
        days = properties.pop("RetentionInDays", None)
        context.call("logs", "CreateLogGroup", properties)
        self._retain(context, name, days)
        return Made(name, {"Arn": context.arn("logs", f"log-group:{name}:*")})

    def update(self, context: Context, made: Made, properties: Properties, before: Properties) -> Made:
        after, earlier = dict(properties), dict(before)
        days, earlier_days = after.pop("RetentionInDays", None), earlier.pop("RetentionInDays", None)
        if {**after, "Tags": None} != {**earlier, "Tags": None}:
            raise ReplaceInsteadError
        if days != earlier_days:
            self._retain(context, made.id, days)
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        del properties
        gone_already(context.aws("logs").delete_log_group, logGroupName=made.id)

    def _retain(self, context: Context, name: str, days: str | int | None) -> None:
        if days is None:
            gone_already(context.aws("logs").delete_retention_policy, logGroupName=name)
        else:
            context.aws("logs").put_retention_policy(logGroupName=name, retentionInDays=int(days))


class MetricFilter(Resource):
    type = "AWS::Logs::MetricFilter"

    def create(self, context: Context, properties: Properties) -> Made:
        name = properties.setdefault("FilterName", context.generated_name(512))
        for transformation in properties["MetricTransformations"]:
            if isinstance(transformation.get("Dimensions"), list):
                transformation["Dimensions"] = {pair["Key"]: pair["Value"] for pair in transformation["Dimensions"]}
        context.call("logs", "PutMetricFilter", properties)
        return Made(name)

    def update(self, context: Context, made: Made, properties: Properties, before: Properties) -> Made:
        if properties["LogGroupName"] != before["LogGroupName"]:
            raise ReplaceInsteadError
        return self.create(context, {"FilterName": made.id, **properties})

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        group = properties["LogGroupName"]
        gone_already(context.aws("logs").delete_metric_filter, logGroupName=group, filterName=made.id)


class SubscriptionFilter(ApiResource):
    """Sends the lines that its pattern matches; a pattern that can't be applied here fails the deployment."""

    def create(self, context: Context, properties: Properties) -> Made:
        compile_pattern(properties["FilterPattern"])
        return super().create(context, properties)

    def update(self, context: Context, made: Made, properties: Properties, before: Properties) -> Made:
        compile_pattern(properties["FilterPattern"])
        return super().update(context, made, properties, before)


TYPES = (
    LogGroup(),
    MetricFilter(),
    ApiResource(
        type="AWS::Logs::LogStream",
        service="logs",
        make="CreateLogStream",
        remove="DeleteLogStream",
        id="in.LogStreamName",
        key={"logGroupName": "LogGroupName", "logStreamName": "$id"},
        name="LogStreamName",
    ),
    SubscriptionFilter(
        type="AWS::Logs::SubscriptionFilter",
        service="logs",
        make="PutSubscriptionFilter",
        remove="DeleteSubscriptionFilter",
        id="in.FilterName",
        key={"logGroupName": "LogGroupName", "filterName": "$id"},
        name="FilterName",
        put=True,
        fixed=frozenset({"LogGroupName", "FilterName"}),
    ),
    ApiResource(
        type="AWS::Logs::QueryDefinition",
        service="logs",
        make="PutQueryDefinition",
        remove="DeleteQueryDefinition",
        id="out.queryDefinitionId",
        key={"queryDefinitionId": "$id"},
        attributes={"QueryDefinitionId": "out.queryDefinitionId"},
    ),
    ApiResource(
        type="AWS::Logs::ResourcePolicy",
        service="logs",
        make="PutResourcePolicy",
        remove="DeleteResourcePolicy",
        id="in.PolicyName",
        key={"policyName": "$id"},
        put=True,
        fixed=frozenset({"PolicyName"}),
    ),
)
