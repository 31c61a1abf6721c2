"""Alarms of the emulated AWS: who hears of a change, and what becomes of a message that a function can't take."""

import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from lightship.rehearsal.alarm_step import Ear
from lightship.rehearsal.aws import EmulatedAws
from lightship.rehearsal.clients import clients_of
from lightship.rehearsal.emulator.clients import Clients
from lightship.rehearsal.emulator.resource_policies import ServiceCall, admits
from lightship.rehearsal.findings import CheckFailedError
from lightship_runtime.notify.alarm import read_alarm
from lightship_runtime.notify.gather import read_beginning

CALL = ServiceCall("sns.amazonaws.com", "lambda:InvokeFunction", "arn:aws:sns:us-east-1:123456789012:t", "123456789012")
ALLOWED = {"Effect": "Allow", "Principal": {"Service": CALL.service}, "Action": CALL.action, "Resource": "*"}
TRUST = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
HANDLER = """
def handler(event, context):
    raise RuntimeError("this function explains nothing")
"""


@pytest.mark.parametrize(
    ("change", "admitted"),
    [
        ({}, True),
        ({"Condition": {"ArnLike": {"aws:SourceArn": CALL.source_arn}}}, True),
        ({"Condition": {"ArnLike": {"AWS:SourceArn": "arn:aws:sns:us-east-1:123456789012:other"}}}, False),
        ({"Condition": {"StringEquals": {"aws:SourceAccount": ["1", CALL.account]}}}, True),
        ({"Condition": {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}}, False),
        ({"Condition": {"StringEquals": {"aws:PrincipalTag/team": "x"}}}, False),
        ({"Action": ["lambda:Get*"]}, False),
        ({"Action": "lambda:*"}, True),
        ({"Principal": {"AWS": "arn:aws:iam::123456789012:root"}}, False),
        ({"Principal": "*"}, True),
        ({"Effect": "Deny"}, False),
    ],
)
def test_a_policy_admits_what_it_says(change: Mapping[str, Any], admitted: bool) -> None:
    assert admits({"Statement": [{**ALLOWED, **change}]}, CALL) is admitted


def test_a_denial_outweighs_and_tls_is_used() -> None:
    insecure = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    assert admits({"Statement": [ALLOWED, insecure]}, CALL)
    assert not admits({"Statement": [ALLOWED, {**insecure, "Condition": {}}]}, CALL)
    assert not admits(None, CALL)


@pytest.fixture(scope="module")
def lines() -> list[str]:
    return []


@pytest.fixture(scope="module")
def clients(lines: list[str]) -> Iterator[Clients]:
    with EmulatedAws.start(log=lines.append) as aws:
        yield clients_of(aws)


def until[T](look: Callable[[], T]) -> T:
    """What `look` finds, once it finds something."""
    deadline = time.monotonic() + 30
    while not (found := look()):
        assert time.monotonic() < deadline, "nothing came"
        time.sleep(0.05)
    return found


def create_alarm(clients: Clients, name: str, topic: str) -> None:
    clients("cloudwatch").put_metric_alarm(
        AlarmName=name, Namespace="Lightship", MetricName="Errors", Statistic="Sum", Period=60, EvaluationPeriods=1,
        Threshold=1, ComparisonOperator="GreaterThanThreshold", AlarmActions=[topic], OKActions=[topic],
    )  # fmt: skip


def sound(clients: Clients, name: str, state: str = "ALARM") -> None:
    clients("cloudwatch").set_alarm_state(AlarmName=name, StateValue=state, StateReason="set by hand")


