"""Alarms that tell topics, and topics that start functions: as AWS does it, and as strictly.

moto changes an alarm's state and tells nobody; it starts a subscribed function whether or not it may, and forgets what
fails. Like `moto_seams`, this reaches into moto 5.2.5.
"""

import json
import sys
import threading
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise
from typing import Any

import botocore.session
from botocore.exceptions import ClientError

from lightship.rehearsal.emulator import alarm_messages
from lightship.rehearsal.emulator.clients import Clients
from lightship.rehearsal.emulator.resource_policies import ServiceCall, admits
from lightship.rehearsal.emulator.seams import replace

DEFAULT_RETRIES = 2


def install(aws: Clients) -> None:
    """Put both seams in place."""
    _alarm_states(aws)
    _alarm_history()
    _function_subscriptions(aws)


def _alarm_states(aws: Clients) -> None:
    """moto's SetAlarmState has no actions."""
    from moto.cloudwatch.models import CloudWatchBackend

    change = CloudWatchBackend.set_alarm_state

    def changed(self: Any, alarm_name: str, reason: str, reason_data: str, state_value: str) -> None:
        before = self.alarms[alarm_name].state_value if alarm_name in self.alarms else ""
        change(self, alarm_name, reason, reason_data, state_value)
        if state_value != before:
            tell(aws, alarm_name, before)

    replace(CloudWatchBackend, "set_alarm_state", changed)


def tell(aws: Clients, name: str, before: str) -> None:
    """Send an alarm's actions for the state it is in. What a topic's or its key's policy doesn't admit is dropped and
    nobody hears of it, as on AWS; here a line on stderr says so."""
    described = aws("cloudwatch").describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    alarm: dict[str, Any] = (described["MetricAlarms"] + described["CompositeAlarms"])[0]
    region = region_name(aws.region)
    members = _members(aws, alarm)
    message = alarm_messages.document(alarm, before=before, account=aws.account, region=region, triggering=members)
    for topic in alarm_messages.actions_of(alarm):
        if not topic.startswith("arn:aws:sns:"):
            _say(f"{name}: the emulation sends alarms to topics only, not to {topic}")
        elif reason := _refusal(aws, topic, alarm["AlarmArn"]):
            _say(f"{name}: dropped, {reason}")
        else:
            aws("sns").publish(TopicArn=topic, Subject=alarm_messages.subject(alarm, region), Message=message)


