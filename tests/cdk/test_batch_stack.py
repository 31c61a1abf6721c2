"""Scheduled scoring as CloudFormation gets it."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Match, Template

from lightship_cdk.batch import ScheduledBatch
from lightship_cdk.batch_alarms import BATCH_ALARMS
from lightship_cdk.batch_definition import definition
from lightship_cdk.batch_settings import BatchSettings
from lightship_cdk.checks import synthesise
from lightship_cdk.custody import create_custody
from lightship_cdk.notifications import Notifications
from lightship_cdk.releases import PackagedRelease, RefusedReleaseError
from lightship_cdk.settings import CustodySettings, Recipients, SettingsError
from lightship_runtime.manifest import Artifact, Engines, Release, Target, file_digest

SETTINGS = BatchSettings(
    schedule="cron(0 3 * * ? *)",
    input="s3://flights-data/in/",
    output="s3://flights-data/scored/",
    key=("id",),
    timezone="Europe/Berlin",
    flexible_minutes=15,
    concurrency=40,
    expected_every_h=30,
    max_reject_share=0.04,
)


def write_release(folder: Path, *, batch: bool) -> PackagedRelease:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("app.py"), "def handler(event, context): ...")
    (folder / "batch.zip").write_bytes(buffer.getvalue())
    digest = file_digest(folder / "batch.zip")
    artifacts = {"batch": Artifact("batch.zip", "app.handler", digest, 1, 1)} if batch else {}
    manifest = Release(
        "flights", "0123456789abcdef", "0.1.0", Target("3.13", "arm64", "2_34"), Engines("pure", "array"), artifacts,
        {"batch.zip": digest}, None,
    )  # fmt: skip
    return PackagedRelease(folder, manifest)


def make_stack(app: cdk.App, release: PackagedRelease, settings: BatchSettings = SETTINGS) -> cdk.Stack:
    stack = cdk.Stack(app, "flights-prod")
    custody = create_custody(stack, CustodySettings())
    told = Notifications(
        stack, "Notifications", service="flights-prod", custody=custody, recipients=Recipients(("a@example.com",))
    )
    ScheduledBatch(
        stack, "Batch", release=release, name="flights-prod", stage="prod", settings=settings, custody=custody,
        notifications=told,
    )  # fmt: skip
    return stack


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """Synthesised under the rules of cdk-nag, which fail it for a finding that nobody accepted."""
    app = cdk.App(outdir=str(tmp_path_factory.mktemp("out")))
    stack = make_stack(app, write_release(tmp_path_factory.mktemp("release"), batch=True))
    synthesise(app)
    return Template.from_stack(stack)


def statements(template: Template, service: str) -> list[dict[str, Any]]:
    roles = template.find_resources(
        "AWS::IAM::Role",
        {"Properties": {"AssumeRolePolicyDocument": {"Statement": [{"Principal": {"Service": service}}]}}},
    )
    (role,) = [each for name, each in roles.items() if "Batch" in name]
    found: list[dict[str, Any]] = role["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    return found


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
        "s3:ListBucket",
    }  # fmt: skip
    written = [each for each in allowed if "s3:PutObject" in each["Action"]]
    assert [json.dumps(each["Resource"]).count("flights-data/scored/*") for each in written] == [1]


def test_alarms_follow_the_table(template: Template) -> None:
    found = template.find_resources("AWS::CloudWatch::Alarm")
    by_name = {each["Properties"]["AlarmName"]: each["Properties"] for each in found.values()}
    assert set(by_name) == {f"flights-prod-{row.title}" for row in BATCH_ALARMS}
    missing = by_name["flights-prod-batch-run-missing"]
    assert (missing["EvaluationPeriods"], missing["TreatMissingData"]) == (30, "breaching")
    assert by_name["flights-prod-batch-rejects"]["Threshold"] == 2.0
    assert all(each["AlarmActions"] for each in by_name.values())
    assert all(len(each["AlarmDescription"]) < 1024 for each in by_name.values())


def test_states_carry_names_and_never_lists() -> None:
    states = definition("arn:aws:lambda:eu-west-1:1:function:f", SETTINGS)["States"]
    for name in ("ScanRanges", "ScoreItems"):
        state = states[name]
        assert state["ResultPath"] is None
        assert state["ItemReader"]["ReaderConfig"] == {"InputType": "JSON"}
        assert state["ResultWriter"]["Parameters"] == {"Bucket": "flights-data", "Prefix": "scored/_lightship/map"}
        assert state["MaxConcurrency"] == 40
        assert "ToleratedFailurePercentage" not in state
    assert "Catch" not in json.dumps(states)


def test_final_errors_are_not_retried() -> None:
    for state in definition("f", SETTINGS)["States"].values():
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
    values = {name: getattr(SETTINGS, name) for name in SETTINGS.__slots__}
    with pytest.raises(SettingsError, match=message):
        BatchSettings(**{**values, **change})


def test_a_release_without_batch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedReleaseError, match="no 'batch' artifact"):
        make_stack(cdk.App(), write_release(tmp_path, batch=False))
