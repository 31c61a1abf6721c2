"""The gate before traffic: what it accepts, what it refuses and why, and that its callers always get an answer."""

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from lightship_runtime import hook
from lightship_runtime.contract import Column, Contract, Output
from lightship_runtime.golden import Golden
from lightship_runtime.hook import Limits, RefusedError, invoke_version, judge
from lightship_runtime.replay import MAX_ROWS, chunks, replay

CONTRACT = Contract(
    columns=(Column("distance", "number", "float64"), Column("carrier", "text", "object", nullable=True)),
    output=Output("binary", classes=(False, True), probabilities=True),
)
GOLDEN = Golden(
    rows=((100.0, "AA"), (2475.0, None), (733.0, "AA")),
    predictions=(1, 0, 1),
    probabilities=((0.25, 0.75), (0.875, 0.125), (0.375, 0.625)),
    scores=None,
    sampled=3,
)
LIMITS = Limits(version="arn:aws:lambda:eu-central-1:123456789012:function:f:7", tolerance=1e-6, latency_ms=100.0)
TRUTH = {100.0: 0.75, 2475.0: 0.125, 733.0: 0.625}


def answer(rows: Sequence[Mapping[str, Any]], off: float = 0.0) -> dict[str, Any]:
    """What the real function answers: labels and probabilities, `off` from the model's."""
    scores = [TRUTH[row["distance"]] + off for row in rows]
    return {
        "predictions": [score > 0.5 for score in scores],
        "probabilities": [{"false": 1 - score, "true": score} for score in scores],
    }


class Clock:
    """Every reading is `step` seconds after the last."""

    def __init__(self, step: float) -> None:
        self.now, self.step = 0.0, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def test_a_version_that_predicts_what_the_model_predicts_is_accepted() -> None:
    agreement = judge(answer, GOLDEN, CONTRACT, LIMITS, Clock(0.05))
    assert (agreement.rows, agreement.label_flips, agreement.max_abs_diff) == (3, 0, 0.0)


def test_a_version_whose_predictions_differ_is_refused_with_the_row() -> None:
    with pytest.raises(
        RefusedError, match=r"0 label flips and 3 values .* The worst is row \d: the model gives"
    ) as caught:
        judge(lambda rows: answer(rows, off=1e-3), GOLDEN, CONTRACT, LIMITS, Clock(0.001))
    assert "2475" not in str(caught.value), "the row's own values may be personal data"


def test_a_flipped_label_is_refused() -> None:
    with pytest.raises(RefusedError, match="2 label flips"):
        judge(lambda rows: answer(rows, off=-0.3), GOLDEN, CONTRACT, LIMITS, Clock(0.001))


def test_a_slow_version_is_refused() -> None:
    with pytest.raises(RefusedError, match="took 250 ms, over 100 ms"):
        judge(answer, GOLDEN, CONTRACT, LIMITS, Clock(0.25))


def test_the_limits_come_from_the_environment() -> None:
    environment = {"LIGHTSHIP_VERSION": LIMITS.version, "LIGHTSHIP_TOLERANCE": "1e-06", "LIGHTSHIP_LATENCY_MS": "100.0"}
    assert Limits.from_environment(environment) == LIMITS


