"""DynamoDB tables, of both CloudFormation types."""

from lightship.rehearsal.emulator.resources.base import (
    Context,
    Made,
    Properties,
    ReplaceInsteadError,
    Resource,
    ResourceError,
    gone_already,
)

IN_PLACE = frozenset(
    {"TimeToLiveSpecification", "PointInTimeRecoverySpecification", "Tags", "DeletionProtectionEnabled"}
)


class Table(Resource):
    type = "AWS::DynamoDB::Table"

    def create(self, context: Context, properties: Properties) -> Made:
        name = properties.setdefault("TableName", context.generated_name(255))
        settings = {key: properties.pop(key) for key in tuple(IN_PLACE) if key in properties and key != "Tags"}
        self._adapt(properties)
        made = context.call("dynamodb", "CreateTable", properties)["TableDescription"]
        self._configure(context, name, settings)
        return Made(
            name, {"Arn": made["TableArn"], "StreamArn": made.get("LatestStreamArn"), "TableId": made.get("TableId")}
        )

    def update(self, context: Context, made: Made, properties: Properties, before: Properties) -> Made:
        changed = {key for key in properties.keys() | before.keys() if properties.get(key) != before.get(key)}
        if not changed <= IN_PLACE:
            raise ReplaceInsteadError
        self._configure(context, made.id, {key: properties[key] for key in changed if key in properties})
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        del properties
        gone_already(context.aws("dynamodb").delete_table, TableName=made.id)

    def _adapt(self, properties: Properties) -> None:
        if sse := properties.get("SSESpecification"):
            properties["SSESpecification"] = {("Enabled" if k == "SSEEnabled" else k): v for k, v in sse.items()}

    def _configure(self, context: Context, name: str, settings: Properties) -> None:
        for key, value in settings.items():
            match key:
                case "TimeToLiveSpecification":
                    context.call("dynamodb", "UpdateTimeToLive", {"TableName": name, key: value})
                case "PointInTimeRecoverySpecification":
                    context.call("dynamodb", "UpdateContinuousBackups", {"TableName": name, key: value})
                case "DeletionProtectionEnabled":
                    context.call("dynamodb", "UpdateTable", {"TableName": name, key: value})


class GlobalTable(Table):
    """The CDK's TableV2, in one region."""

    type = "AWS::DynamoDB::GlobalTable"

    def _adapt(self, properties: Properties) -> None:
        replicas = properties.pop("Replicas", [])
        if len(replicas) != 1:
            raise ResourceError(f"The emulation has one region; table {properties['TableName']} wants {len(replicas)}.")
        for key, value in replicas[0].items():
            if key not in {"Region", "PointInTimeRecoverySpecification", "Tags", "DeletionProtectionEnabled"}:
                raise ResourceError(f"The emulation doesn't know {key} of a replica, as {value!r}.")
        super()._adapt(properties)


TYPES = (Table(), GlobalTable())
