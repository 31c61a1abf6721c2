"""Scheduled scoring as CloudFormation gets it."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Match, Template
from cfnlint.api import lint
from cfnlint.core import get_rules

from lightship.config import parse_config
from lightship_cdk import LightshipStack, ServiceSettings
from lightship_cdk.alarm_table import SILENT
from lightship_cdk.alarm_table.batch import BATCH_ALARMS
from lightship_cdk.batch_definition import definition
from lightship_cdk.batch_settings import BatchSettings
from lightship_cdk.network import VPC_ACTIONS
from lightship_cdk.releases import PackagedRelease, RefusedReleaseError
from lightship_cdk.settings_error import SettingsError
from lightship_runtime.manifest import MANIFEST, Release

BATCH = {
    "schedule": "cron(0 3 * * ? *)",
    "input": "s3://flights-data/in/",
    "output": "s3://flights-data/scored/",
    "key": ["id"],
    "timezone": "Europe/Berlin",
    "flexible_minutes": 15,
    "max_reject_share": 0.04,
}
PROD = {"concurrency": 40, "expected_every_h": 30, "memory": 3008, "timeout": 600}
VPC = {"id": "vpc-0a1b2c3d", "subnets": ["subnet-0a1b2c3d"], "security_groups": ["sg-0a1b2c3d"]}
CONFIG = parse_config(
    {"batch": BATCH, "stages": {"prod": {"batch": PROD, "deploy": {"vpc": VPC}}}}, folder=Path(), stage="prod"
)
SETTINGS = ServiceSettings.from_config(asdict(CONFIG))
BATCHES = cast("BatchSettings", SETTINGS.batch)


@pytest.fixture(scope="module")
def synthesised(synthesise: Callable[..., Any], make_release: Callable[..., Path], tmp_path_factory: Any) -> Any:
    """The stack of lightship.toml's stage prod, under the rules of cdk-nag, which fail it for a finding that nobody
    accepted."""
    folder = make_release(tmp_path_factory.mktemp("release"))
    release = Release.read(folder)
    (folder / "batch.zip").write_bytes((folder / "realtime.zip").read_bytes())
    batch = replace(release.artifacts["realtime"], file="batch.zip")
    sealed = replace(
        release,
        artifacts={**release.artifacts, "batch": batch},
        files={**release.files, "batch.zip": release.files["realtime.zip"]},
    )
    (folder / MANIFEST).write_bytes(sealed.to_json())
    return synthesise(SETTINGS, release=folder)


@pytest.fixture(scope="module")
def template(synthesised: Any) -> Template:
    return Template.from_json(synthesised.template)


def statements(template: Template, service: str) -> list[dict[str, Any]]:
    roles = template.find_resources(
        "AWS::IAM::Role",
        {"Properties": {"AssumeRolePolicyDocument": {"Statement": [{"Principal": {"Service": service}}]}}},
    )
    (role,) = [each for name, each in roles.items() if "Batch" in name]
    found: list[dict[str, Any]] = role["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    return found


def test_the_function_is_in_the_network(template: Template) -> None:
    network = {"SubnetIds": VPC["subnets"], "SecurityGroupIds": VPC["security_groups"]}
    template.has_resource_properties(
        "AWS::Lambda::Function", {"Description": Match.string_like_regexp("batches"), "VpcConfig": network}
    )


def test_the_schedule_starts_the_machine_with_its_time(template: Template) -> None:
    template.has_resource_properties(
        "AWS::Scheduler::Schedule",
        {
            "ScheduleExpression": "cron(0 3 * * ? *)",
            "ScheduleExpressionTimezone": "Europe/Berlin",
            "FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15},
            "Target": {
                "Input": '{"time": "<aws.scheduler.scheduled-time>"}',
                "RetryPolicy": {"MaximumRetryAttempts": 20, "MaximumEventAgeInSeconds": 21600},
                "DeadLetterConfig": {"Arn": Match.any_value()},
            },
        },
    )


def test_the_function_deletes_nothing_and_stays_below_its_prefixes(template: Template) -> None:
    allowed = statements(template, "lambda.amazonaws.com")
    actions = {
        action
        for each in allowed
        for action in ([each["Action"]] if isinstance(each["Action"], str) else each["Action"])
    }
    assert actions == {
        "logs:CreateLogStream", "logs:PutLogEvents", "s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload",
        "s3:ListBucket", "kms:GenerateDataKey", *VPC_ACTIONS,
    }  # fmt: skip
    written = [json.dumps(each["Resource"]) for each in allowed if "s3:PutObject" in each["Action"]]
    assert sorted("flights-data/scored/*" in each or "counts/*" in each for each in written) == [True, True]


def test_alarms_follow_the_table(template: Template) -> None:
    found = template.find_resources("AWS::CloudWatch::Alarm")
    every = [each["Properties"] for each in found.values() if isinstance(each["Properties"]["AlarmName"], str)]
    by_name = {each["AlarmName"]: each for each in every if each["AlarmName"].startswith("flights-batch-")}
    assert set(by_name) == {f"flights-{row.title}" for row in BATCH_ALARMS}
    missing = by_name["flights-batch-run-missing"]
    assert (missing["EvaluationPeriods"], missing["TreatMissingData"]) == (30, "breaching")
    assert by_name["flights-batch-rejects"]["Threshold"] == 2.0
    told = {name for name, each in by_name.items() if each.get("AlarmActions")}
    assert told == {f"flights-{row.title}" for row in BATCH_ALARMS if row.id not in SILENT}
    (down,) = template.find_resources(
        "AWS::CloudWatch::CompositeAlarm", {"Properties": {"AlarmName": "flights-batch-down"}}
    ).values()
    assert str(down["Properties"]["AlarmRule"]).count("ALARM(") == 3


def test_states_carry_names_and_never_lists() -> None:
    states = definition("arn:aws:lambda:eu-west-1:1:function:f", BATCHES)["States"]
    for name in ("ScanRanges", "ScoreItems"):
        state = states[name]
        assert state["ResultPath"] is None
        assert state["ItemReader"]["ReaderConfig"] == {"InputType": "JSON"}
        assert state["ResultWriter"]["Parameters"] == {"Bucket": "flights-data", "Prefix": "scored/_lightship/map"}
        assert state["MaxConcurrency"] == 40
        assert "ToleratedFailurePercentage" not in state
    assert "Catch" not in json.dumps(states)


def test_the_template_keeps_the_nulls_that_keep_states_small(synthesised: Any) -> None:
    pieces = synthesised.only("AWS::StepFunctions::StateMachine")["DefinitionString"]["Fn::Join"][1]
    text = "".join(each if isinstance(each, str) else "function" for each in pieces)
    assert json.loads(text) == json.loads(json.dumps(definition("function", BATCHES)))


def test_final_errors_are_not_retried() -> None:
    for state in definition("f", BATCHES)["States"].values():
        for retry in (
            state.get("Retry"),
            state.get("ItemProcessor", {}).get("States", {}).get("Call", {}).get("Retry"),
        ):
            if retry is not None:
                assert "NotCommittedError" in retry[0]["ErrorEquals"]
                assert retry[0]["MaxAttempts"] == 0
                assert all(each["JitterStrategy"] == "FULL" for each in retry[1:])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schedule": "daily"}, "'daily' isn't rate"),
        ({"key": ()}, "names no key"),
        ({"input": "flights-data/in"}, "isn't a prefix in S3"),
        ({"output": "s3://flights-data/in/scored/"}, "overlap"),
        ({"output": "s3://flights-data/"}, "overlap"),
        ({"concurrency": 0}, "concurrency = 0"),
        ({"expected_every_h": 200}, "168 hours"),
    ],
)
def test_settings_that_cannot_work(change: dict[str, Any], message: str) -> None:
    values = {name: getattr(BATCHES, name) for name in BATCHES.__slots__}
    with pytest.raises(SettingsError, match=message):
        BatchSettings(**{**values, **change})


def test_a_release_without_batch_says_why_and_what_to_do(release_folder: Path, tmp_path: Path) -> None:
    refused = replace(Release.read(release_folder), notes={"batch": {"refused": "It unpacks to 291 MB."}})
    release = PackagedRelease(release_folder, refused)
    with pytest.raises(RefusedReleaseError, match=r"no batch.zip. It unpacks to 291 MB. Package the model with"):
        LightshipStack(cdk.App(outdir=str(tmp_path)), "flights", release=release, settings=SETTINGS)


def test_outputs_lead_to_the_runs_and_the_function_is_as_configured(synthesised: Any) -> None:
    machines = synthesised.of_type("AWS::StepFunctions::StateMachine")
    assert [{"Ref": name} for name in machines] == [synthesised.template["Outputs"]["BatchStateMachine"]["Value"]]
    functions = synthesised.of_type("AWS::Lambda::Function")
    (batch,) = [each["Properties"] for name, each in functions.items() if "Batch" in name]
    assert (batch["MemorySize"], batch["Timeout"]) == (3008, 600)
    assert batch["Environment"]["Variables"]["LIGHTSHIP_STAGE"] == "prod"


def test_cfn_lint_finds_nothing_in_the_batch(synthesised: Any) -> None:
    assert lint(json.dumps(synthesised.template), get_rules([], [], ["W", "E"]), ["eu-central-1"]) == []


@pytest.mark.parametrize(
    ("schedule", "hours"),
    [
        ("rate(15 minutes)", 3),
        ("rate(1 day)", 26),
        ("rate(7 days)", None),
        ("cron(0 3 ? * * *)", 26),
        ("cron(0 3 ? * MON *)", None),
    ],
)
def test_an_alarm_expects_runs_as_often_as_the_schedule(schedule: str, hours: int | None) -> None:
    assert replace(BATCHES, schedule=schedule, expected_every_h=None).watch_h == hours
