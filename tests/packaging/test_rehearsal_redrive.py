"""A scheduled run that fails at a chunk and is redriven, by the command, on the emulated state machine."""

import io
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner, Result

from lightship.cli.batch import batch_group
from lightship.rehearsal.aws import EmulatedAws
from lightship.rehearsal.clients import clients_of, stack_outputs
from lightship.rehearsal.emulator.clients import Clients
from lightship.rehearsal.emulator.map_runs import Children, Pool, Tolerance
from lightship.rehearsal.emulator.redrives import Run
from lightship.rehearsal.schedules import ScheduleError, fire
from lightship_cdk.batch_definition import definition
from lightship_cdk.batch_settings import BatchSettings
from lightship_runtime.batch.errors import BatchError
from lightship_runtime.batch.handlers import run_id
from lightship_runtime.batch.planning import CHUNK
from lightship_runtime.manifest import Release

STACK = "signs"
MONDAY = datetime(2026, 11, 23, 3, tzinfo=UTC)
TUESDAY, WEDNESDAY = MONDAY + timedelta(days=1), MONDAY + timedelta(days=2)
LOGS = "/batch"
BATCH = BatchSettings(
    schedule="rate(1 day)", input="s3://data/in/", output="s3://data/out/", key=("id",), keep=("id",), concurrency=1
)


def pool(children: Children, *, runs: bool = True) -> Pool:
    return Pool(children, Tolerance(), lambda place: place, lambda: runs)


def work_off(given: Pool, failing: frozenset[int] = frozenset()) -> list[int]:
    """What a worker would do; the places of the children that it ran."""
    done: list[int] = []
    while (place := given.next_job()) is not None:
        done.append(place)
        given.settle(place, succeeded=place not in failing, output=f"of {place}")
        given.close_job(place)
    given.await_jobs()
    return done


def test_a_map_stops_at_the_first_failure_and_runs_the_rest_when_redriven() -> None:
    children = Children(list("abcde"))
    first = pool(children)
    assert work_off(first, frozenset({2})) == [0, 1, 2]
    assert first.has_failed
    again = pool(children)
    assert work_off(again) == [2, 3, 4]
    assert not again.has_failed
    assert children.outputs == {place: f"of {place}" for place in range(5)}
    assert work_off(pool(Children([]))) == []


def test_what_ends_after_the_map_failed_is_run_again() -> None:
    children = Children(list("ab"))
    first = pool(children)
    assert (first.next_job(), first.next_job()) == (0, 1)
    for place, succeeded in ((1, False), (0, True)):
        first.settle(place, succeeded=succeeded, output=None)
        first.close_job(place)
    first.await_jobs()
    assert work_off(pool(children)) == [0, 1]


def test_no_child_starts_once_the_execution_was_stopped() -> None:
    assert work_off(pool(Children(list("ab")), runs=False)) == []


@pytest.mark.parametrize(
    ("tolerance", "failed", "exceeded"),
    [
        (Tolerance(), 0, False),
        (Tolerance(), 1, True),
        (Tolerance(count=2), 2, False),
        (Tolerance(count=2), 3, True),
        (Tolerance(percent=25.0), 10, False),
        (Tolerance(percent=25.0), 11, True),
        (Tolerance(count=50, percent=5.0), 3, True),
    ],
)
def test_failures_are_tolerated_up_to_a_count_and_a_share(tolerance: Tolerance, failed: int, exceeded: bool) -> None:
    assert tolerance.is_exceeded(failed, 40) is exceeded


def test_only_the_redriven_map_goes_on_with_its_children() -> None:
    run = Run()
    run.enter("Score", {})
    children = run.children_of("Score", [1, 2])
    assert run.children_of("Score", [1, 2]) is not children  # another attempt of the same state
    kept = run.children_of("Score", [1, 2])
    assert run.children_of("A map within it", [3]) is not kept
    run.enter("Score", {})
    run.redrive(MONDAY)
    run.enter("Score", {})
    assert run.children_of("Score", [1, 2, 3]) is kept
    run.enter("Commit", {})
    run.enter("Score", {})
    assert run.children_of("Score", [1, 2]) is not kept
    assert run.told()["redriveCount"] == 1


