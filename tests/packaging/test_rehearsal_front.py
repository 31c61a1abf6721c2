"""The rehearsal's data plane, piece by piece: signatures, tokens, throttles, routes, variants."""

import io
import json
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightship.gateway import HttpRequest
from lightship.lambda_host import Function, Worker, unpack
from lightship.rehearsal.aws import RunCredentials
from lightship.rehearsal.emulator.item_batcher import batches, split_definition
from lightship.rehearsal.front.integration import _admits, function_arn
from lightship.rehearsal.front.routes import best
from lightship.rehearsal.front.signatures import is_signed, sign
from lightship.rehearsal.front.throttle import TokenBucket
from lightship.rehearsal.front.tokens import LocalIssuer
from lightship.rehearsal.variants import as_good, differing
from lightship_runtime.errors import LightshipError
from lightship_runtime.manifest import MANIFEST, Artifact, Engines, Release, Target, file_digest

KEYS = RunCredentials("AKIAREHEARSAL0000000", "secret")
REGION = "eu-central-1"
URL = "http://127.0.0.1:8080/predict"


def signed(method: str = "POST", url: str = URL, body: bytes = b"{}", keys: RunCredentials = KEYS) -> HttpRequest:
    headers = sign(method, url, body, keys, REGION, {"content-type": "application/json"})
    path, _, query = url.removeprefix("http://127.0.0.1:8080").partition("?")
    return HttpRequest(method, path, query, (("Host", "127.0.0.1:8080"), *headers.items()), body, scheme="http")


def test_a_signed_request_is_recognised() -> None:
    assert is_signed(signed(), KEYS, REGION)
    assert is_signed(signed("GET", f"{URL}?b=2&a=x%20y&a=1", b""), KEYS, REGION)


@pytest.mark.parametrize(
    "change",
    [
        {"body": b'{"instances": []}'},
        {"path": "/feedback"},
        {"method": "PUT"},
        {"query": "a=1"},
        {"headers": ()},
        {"headers": (("Host", "127.0.0.1:8080"), ("Authorization", "AWS4-HMAC-SHA256 nonsense"))},
    ],
)
def test_a_changed_request_is_refused(change: dict[str, Any]) -> None:
    assert not is_signed(replace(signed(), **change), KEYS, REGION)


def test_other_keys_regions_and_times_are_refused() -> None:
    stranger = RunCredentials("AKIASTRANGER00000000", "secret")
    forger = RunCredentials(KEYS.access_key_id, "guessed")
    assert not is_signed(signed(keys=stranger), KEYS, REGION)
    assert not is_signed(signed(keys=forger), KEYS, REGION)
    assert not is_signed(signed(), KEYS, "us-east-1")
    assert not is_signed(signed(), KEYS, REGION, now=datetime.now(UTC) + timedelta(minutes=6))


def test_tokens_are_checked_as_an_http_api_checks_them() -> None:
    issuer = LocalIssuer("https://login.example.com/")
    good = issuer.token("models", scopes=["predict"])
    claims = issuer.claims(good, ["models", "others"])
    assert claims is not None
    assert claims["sub"] == "rehearsal"
    assert issuer.claims(good, ["models"], ["predict"]) is not None
    assert issuer.claims(good, ["models"], ["administer"]) is None
    assert issuer.claims(good, ["others"]) is None
    assert issuer.claims(issuer.token("models", lifetime_s=-1), ["models"]) is None
    assert issuer.claims(issuer.token("models", iss="https://evil.example/"), ["models"]) is None
    assert issuer.claims(LocalIssuer(issuer.issuer).token("models"), ["models"]) is None
    assert issuer.claims("not.a.token", ["models"]) is None
    assert issuer.claims("", ["models"]) is None


def test_a_bucket_lets_the_burst_pass_and_then_the_rate() -> None:
    now = [0.0]
    bucket = TokenBucket(rate=2, burst=3, clock=lambda: now[0])
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    now[0] = 0.5
    assert [bucket.take() for _ in range(2)] == [True, False]
    now[0] = 100.0
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]


@pytest.mark.parametrize(
    ("path", "template", "parameters"),
    [
        ("/predict", "/predict", {}),
        ("/v2/models/flights/infer", "/v2/models/{name}/infer", {"name": "flights"}),
        ("/v2/models/a%2Fb/infer", "/v2/models/{name}/infer", {"name": "a/b"}),
        ("/else/where", "/{proxy+}", {"proxy": "else/where"}),
        ("/v2/models/flights", "/{proxy+}", {"proxy": "v2/models/flights"}),
    ],
)
def test_the_closest_route_wins(path: str, template: str, parameters: dict[str, str]) -> None:
    found = best(["/{proxy+}", "/v2/models/{name}/infer", "/predict", "/"], path)
    assert found is not None
    assert (found.template, found.parameters) == (template, parameters)


