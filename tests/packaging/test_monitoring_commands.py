"""`lightship feedback`, `monitor` and `report`, from the command line over a store on this machine."""

import gzip
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pandas as pd
import pytest
from click.testing import CliRunner

from lightship.cli.main import cli
from lightship.gateway.messages import HttpRequest, HttpResponse
from lightship.loopback import LoopbackServer
from lightship.monitoring import make_baseline
from lightship.monitoring.errors import MonitoringError
from lightship.monitoring.late_labels import BATCH, Delivered, batches, checked, deliver, read_labels
from lightship.monitoring.samples import START, fill_store
from lightship.operate.aws import Aws
from lightship.operate.calling import Answer, CallError, headers_of, send
from lightship.operate.stacks import DeployedStack
from lightship.rehearsal.aws import RunCredentials
from lightship.rehearsal.front.signatures import is_signed
from lightship_runtime.batch.stores import LocalStore
from lightship_runtime.events import Request
from lightship_runtime.feedback import answer
from lightship_runtime.identifiers import prediction_ids
from lightship_runtime.labels import MAX_HOURS
from lightship_runtime.monitor.places import baseline_name

HOUR = 3600
NOW = START + 50 * HOUR
CREDENTIALS = RunCredentials("AKIAIOSFODNN7EXAMPLE", "not-a-secret")
STACK = DeployedStack("arn", "planes", "CREATE_COMPLETE", "", datetime(2026, 1, 1, tzinfo=UTC), {}, {}, ())