@pytest.fixture(scope="module")
def aws() -> Iterator[EmulatedAws]:
    with EmulatedAws.start() as running:
        yield running


@pytest.fixture(scope="module")
def clients(aws: EmulatedAws) -> Clients:
    return clients_of(aws)


def state_machine(clients: Clients, name: str, **states: dict[str, Any]) -> str:
    arn: str = clients("stepfunctions").create_state_machine(
        name=name,
        roleArn="arn:aws:iam::123456789012:role/runs",
        definition=json.dumps({"StartAt": next(iter(states)), "States": states}),
    )["stateMachineArn"]
    return arn


def ended(clients: Clients, execution: str) -> dict[str, Any]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        told: dict[str, Any] = clients("stepfunctions").describe_execution(executionArn=execution)
        if told["status"] != "RUNNING":
            return told
        time.sleep(0.05)
    raise AssertionError(f"{execution} still runs")


@pytest.mark.slow
def test_a_task_goes_on_with_the_input_it_had(clients: Clients) -> None:
    sfn, s3 = clients("stepfunctions"), clients("s3")
    s3.create_bucket(Bucket="things")
    machine = state_machine(
        clients,
        "reads",
        First={"Type": "Pass", "Result": "thing", "ResultPath": "$.key", "Next": "Read"},
        Read={
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:s3:headObject",
            "Parameters": {"Bucket": "things", "Key.$": "$.key"},
            "ResultSelector": {"size.$": "$.ContentLength"},
            "ResultPath": "$.read",
            "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 600, "MaxAttempts": 2}],
            "End": True,
        },
    )
    execution = sfn.start_execution(stateMachineArn=machine, name="one", input='{"given": 1}')["executionArn"]
    failed = ended(clients, execution)
    assert (failed["status"], failed["redriveCount"], failed["redriveStatus"]) == ("FAILED", 0, "REDRIVABLE")
    assert "redriveDate" not in failed
    sfn.redrive_execution(executionArn=execution)
    assert ended(clients, execution)["redriveCount"] == 1
    s3.put_object(Bucket="things", Key="thing", Body=b"1234567")
    date = sfn.redrive_execution(executionArn=execution, clientToken="same")["redriveDate"]
    done = ended(clients, execution)
    # Asked twice with one token, it is one redrive.
    assert sfn.redrive_execution(executionArn=execution, clientToken="same")["redriveDate"] == date
    assert (done["status"], done["redriveCount"], done["redriveDate"]) == ("SUCCEEDED", 2, date)
    assert json.loads(done["output"]) == {"given": 1, "key": "thing", "read": {"size": 7}}
    assert (done["name"], json.loads(done["input"])) == ("one", {"given": 1})
    history = [each["type"] for each in sfn.get_execution_history(executionArn=execution)["events"]]
    assert (history.count("PassStateEntered"), history.count("TaskStateEntered")) == (1, 3)
    (listed,) = sfn.list_executions(stateMachineArn=machine)["executions"]
    assert (listed["redriveCount"], listed["redriveDate"]) == (2, date)


@pytest.mark.slow
def test_what_was_stopped_goes_on_and_what_runs_is_refused(clients: Clients) -> None:
    sfn = clients("stepfunctions")
    machine = state_machine(clients, "waits", Wait={"Type": "Wait", "Seconds": 2, "End": True})
    execution = sfn.start_execution(stateMachineArn=machine, name="one")["executionArn"]
    time.sleep(0.3)
    with pytest.raises(ClientError, match=r"ExecutionNotRedrivable.*Execution is RUNNING and cannot be redriven"):
        sfn.redrive_execution(executionArn=execution)
    sfn.stop_execution(executionArn=execution)
    assert ended(clients, execution)["status"] == "ABORTED"
    sfn.redrive_execution(executionArn=execution)
    assert ended(clients, execution)["status"] == "SUCCEEDED"
    with pytest.raises(ClientError, match="ExecutionDoesNotExist"):
        sfn.redrive_execution(executionArn=execution.replace("one", "two"))