def test_no_route_fits() -> None:
    assert best(["/predict", "/v2/{name}"], "/feedback") is None
    assert best(["/predict"], "/") is None


def test_a_function_admits_the_apis_its_policy_names() -> None:
    arn = "arn:aws:lambda:us-east-1:1:function:f:live"
    statement = {
        "Effect": "Allow",
        "Action": "lambda:InvokeFunction",
        "Principal": {"Service": "apigateway.amazonaws.com"},
        "Resource": arn,
        "Condition": {"ArnLike": {"AWS:SourceArn": "arn:aws:execute-api:us-east-1:1:api/*/*/predict"}},
    }
    assert _admits(statement, arn, "arn:aws:execute-api:us-east-1:1:api/$default/POST/predict")
    assert not _admits(statement, arn, "arn:aws:execute-api:us-east-1:1:other/$default/POST/predict")
    assert not _admits(statement, f"{arn}2", "arn:aws:execute-api:us-east-1:1:api/$default/POST/predict")
    assert not _admits({**statement, "Effect": "Deny"}, arn, "arn:aws:execute-api:us-east-1:1:api/x/POST/predict")
    assert function_arn(f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations") == arn
    assert function_arn(arn) == arn


@settings(derandomize=True, max_examples=40)
@given(st.lists(st.integers(), max_size=30), st.integers(1, 7))
def test_batches_hold_every_item_once(items: list[int], size: int) -> None:
    made = batches(items, {"MaxItemsPerBatch": size, "BatchInput": {"run": "r"}})
    assert [item for batch in made for item in batch["Items"]] == items
    assert all(0 < len(batch["Items"]) <= size and batch["BatchInput"] == {"run": "r"} for batch in made)


def test_batchers_are_found_at_every_depth() -> None:
    inner = {"Type": "Map", "ItemReader": {}, "ItemBatcher": {"MaxItemsPerBatch": 2}, "ItemProcessor": {"States": {}}}
    outer = {"Type": "Map", "ToleratedFailurePercentage": 5, "ItemProcessor": {"States": {"Inner": inner}}}
    plain, found = split_definition(json.dumps({"States": {"Outer": outer}}))
    assert found == {"Inner": {"MaxItemsPerBatch": 2}}
    assert "ItemBatcher" not in plain
    assert json.loads(plain)["States"]["Outer"]["ToleratedFailurePercentage"] == 5.0
    with pytest.raises(LightshipError, match="MaxInputBytesPerBatch"):
        split_definition(json.dumps({"States": {"S": {**inner, "ItemBatcher": {"MaxInputBytesPerBatch": 1}}}}))


HANDLER = """
def handler(event, context):
    rows = event["lightship"]["replay"]
    return {"predictions": ["late" for _ in rows], "probabilities": [{"late": 0.75, "on time": 0.25} for _ in rows]}
"""


@pytest.fixture
def release(tmp_path: Path) -> Path:
    folder = tmp_path / "release"
    folder.mkdir()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("app.py")
        info.external_attr = 0o644 << 16
        archive.writestr(info, HANDLER)
    (folder / "realtime.zip").write_bytes(buffer.getvalue())
    digest = file_digest(folder / "realtime.zip")
    made = Release(
        name="flights",
        version="0123456789abcdef",
        lightship="0.1.0",
        target=Target("3.13", "x86_64", "2_34"),
        engine=Engines("pure", "pure"),
        artifacts={"realtime": Artifact("realtime.zip", "app.handler", digest, len(buffer.getvalue()), 1)},
        files={"realtime.zip": digest},
        proof=None,
    )
    (folder / MANIFEST).write_bytes(made.to_json())
    return folder


def answer(folder: Path, tmp_path: Path) -> dict[str, Any]:
    artifact = Release.read(folder).artifacts["realtime"]
    root = unpack(folder / artifact.file, tmp_path / f"task-{folder.name}")
    with Worker.start(Function(root, artifact.handler)) as worker:
        result = worker.invoke(b'{"lightship": {"replay": [1, 2]}}')
    assert not result.error
    found: dict[str, Any] = json.loads(result.payload)
    return found


def test_variants_are_whole_releases_that_predict_as_promised(release: Path, tmp_path: Path) -> None:
    good = as_good(release, tmp_path / "good")
    bad = differing(release, tmp_path / "bad", ("late", "on time"))
    versions = {Release.read(folder).version for folder in (release, good, bad)}
    assert len(versions) == 3
    before = answer(release, tmp_path)
    assert answer(good, tmp_path) == before
    after = answer(bad, tmp_path)
    assert after["predictions"] == ["on time", "late"]
    assert after["probabilities"] == [{"late": 0.25, "on time": 0.75}, before["probabilities"][1]]
