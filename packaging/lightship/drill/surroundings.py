"""What AWS reports of everything around the endpoint: nothing wrong on a quiet day, and what an incident says besides.

All of it is derived: which metrics exist, and when they have data, is as AWS documents it for each service.
"""

from collections.abc import Mapping

import numpy as np

from lightship.drill.cloudwatch.series import Floats, MetricId
from lightship.drill.cloudwatch.template import Resource
from lightship.drill.deployment import FUNCTION, Deployment, variables_of
from lightship.drill.incident import Change, IncidentError
from lightship.drill.ledger import Ledger
from lightship.drill.timeline import HOUR, Timeline
from lightship_runtime.telemetry import NAMESPACE

# By namespace: the resource's type, and the dimension that names it.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/aws-services-cloudwatch-metrics.html
PLACES: Mapping[str, tuple[str, str]] = {
    "AWS/Events": ("AWS::Events::Rule", "RuleName"),
    "AWS/Firehose": ("AWS::KinesisFirehose::DeliveryStream", "DeliveryStreamName"),
    "AWS/Lambda": (FUNCTION, "FunctionName"),
    "AWS/SNS": ("AWS::SNS::Topic", "TopicName"),
    "AWS/SQS": ("AWS::SQS::Queue", "QueueName"),
    "AWS/States": ("AWS::StepFunctions::StateMachine", "StateMachineArn"),
}
SCHEDULER = "AWS/Scheduler"
DELIVERED_AFTER_S = 300.0
OTHER_DURATION_MS = 120.0


def record(timeline: Timeline, deployment: Deployment, ledger: Ledger) -> None:
    """Write down the quiet, and the incident's own `metric` changes over it."""
    everywhere = np.ones(timeline.minutes)
    for queue in deployment.stack.of_type("AWS::SQS::Queue"):
        for name in ("ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"):
            ledger.gauge(metric_of("AWS/SQS", name, queue), 0 * everywhere)
    for stream in deployment.stack.of_type("AWS::KinesisFirehose::DeliveryStream"):
        ledger.gauge(metric_of("AWS/Firehose", "DeliveryToS3.Success", stream), everywhere)
        ledger.gauge(metric_of("AWS/Firehose", "DeliveryToS3.DataFreshness", stream), DELIVERED_AFTER_S * everywhere)
    hourly = np.where(np.arange(timeline.minutes) % HOUR == 0, 1.0, np.nan)
    for function in deployment.stack.of_type(FUNCTION):
        if function != deployment.predict:
            _idle(deployment, function, ledger, hourly)
    for change in timeline.incident.of_kind("metric"):
        _changed(timeline, deployment, ledger, change)


def metric_of(namespace: str, name: str, resource: Resource) -> MetricId:
    """A resource's metric, by the dimension that its service names it with."""
    kind, dimension = PLACES[namespace]
    return MetricId.of(
        namespace, name, {dimension: resource.ref if kind == "AWS::StepFunctions::StateMachine" else resource.name}
    )


def own_metric(deployment: Deployment, name: str) -> MetricId:
    """A metric of ours, with its two dimensions."""
    stage = variables_of(deployment.predict).get("LIGHTSHIP_STAGE", "local")
    return MetricId.of(NAMESPACE, name, {"Service": deployment.model, "Stage": stage})


def _idle(deployment: Deployment, function: Resource, ledger: Ledger, hourly: Floats) -> None:
    values = {"Invocations": 1.0, "Errors": 0.0, "Throttles": 0.0, "Duration": OTHER_DURATION_MS}
    for name, value in values.items():
        for metric in deployment.lambda_ids(function, name):
            ledger.gauge(metric, value * hourly)


def _changed(timeline: Timeline, deployment: Deployment, ledger: Ledger, change: Change) -> None:
    namespace, name = str(change.options["namespace"]), str(change.options["name"])
    every = int(change.number("every_minutes", 1))
    minutes = np.arange(timeline.minutes) - timeline.lead
    hit = timeline.during(change) & ((minutes - change.from_minute) % every == 0)
    values = np.where(hit, change.number("value", 1.0), np.nan)
    for metric in _named(deployment, namespace, name, str(change.options.get("of", ""))):
        ledger.gauge(metric, values)


def _named(deployment: Deployment, namespace: str, name: str, fragment: str) -> list[MetricId]:
    if namespace == NAMESPACE:
        return [own_metric(deployment, name)]
    if namespace == SCHEDULER:
        groups = {str(each.properties.get("GroupName", "default")) for each in deployment.found(SCHEDULE, fragment)}
        return [MetricId.of(SCHEDULER, name, {"ScheduleGroup": group}) for group in sorted(groups)]
    if name == "ConcurrentExecutions" and not fragment:
        # What the whole account runs at once, and what may run of this function alone.
        return [
            MetricId.of(namespace, name, {}),
            MetricId.of(namespace, name, {"FunctionName": deployment.predict.name}),
        ]
    if namespace not in PLACES:
        raise IncidentError(f"A metric of {namespace} isn't known to the drill; known are {', '.join(sorted(PLACES))}.")
    found = deployment.found(PLACES[namespace][0], fragment)
    if namespace == "AWS/Lambda":
        return [metric for each in found for metric in deployment.lambda_ids(each, name)]
    return [metric_of(namespace, name, each) for each in found]


SCHEDULE = "AWS::Scheduler::Schedule"
