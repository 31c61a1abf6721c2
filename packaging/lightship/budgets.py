"""Holds a release to its budgets: over one, packaging fails, says where the weight is and what would take it off."""

import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightship.candidates import ORDER
from lightship.plan import Limits
from lightship.zipping import Packed, contributors
from lightship_runtime.errors import LightshipError
from lightship_runtime.manifest import Proof

LARGEST = 5
REMEDIES = 3
MODEL_HEAVY = 0.3
# Distributions that only some engines need, and what makes them unnecessary.
_AVOIDABLE = {
    "pandas": "fitting the model on arrays, which takes pandas out",
    "onnxruntime": "fitting only what Lightship's own engines know, which takes ONNX Runtime out",
    "scipy": "fitting only what Lightship's own engines know, which takes scipy and its kin out",
}


class OverBudgetError(LightshipError):
    """The release is larger or slower than its budgets allow."""


@dataclass(frozen=True)
class Weights:
    """Bytes of an artifact by top-level name, the largest first."""

    zipped: Mapping[str, int]
    unzipped: Mapping[str, int]

    @classmethod
    def of(cls, archive: Path) -> "Weights":
        with zipfile.ZipFile(archive) as content:
            entries = content.infolist()
        return cls(
            dict(contributors({entry.filename: entry.compress_size for entry in entries})),
            dict(contributors({entry.filename: entry.file_size for entry in entries})),
        )


def check_budgets(
    limits: Limits, packed: Packed, proof: Proof, archive: Path, *, engine: str, verdicts: Mapping[str, Any]
) -> None:
    """Raises OverBudgetError with every budget that is exceeded, the largest parts of the zip, and the remedies that
    cost least. `verdicts` are the study's, by engine."""
    measured = {
        "zip_mb": packed.zip_bytes / 1e6,
        "unzipped_mb": packed.unzipped_bytes / 1e6,
        "init_ms": proof.init_ms,
        "p99_ms": proof.p99_ms,
        "memory_mb": proof.peak_rss_mb,
    }
    over = {
        name: f"{name} is {value:.1f}, over {limit:g}"
        for name, value in measured.items()
        if (limit := getattr(limits, name)) is not None and value > limit
    }
    if not over:
        return
    weights = Weights.of(archive)
    unzipped = "zip_mb" not in over and "unzipped_mb" in over
    parts = list((weights.unzipped if unzipped else weights.zipped).items())[:LARGEST]
    largest = ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in parts)
    remedies = list(_remedies(set(over), weights, engine, verdicts))[:REMEDIES]
    raise OverBudgetError(
        f"Over budget: {'; '.join(over.values())}. Largest {'unzipped' if unzipped else 'in the zip'}: {largest}. "
        f"Cheapest first: {'; '.join(remedies)}; or raise [package.budgets]."
    )


def _remedies(over: set[str], weights: Weights, engine: str, verdicts: Mapping[str, Any]) -> Iterator[str]:
    """What would help, the least work first."""
    yield from _other_engine(engine, verdicts)
    if over - {"p99_ms"}:
        yield from _lighter(weights, engine, verdicts)
    if over == {"init_ms"}:
        yield "[endpoint] snapstart = true, which takes the start out of the first request"
    yield "fewer or shallower trees, fewer columns"


def _other_engine(engine: str, verdicts: Mapping[str, Any]) -> Iterator[str]:
    smaller = ORDER[: ORDER.index(engine)]
    if accepted := [name for name in smaller if verdicts.get(name, {}).get("accepted")]:
        yield f"--engine {accepted[0]}, which reproduces the model too"
    elif untried := [name for name in smaller if name not in verdicts]:
        yield f"--engine auto, which also tries {', '.join(untried)}"


def _lighter(weights: Weights, engine: str, verdicts: Mapping[str, Any]) -> Iterator[str]:
    model = weights.zipped.get("model", 0)
    if model >= MODEL_HEAVY * sum(weights.zipped.values()):
        yield f"a smaller model (fewer or shallower trees, fewer words), whose files are {model / 1e6:.1f} MB of it"
    for name in ORDER[: ORDER.index(engine)]:
        if reason := verdicts.get(name, {}).get("reason"):
            yield f"mending what {name} was refused for ({reason})"
            break
    for part, how in _AVOIDABLE.items():
        if part in weights.zipped:
            yield f"{how} ({weights.zipped[part] / 1e6:.1f} MB)"
