"""How new versions get traffic: the hook, the shift, the alarms that undo it, and the first deployment's gate."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lightship_cdk.alarm_table import ROLLBACK_ALARMS
from lightship_cdk.rollout import MAX_ALARMS
from lightship_cdk.runtime_code import COMPARE, HOOK, RuntimeCode
from lightship_cdk.settings import ServiceSettings
from lightship_cdk.settings_error import SettingsError
from lightship_cdk.stack import with_shift


def resource(stack: Any, kind: str, part: str = "") -> tuple[str, dict[str, Any]]:
    (found,) = [(name, each) for name, each in stack.of_type(kind).items() if part in name]
    return found


def test_the_alias_shifts_through_codedeploy_behind_its_hook(closed: Any) -> None:
    group_id, group = resource(closed, "AWS::CodeDeploy::DeploymentGroup")
    hook_id, _ = resource(closed, "AWS::Lambda::Function", "Hook")
    _, alias = resource(closed, "AWS::Lambda::Alias")
    policy = alias["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
    assert policy["BeforeAllowTrafficHook"] == {"Ref": hook_id}
    assert policy["DeploymentGroupName"] == {"Ref": group_id}
    properties = group["Properties"]
    assert properties["DeploymentConfigName"] == "CodeDeployDefault.LambdaCanary10Percent5Minutes"
    assert properties["DeploymentStyle"] == {
        "DeploymentOption": "WITH_TRAFFIC_CONTROL",
        "DeploymentType": "BLUE_GREEN",
    }
    events = properties["AutoRollbackConfiguration"]["Events"]
    assert set(events) == {"DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"}


def test_the_alarms_that_undo_a_shift_watch_the_new_version_alone(closed: Any) -> None:
    _, group = resource(closed, "AWS::CodeDeploy::DeploymentGroup")
    named = [each["Name"]["Ref"] for each in group["Properties"]["AlarmConfiguration"]["Alarms"]]
    assert len(named) == len([row for row in ROLLBACK_ALARMS if row.part == "rollout"])
    assert len(ROLLBACK_ALARMS) <= MAX_ALARMS
    version_id, _ = resource(closed, "AWS::Lambda::Version")
    for name in named:
        text = str(closed.template["Resources"][name]["Properties"])
        assert "ExecutedVersion" in text
        assert version_id in text
        assert "ApiId" not in text


def test_an_alarm_that_sounds_for_the_old_version_doesnt_forbid_its_repair(closed: Any) -> None:
    """A changed alarm keeps its state, so every version has its own by name, under a logical id that stays."""
    version_id, _ = resource(closed, "AWS::Lambda::Version")
    name = resource(closed, "AWS::CloudWatch::Alarm", "NewVersionErrors")[1]["Properties"]["AlarmName"]
    assert {"Fn::GetAtt": [version_id, "Version"]} in name["Fn::Join"][1]


@pytest.mark.parametrize(("name", "shift"), [(None, "Canary10Percent5Minutes"), ("AllAtOnce", "AllAtOnce")])
def test_a_rollback_may_take_no_detour(name: str | None, shift: str) -> None:
    assert with_shift(ServiceSettings(), name).rollout.shift == shift


def test_an_unknown_shift_lists_the_known() -> None:
    with pytest.raises(SettingsError, match="no shift 'Canary'; name one of AllAtOnce"):
        with_shift(ServiceSettings(), "Canary")


def test_rollback_alarms_can_sound_within_the_shortest_shift() -> None:
    assert len(ROLLBACK_ALARMS) == 4
    for row in ROLLBACK_ALARMS:
        assert row.period_s * int(row.datapoints) <= 180, row.id


def test_the_hook_may_invoke_the_new_version_alone(closed: Any) -> None:
    version_id, _ = resource(closed, "AWS::Lambda::Version")
    _, role = resource(closed, "AWS::IAM::Role", "HookRole")
    (policy,) = role["Properties"]["Policies"]
    (invoke,) = [each for each in policy["PolicyDocument"]["Statement"] if each["Action"] == "lambda:InvokeFunction"]
    assert invoke["Resource"] == {"Ref": version_id}
    _, hook = resource(closed, "AWS::Lambda::Function", "Hook")
    assert hook["Properties"]["Environment"]["Variables"]["LIGHTSHIP_VERSION"] == {"Ref": version_id}


def test_the_alias_is_first_made_after_the_golden_rows_agreed(closed: Any) -> None:
    gate_id, gate = resource(closed, "Custom::LightshipFirstDeployment")
    hook_id, _ = resource(closed, "AWS::Lambda::Function", "Hook")
    _, alias = resource(closed, "AWS::Lambda::Alias")
    assert gate_id in alias["DependsOn"]
    assert gate["Properties"]["ServiceToken"] == {"Fn::GetAtt": [hook_id, "Arn"]}
    # Nothing in it changes with a release, so that later ones are the hook's to judge.
    assert set(gate["Properties"]) == {"ServiceToken", "ServiceTimeout"}


@pytest.mark.parametrize("code", [HOOK, COMPARE], ids=["hook", "compare"])
def test_a_functions_files_run_without_anything_else(release_folder: Path, tmp_path: Path, code: RuntimeCode) -> None:
    code.copy(release_folder, tmp_path)
    module = code.handler.rpartition(".")[0]
    source = f"import sys; sys.path.insert(0, '.'); import {module} as m; assert callable(m.handler)"
    command = [sys.executable, "-I", "-S", "-c", source]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert run.stderr == b""
    assert run.returncode == 0


def test_golden_rows_stay_out_of_the_predicting_function(closed: Any) -> None:
    _, hook = resource(closed, "AWS::Lambda::Function", "Hook")
    staged = closed.folder / f"asset.{hook['Properties']['Code']['S3Key'].removesuffix('.zip')}"
    assert (staged / "golden.json.gz").is_file()
    holders = list(closed.folder.rglob("golden.json.gz"))
    assert holders == [staged / "golden.json.gz"]
