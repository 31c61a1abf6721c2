"""EventBridge: rules with their targets, and the Scheduler. Nothing here fires by the clock."""

from lightship.rehearsal.emulator.resources.base import (
    ApiResource,
    Context,
    Made,
    Properties,
    Resource,
    gone_already,
)


class Rule(Resource):
    type = "AWS::Events::Rule"

    def create(self, context: Context, properties: Properties) -> Made:
        name = properties.setdefault("Name", context.generated_name(64))
        targets = properties.pop("Targets", [])
        arn = context.call("events", "PutRule", properties)["RuleArn"]
        if targets:
            context.call("events", "PutTargets", {"Rule": name, "Targets": targets, **_bus(properties)})
        return Made(name, {"Arn": arn})

    def update(self, context: Context, made: Made, properties: Properties, before: Properties) -> Made:
        del before
        self._remove_targets(context, made.id, properties)
        return self.create(context, {"Name": made.id, **properties})

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        self._remove_targets(context, made.id, properties)
        gone_already(context.aws("events").delete_rule, Name=made.id, **_bus(properties))

    def _remove_targets(self, context: Context, name: str, properties: Properties) -> None:
        events = context.aws("events")
        found = events.list_targets_by_rule(Rule=name, **_bus(properties))["Targets"]
        if found:
            events.remove_targets(Rule=name, Ids=[target["Id"] for target in found], **_bus(properties))


def _bus(properties: Properties) -> Properties:
    return {"EventBusName": properties["EventBusName"]} if "EventBusName" in properties else {}


TYPES = (
    Rule(),
    ApiResource(
        type="AWS::Scheduler::ScheduleGroup",
        service="scheduler",
        make="CreateScheduleGroup",
        remove="DeleteScheduleGroup",
        id="in.Name",
        key={"Name": "$id"},
        attributes={"Arn": "out.ScheduleGroupArn"},
        name="Name",
    ),
    ApiResource(
        type="AWS::Scheduler::Schedule",
        service="scheduler",
        make="CreateSchedule",
        change="UpdateSchedule",
        remove="DeleteSchedule",
        id="in.Name",
        key={"Name": "$id"},
        attributes={"Arn": "out.ScheduleArn"},
        name="Name",
        fixed=frozenset({"Name", "GroupName"}),
    ),
)
