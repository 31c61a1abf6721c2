"""The one function that answers a predict request: bytes in, contract, engine, bytes out."""

import json
import math
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from lightship_runtime.capture import Recorder
from lightship_runtime.contract import Contract
from lightship_runtime.engine import Engine, Outputs, RefusedRowsError
from lightship_runtime.identifiers import prediction_ids
from lightship_runtime.problems import MEDIA_TYPE, Fault, Problem
from lightship_runtime.strict_json import JsonError, parse_json
from lightship_runtime.telemetry import Source, request_lines
from lightship_runtime.validation import Columns, Validator

# Lambda takes and gives 6 MB a synchronous call; an event carries the body escaped or in base64, a third larger.
MAX_REQUEST = 4_000_000
MAX_RESPONSE = 5_500_000
MAX_ROWS = 10_000
MAX_CALLER_ID = 128


class Reply(NamedTuple):
    """What goes back over HTTP."""

    status: int
    media_type: str
    body: bytes

    @classmethod
    def json(cls, document: Any) -> "Reply":
        return cls(200, "application/json", dumps(document))

    @classmethod
    def problem(cls, problem: Problem) -> "Reply":
        return cls(problem.status, MEDIA_TYPE, dumps(problem.to_dict()))


type Sampler = Callable[[str, Sequence[Any], dict[str, Any]], str | None]


class Predictor:
    """A model ready to answer. Made once at a function's start.

    `recorder` writes what each prediction leaves for the monitor (bare records by default). `sampler` gives, for the
    first id, the instances and the answer of a request, the line that has it compared on another version, or None.
    """

    def __init__(
        self,
        contract: Contract,
        engine: Engine,
        *,
        name: str,
        source: Source,
        recorder: Recorder | None = None,
        sampler: Sampler | None = None,
    ) -> None:
        self._contract = contract
        self._engine = engine
        self._validator = Validator(contract)
        self.model = {"name": name, "version": source.version}
        self._source = source
        self._recorder = recorder or Recorder(contract)
        self._sampler = sampler
        self._keys = tuple(class_key(label) for label in contract.output.classes)
        self._cold = True

    def answer(self, body: bytes, content_type: str | None) -> Reply:
        """The reply to one request. Prints its telemetry; never raises for what a caller sent."""
        started = time.perf_counter()
        now_ms = time.time_ns() // 1_000_000
        answered: _Answered | None = None
        rows = rejected = 0
        try:
            request = _parse(body, content_type)
            rows = len(request["instances"]) if isinstance(request["instances"], list) else 0
            answered = self._answer(request, rows, now_ms)
            reply = answered.reply
        except Problem as problem:
            reply = Reply.problem(problem)
            rejected = _rejected(problem, rows)
        except RefusedRowsError as error:
            faults = tuple(Fault(row, None, None, error.expected_of(row)) for row in error.rows[: Problem.FAULTS])
            reply = Reply.problem(Problem(error.status, str(error), faults))
            rejected = len(error.rows)
        except Exception:  # noqa: BLE001 - whatever the model does, the caller gets a problem document and no insides
            traceback.print_exc(file=sys.stderr)
            reply = Reply.problem(Problem(500, "The model failed on this request."))
        lines = request_lines(
            self._source,
            now_ms=now_ms,
            status=reply.status,
            latency_ms=(time.perf_counter() - started) * 1000,
            predictions=rows if answered else 0,
            rejected=rejected,
            cold=self._cold,
            records=self._records(answered) if answered else (),
        )
        self._cold = False
        print("\n".join(lines), flush=True)  # noqa: T201 - stdout is how telemetry leaves a function
        return reply

    def replay(self, instances: object) -> dict[str, Any]:
        """Predictions without ids and telemetry, for the proof and the hook. Raises Problem."""
        return self._document(self._engine.predict(self._validator.columns(instances)))

    def _answer(self, request: dict[str, Any], rows: int, now_ms: int) -> "_Answered":
        instances = request["instances"]
        callers = _caller_ids(request, rows)
        columns = self._validator.columns(instances)
        outputs = self._engine.predict(columns)
        document = self._document(outputs)
        ids = prediction_ids(rows, now_ms)
        reply = Reply.json({**document, "ids": ids, "model": self.model})
        if len(reply.body) > MAX_RESPONSE:
            raise Problem(413, f"The answer would have {len(reply.body)} bytes, over {MAX_RESPONSE}. Send fewer rows.")
        if self._sampler and (line := self._sampler(ids[0], instances, document)):
            print(line)  # noqa: T201 - it leaves with the log, as telemetry does
        return _Answered(reply, ids, callers, columns, document, outputs.scores)

    def _records(self, answered: "_Answered") -> list[str]:
        try:
            return self._recorder.records(*answered[1:])
        except Exception:  # noqa: BLE001 - an answer that was made isn't lost for its telemetry
            traceback.print_exc(file=sys.stderr)
            return []

    def _document(self, outputs: Outputs) -> dict[str, Any]:
        predictions = as_list(outputs.predictions)
        if self._contract.output.task in ("binary", "multiclass"):
            classes = self._contract.output.classes
            predictions = [classes[position] for position in predictions]
        document: dict[str, Any] = {"predictions": finite(predictions)}
        if outputs.probabilities is not None:
            rows = finite(as_list(outputs.probabilities))
            document["probabilities"] = [dict(zip(self._keys, row, strict=True)) for row in rows]
        return document


