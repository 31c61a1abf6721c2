"""The proof of batch.zip: boots it as Lambda does and sends the golden rows through its reader, engine and writer."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightship.assembly import BATCH_HANDLER
from lightship.lambda_host import Function, Worker, remove_tree, unpack
from lightship.proving import ProofError
from lightship.verifying import verify_model
from lightship_runtime.batch.outputs import output_names
from lightship_runtime.contract import Contract
from lightship_runtime.golden import Agreement, Golden, compare
from lightship_runtime.manifest import Target

MAX_BYTES = 4_000_000
MEMORY_MB = 2048
PROBED_ROWS = 5


def prove_batch(
    archive: Path,
    *,
    contract: Contract,
    golden: Golden,
    tolerance: float,
    target: Target,
    handler: str = BATCH_HANDLER,
) -> dict[str, Any]:
    """What the proof measured. Raises ProofError when a label flips, a value is beyond tolerance or a row is lost."""
    with tempfile.TemporaryDirectory(prefix="lightship-proof-") as folder:
        root = unpack(archive, Path(folder) / "task")
        try:
            verify_model(root / "model")
            return try_batch(
                root, contract=contract, golden=golden, tolerance=tolerance, target=target, handler=handler
            )
        finally:
            remove_tree(root)


def try_batch(
    root: Path,
    *,
    contract: Contract,
    golden: Golden,
    tolerance: float,
    target: Target,
    handler: str = BATCH_HANDLER,
) -> dict[str, Any]:
    """The same of an unpacked artifact. Raises InitError besides when it doesn't start."""
    with (
        tempfile.TemporaryDirectory(prefix="lightship-proof-") as scratch,
        Worker.start(
            Function(
                root=root,
                handler=handler,
                python=target.python,
                name="lightship-batch-proof",
                timeout_s=120,
                memory_mb=MEMORY_MB,
                environment={"TMPDIR": scratch},
            )
        ) as worker,
    ):
        found, seconds = _replayed(worker, contract, golden)
        measured = {"init_ms": round(worker.init_ms, 1), "peak_rss_mb": round(worker.peak_rss_mb(), 1)}
        _probe(worker, golden)
    agreement = compare(golden, contract, found, tolerance)
    if not agreement.holds:
        raise ProofError(_refusal(agreement, tolerance))
    return {
        **measured,
        "rows": agreement.rows,
        "max_abs_diff": agreement.max_abs_diff,
        "label_flips": agreement.label_flips,
        "ties": agreement.ties,
        "rows_per_s": round(agreement.rows / max(seconds, 1e-9)),
    }


def _replayed(worker: Worker, contract: Contract, golden: Golden) -> tuple[Golden, float]:
    columns: dict[str, list[Any]] = {}
    seconds = 0.0
    for rows in _portions(golden.rows):
        invocation = worker.invoke(json.dumps({"step": "prove", "rows": rows}).encode())
        if invocation.error:
            raise ProofError(f"batch.zip failed on golden rows: {invocation.payload.decode()[:1000]}")
        answer = json.loads(invocation.payload)
        seconds += answer["seconds"]
        for name, values in answer["columns"].items():
            columns.setdefault(name, []).extend(values)
    if {len(values) for values in columns.values()} != {len(golden.rows)}:
        raise ProofError(f"batch.zip lost golden rows: {len(golden.rows)} went in. Report this with the model's kind.")
    return as_golden(columns, contract, golden), seconds


def _probe(worker: Worker, golden: Golden) -> None:
    """Every format, in and out, so that nothing a rule left out is missed before production."""
    event = {"step": "probe", "rows": golden.rows[:PROBED_ROWS]}
    invocation = worker.invoke(json.dumps(event).encode())
    if invocation.error:
        raise ProofError(
            f"batch.zip failed on a format: {invocation.payload.decode()[:1000]} {' | '.join(invocation.logs[-8:])}"
        )


def _portions(rows: tuple[tuple[Any, ...], ...]) -> list[tuple[tuple[Any, ...], ...]]:
    """An invocation takes 6 MB each way."""
    largest = max(len(json.dumps(row)) for row in rows) + 400
    size = max(1, MAX_BYTES // largest)
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def as_golden(columns: Mapping[str, Sequence[Any]], contract: Contract, golden: Golden) -> Golden:
    """Output columns, in the order of the golden rows, in their terms."""
    output = contract.output
    names = output_names(contract)[:-1]
    chances = [name for name in names if name.startswith("probability_")] if output.probabilities else []
    values = [name for name in names if name not in chances]
    if output.task in ("binary", "multiclass"):
        position = {json.dumps(label): index for index, label in enumerate(output.classes)}
        predictions: tuple[Any, ...] = tuple(position[json.dumps(label)] for label in columns["prediction"])
    elif values == ["prediction"]:
        predictions = tuple(columns["prediction"])
    else:
        predictions = tuple(zip(*(columns[name] for name in values), strict=True))
    probabilities = tuple(zip(*(columns[name] for name in chances), strict=True)) if chances else None
    return Golden(golden.rows, predictions, probabilities, None, golden.sampled)


def _refusal(agreement: Agreement, tolerance: float) -> str:
    worst = agreement.worst[0]
    return (
        f"batch.zip doesn't predict what the model predicts: {agreement.label_flips} label flips and "
        f"{agreement.beyond} rows beyond {tolerance:g} of {agreement.rows}, worst at golden row {worst.row}: the model "
        f"gives {worst.expected}, the zip {worst.found}. Choose another engine with --engine."
    )
