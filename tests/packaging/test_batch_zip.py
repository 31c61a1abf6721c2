"""A release's own batch.zip: proven again, listed in the bill, killed by its timeout, and run against S3."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pandas as pd
import pytest
from moto.server import ThreadedMotoServer

from lightship.lambda_host import Credentials, Function, Worker, unpack
from lightship.reproving import prove_release
from lightship_runtime.batch.records import Settings
from lightship_runtime.golden import read_golden
from lightship_runtime.manifest import GOLDEN, Release

pytestmark = pytest.mark.slow
KEYS = Credentials("test", "test", "test")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def s3(endpoint: str) -> Any:
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=KEYS.access_key_id,
        aws_secret_access_key=KEYS.secret_access_key,
    )
    client.create_bucket(Bucket="data")
    return client


def test_a_release_is_proven_again_with_its_batch_zip(signs: Any) -> None:
    said: list[str] = []
    proof = prove_release(signs.release, said.append)
    assert proof["batch"]["rows"] == len(read_golden(signs.release / GOLDEN).rows) == proof["rows"]
    assert (proof["batch"]["label_flips"], proof["label_flips"]) == (0, 0)
    assert "replaying the golden rows through batch.zip" in said


def test_a_call_killed_by_its_timeout_and_made_again_writes_what_an_undisturbed_one_does(
    signs: Any, s3: Any, endpoint: str, tmp_path: Path
) -> None:
    draw = np.random.default_rng(8)
    rows = pd.DataFrame({"id": np.arange(400_000), "a": draw.normal(size=400_000), "b": draw.normal(size=400_000)})
    buffer = io.BytesIO()
    rows.to_csv(buffer, index=False)
    s3.put_object(Bucket="data", Key="in/a.csv", Body=buffer.getvalue())
    root = unpack(signs.release / "batch.zip", tmp_path / "task")

    def function(timeout_s: float) -> Function:
        artifact = Release.read(signs.release).artifacts["batch"]
        extra = {"AWS_ENDPOINT_URL": endpoint, "AWS_EC2_METADATA_DISABLED": "true"}
        return Function(
            root, artifact.handler, name="batch", timeout_s=timeout_s, credentials=KEYS, sdk=True, extra=extra
        )

    def run(sink: str, call: Callable[[dict[str, Any]], Any]) -> None:
        settings = Settings(key=("id",), format="csv").to_dict()
        shared = {"source": "s3://data/in/", "sink": f"s3://data/{sink}/", "settings": settings}
        begun = call({"step": "begin", "time": "2026-11-23T03:00:00Z", **shared})
        cut = call({"step": "cut", "run": begun["run"], **shared})
        for work in json.loads(s3.get_object(Bucket=cut["bucket"], Key=cut["key"])["Body"].read()):
            event = {"step": "score", "work": work, **shared}
            if sink == "disturbed":
                with Worker.start(function(0.3)) as hasty:
                    killed = hasty.invoke(json.dumps(event).encode())
                assert "Task timed out after 0.30 seconds" in killed.payload.decode()
                assert "Contents" not in s3.list_objects_v2(Bucket="data", Prefix="disturbed/run=")
            other = worker.invoke(json.dumps({**event, "work": {**work, "version": "0123456789abcdef"}}).encode())
            assert "was planned for the release 0123456789abcdef" in other.payload.decode()
            call(event)
        call({"step": "commit", "run": begun["run"], **shared})

    with Worker.start(function(60)) as worker:

        def call(event: dict[str, Any]) -> Any:
            invocation = worker.invoke(json.dumps(event).encode())
            assert not invocation.error, invocation.payload
            return json.loads(invocation.payload)

        run("calm", call)
        run("disturbed", call)
    assert published(s3, "disturbed") == published(s3, "calm")


def published(s3: Any, prefix: str) -> dict[str, bytes]:
    found = s3.list_objects_v2(Bucket="data", Prefix=f"{prefix}/run=")["Contents"]
    read = {each["Key"]: s3.get_object(Bucket="data", Key=each["Key"])["Body"].read() for each in found}
    assert any(name.endswith("/_SUCCESS") for name in read)
    return {name.removeprefix(prefix): data for name, data in read.items()}


def test_the_command_scores_a_prefix_of_s3(signs: Any, s3: Any, endpoint: str) -> None:
    for number in range(3):
        part = signs.rows[number * 300 : (number + 1) * 300].to_csv(index=False).encode()
        s3.put_object(Bucket="data", Key=f"cli/{number}.csv", Body=part)
    environment = {
        **os.environ, "AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }  # fmt: skip
    command = [
        str(Path(sys.executable).with_name("lightship")), "batch", "run", "s3://data/cli/", "s3://data/scored/",
        "--release", str(signs.release), "--key", "id", "--monitoring", "s3://data/monitoring/", "--json",
    ]  # fmt: skip
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert (outcome["rows_in"], outcome["rows_scored"]) == (900, 900)
    frames = []
    for part in outcome["parts"]:
        key = part.removeprefix("s3://data/")
        frames.append(pd.read_parquet(io.BytesIO(s3.get_object(Bucket="data", Key=key)["Body"].read())))
    scored = pd.concat(frames).set_index("id").loc[signs.rows["id"]]
    chances = signs.model.predict_proba(signs.rows[["a", "b"]])[:, 1]
    assert np.allclose(scored["probability_true"], chances, rtol=0, atol=1e-12)
    (counts,) = s3.list_objects_v2(Bucket="data", Prefix="monitoring/counts/")["Contents"]
    assert json.loads(s3.get_object(Bucket="data", Key=counts["Key"])["Body"].read())["profile"]["rows"] == 900
