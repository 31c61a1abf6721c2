"""Status and redrive of deployed batches. Whole runs in the emulated state machine are in test_rehearsal_redrive."""

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lightship.batch.deployed import executions, redrive, state_machine_of
from lightship_runtime.batch.errors import BatchError


class Machine:
    """Step Functions with these executions, newest first."""

    def __init__(self, *statuses: str, refusal: str = "") -> None:
        self.statuses = statuses
        self.refusal = refusal
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
        if self.refusal:
            told: Any = {"Error": {"Code": self.refusal, "Message": "Execution redrivable period exceeded."}}
            raise ClientError(told, "RedriveExecution")
        self.redriven.append(executionArn)


def test_the_latest_failed_run_is_redriven() -> None:
    machine = Machine("RUNNING", "FAILED", "SUCCEEDED", "TIMED_OUT")
    assert redrive(machine, "arn", None).name == "run1"
    assert redrive(machine, "arn", "run3").name == "run3"
    assert machine.redriven == ["arn:1", "arn:3"]
    with pytest.raises(BatchError, match="no failed run run2 to redrive; the latest are: run0 RUNNING"):
        redrive(machine, "arn", "run2")
    assert executions(machine, "arn")[0].to_dict()["started"] == "2026-11-23T00:00:00+00:00"


def test_a_run_that_is_too_old_says_what_becomes_of_its_objects() -> None:
    with pytest.raises(BatchError, match=r"run0: .* period exceeded\. Nothing of it is published: the next scheduled"):
        redrive(Machine("FAILED", refusal="ExecutionNotRedrivable"), "arn", None)
    with pytest.raises(ClientError, match="AccessDenied"):
        redrive(Machine("FAILED", refusal="AccessDeniedException"), "arn", None)


def test_a_stack_without_batches_says_what_to_write() -> None:
    assert state_machine_of({"BatchStateMachine": "arn"}) == "arn"
    with pytest.raises(BatchError, match="has no batch"):
        state_machine_of({})
