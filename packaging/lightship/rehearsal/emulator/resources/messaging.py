"""SNS and SQS: topics, queues, subscriptions and who may use them."""

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
from lightship.rehearsal.emulator.shapes import operation

TOPIC_ATTRIBUTES = frozenset(
    {
        "ContentBasedDeduplication",
        "DisplayName",
        "FifoTopic",
        "KmsMasterKeyId",
        "SignatureVersion",
        "TracingConfig",
    }
)
SUBSCRIPTION_ATTRIBUTES = frozenset(
    {"DeliveryPolicy", "FilterPolicy", "FilterPolicyScope", "RawMessageDelivery", "RedrivePolicy"}
)
QUEUE_ATTRIBUTES = frozenset(
    {
        "ContentBasedDeduplication",
        "DelaySeconds",
        "FifoQueue",
        "KmsDataKeyReusePeriodSeconds",
        "KmsMasterKeyId",
        "MaximumMessageSize",
        "MessageRetentionPeriod",
        "ReceiveMessageWaitTimeSeconds",
        "RedriveAllowPolicy",
        "RedrivePolicy",
        "SqsManagedSseEnabled",
        "VisibilityTimeout",
    }
)


class Topic(Resource):
    type = "AWS::SNS::Topic"

    def create(self, context: Context, properties: Properties) -> Made:
        name = properties.pop("TopicName", None) or context.generated_name(256)
        tags = tag_list(properties)
        subscriptions = properties.pop("Subscription", [])
        arn = context.aws("sns").create_topic(
            Name=name, Attributes=_attributes(properties, TOPIC_ATTRIBUTES), Tags=tags
        )["TopicArn"]
        for subscription in subscriptions:
            context.call("sns", "Subscribe", {"TopicArn": arn, **subscription})
        return Made(arn, {"TopicArn": arn, "TopicName": name})

    def update(self, context: Context, made: Made, properties: Properties, before: Properties) -> Made:
        if properties.pop("TopicName", None) != before.get("TopicName"):
            raise ReplaceInsteadError
        for name, text in _attributes(properties, TOPIC_ATTRIBUTES).items():
            context.aws("sns").set_topic_attributes(TopicArn=made.id, AttributeName=name, AttributeValue=text)
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        del properties
        gone_already(context.aws("sns").delete_topic, TopicArn=made.id)


class TopicPolicy(Resource):
    type = "AWS::SNS::TopicPolicy"

    def create(self, context: Context, properties: Properties) -> Made:
        policy = json.dumps(properties["PolicyDocument"])
        for arn in properties["Topics"]:
            context.aws("sns").set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy)
        return Made(context.generated_name(64))

    def update(self, context: Context, made: Made, properties: Properties, before: Properties) -> Made:
        del before
        self.create(context, properties)
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        """SNS has no way to take a policy back; it goes with its topic."""


class Subscription(Resource):
    type = "AWS::SNS::Subscription"

    def create(self, context: Context, properties: Properties) -> Made:
        known = operation("sns", "Subscribe").input_shape
        own = set(known.members) if known else set()
        extra = {name: item for name, item in properties.items() if name not in own and name != "Region"}
        parameters = {name: properties[name] for name in properties if name in own}
        parameters |= {"Attributes": _attributes(extra, SUBSCRIPTION_ATTRIBUTES), "ReturnSubscriptionArn": True}
        arn = context.call("sns", "Subscribe", parameters)["SubscriptionArn"]
        return Made(arn, {"Arn": arn})

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        del properties
        gone_already(context.aws("sns").unsubscribe, SubscriptionArn=made.id)


class Queue(Resource):
    type = "AWS::SQS::Queue"

    def create(self, context: Context, properties: Properties) -> Made:
        name = properties.pop("QueueName", None) or context.generated_name(80)
        tags = {tag["Key"]: tag["Value"] for tag in tag_list(properties)}
        url = context.aws("sqs").create_queue(
            QueueName=name, Attributes=_attributes(properties, QUEUE_ATTRIBUTES), tags=tags
        )["QueueUrl"]
        return Made(url, {"Arn": context.arn("sqs", name), "QueueName": name, "QueueUrl": url})

    def update(self, context: Context, made: Made, properties: Properties, before: Properties) -> Made:
        if properties.pop("QueueName", None) != before.get("QueueName"):
            raise ReplaceInsteadError
        context.aws("sqs").set_queue_attributes(QueueUrl=made.id, Attributes=_attributes(properties, QUEUE_ATTRIBUTES))
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        del properties
        gone_already(context.aws("sqs").delete_queue, QueueUrl=made.id)


class QueuePolicy(Resource):
    type = "AWS::SQS::QueuePolicy"

    def create(self, context: Context, properties: Properties) -> Made:
        policy = {"Policy": json.dumps(properties["PolicyDocument"])}
        for url in properties["Queues"]:
            context.aws("sqs").set_queue_attributes(QueueUrl=url, Attributes=policy)
        return Made(context.generated_name(64))

    def update(self, context: Context, made: Made, properties: Properties, before: Properties) -> Made:
        del before
        self.create(context, properties)
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        del made
        for url in properties["Queues"]:
            empty = {"Policy": ""}
            gone_already(context.aws("sqs").set_queue_attributes, QueueUrl=url, Attributes=empty)


def _attributes(properties: Properties, known: frozenset[str]) -> dict[str, str]:
    """Settings as text. moto takes any name, so that the known ones are listed. Raises ResourceError."""
    settings = {name: item for name, item in properties.items() if name != "Tags"}
    if unknown := sorted(settings.keys() - known):
        raise ResourceError(f"The emulation doesn't know {', '.join(unknown)}; it knows {', '.join(sorted(known))}.")
    return {name: _text(item) for name, item in settings.items()}


def _text(item: object) -> str:
    if isinstance(item, bool):
        return str(item).lower()
    return item if isinstance(item, str) else json.dumps(item)


TYPES = (Topic(), TopicPolicy(), Subscription(), Queue(), QueuePolicy())
