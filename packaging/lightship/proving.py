"""The proof: boots the very zip as Lambda boots it, and replays the golden rows against it over its own interface."""

import json
import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightship.gateway import HttpRequest
from lightship.gateway.http_api import to_event
from lightship.lambda_host import Function, Invocation, Worker, remove_tree, tree_digest, unpack
from lightship.verifying import verify_model
from lightship_runtime.contract import Contract
from lightship_runtime.errors import LightshipError
from lightship_runtime.golden import Agreement, Golden, compare
from lightship_runtime.manifest import Grade, Proof, Target
from lightship_runtime.predict import MAX_ROWS
from lightship_runtime.replay import Row, instances_of, replay

BOOTS = 3
SINGLE_ROWS = 300
DIRECT = {("POST", "/predict"), ("GET", "/ping")}


class ProofError(LightshipError):
    """The zip doesn't predict what the model predicts, or doesn't run."""


@dataclass(frozen=True)
class Traces:
    """What a proof's numbers are summaries of: each start, the first request and each single-row request in
    milliseconds; the most memory in MB over single rows, and over requests of hundreds; and every answer, in the terms
    of the golden rows."""

    inits_ms: tuple[float, ...]
    first_ms: float
    singles_ms: tuple[float, ...]
    peak_rss_mb: float
    busy_rss_mb: float
    found: Golden


@dataclass(frozen=True)
class Proven:
    """A proof, and what it was made from."""

    proof: Proof
    traces: Traces


def prove(
    archive: Path,
    *,
    handler: str,
    contract: Contract,
    golden: Golden,
    tolerance: float,
    target: Target,
    grade: Grade,
    say: Callable[[str], None],
    foreign: bool = False,
) -> Proven:
    """Boot the zip, probe every route, replay the golden rows, measure.

    With `foreign`, the zip has machine code that this host can't run, and answers only what needs none of it.

    Raises ProofError when a label flips, a value is beyond the tolerance, a route fails or the zip writes to itself.
    """
    with tempfile.TemporaryDirectory(prefix="lightship-proof-") as folder:
        root = unpack(archive, Path(folder) / "task")
        try:
            verify_model(root / "model")
            before = tree_digest(root)
            function = Function(root=root, handler=handler, python=target.python, name="lightship-proof", timeout_s=60)
            traces = _run(function, contract, golden, say, foreign=foreign)
            if tree_digest(root) != before:
                raise ProofError(
                    "The function changed files in its own folder, which is read-only on Lambda. "
                    "Have the model's own code write to /tmp instead."
                )
        finally:
            remove_tree(root)
    agreement = compare(golden, contract, traces.found, tolerance)
    if not agreement.holds:
        raise ProofError(_refusal(contract, golden, agreement, tolerance))
    singles = sorted(traces.singles_ms)
    proof = Proof(
        grade=grade,
        rows=agreement.rows,
        tolerance=tolerance,
        max_abs_diff=agreement.max_abs_diff,
        max_rel_diff=agreement.max_rel_diff,
        label_flips=agreement.label_flips,
        ties=agreement.ties,
        init_ms=round(statistics.median(traces.inits_ms), 2),
        first_ms=round(traces.first_ms, 2),
        p50_ms=round(statistics.median(singles), 3),
        p99_ms=round(singles[int(0.99 * (len(singles) - 1))], 3),
        peak_rss_mb=round(traces.peak_rss_mb, 1),
    )
    return Proven(proof, traces)


def try_out(root: Path, *, handler: str, contract: Contract, golden: Golden, tolerance: float, target: Target) -> None:
    """Boot an unpacked artifact, replay the golden rows and probe every route, measuring nothing.

    Raises ProofError, or InitError when it doesn't start.
    """
    function = Function(root=root, handler=handler, python=target.python, name="lightship-trial", timeout_s=60)
    with Worker.start(function) as worker:
        found = replay(golden, contract, lambda rows: _predict(worker, rows)[1])
        _probe(worker, instances_of(golden, contract)[0])
    agreement = compare(golden, contract, found, tolerance)
    if not agreement.holds:
        raise ProofError(_refusal(contract, golden, agreement, tolerance))


