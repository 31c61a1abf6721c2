"""Every alarm of a stack with everything in it, as the message that its receiver reads; and how that is deployed."""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import indent
from typing import Any

import aws_cdk as cdk
import pytest

from lightship.drill.cloudwatch.template import Stack, stack_of
from lightship.rehearsal.alarm_step import reason
from lightship.rehearsal.emulator import alarm_messages
from lightship_cdk import ComparisonSettings, Objectives, Recipients, ServiceSettings
from lightship_cdk.alarm_table import ALARMS, COMPOSITES, AlarmRow
from lightship_cdk.batch_settings import BatchSettings
from lightship_cdk.notifier import NOTIFY, told_of_table
from lightship_cdk.settings_error import SettingsError
from lightship_runtime.manifest import MANIFEST, Release
from lightship_runtime.notify.alarm import Alarm, read_alarm
from lightship_runtime.notify.description import read_description
from lightship_runtime.notify.facts import Deployment, Facts, Releases, Service, Version
from lightship_runtime.notify.gather import member_of, monitored_of
from lightship_runtime.notify.render import SUBJECT_LIMIT, Message, render

DOCS = Path(__file__).parents[2] / "docs" / "notifications.md"
BEGIN, END = "<!-- examples: as really written -->", "<!-- end of the examples -->"
# What follows in a link to the logs is 300 characters of the console's own notation.
LINK = re.compile(r"(queryDetail)\S+")
NOW = datetime(2026, 11, 23, 3, 7, 30, tzinfo=UTC)
LATEST = {
    "time": (NOW - timedelta(minutes=37)).timestamp(),
    "version": "r",
    "windows": 31,
    "breaches": {
        "drift": {
            "on": True,
            "since": (NOW - timedelta(hours=6)).timestamp(),
            "columns": [
                {"name": "dep_delay", "effect": 0.41, "n": 4210, "level": "high"},
                {"name": "carrier", "effect": 0.13, "n": 4210, "level": "warn"},
            ],
        },
        "quality": {
            "on": True,
            "since": (NOW - timedelta(hours=2)).timestamp(),
            "columns": [{"name": "distance", "effect": 0.62, "n": 1380, "level": "high"}],
        },
        "accuracy": {"on": True, "since": None, "value": 0.812, "low": 0.801, "high": 0.823, "n": 1400},
        "estimated": {"on": False},
        "score": {"on": False},
        "coverage": {"on": False},
    },
}


@pytest.fixture(scope="module")
def everything(synthesise: Callable[..., Any], make_release: Callable[..., Path], tmp_path_factory: Any) -> Any:
    """One stack of a given account and region, with an endpoint, batches, monitoring and a comparison, and everybody
    who may be told. The rules of cdk-nag fail it for a finding that nobody accepted."""
    folder = make_release(tmp_path_factory.mktemp("release"))
    release = Release.read(folder)
    (folder / "batch.zip").write_bytes((folder / "realtime.zip").read_bytes())
    batch = replace(release.artifacts["realtime"], file="batch.zip")
    files = {**release.files, "batch.zip": release.files["realtime.zip"]}
    sealed = replace(release, artifacts={**release.artifacts, "batch": batch}, files=files)
    (folder / MANIFEST).write_bytes(sealed.to_json())
    settings = ServiceSettings(
        stage="prod",
        batch=BatchSettings("rate(1 day)", "s3://flights-data/in/", "s3://flights-data/scored/", key=("id",)),
        comparison=ComparisonSettings(share=0.1),
        objectives=Objectives(quiet_hours=3),
        recipients=Recipients(
            everyone=("oncall@example.com",),
            explained=("team@example.com",),
            chat=("https://chat.example.com/hook/1", "ssm:/lightship/hook"),
        ),
    )
    return synthesise(settings, release=folder, env=cdk.Environment(account="123456789012", region="eu-central-1"))


@pytest.fixture(scope="module")
def stack(everything: Any) -> Stack:
    return stack_of(everything.template)


