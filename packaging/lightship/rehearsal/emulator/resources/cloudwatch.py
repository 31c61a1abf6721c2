"""CloudWatch: alarms, composite alarms and dashboards."""

from lightship.rehearsal.emulator.resources.alarm_limits import check_alarm, check_composite, check_dashboard
from lightship.rehearsal.emulator.resources.base import Context, Made, Properties, Resource, gone_already


class CompositeAlarm(Resource):
    """moto can't be asked for one over HTTP, so its backend is, in this process."""

    type = "AWS::CloudWatch::CompositeAlarm"

    def create(self, context: Context, properties: Properties) -> Made:
        name = properties.pop("AlarmName", None) or context.generated_name(255)
        told = context.aws("cloudwatch").get_paginator("describe_alarms").paginate()
        known = {
            each["AlarmName"] for page in told for kind in page.values() if isinstance(kind, list) for each in kind
        }
        check_composite({"AlarmName": name, **properties}, known)
        context.call("cloudwatch", "PutCompositeAlarm", {"AlarmName": name, **properties})
        return Made(name, {"Arn": context.arn("cloudwatch", f"alarm:{name}")})

    def update(self, context: Context, made: Made, properties: Properties, before: Properties) -> Made:
        del before
        return self.create(context, {"AlarmName": made.id, **properties})

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        del properties
        gone_already(context.aws("cloudwatch").delete_alarms, AlarmNames=[made.id])


class Alarm(Resource):
    type = "AWS::CloudWatch::Alarm"

    def create(self, context: Context, properties: Properties) -> Made:
        name = properties.setdefault("AlarmName", context.generated_name(255))
        check_alarm(properties)
        context.call("cloudwatch", "PutMetricAlarm", properties)
        return Made(name, {"Arn": context.arn("cloudwatch", f"alarm:{name}")})

    def update(self, context: Context, made: Made, properties: Properties, before: Properties) -> Made:
        del before
        return self.create(context, {"AlarmName": made.id, **properties})

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        del properties
        gone_already(context.aws("cloudwatch").delete_alarms, AlarmNames=[made.id])


class Dashboard(Resource):
    type = "AWS::CloudWatch::Dashboard"

    def create(self, context: Context, properties: Properties) -> Made:
        name = properties.setdefault("DashboardName", context.generated_name(255))
        check_dashboard(properties)
        context.call("cloudwatch", "PutDashboard", properties)
        return Made(name)

    def update(self, context: Context, made: Made, properties: Properties, before: Properties) -> Made:
        del before
        return self.create(context, {"DashboardName": made.id, **properties})

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        del properties
        gone_already(context.aws("cloudwatch").delete_dashboards, DashboardNames=[made.id])


TYPES = (Alarm(), CompositeAlarm(), Dashboard())
