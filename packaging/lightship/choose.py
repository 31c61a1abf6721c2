"""Judges the engines by the golden rows, times those that hold, and chooses one for requests and one for batches."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightship.candidates import MAKERS, ORDER, Candidate
from lightship.describe import Described
from lightship.goldens import ask, float32_rows
from lightship_runtime.contract import Contract
from lightship_runtime.engine import Engine, Values
from lightship_runtime.errors import LightshipError
from lightship_runtime.golden import Agreement, Golden, compare

SINGLE_ROWS = 200
BATCH_ROWS = 5_000
BATCH_REPEATS = 3
TIMING_S = 0.4
GAIN = 3.0
COLD_SHARE = 0.01
# Milliseconds from nothing to ready, with the web framework's files but without its import: benchmarks/artifacts.py.
START_MS = {"pure": 40.0, "array": 110.0, "onnx": 160.0, "native": 950.0}


type Fixed = tuple[str, str]


class NoEngineError(LightshipError):
    """No engine reproduces the model."""

    def __init__(self, verdicts: Sequence["Verdict"], fixed: Fixed | None = None) -> None:
        reasons = "; ".join(f"{verdict.engine}: {verdict.reason}" for verdict in verdicts)
        way_out = "Package with --upgrade to choose anew" if fixed else "Try it in parts with `lightship check`"
        super().__init__(f"No engine reproduces the model ({reasons}). {way_out}.")
        self.verdicts = tuple(verdicts)


@dataclass(frozen=True)
class Verdict:
    """What became of one engine: times in microseconds a row and rows a second, where it was accepted."""

    engine: str
    accepted: bool
    reason: str
    agreement: Agreement | None = None
    candidate: Candidate | None = None
    row_us: float | None = None
    batch_rows_per_s: float | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "accepted": self.accepted,
            "reason": self.reason,
            "max_abs_diff": self.agreement.max_abs_diff if self.agreement else None,
            "label_flips": self.agreement.label_flips if self.agreement else None,
            "row_us": self.row_us,
            "batch_rows_per_s": self.batch_rows_per_s,
        }


@dataclass(frozen=True)
class Choice:
    """The engine for single rows and the one for batches, with every verdict."""

    request: Candidate
    batch: Candidate
    verdicts: tuple[Verdict, ...]
    why: str


def choose(
    model: Any,
    described: Described,
    golden: Golden,
    folder: Path,
    *,
    fixed: Fixed | None = None,
    say: Callable[[str], None],
) -> Choice:
    """Try the engines (or the two of `fixed`, for requests and for batches) and choose. Raises NoEngineError.

    The first of ORDER that holds wins, unless a later one is GAIN times better: for requests by the expected time of
    a row (see `expected_ms`), for batches by rows a second. So coarse a threshold keeps the choice from hanging on the
    noise of a timing.
    """
    verdicts = []
    for name in dict.fromkeys(fixed or ORDER):
        say(f"trying {name}")
        verdicts.append(judge(model, described, golden, folder / name, name))
    held = {verdict.engine: verdict for verdict in verdicts if verdict.accepted}
    if not held or (fixed and len(held) < len(verdicts)):
        raise NoEngineError(verdicts, fixed)
    request, batch = (held[name] for name in fixed) if fixed else _chosen(list(held.values()))
    assert request.candidate is not None  # noqa: S101 - an accepted verdict has its candidate
    assert batch.candidate is not None  # noqa: S101
    return Choice(request.candidate, batch.candidate, tuple(verdicts), _why(verdicts, request, fixed))


def _chosen(held: Sequence[Verdict]) -> tuple[Verdict, Verdict]:
    request = batch = held[0]
    for verdict in held[1:]:
        if GAIN * expected_ms(verdict) <= expected_ms(request):
            request = verdict
        if (verdict.batch_rows_per_s or 0.0) >= GAIN * (batch.batch_rows_per_s or 0.0):
            batch = verdict
    return request, batch


def expected_ms(verdict: Verdict) -> float:
    """What a request of one row costs: its time, and the start that one in a hundred waits for."""
    return (verdict.row_us or 0.0) / 1000 + COLD_SHARE * START_MS[verdict.engine]


def judge(model: Any, described: Described, golden: Golden, folder: Path, engine: str) -> Verdict:
    """Make one engine's files, replay the golden rows, and time it when they hold."""
    folder.mkdir(parents=True)
    contract = described.contract
    try:
        candidate = MAKERS[engine](model, described, folder)
        opened = candidate.open(contract)
        judged = float32_rows(golden) if engine == "onnx" else golden
        agreement = compare(judged, contract, ask(opened, judged.rows, judged.sampled), candidate.tolerance)
    except LightshipError as error:
        return Verdict(engine, accepted=False, reason=str(error))
    except Exception as error:  # noqa: BLE001 - a converter or library may raise anything: this engine is out
        return Verdict(engine, accepted=False, reason=f"{type(error).__name__}: {error}"[:300])
    if not agreement.holds:
        return Verdict(engine, accepted=False, reason=_difference(contract, judged, agreement), agreement=agreement)
    row_us, rows_per_s = _timed(opened, judged)
    return Verdict(engine, True, "reproduces every golden row", agreement, candidate, row_us, rows_per_s)


def _difference(contract: Contract, golden: Golden, agreement: Agreement) -> str:
    worst = agreement.worst[0]
    row = dict(zip(contract.names, golden.rows[worst.row], strict=True))
    shown = ", ".join(f"{name}={value!r}"[:60] for name, value in list(row.items())[:6])
    return (
        f"differs on {agreement.label_flips} labels and {agreement.beyond} values of {agreement.rows} rows, "
        f"worst at row {worst.row} ({shown}): expected {worst.expected!r}, got {worst.found!r}"
    )


def _timed(engine: Engine, golden: Golden) -> tuple[float, float]:
    """(microseconds a single row, the median; rows a second in a batch, the best), each within TIMING_S seconds."""
    rows = golden.rows[: max(golden.sampled, 1)]
    singles = [[[value] for value in row] for row in rows[:SINGLE_ROWS]]
    batch = [list(values) for values in zip(*_repeated(rows, BATCH_ROWS), strict=True)]
    row_s = statistics.median(_timings(engine, singles))
    batch_s = min(_timings(engine, [batch] * BATCH_REPEATS))
    return row_s * 1e6, len(batch[0]) / batch_s


def _timings(engine: Engine, calls: Sequence[Sequence[Values]]) -> list[float]:
    """Seconds of each call, as many as fit into TIMING_S, at least one."""
    timings: list[float] = []
    while len(timings) < len(calls) and sum(timings) < TIMING_S:
        started = time.perf_counter()
        engine.predict(calls[len(timings)])
        timings.append(time.perf_counter() - started)
    return timings


def _repeated(rows: Sequence[tuple[Any, ...]], count: int) -> list[tuple[Any, ...]]:
    return (list(rows) * (count // len(rows) + 1))[:count]


def _why(verdicts: Sequence[Verdict], request: Verdict, fixed: Fixed | None) -> str:
    if fixed:
        return f"{request.engine} was asked for or locked, and it reproduces every golden row."
    before = verdicts[: verdicts.index(request)]
    refused = [f"{each.engine} was refused: {each.reason}" for each in before if not each.accepted]
    slower = [f"{each.engine} would take {GAIN:g} times as long" for each in before if each.accepted]
    rest = f"{request.engine} comes first among those that reproduce every golden row"
    return ". ".join([*refused, *slower, rest]) + "."
