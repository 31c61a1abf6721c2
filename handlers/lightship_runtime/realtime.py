"""The real-time function. The model loads with the module, so that a warm request finds it and a snapshot holds it.

`/predict` and `/ping` are answered directly; every other route goes through Mangum to the FastAPI application, whose
import then costs that first request and no cold start.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from os import PathLike
from os.path import dirname, exists, join, realpath
from typing import Any

from lightship_runtime.capture import Capture, Recorder
from lightship_runtime.contract import Contract
from lightship_runtime.events import Request, read_event, response
from lightship_runtime.loader import CONTRACT, open_engine, read, read_model_document
from lightship_runtime.monitor.bins import BINS, read_bins
from lightship_runtime.predict import Predictor, Reply, Sampler
from lightship_runtime.problems import Problem
from lightship_runtime.telemetry import Source

MODEL_FOLDER = join(dirname(dirname(realpath(__file__))), "model")
PING = {"status": "ok"}

# Two threads wait for each other on Lambda's share of a core. Libraries read these when they load.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")


def open_predictor(folder: str | PathLike[str], environment: Mapping[str, str]) -> Predictor:
    """Load the packaged model. Raises what the engine raises: a function that can't predict must not start."""
    document = read_model_document(folder)
    contract = Contract.from_json(read(folder, CONTRACT))
    engine = open_engine(folder, contract, document["engine"], document)
    source = Source(document["name"], environment.get("LIGHTSHIP_STAGE", "local"), document["version"])
    bins = read_bins(read(folder, BINS)) if exists(join(folder, BINS)) else None
    recorder = Recorder(contract, bins, Capture.from_environment(environment))
    sampler = _sampler(environment)
    return Predictor(contract, engine, name=document["name"], source=source, recorder=recorder, sampler=sampler)


def _sampler(environment: Mapping[str, str]) -> Sampler | None:
    """Where comparison is opted into, what prints a share of the requests for the other version."""
    share = float(environment.get("LIGHTSHIP_SAMPLED_SHARE", "0"))
    if not share:
        return None
    from lightship_runtime.sampling import is_sampled, sample_line

    executed = environment["AWS_LAMBDA_FUNCTION_VERSION"]

    def line(identifier: str, instances: Sequence[Any], document: dict[str, Any]) -> str | None:
        return sample_line(executed, instances, document) if is_sampled(identifier, share) else None

    return line


predictor = open_predictor(MODEL_FOLDER, os.environ)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """What Lambda calls: an event of API Gateway's, or a replay by the hook or the proof."""
    if "requestContext" not in event:
        return _replay(event)
    request = read_event(event)
    match request.method, request.path:
        case "POST", "/predict":
            return response(_predict(request))
        case "GET", "/ping":
            return response(Reply.json(PING))
        case _:
            application = _application()
            return application(request, context)


def _predict(request: Request) -> Reply:
    try:
        body = request.body
    except Problem as problem:
        return Reply.problem(problem)
    return predictor.answer(body, request.headers.get("content-type"))


def _replay(event: dict[str, Any]) -> dict[str, Any]:
    """Predictions for `{"lightship": {"replay": [rows]}}`, a shape that API Gateway lets no caller make."""
    try:
        return predictor.replay(event["lightship"]["replay"])
    except Problem as problem:
        return {"problem": problem.to_dict()}


@cache
def _application() -> Callable[[Request, Any], dict[str, Any]]:
    from lightship_runtime.api import http_handler

    return http_handler(predictor, read(MODEL_FOLDER, CONTRACT))