def described(properties: Mapping[str, Any], state: str) -> dict[str, Any]:
    """An alarm of the template as DescribeAlarms has it, once its last values were off."""
    name = properties["AlarmName"]
    why = reason(properties, NOW) if "Threshold" in properties else f"{name} transitioned to ALARM"
    return {
        **properties,
        "AlarmArn": f"arn:aws:cloudwatch:eu-central-1:123456789012:alarm:{name}",
        "StateValue": state,
        "StateReason": why,
        "StateUpdatedTimestamp": NOW - timedelta(seconds=20),
        "AlarmConfigurationUpdatedTimestamp": NOW - timedelta(days=3),
    }


def service_of(stack: Stack) -> Service:
    """What the function is told, with names for what only AWS knows."""
    (function,) = [each for each in stack.of_type("AWS::Lambda::Function") if "Notifier" in each.logical_id]
    variables = function.properties["Environment"]["Variables"]
    return Service.from_environment({"AWS_REGION": "eu-central-1", **variables}, told_of_table())


def messages(stack: Stack, state: str) -> Iterator[tuple[Alarm, Message]]:
    """What is written for each alarm that tells somebody."""
    service = service_of(stack)
    alarms = {each.properties["AlarmName"]: each.properties for each in stack.of_type("AWS::CloudWatch::Alarm")}
    composites = {
        each.properties["AlarmName"]: each.properties for each in stack.of_type("AWS::CloudWatch::CompositeAlarm")
    }
    for name, properties in {**composites, **alarms}.items():
        if not properties.get("AlarmActions"):
            continue
        document = alarm_messages.document(
            described(properties, state), before="OK" if state == "ALARM" else "ALARM", account="123456789012",
            region="Europe (Frankfurt)",
        )  # fmt: skip
        alarm = read_alarm(document)
        assert alarm is not None, name
        yield alarm, render(alarm, facts_of(alarm, alarms, service, pages="Pages" in str(properties["AlarmActions"])))


def facts_of(alarm: Alarm, alarms: Mapping[str, Any], service: Service, *, pages: bool) -> Facts:
    members = tuple(member_of(described(alarms[name], "ALARM"), service) for name in alarm.members)
    return Facts(
        service=service,
        severity="page" if pages else "ticket",
        now=NOW,
        releases=Releases(Version(7, "4f1c9a03bb21d0e7"), Version(6, "77aa01cc9d0052c1"), {}),
        deployment=Deployment(NOW - timedelta(minutes=18), "done", 7),
        monitored=monitored_of(LATEST),
        members=members if alarm.state == "ALARM" else (),
        began=None if alarm.state == "ALARM" else NOW - timedelta(minutes=43),
    )


@pytest.mark.parametrize("state", ["ALARM", "OK"])
def test_every_alarm_has_a_whole_message_within_the_limits(stack: Stack, state: str) -> None:
    written = list(messages(stack, state))
    rows = {row.title for row in (*ALARMS, *COMPOSITES)}
    named = {service_of(stack).title_of(alarm.name) for alarm, _ in written}
    silent = {member for composite in COMPOSITES for member in composite.members}
    speaking = {row.title for row in (*COMPOSITES, *(row for row in ALARMS if row.id not in silent))}
    assert named == speaking <= rows
    for alarm, message in written:
        assert 20 < len(message.subject) <= SUBJECT_LIMIT, message.subject
        assert message.subject.isascii()
        assert message.subject.isprintable()
        assert not message.subject.startswith("ALARM: ")
        for line in filter(None, message.text.splitlines()):
            name, _, told = line.partition(":")
            assert name.strip(), (alarm.name, line)
            assert told.strip(" .") or line.startswith(("  ", "Undo", "Should", "Stop", "This began")), (
                alarm.name,
                line,
            )
            assert not any(
                word in line for word in ("None", "{", "}", "not known", "isn't known", "names no", "names none")
            ), line


def test_every_number_has_its_unit_and_every_description_its_parts(stack: Stack) -> None:
    units = {row.title: row.unit for row in ALARMS}
    for alarm, message in messages(stack, "ALARM"):
        told = read_description(alarm.description)
        title = service_of(stack).title_of(alarm.name)
        row = next(row for row in (*ALARMS, *COMPOSITES) if row.title == title)
        assert (told.meaning, told.likely, told.first) == (row.meaning, row.causes, row.first_steps)
        assert told.runbook.startswith("https://")
        assert told.dashboard.startswith("https://")
        unit = units.get(title, "")
        assert isinstance(row, AlarmRow) == bool(unit)
        if unit and unit != "breach":
            value = next(line for line in message.text.splitlines() if line.startswith("Value: "))
            assert unit.removesuffix("s").lstrip("% ") in value or unit in ("s", "ms"), (unit, value)


