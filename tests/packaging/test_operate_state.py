"""State, going back, pruning and taking down, against a small AWS of one function."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lightship.operate.assembly import Assembly
from lightship.operate.aws import CloudError, OperateError, aws_errors, check_account
from lightship.operate.cdk import CdkProgram
from lightship.operate.deploying import Deployer, DeploymentFailedError
from lightship.operate.destroying import delete_kept, destroy, kept_by
from lightship.operate.going_back import find_target, move_now
from lightship.operate.interrupting import undo
from lightship.operate.pruning import plan_pruning, prune
from lightship.operate.stacks import deployed_stack, read_stack, wait_until_still
from lightship.operate.status import read_status
from lightship.operate.versions import Version, choose
from lightship.rehearsal.node import CdkTool

MADE = datetime(2026, 1, 1, tzinfo=UTC)
TEMPLATE: dict[str, Any] = {
    "Resources": {
        "V2": {"Type": "AWS::Lambda::Version", "DeletionPolicy": "Retain", "Properties": {}},
        "Live": {
            "Type": "AWS::Lambda::Alias",
            "Properties": {"FunctionVersion": {"Fn::GetAtt": ["V2", "Version"]}},
        },
        "Logs": {"Type": "AWS::Logs::LogGroup", "DeletionPolicy": "RetainExceptOnCreate"},
        "Bank": {"Type": "AWS::Backup::BackupVault", "DeletionPolicy": "Retain"},
        "HookLogs": {"Type": "AWS::Logs::LogGroup"},
        "Lost": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Delete"},
        "LogStream": {"Type": "AWS::Logs::LogStream", "DeletionPolicy": "RetainExceptOnCreate"},
        "Hook": {"Type": "AWS::Lambda::Function"},
        "Alarm": {"Type": "AWS::CloudWatch::Alarm"},
        "Application": {"Type": "AWS::CodeDeploy::Application"},
        "Batch": {"Type": "AWS::StepFunctions::StateMachine"},
    }
}
PHYSICAL = {"V2": "arn:aws:lambda:us-east-1:1:function:f:2", "Live": "arn:alias", "Logs": "logs", "Alarm": "f-5xx"}
OUTPUTS = {"FunctionName": "f", "LiveAlias": "arn:alias", "ReleaseVersion": "bbbb", "DeploymentGroup": "group"}


def refused(code: str, text: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": text}}, "Operation")


@dataclass
class FakeAws:
    """One stack with one function of two versions. `after` are the statuses it goes through, one a look."""

    status: str | None = "UPDATE_COMPLETE"
    after: list[str] = field(default_factory=list)
    live: str = "2"
    weights: dict[str, float] = field(default_factory=dict)
    releases: list[str] = field(default_factory=lambda: ["release aaaa", "release bbbb"])
    alarm: str = "OK"
    deployments: list[dict[str, Any]] = field(default_factory=list)
    batches: list[dict[str, Any]] = field(default_factory=list)
    refuse_cancel: bool = False
    refuse_delete: bool = False
    refusal: str | None = None
    asked: list[str] = field(default_factory=list)

    def __call__(self, service: str) -> Any:
        return self

    def get_paginator(self, operation: str) -> "FakeAws":
        self._paged = operation
        return self

    def paginate(self, **given: Any) -> Iterator[Any]:
        return iter([getattr(self, self._paged)(**given)])

    def get_caller_identity(self) -> Any:
        return {"Account": "111111111111"}

    def describe_stacks(self, StackName: str) -> Any:
        if self.after:
            self.status = self.after.pop(0)
        if self.status in {None, "DELETE_COMPLETE"} and not StackName.startswith("arn"):
            raise refused("ValidationError", f"Stack with id {StackName} does not exist")
        outputs = [{"OutputKey": key, "OutputValue": value} for key, value in OUTPUTS.items()]
        found = {"StackId": "arn:stack", "StackName": "planes", "StackStatus": self.status, "CreationTime": MADE}
        return {"Stacks": [{**found, "Outputs": outputs if self.status != "ROLLBACK_COMPLETE" else []}]}

    def get_template(self, StackName: str) -> Any:
        return {"TemplateBody": TEMPLATE}

    def list_stack_resources(self, StackName: str) -> Any:
        return {
            "StackResourceSummaries": [
                {
                    "LogicalResourceId": name,
                    "PhysicalResourceId": PHYSICAL.get(name, name.lower()),
                    "ResourceType": each["Type"],
                }
                for name, each in TEMPLATE["Resources"].items()
            ]
        }

    def describe_stack_events(self, StackName: str) -> Any:
        def event(name: str, reason: str) -> dict[str, Any]:
            return {
                "Timestamp": datetime.now(UTC),
                "LogicalResourceId": name,
                "ResourceStatus": "UPDATE_FAILED",
                "ResourceStatusReason": reason,
            }

        return {"StackEvents": [event("Other", "Resource update cancelled"), event("Live", "CodeDeploy failed")]}

    def cancel_update_stack(self, StackName: str) -> None:
        if self.refuse_cancel:
            raise refused("ValidationError", "CancelUpdateStack cannot be called from current stack status")
        self.asked.append("cancel")
        self.after = ["UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"]

    def delete_stack(self, StackName: str) -> None:
        if self.refuse_delete:
            self.refuse_delete, self.after = False, ["CREATE_IN_PROGRESS", "CREATE_COMPLETE"]
            raise refused("ValidationError", "is in CREATE_IN_PROGRESS state and can not be deleted")
        self.asked.append("delete")
        self.after = ["DELETE_IN_PROGRESS", "DELETE_COMPLETE"]

    def list_object_versions(self, Bucket: str) -> Any:
        return {"Versions": [{"Key": "k", "VersionId": "v"}]}

    def delete_objects(self, Bucket: str, Delete: Any) -> None:
        assert Delete["Objects"] == [{"Key": "k", "VersionId": "v"}]
        self.asked.append(f"empty {Bucket}")

    def delete_log_group(self, logGroupName: str) -> None:
        self.asked.append(f"delete {logGroupName}")

    def filter_log_events(self, logGroupName: str, startTime: int) -> Any:
        return {"events": [{"message": line} for line in ("START", self.refusal) if line]}

    def list_versions_by_function(self, FunctionName: str) -> Any:
        numbered = enumerate(self.releases, start=1)
        versions = [{"Version": str(number), "Description": text, "LastModified": "t"} for number, text in numbered]
        return {"Versions": [{"Version": "$LATEST"}, *versions]}

    def get_alias(self, FunctionName: str, Name: str) -> Any:
        routing = {"AdditionalVersionWeights": self.weights} if self.weights else {}
        return {"FunctionVersion": self.live, "RoutingConfig": routing, "RevisionId": "r1"}

    def list_aliases(self, FunctionName: str) -> Any:
        return {"Aliases": [self.get_alias(FunctionName, "live")]}

    def update_alias(self, **given: Any) -> None:
        assert given["RevisionId"] == "r1"
        self.live, self.weights = given["FunctionVersion"], given["RoutingConfig"]["AdditionalVersionWeights"]

    def delete_function(self, FunctionName: str, Qualifier: str) -> None:
        self.asked.append(f"delete {FunctionName}:{Qualifier}")

    def describe_alarms(self, AlarmNames: list[str], AlarmTypes: list[str], MaxRecords: int) -> Any:
        assert AlarmTypes == ["MetricAlarm", "CompositeAlarm"]
        return {"MetricAlarms": [{"AlarmName": name, "StateValue": self.alarm} for name in AlarmNames]}

    def list_deployments(self, applicationName: str, deploymentGroupName: str) -> Any:
        return {"deployments": [each["deploymentId"] for each in self.deployments]}

    def get_deployment(self, deploymentId: str) -> Any:
        (found,) = (each for each in self.deployments if each["deploymentId"] == deploymentId)
        return {"deploymentInfo": {"createTime": MADE, "deploymentConfigName": "CodeDeployDefault.LambdaX", **found}}

    def list_executions(self, stateMachineArn: str, maxResults: int) -> Any:
        return {"executions": self.batches[:maxResults]}

    def stop_deployment(self, deploymentId: str, autoRollbackEnabled: bool) -> None:
        assert autoRollbackEnabled
        self.asked.append(f"stop {deploymentId}")


def quiet(_text: str) -> None:
    """Nobody listens."""


def instantly(_seconds: float) -> None:
    """No time passes."""


def findings(aws: FakeAws) -> str:
    return " ".join(read_status(aws, deployed_stack(aws, "planes")).findings)


def test_a_healthy_stage_has_nothing_to_find() -> None:
    aws = FakeAws(deployments=[{"deploymentId": "d-1", "status": "Succeeded"}])
    status = read_status(aws, deployed_stack(aws, "planes"))
    assert status.findings == ()
    assert (status.live, status.previous) == (Version(2, "bbbb", "t"), Version(1, "aaaa", "t"))
    assert status.to_dict()["traffic"] == {"2": 1.0}
    assert status.alarms["OK"] == ("f-5xx",)
    assert status.deployment is not None
    assert status.deployment.shift == "X"
    json.dumps(status.to_dict())


@pytest.mark.parametrize(
    ("aws", "told"),
    [
        (FakeAws(live="1"), "Callers reach version 1, but CloudFormation believes 2"),
        (FakeAws(weights={"1": 0.1}), "90% to version 2, 10% to version 1"),
        (FakeAws(alarm="ALARM"), "1 alarms sound: f-5xx"),
        (FakeAws(batches=[{"name": "b-7", "status": "FAILED", "startDate": MADE}]), "The last batch (b-7) is FAILED"),
        (FakeAws(status="UPDATE_IN_PROGRESS"), "rollback --now"),
        (FakeAws(status="UPDATE_ROLLBACK_COMPLETE"), "failed and was undone"),
        (FakeAws(status="UPDATE_ROLLBACK_FAILED"), "continue-update-rollback"),
        (FakeAws(releases=["release aaaa", "release cccc"]), "release cccc is live"),
        (FakeAws(deployments=[{"deploymentId": "d-1", "status": "Failed"}]), "d-1"),
    ],
)
def test_what_is_half_moved_is_found(aws: FakeAws, told: str) -> None:
    assert told in findings(aws)


def test_a_running_shift_is_not_called_half_moved() -> None:
    running = [{"deploymentId": "d-1", "status": "InProgress"}]
    aws = FakeAws(status="UPDATE_IN_PROGRESS", live="1", weights={"2": 0.1}, deployments=running)
    assert "believes" not in findings(aws)
    assert "abandoned" not in findings(aws)


@pytest.mark.parametrize("status", [None, "REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE"])
def test_what_was_never_made_has_no_state(status: str | None) -> None:
    with pytest.raises(OperateError, match="lightship deploy"):
        deployed_stack(FakeAws(status=status), "planes")


def test_a_rollback_leads_to_the_release_before_or_the_one_named() -> None:
    aws = FakeAws(releases=["release aaaa", "release bbbb", "release aaaa", "release bbbb"], live="4")
    stack = deployed_stack(FakeAws(), "planes")
    assert find_target(FakeAws(), stack, None).to.number == 1
    assert find_target(aws, stack, "aa").to.number == 3
    assert find_target(aws, stack, "v2").to.number == 2
    with pytest.raises(OperateError, match="There is no version 'zz'"):
        find_target(aws, stack, "zz")
    with pytest.raises(OperateError, match="nothing before"):
        find_target(FakeAws(releases=["", "release bbbb"]), stack, None)
    with pytest.raises(OperateError, match="begins several"):
        choose((Version(1, "aa", ""), Version(2, "ab", "")), "a")


def test_after_now_the_rollback_makes_it_last() -> None:
    aws = FakeAws()
    stack = deployed_stack(aws, "planes")
    assert "version 1 (release aaaa) now" in move_now(aws, stack, None)
    assert aws.live == "1"
    assert find_target(aws, stack, None).to.number == 1
    assert "already" in move_now(aws, stack, "1")


def test_now_stops_a_shift_rather_than_moving_the_alias_under_it() -> None:
    aws = FakeAws(live="1", weights={"2": 0.1}, deployments=[{"deploymentId": "d-1", "status": "InProgress"}])
    stack = deployed_stack(aws, "planes")
    assert "stopped" in move_now(aws, stack, None)
    assert (aws.asked, aws.live) == (["stop d-1"], "1")
    with pytest.raises(OperateError, match="Stop it first"):
        move_now(aws, stack, "1")


def test_now_cancels_an_update_that_has_no_shift_under_way() -> None:
    aws = FakeAws(status="UPDATE_IN_PROGRESS")
    assert "cancelled" in move_now(aws, deployed_stack(aws, "planes"), None)
    assert (aws.asked, aws.live) == (["cancel"], "2")
    with pytest.raises(OperateError, match="can't be stopped"):
        move_now(aws, deployed_stack(FakeAws(status="UPDATE_ROLLBACK_IN_PROGRESS"), "planes"), None)


def test_now_ends_an_abandoned_split() -> None:
    aws = FakeAws(weights={"1": 0.1})
    move_now(aws, deployed_stack(aws, "planes"), None)
    assert (aws.live, aws.weights) == ("2", {})


def test_pruning_keeps_what_anything_points_to() -> None:
    aws = FakeAws(releases=[f"release {number}" for number in range(7)], live="3", weights={"4": 0.1})
    pruning = plan_pruning(aws, deployed_stack(aws, "planes"), keep=2)
    assert [each.number for each in pruning.go] == [1, 5]
    prune(aws, pruning)
    assert aws.asked == ["delete f:1", "delete f:5"]
    with pytest.raises(OperateError, match="still"):
        plan_pruning(aws, deployed_stack(FakeAws(status="UPDATE_IN_PROGRESS"), "planes"), keep=2)


def test_taking_down_keeps_data_and_names_it() -> None:
    aws = FakeAws()
    stack = deployed_stack(aws, "planes")
    kept = kept_by(stack)
    assert [str(each) for each in kept] == ["log group logs", "AWS::Backup::BackupVault bank"]
    destroy(aws, stack, quiet, instantly)
    assert aws.asked == ["empty lost", "delete"]
    assert [each.physical for each in delete_kept(aws, kept, quiet)] == ["bank"]
    assert aws.asked == ["empty lost", "delete", "delete logs"]


def test_a_stack_that_never_rests_is_an_error() -> None:
    with pytest.raises(OperateError, match="after an hour"):
        wait_until_still(FakeAws(status="UPDATE_IN_PROGRESS"), "planes", quiet, instantly)


@pytest.mark.parametrize(
    ("aws", "new", "asked", "told", "clean"),
    [
        (FakeAws(status=None), True, [], "before anything", True),
        (FakeAws(status="REVIEW_IN_PROGRESS"), True, ["delete"], "removed", True),
        (FakeAws(status="CREATE_IN_PROGRESS"), True, ["delete", "delete logs"], "but for bank", False),
        (
            FakeAws(status="CREATE_IN_PROGRESS", refuse_delete=True),
            True,
            ["delete", "delete logs"],
            "but for bank",
            False,
        ),
        (FakeAws(status="UPDATE_IN_PROGRESS"), False, ["cancel"], "UPDATE_ROLLBACK_COMPLETE", True),
        (FakeAws(status="UPDATE_IN_PROGRESS", refuse_cancel=True), False, [], "goes on in the cloud", False),
        (FakeAws(status="UPDATE_COMPLETE"), False, [], "at rest", True),
    ],
)
def test_an_interrupted_deployment_is_taken_back(
    aws: FakeAws, new: bool, asked: list[str], told: str, clean: bool
) -> None:
    undone = undo(aws, "planes", new=new, say=quiet, sleep=instantly)
    assert (aws.asked, undone.clean) == (asked, clean)
    assert told in undone.text


class FakeProcess:
    """A CDK that prints lines, does something to the stack, and ends."""

    def __init__(self, lines: list[str], code: int = 0, interrupt: bool = False) -> None:
        self.lines, self.code, self.interrupt, self.ended = lines, code, interrupt, False
        self.stdout = self

    def __iter__(self) -> Iterator[str]:
        yield from self.lines
        if self.interrupt:
            raise KeyboardInterrupt

    def wait(self, _timeout: float | None = None) -> int:
        return self.code

    def poll(self) -> int | None:
        return self.code if self.ended else None

    def terminate(self) -> None:
        self.ended = True

    def close(self) -> None:
        """Nothing is open."""


def deployer_of(aws: FakeAws, process: FakeProcess) -> Deployer:
    cdk = CdkProgram(CdkTool(("cdk",), ""), Path("project"), "us-east-1", start=lambda *_args, **_kwargs: process)
    return Deployer(aws, cdk, quiet, sleep=instantly)


def run(aws: FakeAws, process: FakeProcess, during: list[str]) -> Any:
    """Deploy while the stack goes through these statuses; the plan is made against what is there before."""
    from lightship.operate.planning import plan_deployment
    from lightship_runtime.manifest import Engines, Release, Target

    release = Release("planes", "cccc", "0", Target("3.13", "arm64", "2_34"), Engines("pure", "pure"), {}, {}, None)
    seen = read_stack(aws, "planes")
    plan = plan_deployment({"Resources": {}}, release, seen, None, name="planes", requests=0)
    assert aws.status is not None
    aws.after = [aws.status, *during]
    return deployer_of(aws, process).deploy(Assembly(Path("out"), "planes"), plan, seen)


def test_a_deployment_counts_when_it_is_there_and_not_when_the_cdk_says_so() -> None:
    assert run(FakeAws(), FakeProcess(["done"]), ["UPDATE_COMPLETE"]).name == "planes"
    with pytest.raises(DeploymentFailedError, match="version 2 is live, but callers reach"):
        run(FakeAws(live="1"), FakeProcess(["done"]), ["UPDATE_COMPLETE"])
    with pytest.raises(DeploymentFailedError, match="still UPDATE_IN_PROGRESS"):
        run(FakeAws(), FakeProcess(["done"]), ["UPDATE_IN_PROGRESS"])


def test_a_failed_deployment_tells_the_first_cause_and_what_the_hook_said() -> None:
    refusal = json.dumps({"verdict": "refused", "reason": "row 7 differs"})
    with pytest.raises(DeploymentFailedError) as caught:
        run(FakeAws(refusal=refusal), FakeProcess([], code=1), ["UPDATE_ROLLBACK_COMPLETE"])
    text = str(caught.value)
    assert "row 7 differs" in text
    assert "Live: CodeDeploy failed" in text
    assert "cancelled" not in text
    assert "answered as before" in text


def test_ctrl_c_ends_the_cdk_and_takes_the_update_back() -> None:
    aws, process = FakeAws(), FakeProcess(["planes | 1/9 | ..."], interrupt=True)
    with pytest.raises(KeyboardInterrupt):
        run(aws, process, ["UPDATE_IN_PROGRESS"])
    assert process.ended
    assert (aws.asked, aws.status) == (["cancel"], "UPDATE_ROLLBACK_COMPLETE")


def test_ctrl_c_that_cannot_stop_it_says_so() -> None:
    with pytest.raises(DeploymentFailedError, match="goes on in the cloud"):
        run(FakeAws(refuse_cancel=True), FakeProcess([], interrupt=True), ["UPDATE_IN_PROGRESS"])


def test_a_plan_that_was_overtaken_is_not_carried_out() -> None:
    aws, process = FakeAws(), FakeProcess([])
    seen = read_stack(aws, "planes")
    aws.status = "UPDATE_IN_PROGRESS"
    with pytest.raises(OperateError, match="somebody else deployed"):
        deployer_of(aws, process).deploy(Assembly(Path("out"), "planes"), None, seen)  # type: ignore[arg-type]


def test_the_wrong_account_and_awss_errors_are_told_in_our_words() -> None:
    check_account(FakeAws(), "111111111111")
    with pytest.raises(CloudError, match=r"111111111111, but lightship\.toml deploys to 222222222222"):
        check_account(FakeAws(), "222222222222")
    with pytest.raises(CloudError, match="nope"), aws_errors():
        raise refused("AccessDenied", "nope")
