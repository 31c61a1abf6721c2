"""Rows made from the contract alone, for releases that must not hold rows of the sample."""

import random
from datetime import datetime, timedelta
from typing import Any

from lightship.goldens import GoldenError, edge_rows, judged_rows
from lightship_runtime.contract import Column, Contract
from lightship_runtime.documents import dump_document
from lightship_runtime.engine import Engine
from lightship_runtime.golden import Golden

ROWS = 500
MISSING = 0.1
FIRST_DAY = datetime(2000, 1, 1)
MINUTES = 30 * 365 * 24 * 60
SYLLABLES = ("ba", "ce", "di", "fo", "gu", "la", "me", "ni", "po", "ru", "sa", "te", "vi", "zo")


def synthetic_golden(engine: Engine, contract: Contract) -> Golden:
    """What the original model says of ROWS made-up rows and of their edges. Rows that it refuses are left out.

    Raises GoldenError when it refuses all of them.
    """
    rows = synthetic_rows(contract, ROWS)
    golden = judged_rows(engine, rows, edge_rows(contract, rows))
    if golden is None:
        raise GoldenError(
            "The model refuses every row that was made from its contract, so that golden rows can't be synthetic. "
            'Use [package] golden = "sample" with a sample that may be kept.'
        )
    return golden


def synthetic_rows(contract: Contract, count: int) -> list[tuple[Any, ...]]:
    """Rows that the contract allows, each column drawn by itself within what was seen. The same ones each time."""
    draw = random.Random(dump_document(contract.to_dict()))  # noqa: S311 - not for secrets
    return [tuple(_value(column, draw) for column in contract.columns) for _ in range(count)]


def _value(column: Column, draw: random.Random) -> Any:
    if column.nullable and draw.random() < MISSING:
        return None
    low, high = column.minimum or 0, column.maximum or 0
    match column.type:
        case "number":
            return draw.uniform(low, high)
        case "integer":
            return draw.randint(int(low), int(high))
        case "boolean":
            return draw.random() < 0.5
        case "category" if column.categories:
            return draw.choice(column.categories)
        case "category" | "text":
            return " ".join(_word(draw) for _ in range(draw.randint(0, 12)))
        case "datetime":
            return (FIRST_DAY + timedelta(minutes=draw.randrange(MINUTES))).isoformat()


def _word(draw: random.Random) -> str:
    return "".join(draw.choice(SYLLABLES) for _ in range(draw.randint(1, 4)))