@pytest.fixture(scope="module")
def broken(clients: Clients) -> str:
    """A function that fails, with a queue for what it leaves."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("app.py")
        info.external_attr = 0o644 << 16
        archive.writestr(info, HANDLER)
    role = clients("iam").create_role(RoleName="role", AssumeRolePolicyDocument=json.dumps({"Statement": [TRUST]}))
    queue = clients("sqs").create_queue(QueueName="left-over")["QueueUrl"]
    arn = clients("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    made = clients("lambda").create_function(
        FunctionName="broken", Runtime="python3.13", Handler="app.handler", Role=role["Role"]["Arn"],
        Code={"ZipFile": buffer.getvalue()}, DeadLetterConfig={"TargetArn": arn},
    )  # fmt: skip
    clients("lambda").put_function_event_invoke_config(FunctionName="broken", MaximumRetryAttempts=0)
    return str(made["FunctionArn"])


def left_over(clients: Clients, queue: str) -> list[dict[str, Any]]:
    url = clients("sqs").get_queue_url(QueueName=queue)["QueueUrl"]
    found: list[dict[str, Any]] = clients("sqs").receive_message(QueueUrl=url).get("Messages", [])
    return found


def test_the_plain_alarm_is_delivered_although_the_function_fails(clients: Clients, broken: str) -> None:
    topic = clients("sns").create_topic(Name="pages")["TopicArn"]
    clients("sns").subscribe(TopicArn=topic, Protocol="lambda", Endpoint=broken)
    clients("lambda").add_permission(
        FunctionName="broken", StatementId="sns", Action="lambda:InvokeFunction", Principal="sns.amazonaws.com",
        SourceArn=topic,
    )  # fmt: skip
    ear = Ear.to(clients, topic, "plain")
    create_alarm(clients, "flights-errors", topic)
    sound(clients, "flights-errors")
    heard = ear.hear()
    assert heard.subject == 'ALARM: "flights-errors" in US East (N. Virginia)'
    alarm = read_alarm(heard.message)
    assert alarm is not None
    assert (alarm.name, alarm.state, alarm.before, alarm.reason) == ("flights-errors", "ALARM", "OK", "set by hand")
    (left,) = until(lambda: left_over(clients, "left-over"))
    record = json.loads(left["Body"])["Records"][0]["Sns"]
    assert (record["TopicArn"], record["Message"]) == (topic, heard.message)
    logged = clients("logs").filter_log_events(logGroupName="/aws/lambda/broken")["events"]
    assert any("explains nothing" in event["message"] for event in logged)
    sound(clients, "flights-errors", "OK")
    over = read_alarm(ear.hear().message)
    assert over is not None
    assert read_beginning(over, clients) == alarm.changed
    sound(clients, "flights-errors", "OK")
    with pytest.raises(CheckFailedError, match="No message reached"):
        ear.hear(0.5)


def test_a_topic_that_may_not_start_the_function_keeps_the_message(clients: Clients, broken: str) -> None:
    topic = clients("sns").create_topic(Name="strangers")["TopicArn"]
    queue = clients("sqs").create_queue(QueueName="refused")["QueueUrl"]
    arn = clients("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": arn})}
    clients("sns").subscribe(TopicArn=topic, Protocol="lambda", Endpoint=broken, Attributes=redrive)
    clients("sns").publish(TopicArn=topic, Message="hello")
    (left,) = until(lambda: left_over(clients, "refused"))
    assert left["Body"] == "hello"


def test_a_topic_whose_key_doesnt_admit_cloudwatch_stays_silent(clients: Clients, lines: list[str]) -> None:
    policy = {"Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sns:*", "Resource": "*"}]}
    key = clients("kms").create_key(Policy=json.dumps({"Statement": []}))["KeyMetadata"]["KeyId"]
    topic = clients("sns").create_topic(Name="encrypted", Attributes={"KmsMasterKeyId": key})["TopicArn"]
    ear = Ear.to(clients, topic, "encrypted")
    create_alarm(clients, "unheard", topic)
    sound(clients, "unheard")
    with pytest.raises(CheckFailedError):
        ear.hear(0.5)
    assert any("unheard: dropped, the policy of the key" in text for text in lines)
    grant = {
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Action": "kms:*",
        "Resource": "*",
    }
    clients("kms").put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps({"Statement": [grant]}))
    clients("sns").set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=json.dumps(policy))
    sound(clients, "unheard", "OK")
    assert ear.hear().subject.startswith("OK: ")
