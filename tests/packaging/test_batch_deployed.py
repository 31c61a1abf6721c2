"""Status and redrive of deployed batches, and a whole run in the emulated state machine."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from lightship import package
from lightship.batch.deployed import executions, redrive, state_machine_of
from lightship.rehearsal.aws import EmulatedAws
from lightship_cdk.batch_definition import definition
from lightship_cdk.batch_settings import BatchSettings
from lightship_runtime.batch.errors import BatchError


class Machine:
    """Step Functions with these executions, newest first."""

    def __init__(self, *statuses: str) -> None:
        self.statuses = statuses
        self.redriven: list[str] = []

    def list_executions(self, **_arguments: Any) -> dict[str, Any]:
        then = datetime(2026, 11, 23, tzinfo=UTC)
        return {
            "executions": [
                {"name": f"run{i}", "executionArn": f"arn:{i}", "status": status, "startDate": then}
                for i, status in enumerate(self.statuses)
            ]
        }

    def redrive_execution(self, executionArn: str) -> None:
        self.redriven.append(executionArn)


def test_the_latest_failed_run_is_redriven() -> None:
    machine = Machine("RUNNING", "FAILED", "SUCCEEDED", "TIMED_OUT")
    assert redrive(machine, "arn", None).name == "run1"
    assert redrive(machine, "arn", "run3").name == "run3"
    assert machine.redriven == ["arn:1", "arn:3"]
    with pytest.raises(BatchError, match="no failed run run2 to redrive; the latest are: run0 RUNNING"):
        redrive(machine, "arn", "run2")
    assert executions(machine, "arn")[0].to_dict()["started"] == "2026-11-23T00:00:00+00:00"


def test_a_stack_without_batches_says_what_to_write() -> None:
    assert state_machine_of({"BatchStateMachine": "arn"}) == "arn"
    with pytest.raises(BatchError, match="has no batch"):
        state_machine_of({})


@pytest.mark.slow
def test_the_emulated_state_machine_scores_new_objects_once(tmp_path: Path) -> None:
    """The very batch.zip, called by the very definition: a distributed map over S3, read back and compared by key."""
    draw = np.random.default_rng(2)
    rows = pd.DataFrame({"id": np.arange(900), "a": draw.normal(size=900), "b": draw.normal(size=900)})
    model = LogisticRegression().fit(rows[["a", "b"]], rows["a"] + rows["b"] > 0)
    release = package(model, sample=rows[["a", "b"]][:200], out=tmp_path / "dist", name="signs", engine="array")
    settings = BatchSettings(
        schedule="rate(1 day)", input="s3://data/in/", output="s3://data/out/", key=("id",), concurrency=2
    )
    with EmulatedAws.start() as aws:
        clients = _clients(aws)
        s3 = clients("s3")
        s3.create_bucket(Bucket="data")
        machine = _deploy(clients, release.path / "batch.zip", settings)
        s3.put_object(Bucket="data", Key="in/a.csv", Body=rows[:500].to_csv(index=False).encode())
        rows[500:700].to_parquet(tmp_path / "b.parquet")
        s3.upload_file(str(tmp_path / "b.parquet"), "data", "in/b.parquet")
        first = _run(clients, machine, "2026-11-23T03:00:00Z")
        again = _run(clients, machine, "2026-11-23T03:00:00Z")
        s3.put_object(Bucket="data", Key="in/c.csv", Body=rows[700:].to_csv(index=False).encode())
        second = _run(clients, machine, "2026-11-24T03:00:00Z")
        assert (first["rows_in"], first["rows_scored"], second["rows_scored"]) == (700, 700, 200)
        assert again["begun"]["done"] is True
        parts = []
        for run in (first["run"], second["run"]):
            prefix = f"out/run={run}/"
            manifest = json.loads(s3.get_object(Bucket="data", Key=f"{prefix}_manifest.json")["Body"].read())
            s3.get_object(Bucket="data", Key=f"{prefix}_SUCCESS")
            for part in manifest["parts"]:
                s3.download_file("data", prefix + part["name"], str(tmp_path / "part.parquet"))
                parts.append(pd.read_parquet(tmp_path / "part.parquet"))
    scored = pd.concat(parts).set_index("id")
    assert scored.index.is_unique
    chances = model.predict_proba(rows[["a", "b"]])[:, 1]
    assert np.allclose(scored.loc[rows["id"], "probability_true"], chances, rtol=0, atol=1e-12)


def _clients(aws: EmulatedAws) -> Any:
    import boto3

    def client(service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=aws.endpoint_url,
            region_name=aws.region,
            aws_access_key_id=aws.credentials.access_key_id,
            aws_secret_access_key=aws.credentials.secret_access_key,
        )

    return client


def _deploy(clients: Any, archive: Path, settings: BatchSettings) -> str:
    clients("s3").create_bucket(Bucket="code")
    clients("s3").upload_file(str(archive), "code", "batch.zip")
    services = ["lambda.amazonaws.com", "states.amazonaws.com"]
    statement = {"Effect": "Allow", "Principal": {"Service": services}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    role = clients("iam").create_role(RoleName="batch", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    function = clients("lambda").create_function(
        FunctionName="batch",
        Runtime="python3.13",
        Handler="lightship_runtime.batch.handlers.handler",
        Role=role,
        Code={"S3Bucket": "code", "S3Key": "batch.zip"},
        Timeout=120,
        MemorySize=2048,
    )["FunctionArn"]
    document = json.dumps(definition(function, settings))
    made = clients("stepfunctions").create_state_machine(name="runs", definition=document, roleArn=role)
    return str(made["stateMachineArn"])


def _run(clients: Any, machine: str, when: str) -> dict[str, Any]:
    client = clients("stepfunctions")
    started = client.start_execution(
        stateMachineArn=machine, input=json.dumps({"time": when}), name=f"run-{time.time_ns()}"
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        found = client.describe_execution(executionArn=started["executionArn"])
        if found["status"] != "RUNNING":
            assert found["status"] == "SUCCEEDED", f"{found.get('error')}: {found.get('cause')}"
            output: dict[str, Any] = json.loads(found["output"])
            return output
        time.sleep(0.2)
    raise AssertionError("the execution didn't end")