def ids(count: int, every_s: float = 1.0) -> list[str]:
    return [prediction_ids(1, int((START + place * every_s) * 1000))[0] for place in range(count)]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store of two hours of 600 predictions, and the baseline they were drawn from."""
    frame = pd.DataFrame({"x": [place * 7 % 100 / 7 for place in range(2_000)]})
    frame["p"] = [place * 13 % 1_000 / 1_000 for place in range(2_000)]
    frame["predicted"] = (frame["p"] > 0.5).astype(int)
    frame["late"] = [(place * 31 % 1_000) < 1_000 * chance for place, chance in enumerate(frame["p"])]
    baseline = make_baseline(frame, prediction="predicted", score="p", label="late")
    kept = LocalStore(tmp_path / "store")
    kept.write(baseline_name("v1"), baseline.to_json())
    fill_store(kept, baseline, "v1", labelled=300)
    return tmp_path / "store"


def run(*arguments: Any) -> str:
    result = CliRunner().invoke(cli, [str(each) for each in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_from_telemetry_and_labels_to_the_page(store: Path, tmp_path: Path) -> None:
    told = json.loads(run("monitor", store, "--until", "2026-01-01T02:00", "--json"))
    assert (told["version"], told["rows"], len(told["windows"])) == ("v1", 1_200, 2)
    lines = (store / "telemetry/2026/01/01/00/sample.jsonl").read_text().splitlines()
    known = [record["i"] for line in lines for record in json.loads(line)["predictions"]]
    labels = tmp_path / "labels.csv"
    frame = pd.DataFrame({"id": [*known, "nonsense"], "actual": [1] * 600 + [0]})
    frame.loc[5, "actual"] = None
    frame.to_csv(labels, index=False)
    assert "599 labels taken, 1 refused." in run("feedback", labels, "--store", store)
    text = run("monitor", store, "--until", START + 3 * HOUR)
    assert "1 windows written, up to 2026-01-01 03:00 UTC" in text
    assert "drift      no breach" in text
    document = json.loads(next((store / "results/v1").glob(f"{START}-*.json")).read_text())
    assert document["labels"]["rows"] == 599 + 1
    out = tmp_path / "report.html"
    told = json.loads(run("report", store, "--out", out, "--json"))
    assert (told["windows"], told["version"], told["bytes"]) == (2, "v1", out.stat().st_size)
    page = out.read_text()
    assert "Time of a request" in page
    assert "Outcomes known" in page


def test_single_predictions_are_forgotten(store: Path) -> None:
    telemetry = store / "telemetry/2026/01/01/00/sample.jsonl"
    packed = telemetry.with_suffix(".gz")
    packed.write_bytes(gzip.compress(telemetry.read_bytes() + b"half a line"))
    telemetry.unlink()
    run("monitor", store, "--until", START + 2 * HOUR)
    known = [
        record["i"]
        for line in gzip.decompress(packed.read_bytes()).splitlines()[:-1]
        for record in json.loads(line)["predictions"]
    ]
    told = json.loads(run("forget", known[3], known[599], "--store", store, "--json"))
    assert told == {"predictions": 2, "labels": 1, "files": 2}
    left = b"".join(path.read_bytes() for path in (store / "labels").rglob("*.jsonl"))
    left += gzip.decompress(packed.read_bytes())
    assert known[3].encode() not in left
    assert known[4].encode() in left
    run("monitor", store, "--until", START + 2 * HOUR)
    document = json.loads(next((store / "results/v1").glob(f"{START}-*.json")).read_text())
    assert (document["rows"], document["labels"]["rows"]) == (598, 299)
    with pytest.raises(MonitoringError, match="is no prediction's id"):
        run("forget", "me", "--store", store)


def test_a_store_without_anything_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    assert "No window has closed yet" in run("monitor", tmp_path / "store")
    with pytest.raises(MonitoringError, match="lightship monitor STORE"):
        run("report", tmp_path / "store")
    with pytest.raises(MonitoringError, match="There is no folder"):
        run("monitor", tmp_path / "elsewhere")


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_labels_come_from_any_kind_of_file(tmp_path: Path, suffix: str) -> None:
    frame = pd.DataFrame({"id": ids(3), "actual": [1, None, 0], "time": pd.to_datetime(["2026-01-02"] * 3)})
    path = tmp_path / f"labels{suffix}"
    if suffix == ".csv":
        frame.to_csv(path, index=False)
    elif suffix == ".jsonl":
        frame.to_json(path, orient="records", lines=True, date_format="iso")
    else:
        frame.to_parquet(path)
    delivered = Delivered()
    labels = checked(read_labels(path), delivered, NOW)
    assert delivered.refused == 0
    assert [(each.actual, each.time) for each in labels] == [(1, START + 24 * HOUR), (0, START + 24 * HOUR)]


def test_a_file_without_ids_is_named(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("key,actual\n1,2\n")
    with pytest.raises(MonitoringError, match="no column 'id'; it has key, actual"):
        read_labels(tmp_path / "labels.csv")


def test_requests_hold_what_the_endpoint_takes() -> None:
    labels = checked([{"id": each, "actual": 1} for each in ids(12_000, 0.1)], Delivered(), NOW)
    assert [len(batch) for batch in batches(labels)] == [BATCH, BATCH, 2_000]
    spread = checked([{"id": each, "actual": 1} for each in ids(450, HOUR / 10)], Delivered(), NOW)
    assert [len(batch) for batch in batches(spread)] == [450]
    wide = checked([{"id": each, "actual": 1} for each in ids(450, HOUR)], Delivered(), START + 900 * HOUR)
    assert [len(batch) for batch in batches(wide)] == [MAX_HOURS, MAX_HOURS, 50]


class Endpoint:
    """Answers in turn; then takes everything."""

    def __init__(self, *answers: int | None) -> None:
        self._answers = list(answers)
        self.bodies: list[bytes] = []

    def __call__(self, body: bytes) -> Answer:
        self.bodies.append(body)
        status = self._answers.pop(0) if self._answers else 200
        if status is None:
            raise CallError("nobody is there")
        count = len(json.loads(body)["labels"])
        return Answer(status, json.dumps({"accepted": count, "refused": 0}).encode())


def test_what_could_not_be_stored_is_sent_again(tmp_path: Path) -> None:
    labels = checked([{"id": each, "actual": 1} for each in ids(10)], Delivered(), NOW)
    endpoint, delivered, waited = Endpoint(500, None, 429), Delivered(), list[float]()
    deliver(labels, endpoint, delivered, _silent, waited.append)
    assert (delivered.accepted, len(waited), len(set(endpoint.bodies))) == (10, 3, 1)


@pytest.mark.parametrize(("answers", "tries"), [([403], 1), ([503] * 9, 5)])
def test_an_endpoint_that_refuses_or_keeps_failing_is_told(answers: Sequence[int], tries: int) -> None:
    labels = checked([{"id": each, "actual": 1} for each in ids(2)], Delivered(), NOW)
    endpoint = Endpoint(*answers)
    with pytest.raises(CallError, match=f"answered {answers[0]}"):
        deliver(labels, endpoint, Delivered(), _silent, _silent)
    assert len(endpoint.bodies) == tries


def test_labels_travel_signed_to_the_very_function(tmp_path: Path) -> None:
    """The command's requests, through HTTP, into what answers POST /feedback."""
    stored: dict[str, bytes] = {}
    signed: list[bool] = []

    def endpoint(request: HttpRequest) -> HttpResponse:
        signed.append(is_signed(request, CREDENTIALS, "eu-central-1"))
        event = {"body": request.body.decode()}
        found = answer(Request(request.method, request.path, "", {}, event), NOW, stored.__setitem__)
        return HttpResponse(found.status, (), json.dumps(found.document).encode())

    aws = Aws(boto3.session.Session(CREDENTIALS.access_key_id, CREDENTIALS.secret_access_key, None, "eu-central-1"))
    labels = checked([{"id": each, "actual": "late"} for each in ids(7_000)], Delivered(), NOW)
    delivered = Delivered()
    with LoopbackServer(endpoint) as server:

        def send_signed(body: bytes) -> Answer:
            request = ("POST", f"{server.url}/feedback", body)
            return send(request, headers_of("iam", aws, STACK, request, key=None, token=None))

        deliver(labels, send_signed, delivered, _silent)
    assert (delivered.accepted, delivered.refused, signed) == (7_000, 0, [True, True])
    assert sum(data.count(b"\n") for data in stored.values()) == 7_000


def _silent(_said: object) -> None:
    pass
