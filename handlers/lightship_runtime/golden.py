"""Golden rows: sample rows with what the original model said of them, and how an answer is compared with them."""

import gzip
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from lightship_runtime.contract import Contract
from lightship_runtime.documents import dump_document, load_document
from lightship_runtime.errors import InvalidDocumentError

SCHEMA = 1
WORST = 5


@dataclass(frozen=True)
class Golden:
    """n rows in the contract's column order, None for missing, with the model's outputs in the terms of `Outputs`.

    The first `sampled` rows come from the sample; the rest were made from the contract to find silent errors.
    """

    rows: tuple[tuple[Any, ...], ...]
    predictions: tuple[Any, ...]
    probabilities: tuple[tuple[float, ...], ...] | None
    scores: tuple[Any, ...] | None
    sampled: int

    def columns(self) -> list[list[Any]]:
        return [list(values) for values in zip(*self.rows, strict=True)]

    def select(self, keep: Sequence[int]) -> "Golden":
        """The rows at these ascending positions."""
        return Golden(
            rows=tuple(self.rows[i] for i in keep),
            predictions=tuple(self.predictions[i] for i in keep),
            probabilities=None if self.probabilities is None else tuple(self.probabilities[i] for i in keep),
            scores=None if self.scores is None else tuple(self.scores[i] for i in keep),
            sampled=sum(i < self.sampled for i in keep),
        )

    def to_bytes(self) -> bytes:
        """Compressed JSON, the same bytes for the same rows."""
        document = {
            "schema": SCHEMA,
            "rows": self.rows,
            "predictions": self.predictions,
            "probabilities": self.probabilities,
            "scores": self.scores,
            "sampled": self.sampled,
        }
        return gzip.compress(dump_document(document), compresslevel=6, mtime=0)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Raises InvalidDocumentError or UnknownSchemaError."""
        try:
            text = gzip.decompress(data)
        except (OSError, EOFError) as error:
            raise InvalidDocumentError(f"The golden rows can't be read ({error}). Package the model again.") from error
        document = load_document(text, what="The golden rows", schema=SCHEMA)
        try:
            probabilities, scores = document["probabilities"], document["scores"]
            return cls(
                rows=tuple(tuple(row) for row in document["rows"]),
                predictions=tuple(document["predictions"]),
                probabilities=None if probabilities is None else tuple(tuple(row) for row in probabilities),
                scores=None if scores is None else tuple(scores),
                sampled=document["sampled"],
            )
        except (KeyError, TypeError) as error:
            raise InvalidDocumentError(f"The golden rows lack a key ({error}). Package the model again.") from error


@dataclass(frozen=True, slots=True)
class Difference:
    """One golden row on which an answer differs, in the unit of the output."""

    row: int
    expected: Any
    found: Any
    difference: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """How answers compare with the golden rows: see `manifest.Proof` for the fields."""

    rows: int
    max_abs_diff: float
    max_rel_diff: float
    label_flips: int
    ties: int
    beyond: int
    worst: tuple[Difference, ...]

    @property
    def holds(self) -> bool:
        """No label flip, and no value beyond the tolerance."""
        return not self.label_flips and not self.beyond


def read_golden(path: Path) -> Golden:
    return Golden.from_bytes(path.read_bytes())


def compare(golden: Golden, contract: Contract, found: Golden, tolerance: float) -> Agreement:
    """Compare an engine's outputs (in the shape of golden rows) with the golden ones.

    Values are equal where |found - expected| <= tolerance * (1 + |expected|); labels where they are the same, or where
    the model's own two best classes lie within the tolerance (a tie).
    """
    labelled = contract.output.task not in ("regression", "transform")
    worst: list[Difference] = []
    flips = ties = beyond = 0
    largest = relative = 0.0
    for row, (expected, got) in enumerate(zip(golden.predictions, found.predictions, strict=True)):
        difference, excess = 0.0, 0.0
        if labelled and expected != got:
            if _is_tie(golden, row, contract, tolerance):
                ties += 1
            else:
                flips += 1
                worst.append(Difference(row, expected, got, math.inf))
        for a, b in _pairs(golden, found, row, labelled):
            apart = _apart(a, b)
            difference = max(difference, apart)
            relative = max(relative, apart / (1 + abs(b or 0.0)))
            excess = max(excess, apart - tolerance * (1 + abs(b or 0.0)))
        if row < golden.sampled:
            largest = max(largest, difference)
        if excess > 0:
            beyond += 1
            worst.append(Difference(row, *_shown(golden, found, row), difference))
    worst.sort(key=lambda each: -each.difference)
    return Agreement(len(golden.rows), largest, relative, flips, ties, beyond, tuple(worst[:WORST]))


def _pairs(golden: Golden, found: Golden, row: int, labelled: bool) -> Iterator[tuple[Any, Any]]:
    """(found, expected) for every number of a row."""
    if golden.probabilities is not None:
        if found.probabilities is None:
            raise InvalidDocumentError("The model gives probabilities, the answer has none. Package the model again.")
        yield from zip(found.probabilities[row], golden.probabilities[row], strict=True)
    elif golden.scores is not None and found.scores is not None:
        yield from _numbers(found.scores[row], golden.scores[row])
    if not labelled:
        yield from _numbers(found.predictions[row], golden.predictions[row])


def _numbers(found: Any, expected: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(expected, list | tuple):
        return zip(found, expected, strict=True)
    return iter([(found, expected)])


def _apart(found: float | None, expected: float | None) -> float:
    """None stands for what isn't finite; two of those agree."""
    if found is None or expected is None:
        return 0.0 if found is expected else math.inf
    return abs(found - expected)


def _is_tie(golden: Golden, row: int, contract: Contract, tolerance: float) -> bool:
    values = _decision_values(golden, row)
    if contract.output.task == "multilabel":
        return any(abs(value - 0.5) <= tolerance for value in values)
    thresholds = contract.output.thresholds
    if any(
        limit is not None and abs(value - limit) <= tolerance for value, limit in zip(values, thresholds, strict=False)
    ):
        return True
    numbers: list[float] = [value for value in values if value is not None]
    if len(numbers) < 2:
        return False
    second, best = sorted(numbers)[-2:]
    return best - second <= tolerance * (1 + abs(best))


def _decision_values(golden: Golden, row: int) -> Sequence[float]:
    """The numbers the label was decided by; a single decision value is weighed against zero."""
    if golden.probabilities is not None:
        return golden.probabilities[row]
    if golden.scores is None:
        return ()
    score = golden.scores[row]
    return score if isinstance(score, list | tuple) else (score, 0.0)


def _shown(golden: Golden, found: Golden, row: int) -> tuple[Any, Any]:
    if golden.probabilities is not None and found.probabilities is not None:
        return golden.probabilities[row], found.probabilities[row]
    return golden.predictions[row], found.predictions[row]