def test_the_documented_examples_are_what_is_written(stack: Stack) -> None:
    """Run with LIGHTSHIP_WRITE_EXAMPLES=1 to write them down anew."""
    titles = service_of(stack).title_of
    written = {
        (titles(alarm.name), state): message for state in ("ALARM", "OK") for alarm, message in messages(stack, state)
    }
    shown = [("endpoint-down", "ALARM"), ("endpoint-down", "OK"), ("drift", "ALARM"), ("monitor-silent", "ALARM")]
    blocks = [f"    Subject: {written[each].subject}\n\n{indent(written[each].text, '    ')}" for each in shown]
    examples = LINK.sub(r"\1...", "\n---\n\n".join(blocks))
    page = DOCS.read_text(encoding="utf-8")
    start, end = page.index(BEGIN) + len(BEGIN), page.index(END)
    if os.environ.get("LIGHTSHIP_WRITE_EXAMPLES"):
        DOCS.write_text(f"{page[:start]}\n\n{examples}\n{page[end:]}", encoding="utf-8")
        return
    assert page[start:end].strip("\n") == examples.strip("\n")


def test_a_composite_lists_what_sounds_in_it(stack: Stack) -> None:
    texts = {service_of(stack).title_of(alarm.name): message.text for alarm, message in messages(stack, "ALARM")}
    for composite in COMPOSITES:
        members = [row.title for row in ALARMS if row.id in composite.members]
        assert all(f"\n{title}: " in texts[composite.title] for title in members), composite.title


def test_the_function_is_a_second_subscriber_of_both_topics_with_its_failures_kept(stack: Stack) -> None:
    of_function = [
        each.properties for each in stack.of_type("AWS::SNS::Subscription") if each.properties["Protocol"] == "lambda"
    ]
    topics = {stack.outputs["PagesTopic"], stack.outputs["TicketsTopic"]}
    assert {each["TopicArn"] for each in of_function} == topics
    assert all("Failures" in str(each["RedrivePolicy"]["deadLetterTargetArn"]) for each in of_function)
    plain = [
        each.properties
        for each in stack.of_type("AWS::SNS::Subscription")
        if each.properties["Endpoint"] == "oncall@example.com"
    ]
    assert {each["TopicArn"] for each in plain} == topics
    explained = [
        each.properties
        for each in stack.of_type("AWS::SNS::Subscription")
        if each.properties["Endpoint"] == "team@example.com"
    ]
    assert {each["TopicArn"] for each in explained} == {
        stack.outputs["ExplainedPagesTopic"], stack.outputs["ExplainedTicketsTopic"],
    }  # fmt: skip
    (config,) = [
        each.properties for each in stack.of_type("AWS::Lambda::EventInvokeConfig") if "Notifier" in each.logical_id
    ]
    assert config["MaximumRetryAttempts"] == 0


def test_it_may_read_its_own_parameter_and_nobody_elses(everything: Any) -> None:
    (role,) = [each for name, each in everything.of_type("AWS::IAM::Role").items() if "NotifierRole" in name]
    statements = role["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    (reading,) = [each for each in statements if each["Action"] == "ssm:GetParameter"]
    assert "parameter/lightship/hook" in json.dumps(reading["Resource"])


@pytest.mark.parametrize(
    "address", ["http://chat.example.com/x", "https://chat.example.com", "chat", "ssm:name", "https://a b/c"]
)
def test_a_hook_that_cant_be_one_is_refused(address: str) -> None:
    with pytest.raises(SettingsError, match="chat names"):
        Recipients(chat=(address,))


def test_the_asset_imports_by_itself(release_folder: Path, tmp_path: Path) -> None:
    """With nothing beside it: what Lambda adds is boto3 alone, which loads with the first message."""
    import subprocess
    import sys

    NOTIFY.copy(release_folder, tmp_path)
    code = "import sys; sys.path.insert(0, '.'); import lightship_runtime.notify.handler as h; h.TABLE.read_bytes()"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