def _members(aws: Clients, alarm: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Of a composite's members the one that changed last."""
    if "AlarmRule" not in alarm:
        return []
    every = aws("cloudwatch").describe_alarms()["MetricAlarms"]
    inside = [each for each in every if each["AlarmName"] in alarm["AlarmRule"]]
    return sorted(inside, key=lambda each: each["StateUpdatedTimestamp"])[-1:]


def _refusal(aws: Clients, topic: str, alarm_arn: str) -> str | None:
    call = ServiceCall("cloudwatch.amazonaws.com", "sns:Publish", alarm_arn, aws.account)
    attributes = aws("sns").get_topic_attributes(TopicArn=topic)["Attributes"]
    if not admits(json.loads(attributes["Policy"]), call):
        return f"the policy of {topic} doesn't let CloudWatch publish"
    key = attributes.get("KmsMasterKeyId")
    if key:
        policy = json.loads(aws("kms").get_key_policy(KeyId=key, PolicyName="default")["Policy"])
        for action in ("kms:Decrypt", "kms:GenerateDataKey"):
            if not admits(policy, ServiceCall(call.service, action, alarm_arn, aws.account)):
                return f"the policy of the key {key} doesn't let CloudWatch call {action}"
    return None


@cache
def region_name(region: str) -> str:
    """`US East (N. Virginia)` for `us-east-1`."""
    partitions = botocore.session.get_session().get_data("endpoints")["partitions"]
    known = {name: told["description"] for partition in partitions for name, told in partition["regions"].items()}
    return str(known.get(region, region))


def _alarm_history() -> None:
    """moto keeps an alarm's former states and has no operation that gives them."""
    from moto.cloudwatch.responses import CloudWatchResponse
    from moto.core.responses import ActionResult

    def describe(self: Any) -> Any:
        alarm = self.cloudwatch_backend.alarms.get(self._get_param("AlarmName"))
        items = [] if alarm is None else _history(alarm)
        if self._get_param("ScanBy") != "TimestampAscending":
            items.reverse()
        return ActionResult({"AlarmHistoryItems": items[: int(self._get_param("MaxRecords") or 100)]})

    replace(CloudWatchResponse, "describe_alarm_history", describe)


def _history(alarm: Any) -> list[dict[str, Any]]:
    """Its changes of state, oldest first. moto notes a state when it ends, with the time at which it had begun."""
    states = [(value, reason, time) for _, reason, _, value, time in alarm.history]
    states.append((alarm.state_value, alarm.state_reason, alarm.state_updated_timestamp))
    items = []
    for (old, old_reason, _), (new, reason, time) in pairwise(states):
        data = {
            "version": "1.0",
            "oldState": {"stateValue": old, "stateReason": old_reason},
            "newState": {"stateValue": new, "stateReason": reason},
        }
        items.append(
            {
                "AlarmName": alarm.name,
                "AlarmType": "CompositeAlarm" if alarm.rule else "MetricAlarm",
                "Timestamp": time,
                "HistoryItemType": "StateUpdate",
                "HistorySummary": f"Alarm updated from {old} to {new}",
                "HistoryData": json.dumps(data),
            }
        )
    return items


def _function_subscriptions(aws: Clients) -> None:
    """moto waits for a subscribed function, needs no permission, and sends it an event with an example's topic."""
    from moto.sns.models import Subscription

    publish = Subscription.publish

    def deliver(self: Any, message: str, message_id: str, **named: Any) -> None:
        if self.protocol != "lambda":
            publish(self, message, message_id, **named)
            return
        matcher = self._filter_policy_matcher
        if matcher is not None and not matcher.matches(named.get("message_attributes"), message):
            return
        event = _event(self.arn, self.topic.arn, message, message_id, named.get("subject"))
        redrive = json.loads(self.attributes.get("RedrivePolicy") or "{}").get("deadLetterTargetArn")
        # SNS hands the event over and doesn't wait.
        arguments = (aws, self.endpoint, self.topic.arn, event, redrive)
        threading.Thread(target=start, args=arguments, name="sns", daemon=True).start()

    replace(Subscription, "publish", deliver)


def _event(subscription: str, topic: str, message: str, message_id: str, title: str | None) -> dict[str, Any]:
    """https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html"""
    told: dict[str, Any] = {
        "Type": "Notification",
        "MessageId": message_id,
        "TopicArn": topic,
        "Subject": title,
        "Message": message,
        "Timestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
        "SignatureVersion": "1",
        "MessageAttributes": {},
    }
    record = {"EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": subscription, "Sns": told}
    return {"Records": [record]}


def start(aws: Clients, function: str, topic: str, event: Mapping[str, Any], redrive: str | None) -> None:
    """Run a function for a topic, as Lambda's own queue does: try again, then leave the event to its dead letters.

    A topic that may not start the function leaves the message to the subscription's.
    """
    body = json.dumps(event)
    try:
        if not _may_start(aws, function, topic):
            _say(f"{topic} may not start {function}: its policy doesn't let SNS in")
            _dead(aws, redrive, event["Records"][0]["Sns"]["Message"], {})
            return
        for _ in range(1 + _retries(aws, function)):
            answer = aws("lambda").invoke(FunctionName=function, Payload=body.encode())
            payload = answer["Payload"].read().decode()
            if "FunctionError" not in answer:
                return
        _say(f"{function} failed on a message of {topic}: {payload[:300]}")
        configuration = aws("lambda").get_function_configuration(FunctionName=function)
        target = configuration.get("DeadLetterConfig", {}).get("TargetArn")
        _dead(aws, target, body, {"RequestID": str(uuid.uuid4()), "ErrorCode": "200", "ErrorMessage": payload[:1024]})
    except ClientError as error:
        _say(f"{topic} couldn't start {function}: {error}")


def _may_start(aws: Clients, function: str, topic: str) -> bool:
    try:
        policy = json.loads(aws("lambda").get_policy(FunctionName=function)["Policy"])
    except ClientError:
        return False
    return admits(policy, ServiceCall("sns.amazonaws.com", "lambda:InvokeFunction", topic, aws.account))


def _retries(aws: Clients, function: str) -> int:
    try:
        config = aws("lambda").get_function_event_invoke_config(FunctionName=function)
    except ClientError:
        return DEFAULT_RETRIES
    return int(config.get("MaximumRetryAttempts", DEFAULT_RETRIES))


def _dead(aws: Clients, queue: str | None, body: str, attributes: Mapping[str, str]) -> None:
    if not queue:
        return
    sqs = aws("sqs")
    url = sqs.get_queue_url(QueueName=queue.rpartition(":")[2])["QueueUrl"]
    told = {name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()}
    sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=told)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