def _run(
    function: Function, contract: Contract, golden: Golden, say: Callable[[str], None], *, foreign: bool
) -> Traces:
    instances = instances_of(golden, contract)
    with Worker.start(function) as worker:
        inits = [worker.init_ms]
        first = _predict(worker, instances[:1])
        say("measuring latency")
        singles = [_predict(worker, [row])[0].ms for row in instances[: min(SINGLE_ROWS, max(golden.sampled, 1))]]
        peak = worker.peak_rss_mb()
        say(f"replaying {len(instances)} golden rows")
        found = replay(golden, contract, lambda rows: _predict(worker, rows)[1])
        busy = worker.peak_rss_mb()
        say("probing every route")
        _probe(worker, instances[0], foreign=foreign)
        say("booting again")
        for _ in range(BOOTS - 1):
            worker.restart()
            inits.append(worker.init_ms)
    return Traces(tuple(inits), first[0].ms, tuple(singles), peak, busy, found)


def _predict(worker: Worker, instances: Sequence[Row]) -> tuple[Invocation, dict[str, Any]]:
    body = json.dumps({"instances": instances}).encode()
    status, document, invocation = _call(worker, "POST", "/predict", body)
    if status != 200 or not isinstance(document, dict):
        raise ProofError(f"The zip answered {status} to golden rows: {str(document)[:500]} {_last(invocation.logs)}")
    return invocation, document


def _probe(worker: Worker, row: Row, *, foreign: bool = False) -> None:
    """Every route and error path, so that nothing a rule left out is missed before production. With `foreign`, those
    that the web framework, which has machine code, isn't imported for."""
    one = json.dumps({"instances": [row]}).encode()
    cases: list[tuple[str, str, bytes | None, int]] = [
        ("GET", "/ping", None, 200),
        ("GET", "/contract", None, 200),
        ("GET", "/openapi.json", None, 200),
        ("GET", "/docs", None, 200),
        ("GET", "/no-such-route", None, 404),
        ("GET", "/predict", None, 405),
        ("POST", "/predict", b"{", 400),
        ("POST", "/predict", json.dumps({"instances": [{**row, "no such column": 1}]}).encode(), 422),
        ("POST", "/predict", json.dumps({"instances": [0] * (MAX_ROWS + 1)}).encode(), 413),
        ("POST", "/predict", one, 200),
    ]
    kinds = [("application/json; charset=utf-8", 200), ("application/vnd.rows+json", 200), ("text/csv", 415)]
    told = [(*case, "application/json") for case in cases]
    told += [("POST", "/predict", one, expected, kind) for kind, expected in kinds]
    for method, path, body, expected, kind in told:
        if foreign and (method, path) not in DIRECT:
            continue
        status, document, invocation = _call(worker, method, path, body, kind)
        if status != expected:
            raise ProofError(
                f"The zip answered {status} to {method} {path}, not {expected}: {str(document)[:300]} "
                f"{_last(invocation.logs)}"
            )


def _call(
    worker: Worker, method: str, path: str, body: bytes | None, kind: str = "application/json"
) -> tuple[int, Any, Invocation]:
    headers = (("content-type", kind),) if body is not None else ()
    event = to_event(HttpRequest(method, path, headers=headers, body=body or b""))
    invocation = worker.invoke(json.dumps(event).encode())
    if invocation.error:
        raise ProofError(
            f"The zip failed on {method} {path}: {invocation.payload.decode()[:1000]} {_last(invocation.logs)}"
        )
    answer = json.loads(invocation.payload)
    text = answer["body"]
    return answer["statusCode"], json.loads(text) if text[:1] in "[{" else text, invocation


def _last(logs: Sequence[str]) -> str:
    return "Its last lines were: " + " | ".join(logs[-8:]) if logs else ""


def _refusal(contract: Contract, golden: Golden, agreement: Agreement, tolerance: float) -> str:
    worst = agreement.worst[0]
    row = dict(zip(contract.names, golden.rows[worst.row], strict=True))
    return (
        f"The zip doesn't predict what the model predicts: {agreement.label_flips} label flips and {agreement.beyond} "
        f"rows beyond {tolerance:g} of {agreement.rows}. The worst is golden row {worst.row}, "
        f"{json.dumps(row)[:500]}: the model gives {worst.expected}, the zip {worst.found}. "
        "Choose another engine with --engine."
    )
