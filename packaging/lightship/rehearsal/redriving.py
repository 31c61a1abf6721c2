"""A scheduled run that fails at what it can't read, is mended, and redriven as `lightship batch redrive` does it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lightship.batch.deployed import executions, redrive
from lightship.rehearsal.emulator.clients import Clients
from lightship.rehearsal.findings import CheckFailedError
from lightship.rehearsal.schedules import ScheduleError, fire, output_of

EVERY_PERCENT = 100
ARCHIVE = "GLACIER"


@dataclass(frozen=True)
class Portion:
    """An object to be scored, and where it lies."""

    bucket: str
    key: str
    data: bytes

    def put(self, clients: Clients, **more: str) -> None:
        clients("s3").put_object(Bucket=self.bucket, Key=self.key, Body=self.data, **more)

    def restore(self, clients: Clients) -> None:
        clients("s3").restore_object(Bucket=self.bucket, Key=self.key, RestoreRequest={"Days": 1})


def run_redriven(clients: Clients, outputs: Mapping[str, str], portion: Portion, when: datetime) -> Any:
    """The output of the run that scores the portion at the second try, for it lay in an archive at the first: the
    listing by which a run is planned has it, and reading it is refused until it is restored.

    Raises CheckFailedError when the run didn't fail, or another run went on than the one that had.
    """
    portion.put(clients, StorageClass=ARCHIVE)
    try:
        fire(clients, outputs["BatchSchedule"], when)
    except ScheduleError as error:
        failure = str(error)
    else:
        raise CheckFailedError(f"Batch, a run scored s3://{portion.bucket}/{portion.key}, which can't be read.")
    portion.restore(clients)
    machine = outputs["BatchStateMachine"]
    driven = redrive(clients("stepfunctions"), machine, None)
    if driven.arn not in failure:
        raise CheckFailedError(f"Batch, {driven.name} was redriven, not the run that failed: {failure}")
    output = output_of(clients, driven.arn)
    last = executions(clients("stepfunctions"), machine)[0]
    if (last.arn, last.status, last.redrives) != (driven.arn, "SUCCEEDED", 1):
        raise CheckFailedError(f"Batch, after a redrive of {driven.name} the last run is {last.to_dict()}.")
    return output