@dataclass(frozen=True)
class Deployed:
    """The signs' batch.zip behind a schedule and its state machine, and a project that names the stack."""

    clients: Clients
    project: Path

    def command(self, *arguments: str) -> Result:
        return CliRunner().invoke(
            batch_group, [*arguments, "--project", str(self.project)], catch_exceptions=False, standalone_mode=False
        )

    def fire(self, when: datetime) -> Any:
        return fire(self.clients, stack_outputs(self.clients, STACK)["BatchSchedule"], when)

    def last(self) -> Any:
        return json.loads(self.command("status", "--json").stdout)[0]

    def put(self, name: str, data: bytes, **more: Any) -> None:
        self.clients("s3").put_object(Bucket="data", Key=f"in/{name}", Body=data, **more)

    def objects(self, when: datetime) -> dict[str, Any]:
        """What the run of a time wrote."""
        run = run_id(f"{when:%Y-%m-%dT%H:%M:%SZ}")
        found = self.clients("s3").list_objects_v2(Bucket="data", Prefix="out/").get("Contents", ())
        return {each["Key"]: (each["ETag"], each["LastModified"]) for each in found if run in each["Key"]}

    def read(self, key: str) -> bytes:
        data: bytes = self.clients("s3").get_object(Bucket="data", Key=key)["Body"].read()
        return data

    def invocations(self) -> int:
        pages = self.clients("logs").get_paginator("filter_log_events").paginate(logGroupName=LOGS)
        return sum(event["message"].startswith("REPORT") for page in pages for event in page["events"])


@pytest.fixture(scope="module")
def deployed(
    signs: Any, aws: EmulatedAws, clients: Clients, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployed]:
    project = tmp_path_factory.mktemp("project")
    (project / "lightship.toml").write_text(f'[model]\nname = "{STACK}"\n')
    clients("s3").create_bucket(Bucket="data")
    clients("s3").upload_file(str(signs.release / "batch.zip"), "data", "batch.zip")
    function = f"arn:aws:lambda:{aws.region}:{aws.account}:function:{STACK}"
    change = clients("cloudformation").create_change_set(
        StackName=STACK,
        ChangeSetName="first",
        ChangeSetType="CREATE",
        TemplateBody=json.dumps(template(Release.read(signs.release), function)),
    )
    clients("cloudformation").execute_change_set(ChangeSetName=change["Id"])
    clients("cloudformation").get_waiter("stack_create_complete").wait(
        StackName=STACK, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("AWS_") or name.upper().endswith("_PROXY"):
                patch.delenv(name)
        for name, text in aws.environment.items():
            patch.setenv(name, text)
        yield Deployed(clients, project)


def template(release: Release, function: str) -> dict[str, Any]:
    allowed = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
    role = {"Fn::GetAtt": ["Role", "Arn"]}
    resources = {
        "Role": ("AWS::IAM::Role", {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [allowed]}}),
        "Function": (
            "AWS::Lambda::Function",
            {
                "FunctionName": STACK,
                "Code": {"S3Bucket": "data", "S3Key": "batch.zip"},
                "Handler": release.artifacts["batch"].handler,
                "Runtime": f"python{release.target.python}",
                "Role": role,
                "Timeout": 60,
                "MemorySize": 1024,
                "LoggingConfig": {"LogGroup": LOGS},
            },
        ),
        "Runs": (
            "AWS::StepFunctions::StateMachine",
            {"RoleArn": role, "DefinitionString": json.dumps(definition(function, BATCH))},
        ),
        "Schedule": (
            "AWS::Scheduler::Schedule",
            {
                "ScheduleExpression": BATCH.schedule,
                "FlexibleTimeWindow": {"Mode": "OFF"},
                "Target": {
                    "Arn": {"Ref": "Runs"},
                    "RoleArn": role,
                    "Input": json.dumps({"time": "<aws.scheduler.scheduled-time>"}),
                },
            },
        ),
    }
    return {
        "Resources": {name: {"Type": kind, "Properties": properties} for name, (kind, properties) in resources.items()},
        "Outputs": {
            "FunctionName": {"Value": {"Ref": "Function"}},
            "BatchStateMachine": {"Value": {"Ref": "Runs"}},
            "BatchSchedule": {"Value": {"Ref": "Schedule"}},
        },
    }