class _Answered(NamedTuple):
    """A request that was answered, and what its telemetry takes."""

    reply: Reply
    ids: Sequence[str]
    callers: Sequence[str]
    columns: Columns
    document: dict[str, Any]
    decisions: Any


def _rejected(problem: Problem, rows: int) -> int:
    """How many rows of a refused request were at fault: those named, all where naming stopped early, at least one."""
    if problem.status not in (400, 422):
        return 0
    named = {fault.row for fault in problem.faults if fault.row is not None}
    return max(1, rows if len(problem.faults) >= Problem.FAULTS else len(named))


def _parse(body: bytes, content_type: str | None) -> dict[str, Any]:
    if len(body) > MAX_REQUEST:
        raise Problem(413, f"The body has {len(body)} bytes, over {MAX_REQUEST}. Send fewer rows.")
    media_type = (content_type or "application/json").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise Problem(415, f"The body is {media_type}; send application/json.")
    try:
        request = parse_json(body)
    except JsonError as error:
        raise Problem(400, str(error)) from error
    if not isinstance(request, dict) or "instances" not in request:
        raise Problem(422, 'The body must be an object with "instances", an array of rows.')
    unknown = sorted(request.keys() - {"instances", "ids"})
    if unknown:
        raise Problem(422, f'The body has the unknown key {unknown[0][:100]!r}; known are "instances" and "ids".')
    if isinstance(request["instances"], list) and len(request["instances"]) > MAX_ROWS:
        raise Problem(413, f"The body has {len(request['instances'])} rows, over {MAX_ROWS}. Send fewer rows.")
    return request


def _caller_ids(request: dict[str, Any], rows: int) -> Sequence[str]:
    ids = request.get("ids")
    if ids is None:
        return ()
    if not isinstance(ids, list) or len(ids) != rows:
        raise Problem(422, f'"ids" must be an array of {rows} strings, one a row.')
    for each in ids:
        if not isinstance(each, str) or not 0 < len(each) <= MAX_CALLER_ID:
            raise Problem(422, f'Each of "ids" must be a string of 1 to {MAX_CALLER_ID} characters.')
    return ids


def class_key(label: object) -> str:
    """A class as the key of its probability: its JSON text, a string as it is."""
    return label if isinstance(label, str) else json.dumps(label)


def as_list(values: Any) -> list[Any]:
    """A plain list from a list or a NumPy array."""
    return values.tolist() if hasattr(values, "tolist") else list(values)


def finite(values: list[Any]) -> list[Any]:
    """The same values with None for what JSON can't say (a model may predict infinity)."""
    return [
        finite(value)
        if isinstance(value, list)
        else None
        if isinstance(value, float) and not math.isfinite(value)
        else value
        for value in values
    ]


def dumps(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
