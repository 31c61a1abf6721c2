"""The function behind `POST /feedback`: late labels in, files for the monitor out.

It imports flat modules of the runtime alone: errors, events, identifiers, labels, problems, strict_json, telemetry.
Its environment: LIGHTSHIP_MONITORING (`s3://bucket`, or `s3://bucket/prefix`), LIGHTSHIP_SERVICE, LIGHTSHIP_STAGE.
"""

import json
import os
import sys
import time
import traceback
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from lightship_runtime.events import Request, read_event
from lightship_runtime.labels import MAX_HOURS, MAX_LABELS, Write, check_labels, store_labels
from lightship_runtime.problems import MEDIA_TYPE, Problem
from lightship_runtime.strict_json import JsonError, parse_json
from lightship_runtime.telemetry import metrics_document

MAX_BODY = 4_000_000


class Feedback(NamedTuple):
    """What became of a request: its status, the document to answer with, and labels received and refused."""

    status: int
    document: dict[str, Any]
    received: int = 0
    refused: int = 0


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """What API Gateway calls, with either payload format."""
    request = read_event(event)
    now = time.time()
    feedback = answer(request, now, _writer())
    print(metrics_line(feedback, now), flush=True)  # noqa: T201 - stdout is how metrics leave a function
    return response(feedback)


def response(feedback: Feedback) -> dict[str, Any]:
    """What API Gateway takes, in either payload format."""
    media_type = "application/json" if feedback.status == 200 else MEDIA_TYPE
    return {
        "statusCode": feedback.status,
        "headers": {"content-type": media_type},
        "body": json.dumps(feedback.document, separators=(",", ":")),
        "isBase64Encoded": False,
    }


def answer(request: Request, now: float, write: Write) -> Feedback:
    """Take what labels there are. Never raises for what a caller sent; what couldn't be stored is to be sent again."""
    try:
        items = read_labels(request)
    except Problem as problem:
        return Feedback(problem.status, problem.to_dict())
    checked = check_labels(items, now)
    received, refused = len(items), checked.refused
    hours = len({label.hour for label in checked.labels})
    try:
        if refused and not checked.labels:
            raise Problem(422, f"None of the {received} labels can be taken.", checked.faults)
        if hours > MAX_HOURS:
            raise Problem(
                413,
                f"The labels are of predictions of {hours} hours, over {MAX_HOURS}. Sort them by id, and send fewer.",
            )
        store_labels(checked.labels, now, write)
    except Problem as problem:
        return Feedback(problem.status, problem.to_dict(), received, received)
    except Exception:  # noqa: BLE001 - whatever the store says, the caller learns that the labels aren't there
        traceback.print_exc(file=sys.stderr)
        failure = Problem(500, "The labels couldn't be stored. Send them again: none counts twice.")
        return Feedback(failure.status, failure.to_dict(), received)
    document: dict[str, Any] = {"accepted": len(checked.labels), "refused": refused}
    if checked.faults:
        document["errors"] = [fault.to_dict() for fault in checked.faults]
    return Feedback(200, document, received, refused)


def read_labels(request: Request) -> Sequence[Any]:
    """The items of the request's `labels`. Raises Problem."""
    if (request.method, request.path) != ("POST", "/feedback"):
        raise Problem(404, "There is POST /feedback here.")
    body = request.body
    if len(body) > MAX_BODY:
        raise Problem(413, f"The body has {len(body)} bytes, over {MAX_BODY}. Send fewer labels.")
    media_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise Problem(415, f"The body is {media_type[:100]}; send application/json.")
    try:
        document = parse_json(body)
    except JsonError as error:
        raise Problem(400, str(error)) from error
    if not isinstance(document, dict) or not isinstance(document.get("labels"), list):
        raise Problem(422, 'The body must be an object with "labels", an array of {"id": ..., "actual": ...}.')
    if unknown := sorted(document.keys() - {"labels"}):
        raise Problem(422, f'The body has the unknown key {unknown[0][:100]!r}; known is "labels".')
    items: list[Any] = document["labels"]
    if len(items) > MAX_LABELS:
        raise Problem(413, f"The body has {len(items)} labels, over {MAX_LABELS}. Send fewer.")
    return items


def metrics_line(feedback: Feedback, now: float) -> str:
    """The request as Embedded Metric Format."""
    metrics = {"LabelsReceived": feedback.received, "LabelsRefused": feedback.refused}
    dimensions = {
        "Service": os.environ.get("LIGHTSHIP_SERVICE", ""),
        "Stage": os.environ.get("LIGHTSHIP_STAGE", "local"),
    }
    document = metrics_document(dimensions, int(now * 1000), metrics)
    return json.dumps({**document, "status": feedback.status}, separators=(",", ":"))


@cache
def _writer() -> Write:
    import boto3

    client = boto3.client("s3")
    bucket, _, prefix = os.environ["LIGHTSHIP_MONITORING"].removeprefix("s3://").partition("/")
    folder = f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""

    def write(name: str, data: bytes) -> None:
        client.put_object(Bucket=bucket, Key=folder + name, Body=data)

    return write
