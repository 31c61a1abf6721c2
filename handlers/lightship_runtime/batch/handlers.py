"""What Lambda calls: one step of a run, told by the event's `step`.

Events and answers stay small whatever the run's size: lists lie in S3, and events name them. `source` and `sink` are
addresses `s3://bucket/prefix/`.
"""

import os
import time
from functools import cache
from pathlib import Path
from typing import Any

from lightship_runtime.batch import probing
from lightship_runtime.batch.account import Account
from lightship_runtime.batch.ahead import WORKERS
from lightship_runtime.batch.committing import commit
from lightship_runtime.batch.counting import Counter, Monitoring
from lightship_runtime.batch.errors import BatchError
from lightship_runtime.batch.metrics import success_line
from lightship_runtime.batch.planning import Request, begin, cut, scan
from lightship_runtime.batch.records import Chunk, Settings
from lightship_runtime.batch.s3 import S3Store
from lightship_runtime.batch.score import Model
from lightship_runtime.batch.stores import Store
from lightship_runtime.batch.work import score_item
from lightship_runtime.contract import Contract
from lightship_runtime.loader import CONTRACT, open_engine, read_model_document
from lightship_runtime.telemetry import Source

MONITORING = "LIGHTSHIP_MONITORING"
DEFAULT_MEMORY_MB = 2048
STEPS = ("begin", "scan", "cut", "score", "commit", "prove", "probe")

MODEL_FOLDER = Path(__file__).resolve().parent.parent.parent / "model"


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Do one step. Errors are raised, so that the state machine sees and names them."""
    match event["step"]:
        case "begin":
            return _begin(event)
        case "scan":
            piece = event["piece"]
            scan(piece, Settings.from_dict(event["settings"]), event["run"], *_stores(event))
            return {}
        case "cut":
            plan = cut(event["run"], *_stores(event))
            bucket, key = _place_of(event["sink"], plan.items)
            return {"items": plan.item_count, "bucket": bucket, "key": key}
        case "score":
            return _score(event)
        case "commit":
            return _commit(event)
        case "prove":
            return probing.prove(event["rows"], _model())
        case "probe":
            return probing.probe(event["rows"], _model())
        case step:
            raise BatchError(f"The step {step!r} isn't known; known are {', '.join(STEPS)}.")


def _begin(event: dict[str, Any]) -> dict[str, Any]:
    document = read_model_document(MODEL_FOLDER)
    request = Request(
        run=run_id(event["time"]),
        settings=Settings.from_dict(event["settings"]),
        version=document["version"],
        model=document["name"],
        only_new=True,
        format=event.get("format"),
    )
    begun = begin(request, *_stores(event), _monitoring())
    bucket, key = _place_of(event["sink"], begun.ranges)
    return {"run": begun.run, "done": begun.done, "scans": begun.scans, "bucket": bucket, "key": key}


def run_id(scheduled: str) -> str:
    """A schedule's time as a name: 2026-11-23T03:00:00Z gives 2026-11-23T03-00-00Z."""
    safe = "".join(each if each.isascii() and (each.isalnum() or each in "-_.") else "-" for each in scheduled)
    if not safe.strip("-."):
        raise BatchError(f"The run's time is {scheduled!r}. Give a time, or a name of letters and digits.")
    return safe


def _score(event: dict[str, Any]) -> dict[str, Any]:
    work, model = event["work"], _model()
    if work["version"] != model.version:
        raise BatchError(
            f"The run {work['run']} was planned for the release {work['version']}, and {model.version} was deployed "
            "since. Its objects are the next run's: start one, or await the schedule."
        )
    chunks = [Chunk.from_dict(each) for each in work["chunks"]]
    source, sink = _stores(event)
    results = score_item(work["run"], work["item"], chunks, Settings.from_dict(event["settings"]), model, source, sink)
    return {"item": work["item"], "rows": sum(each.rows_in for each in results)}


def _commit(event: dict[str, Any]) -> dict[str, Any]:
    sink = _stores(event)[1]
    manifest = commit(event["run"], sink, _monitoring())
    account = Account.read(event["run"], sink)
    memory_mb = int(os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", DEFAULT_MEMORY_MB))
    line = success_line(_speaker(), time.time_ns() // 1_000_000, manifest, account, memory_mb=memory_mb)
    print(line, flush=True)  # noqa: T201 - stdout is how telemetry leaves a function
    return {name: manifest[name] for name in ("run", "rows_in", "rows_scored", "rows_rejected")}


@cache
def _model() -> Model:
    document = read_model_document(MODEL_FOLDER)
    contract = Contract.from_json((MODEL_FOLDER / CONTRACT).read_bytes())
    counter = Counter.open(MODEL_FOLDER, contract) if MONITORING in os.environ else None
    engine = open_engine(MODEL_FOLDER, contract, document["engine"], document)
    return Model(contract, engine, document["version"], counter)


@cache
def _monitoring() -> Monitoring | None:
    """Where the environment names a monitoring store, and the release has bins."""
    if MONITORING not in os.environ:
        return None
    contract = Contract.from_json((MODEL_FOLDER / CONTRACT).read_bytes())
    counter = Counter.open(MODEL_FOLDER, contract)
    if counter is None:
        return None
    store = S3Store(_client(), *_address(os.environ[MONITORING]))
    return Monitoring(store, counter, read_model_document(MODEL_FOLDER)["version"])


def _speaker() -> Source:
    document = read_model_document(MODEL_FOLDER)
    return Source(document["name"], os.environ.get("LIGHTSHIP_STAGE", "local"), document["version"])


def _stores(event: dict[str, Any]) -> tuple[Store, Store]:
    client = _client()
    return S3Store(client, *_address(event["source"])), S3Store(client, *_address(event["sink"]))


def _place_of(address: str, name: str) -> tuple[str, str]:
    bucket, prefix = _address(address)
    return bucket, prefix + name


def _address(text: str) -> tuple[str, str]:
    bucket, _, prefix = text.removeprefix("s3://").partition("/")
    if not text.startswith("s3://") or not bucket or (prefix and not prefix.endswith("/")):
        raise BatchError(f"{text!r} isn't a prefix in S3. Write s3://bucket/prefix/.")
    return bucket, prefix


@cache
def _client() -> Any:
    import boto3
    from botocore.config import Config

    retries: Any = {"mode": "standard", "total_max_attempts": 2}
    return boto3.client("s3", config=Config(retries=retries, read_timeout=60, max_pool_connections=2 * WORKERS))
