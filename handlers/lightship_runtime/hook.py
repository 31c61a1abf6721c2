"""The gate before traffic: replays the golden rows on the new version, and refuses it when its answers are off.

CodeDeploy calls it before it shifts an existing alias, and CloudFormation (as a custom resource) before the alias is
first made. Neither event names a version, so that it comes from the environment.
"""

import json
import os
import statistics
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

from lightship_runtime.contract import Contract
from lightship_runtime.errors import LightshipError
from lightship_runtime.golden import Agreement, Golden, compare, read_golden
from lightship_runtime.replay import Row, instances_of, replay
from lightship_runtime.telemetry import metrics_document

CONTRACT = "contract.json"
GOLDEN = "golden.json.gz"
FOLDER = Path(__file__).resolve().parent.parent
TIMED_CALLS = 20
# A policy that was attached a moment ago may not be in force yet.
PERMISSION_WAIT_S = 60.0
PHYSICAL_ID = "lightship-first-deployment"


class RefusedError(LightshipError):
    """The new version must not take traffic."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Which version is judged, how far a value may be off, and the milliseconds its median warm call may take."""

    version: str
    tolerance: float
    latency_ms: float

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        return cls(
            version=environment["LIGHTSHIP_VERSION"],
            tolerance=float(environment["LIGHTSHIP_TOLERANCE"]),
            latency_ms=float(environment["LIGHTSHIP_LATENCY_MS"]),
        )


type Invoke = Callable[[Sequence[Row]], Mapping[str, Any]]


def judge(invoke: Invoke, golden: Golden, contract: Contract, limits: Limits, clock: Callable[[], float]) -> Agreement:
    """How the version's answers agree with the golden rows. Raises RefusedError when they don't, or come late."""
    agreement = compare(golden, contract, replay(golden, contract, invoke), limits.tolerance)
    if not agreement.holds:
        worst = agreement.worst[0]
        raise RefusedError(
            f"The version's predictions differ: {agreement.label_flips} label flips and {agreement.beyond} values "
            f"beyond {limits.tolerance:g} in {agreement.rows} golden rows. The worst is row {worst.row}: the model "
            f"gives {worst.expected}, the version {worst.found}. Package the model again, and deploy that release."
        )
    median = statistics.median(_time(invoke, [row], clock) for row in instances_of(golden, contract)[:TIMED_CALLS])
    if median > limits.latency_ms:
        raise RefusedError(
            f"The version's median warm call took {median:.0f} ms, over {limits.latency_ms:.0f} ms. "
            "Give the function more memory, or raise hook_latency_ms."
        )
    return agreement


def _time(invoke: Invoke, rows: Sequence[Row], clock: Callable[[], float]) -> float:
    start = clock()
    invoke(rows)
    return (clock() - start) * 1000


def invoke_version(client: Any, version: str, rows: Sequence[Row]) -> Mapping[str, Any]:
    """The version's answer to rows. Raises RefusedError when it fails on them."""
    payload = json.dumps({"lightship": {"replay": rows}}).encode()
    reply = _when_permitted(partial(client.invoke, FunctionName=version, Payload=payload), client.exceptions)
    document = json.loads(reply["Payload"].read())
    if "FunctionError" in reply or "predictions" not in document:
        raise RefusedError(f"The version fails on golden rows: {json.dumps(document)[:500]}. Read its log.")
    return document  # type: ignore[no-any-return]


def _when_permitted(call: Callable[[], Any], exceptions: Any) -> Any:
    deadline = time.monotonic() + PERMISSION_WAIT_S
    while True:
        try:
            return call()
        except exceptions.ClientError as error:
            denied = error.response["Error"]["Code"] == "AccessDeniedException"
            if not denied or time.monotonic() > deadline:
                raise
        time.sleep(2)


def handler(event: dict[str, Any], _context: Any) -> None:
    """What CodeDeploy and CloudFormation call. Whatever happens, the caller gets its answer."""
    try:
        if event.get("RequestType", "Create") == "Create":
            agreement = _judge_deployed()
            print(json.dumps({"verdict": "accepted", "rows": agreement.rows, "ties": agreement.ties}))  # noqa: T201
        refusal = None
    except Exception as error:  # noqa: BLE001 (an unanswered CloudFormation waits for an hour)
        refusal = f"{type(error).__name__}: {error}"
        print(json.dumps(refusal_line(refusal, os.environ, now_ms=time.time_ns() // 1_000_000)))  # noqa: T201
    if "RequestType" in event:
        answer_cloudformation(event, refusal)
    else:
        _answer_codedeploy(event, refusal)


def refusal_line(reason: str, environment: Mapping[str, str], *, now_ms: int) -> dict[str, Any]:
    """What the log holds of a refusal, and the metric `HookRefused` with it (Embedded Metric Format)."""
    dimensions = {
        "Service": environment.get("LIGHTSHIP_SERVICE", ""),
        "Stage": environment.get("LIGHTSHIP_STAGE", ""),
    }
    document = metrics_document(dimensions, now_ms, {"HookRefused": 1})
    return {**document, "verdict": "refused", "reason": reason}


def _judge_deployed() -> Agreement:
    limits = Limits.from_environment(os.environ)
    contract = Contract.from_json((FOLDER / CONTRACT).read_bytes())
    invoke = partial(invoke_version, _client("lambda"), limits.version)
    return judge(invoke, read_golden(FOLDER / GOLDEN), contract, limits, time.perf_counter)


def _answer_codedeploy(event: Mapping[str, Any], refusal: str | None) -> None:
    _client("codedeploy").put_lifecycle_event_hook_execution_status(
        deploymentId=event["DeploymentId"],
        lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
        status="Failed" if refusal else "Succeeded",
    )


def _client(service: str) -> Any:
    import boto3

    return boto3.client(service)


def answer_cloudformation(event: Mapping[str, Any], refusal: str | None) -> None:
    """Put the answer where a custom resource's event wants it:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html"""
    answer = {
        "Status": "FAILED" if refusal else "SUCCESS",
        "Reason": (refusal or "The golden rows agree.")[:1000],
        "PhysicalResourceId": event.get("PhysicalResourceId", PHYSICAL_ID),
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
    }
    # The address is signed for an empty content type.
    request = urllib.request.Request(  # noqa: S310 (CloudFormation names the address)
        event["ResponseURL"], data=json.dumps(answer).encode(), headers={"Content-Type": ""}, method="PUT"
    )
    with urllib.request.urlopen(request, timeout=30):  # noqa: S310
        pass
