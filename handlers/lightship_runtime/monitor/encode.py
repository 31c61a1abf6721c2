"""Writes a prediction's record, which `records` describes and reads. Imported at every cold start, so it is small."""

from collections.abc import Sequence
from typing import Any

SCORE_DIGITS = 6
PREDICTION_DIGITS = 9

type Label = str | int | float | bool


def encode_record(
    identifier: str, predicted: Label | None, score: float | Sequence[float] | None, codes: str
) -> dict[str, Any]:
    """The JSON-ready record of one prediction. Scores keep six digits; one that isn't finite is left out."""
    record: dict[str, Any] = {"i": identifier, "p": predicted, "c": codes}
    if score is not None:
        kept = [rounded(value) for value in score] if isinstance(score, Sequence) else rounded(score)
        if all(value - value == 0 for value in (kept if isinstance(kept, list) else [kept])):
            record["s"] = kept
    return record


def rounded(value: float, digits: int = SCORE_DIGITS) -> float:
    """A score, or with PREDICTION_DIGITS a predicted number, as records keep it."""
    return float(f"{value:.{digits}g}")
