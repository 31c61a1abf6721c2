"""Muting for a stated time, against the emulated CloudWatch with its mute rules."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from lightship.operate.aws import OperateError
from lightship.operate.muting import iso_duration, mute, parse_duration, read_mutes, unmute
from lightship.operate.stacks import DeployedStack, StackResource
from lightship.rehearsal.emulator import moto_seams
from lightship.rehearsal.emulator.mutes import MuteRules

# The emulation goes by the clock: what begins a day from now is scheduled, however long the tests take.
NOW = datetime.now(UTC) + timedelta(days=1)
METRIC, COMPOSITE = "AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"
ALARMS = {"f-api-5xx": METRIC, "f-new-version-errors-v2": METRIC, "f-endpoint-down": COMPOSITE}


class Account:
    """moto's CloudWatch, and a CodeDeploy that watches the new version's alarm."""

    def __init__(self) -> None:
        self.cloudwatch = boto3.client("cloudwatch", region_name="eu-central-1")

    def __call__(self, service: str) -> Any:
        return self.cloudwatch if service == "cloudwatch" else self

    def get_deployment_group(self, **_given: str) -> Any:
        return {"deploymentGroupInfo": {"alarmConfiguration": {"alarms": [{"name": "f-new-version-errors-v2"}]}}}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        made = Account()
        moto_seams.install_cloudwatch()
        for name, kind in ALARMS.items():
            if kind == COMPOSITE:
                made.cloudwatch.put_composite_alarm(AlarmName=name, AlarmRule='ALARM("f-api-5xx")')
            else:
                made.cloudwatch.put_metric_alarm(
                    AlarmName=name, MetricName="5xx", Namespace="AWS/ApiGateway", Statistic="Sum", Period=60,
                    EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold",
                )  # fmt: skip
        yield made


@pytest.fixture
def stack() -> DeployedStack:
    group = [StackResource("G", "group", "AWS::CodeDeploy::DeploymentGroup")]
    application = [StackResource("A", "app", "AWS::CodeDeploy::Application")]
    alarms = [StackResource(name, name, kind) for name, kind in ALARMS.items()]
    return DeployedStack("id", "f", "UPDATE_COMPLETE", "", NOW, {}, {}, (*alarms, *group, *application))


def test_a_mute_ends_by_itself_and_leaves_what_undoes_a_shift(account: Account, stack: DeployedStack) -> None:
    made = mute(account, stack, timedelta(hours=2), "moving the database", NOW)
    rule = account.cloudwatch.get_alarm_mute_rule(AlarmMuteRuleName="f-muted")
    start = NOW.replace(second=0, microsecond=0) + timedelta(minutes=1)
    assert rule["Rule"]["Schedule"] == {
        "Expression": f"at({start:%Y-%m-%dT%H:%M})",
        "Duration": "PT2H",
        "Timezone": "UTC",
    }
    assert rule["ExpireDate"] == start + timedelta(hours=2)
    assert rule["MuteTargets"] == {"AlarmNames": ["f-api-5xx", "f-endpoint-down"]}
    assert made.alarms == 2


def test_status_shows_a_mute_and_its_reason_until_it_is_lifted(account: Account, stack: DeployedStack) -> None:
    assert read_mutes(account, stack) == ()
    mute(account, stack, timedelta(hours=2), "moving the database", NOW)
    (found,) = read_mutes(account, stack)
    assert (found.name, found.reason, found.status, found.alarms) == ("f-muted", "moving the database", "SCHEDULED", 2)
    assert found.until.endswith("UTC")
    assert unmute(account, stack)
    assert not unmute(account, stack)
    assert read_mutes(account, stack) == ()


def test_a_second_mute_takes_the_firsts_place(account: Account, stack: DeployedStack) -> None:
    mute(account, stack, timedelta(hours=2), "one", NOW)
    mute(account, stack, timedelta(days=1, minutes=30), "another", NOW)
    (found,) = read_mutes(account, stack)
    assert found.reason == "another"


@pytest.mark.parametrize(("text", "iso"), [("30m", "PT30M"), ("2h", "PT2H"), ("1d12h", "P1DT12H"), ("15d", "P15D")])
def test_times_as_people_write_them(text: str, iso: str) -> None:
    assert iso_duration(parse_duration(text)) == iso


@pytest.mark.parametrize("text", ["", "2", "0m", "2 hours", "16d", "-1h"])
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(OperateError):
        parse_duration(text)


def test_the_emulated_rules_begin_and_end_by_the_clock() -> None:
    rules = MuteRules()
    start = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
    given = {
        "Name": "f-muted",
        "Rule": {"Schedule": {"Expression": "at(2026-11-23T15:00)", "Duration": "PT1H"}},
        "MuteTargets": {"AlarmNames": ["f-api-5xx"]},
    }
    assert rules.put(given, frozenset()) == "Alarms don't exist: f-api-5xx"
    assert rules.put(given, frozenset(ALARMS)) is None
    states = [rules.get("f-muted", start + timedelta(minutes=minutes)) for minutes in (-1, 0, 59, 60)]
    assert [each and each["Status"] for each in states] == ["SCHEDULED", "ACTIVE", "ACTIVE", "EXPIRED"]