def test_rows_travel_in_pieces() -> None:
    many = replace(
        GOLDEN,
        rows=((100.0, "AA"),) * 1201,
        predictions=(1,) * 1201,
        probabilities=((0.25, 0.75),) * 1201,
    )
    sizes: list[int] = []

    def ask(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        sizes.append(len(rows))
        return answer(rows)

    assert replay(many, CONTRACT, ask).predictions == many.predictions
    assert sizes == [MAX_ROWS, MAX_ROWS, 201]
    assert [len(each) for each in chunks([{"text": "x" * 600_000}] * 3)] == [1, 1, 1]


class ClientError(Exception):
    """As botocore's: the code is in the response."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.response = {"Error": {"Code": code}}


class FakeLambda:
    """Refuses the first `denials` calls, then answers as the function would, or fails as it would."""

    class exceptions:  # noqa: N801 (the client's own attribute)
        ClientError = ClientError

    def __init__(self, *, denials: int = 0, failure: dict[str, Any] | None = None, off: float = 0.0) -> None:
        self.denials, self.failure, self.off = denials, failure, off
        self.invoked: list[str] = []

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:
        self.invoked.append(FunctionName)
        if self.denials:
            self.denials -= 1
            raise ClientError("AccessDeniedException")
        if self.failure is not None:
            return {"Payload": io.BytesIO(json.dumps(self.failure).encode()), "FunctionError": "Unhandled"}
        rows = json.loads(Payload)["lightship"]["replay"]
        return {"Payload": io.BytesIO(json.dumps(answer(rows, self.off)).encode())}


class FakeCodeDeploy:
    def __init__(self) -> None:
        self.reported: list[dict[str, str]] = []

    def put_lifecycle_event_hook_execution_status(self, **status: str) -> None:
        self.reported.append(status)


def test_a_version_that_fails_is_refused_with_its_own_words() -> None:
    client = FakeLambda(failure={"errorType": "ImportError", "errorMessage": "no numpy"})
    with pytest.raises(RefusedError, match=r"fails on golden rows: .*no numpy"):
        invoke_version(client, LIMITS.version, [{"distance": 100.0}])


def test_a_permission_that_isnt_in_force_yet_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    client = FakeLambda(denials=2)
    assert "predictions" in invoke_version(client, LIMITS.version, [{"distance": 100.0}])
    assert client.invoked == [LIMITS.version] * 3


@pytest.fixture
def deployed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[FakeLambda], FakeCodeDeploy]:
    """The handler in its own folder, with clients that answer as AWS does."""
    (tmp_path / "contract.json").write_bytes(CONTRACT.to_json())
    (tmp_path / "golden.json.gz").write_bytes(GOLDEN.to_bytes())
    monkeypatch.setattr(hook, "FOLDER", tmp_path)
    limits = {"VERSION": LIMITS.version, "TOLERANCE": "1e-6", "LATENCY_MS": "5000"}
    for name, value in {**limits, "SERVICE": "flights", "STAGE": "prod"}.items():
        monkeypatch.setenv(f"LIGHTSHIP_{name}", value)

    def use(functions: FakeLambda) -> FakeCodeDeploy:
        codedeploy = FakeCodeDeploy()
        clients = {"lambda": functions, "codedeploy": codedeploy}
        monkeypatch.setattr(hook, "_client", clients.__getitem__)
        return codedeploy

    return use


@pytest.mark.parametrize(("off", "status"), [(0.0, "Succeeded"), (0.01, "Failed")])
def test_codedeploy_gets_the_verdict(
    deployed: Callable[[FakeLambda], FakeCodeDeploy], capsys: pytest.CaptureFixture[str], off: float, status: str
) -> None:
    codedeploy = deployed(FakeLambda(off=off))
    hook.handler({"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "e-1"}, None)
    assert codedeploy.reported == [{"deploymentId": "d-1", "lifecycleEventHookExecutionId": "e-1", "status": status}]
    said = json.loads(capsys.readouterr().out)
    assert said["verdict"] == ("accepted" if status == "Succeeded" else "refused")
    assert ("HookRefused" in said) == (status == "Failed")


def test_a_refusal_is_counted_by_service_and_stage(
    deployed: Callable[[FakeLambda], FakeCodeDeploy], capsys: pytest.CaptureFixture[str]
) -> None:
    deployed(FakeLambda(off=0.01))
    hook.handler({"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "e-1"}, None)
    said = json.loads(capsys.readouterr().out)
    (directive,) = said["_aws"]["CloudWatchMetrics"]
    assert directive["Metrics"] == [{"Name": "HookRefused", "Unit": "Count"}]
    assert [[said[name] for name in names] for names in directive["Dimensions"]] == [["flights", "prod"]]
    assert "label flips" in said["reason"]


@pytest.fixture
def bucket() -> Iterator[tuple[str, list[tuple[str, dict[str, Any]]]]]:
    """The place that CloudFormation names for the answer, on loopback."""
    answers: list[tuple[str, dict[str, Any]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answers.append((self.headers["Content-Type"], json.loads(body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Not into the test's output."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/answer", answers
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("request_type", "client", "status", "invoked"),
    [
        ("Create", FakeLambda(), "SUCCESS", True),
        ("Create", FakeLambda(off=0.01), "FAILED", True),
        ("Update", FakeLambda(off=0.01), "SUCCESS", False),
        ("Delete", FakeLambda(off=0.01), "SUCCESS", False),
    ],
)
def test_cloudformation_gets_its_answer(
    deployed: Callable[[FakeLambda], FakeCodeDeploy],
    bucket: tuple[str, list[tuple[str, dict[str, Any]]]],
    request_type: str,
    client: FakeLambda,
    status: str,
    invoked: bool,
) -> None:
    codedeploy = deployed(client)
    address, answers = bucket
    names = {"StackId": "s", "RequestId": "r", "LogicalResourceId": "FirstDeployment"}
    hook.handler({"RequestType": request_type, "ResponseURL": address, **names}, None)
    ((content_type, said),) = answers
    assert content_type == ""
    assert said["Status"] == status
    assert {key: said[key] for key in names} == names
    assert said["PhysicalResourceId"]
    assert ("The worst is row" in said["Reason"]) is (status == "FAILED")
    assert bool(client.invoked) is invoked
    assert codedeploy.reported == []
