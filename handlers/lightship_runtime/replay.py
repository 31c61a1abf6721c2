"""Replays golden rows against a function, and puts its answers into the terms of golden rows."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lightship_runtime.contract import Contract
from lightship_runtime.golden import Golden

# A synchronous invocation takes 6 MB; a function may be slow, and a refusal should name few rows.
MAX_ROWS = 500
MAX_BYTES = 1_000_000

type Row = Mapping[str, Any]
type Ask = Callable[[Sequence[Row]], Mapping[str, Any]]


def instances_of(golden: Golden, contract: Contract) -> list[Row]:
    """The golden rows as a caller sends them."""
    return [dict(zip(contract.names, row, strict=True)) for row in golden.rows]


def replay(golden: Golden, contract: Contract, ask: Ask) -> Golden:
    """The golden rows with what `ask` answers (`{"predictions": [...], "probabilities": [{class: p}]}`).

    Decision values don't travel, so that labels alone are compared where there are no probabilities.
    """
    predictions: list[Any] = []
    probabilities: list[tuple[float, ...]] = []
    for chunk in chunks(instances_of(golden, contract)):
        answer = ask(chunk)
        predictions += answer["predictions"]
        probabilities += [tuple(row.values()) for row in answer.get("probabilities", ())]
    if contract.output.task in ("binary", "multiclass"):
        position = {_key(label): index for index, label in enumerate(contract.output.classes)}
        predictions = [position[_key(label)] for label in predictions]
    return Golden(golden.rows, tuple(predictions), tuple(probabilities) or None, None, golden.sampled)


def chunks(instances: Sequence[Row]) -> list[Sequence[Row]]:
    """At most MAX_ROWS rows each, and within MAX_BYTES unless a single row is larger."""
    largest = max((len(json.dumps(row)) for row in instances), default=1)
    rows = max(1, min(MAX_ROWS, MAX_BYTES // largest))
    return [instances[start : start + rows] for start in range(0, len(instances), rows)]


def _key(label: object) -> str:
    """True and 1 are equal in Python, and different labels in JSON."""
    return json.dumps(label)