def parquet(rows: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    rows.to_parquet(buffer, compression=None)
    return buffer.getvalue()


@pytest.mark.slow
def test_a_run_that_failed_at_a_chunk_is_redriven_to_its_end(deployed: Deployed, signs: Any) -> None:
    sfn = deployed.clients("stepfunctions")
    # So wide that the second object is another item's: an item takes so many bytes.
    padding = [np.random.default_rng(4).bytes(CHUNK), *[b""] * 499]
    deployed.put("a.parquet", parquet(signs.rows[:500].assign(padding=padding)))
    # Planned by what the listing says of it; it can't be read until it is restored.
    deployed.put("b.parquet", parquet(signs.rows[500:]), StorageClass="GLACIER")
    with pytest.raises(ScheduleError, match=r"failed: States\.ExceedToleratedFailureThreshold"):
        deployed.fire(MONDAY)
    failed = deployed.last()
    assert (failed["status"], failed["redrives"]) == ("FAILED", 0)
    before = deployed.objects(MONDAY)
    scored = {key: seen for key, seen in before.items() if "part-000000" in key or "result" in key}
    assert len(scored) == 2
    assert not any(key.endswith(("_SUCCESS", "part-000001.parquet")) for key in before)
    calls = deployed.invocations()

    deployed.clients("s3").restore_object(Bucket="data", Key="in/b.parquet", RestoreRequest={"Days": 1})
    assert deployed.command("redrive").stdout == f"{failed['name']} goes on from where it failed.\n"
    assert ended(deployed.clients, failed["arn"])["status"] == "SUCCEEDED"
    told = deployed.last()
    assert (told["status"], told["redrives"], told["name"]) == ("SUCCEEDED", 1, failed["name"])
    assert f"SUCCEEDED  {failed['name']}  redriven once" in deployed.command("status").stdout

    after = deployed.objects(MONDAY)
    assert {key: after[key] for key in scored} == scored
    # The item that was scored isn't asked for again: one call scores the other, one commits.
    assert deployed.invocations() == calls + 2
    (success,) = (key for key in after if key.endswith("/_SUCCESS"))
    manifest = json.loads(deployed.read(success.replace("_SUCCESS", "_manifest.json")))
    counts = {name: manifest[name] for name in ("rows_in", "rows_scored", "rows_rejected")}
    assert counts == {"rows_in": 900, "rows_scored": 900, "rows_rejected": 0}
    parts = [
        pd.read_parquet(io.BytesIO(deployed.read(success.replace("_SUCCESS", each["name"]))))
        for each in manifest["parts"]
    ]
    merged = pd.concat(parts, ignore_index=True)
    assert merged["id"].tolist() == signs.rows["id"].tolist()
    assert (merged["prediction"] == signs.model.predict(signs.rows[["a", "b"]])).all()

    with pytest.raises(BatchError, match=f"no failed run to redrive; the latest are: {failed['name']} SUCCEEDED"):
        deployed.command("redrive")
    run = sfn.describe_execution(executionArn=failed["arn"])
    assert (run["redriveCount"], run["redriveStatus"]) == (1, "NOT_REDRIVABLE")
    with pytest.raises(ClientError, match=r"ExecutionNotRedrivable.*Execution is SUCCEEDED and cannot be redriven"):
        sfn.redrive_execution(executionArn=failed["arn"])
    history = [each["type"] for each in sfn.get_execution_history(executionArn=failed["arn"])["events"]]
    assert history.count("ExecutionStarted") == history.count("ExecutionRedriven") == 1
    assert history.count("TaskStateEntered") == 3


@pytest.mark.slow
def test_an_object_that_was_mended_is_the_next_runs(deployed: Deployed, signs: Any) -> None:
    """A redrive goes on with the objects that were planned: of another content it is another object."""
    deployed.put("c.parquet", b"PAR1 and nothing else")
    with pytest.raises(ScheduleError, match=r"NotCommittedError.*c\.parquet"):
        deployed.fire(TUESDAY)
    failed = deployed.last()
    deployed.put("c.parquet", parquet(signs.rows[:7]))
    deployed.command("redrive", failed["name"])
    assert ended(deployed.clients, failed["arn"])["status"] == "FAILED"
    assert deployed.fire(WEDNESDAY)["rows_scored"] == 7
