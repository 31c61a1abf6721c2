"""Makes the golden rows: rows of the sample, and rows made from the contract to find silent errors."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from lightship.describe import Described, unseen_category
from lightship.jumps import jump_rows
from lightship_runtime.contract import Column, Contract
from lightship_runtime.engine import Engine, Outputs, RefusedRowsError
from lightship_runtime.errors import LightshipError
from lightship_runtime.golden import Golden
from lightship_runtime.predict import as_list, finite

MAX_SAMPLED = 10_000
EDGE_BASES = 3
ALONE = 5


class GoldenError(LightshipError):
    """The model doesn't predict its own sample."""


def make_golden(
    engine: Engine, described: Described, *, most: int = MAX_SAMPLED, also: Sequence[tuple[Any, ...]] = ()
) -> Golden:
    """Ask the original model, behind the engine protocol, for up to `most` rows of the sample and for edge rows.

    Sampled rows are evenly spaced. Edge rows, to which those of `also` belong, are left out where the model refuses
    them: they prove nothing.
    Raises GoldenError when the model refuses a sampled row, or doesn't treat rows one by one.
    """
    count = len(described.columns[0])
    usable = [row for row in range(count) if _finite_row(described.columns, row)]
    if not usable:
        raise GoldenError("The sample has no row of finite values. Give a sample of rows as the model will see them.")
    chosen = [usable[i] for i in np.unique(np.linspace(0, len(usable) - 1, min(most, len(usable))).astype(int))]
    sampled = list(zip(*described.at(chosen), strict=True))
    edges = list(dict.fromkeys([*edge_rows(described.contract, sampled), *also]))
    try:
        answers = ask(engine, sampled, sampled=len(sampled))
    except Exception as error:
        raise GoldenError(
            f"The model can't predict its own sample ({type(error).__name__}: {error}). "
            "Give a sample with the columns and types the model was fitted on."
        ) from error
    _check_rowwise(engine, answers)
    return joined(answers, _answerable(engine, edges))


def _check_rowwise(engine: Engine, answers: Golden) -> None:
    """Raises GoldenError for a model whose answer to a row hangs on the rows beside it: no request could repeat it."""
    few = range(min(ALONE, len(answers.rows)))
    alone = [as_list_of(engine.predict([[value] for value in answers.rows[row]])) for row in few]
    together = as_list_of(Outputs(answers.predictions, answers.probabilities))[: len(few)]
    with np.errstate(invalid="ignore"):
        apart = [
            not np.allclose(np.array(one, dtype=np.float64), np.array(other, dtype=np.float64), 1e-4, 1e-4, True)
            for one, other in zip((each[0] for each in alone), together, strict=True)
        ]
    if any(apart):
        raise GoldenError(
            f"The model says another thing of row {apart.index(True)} of the sample alone than among the others: what "
            "it computes isn't of single rows (as NMF's transform, which is fitted to all rows it is given). "
            "Replace that step by one that treats each row by itself."
        )


def as_list_of(outputs: Outputs) -> list[Any]:
    """One list of numbers a row: the probabilities, or else the prediction."""
    values = outputs.predictions if outputs.probabilities is None else outputs.probabilities
    return [each if isinstance(each, list | tuple) else [each] for each in as_list(values)]


def judged_rows(engine: Engine, rows: Sequence[tuple[Any, ...]], edges: Sequence[tuple[Any, ...]]) -> Golden | None:
    """The outputs for the rows, and for the edges after them, of which those that the model refuses are left out."""
    answers = _answerable(engine, list(rows))
    if answers is None:
        return None
    counted = answers.select(range(len(answers.rows)))
    return joined(
        Golden(counted.rows, counted.predictions, counted.probabilities, counted.scores, len(counted.rows)),
        _answerable(engine, list(dict.fromkeys(edges))),
    )


def edge_rows(contract: Contract, rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Some of the rows with one value changed to each edge of its column's type."""
    return _edges(contract, _bases(rows))


def with_jumps(engine: Engine, contract: Contract, golden: Golden) -> Golden:
    """The golden rows, and rows on both sides of the model's own thresholds, on which engines are judged besides.

    They aren't sealed: where a sum decides a label, the last bit hangs on the processor's own kernels, and the hook
    would refuse in the cloud what is right. What compares alone, as trees do, doesn't change with the processor.
    """
    rows = [row for row in _jumps(engine, contract, _bases(golden.rows[: golden.sampled])) if row not in golden.rows]
    return joined(golden, _answerable(engine, list(dict.fromkeys(rows))))


def _bases(sampled: Sequence[tuple[Any, ...]]) -> Sequence[tuple[Any, ...]]:
    return sampled[:: max(1, len(sampled) // EDGE_BASES)][:EDGE_BASES]


def ask(engine: Engine, rows: Sequence[tuple[Any, ...]], sampled: int) -> Golden:
    """An engine's outputs for these rows, in the shape of golden rows."""
    columns = [list(values) for values in zip(*rows, strict=True)]
    return as_golden(tuple(rows), engine.predict(columns), sampled)


def as_golden(rows: tuple[tuple[Any, ...], ...], outputs: Outputs, sampled: int) -> Golden:
    probabilities = None if outputs.probabilities is None else finite(as_list(outputs.probabilities))
    return Golden(
        rows=rows,
        predictions=tuple(finite(as_list(outputs.predictions))),
        probabilities=None if probabilities is None else tuple(tuple(row) for row in probabilities),
        scores=None if outputs.scores is None else tuple(finite(as_list(outputs.scores))),
        sampled=sampled,
    )


def float32_rows(golden: Golden) -> Golden:
    """Without the edge rows that float32 can't hold, on which an engine of float32 inputs isn't judged."""
    keep = [
        index
        for index, row in enumerate(golden.rows)
        if index < golden.sampled or all(fits_float32(value) for value in row)
    ]
    return golden.select(keep)


def fits_float32(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return True
    with np.errstate(over="ignore"):
        return bool(float(np.float32(value)) == float(value))


def _finite_row(columns: list[list[Any]], row: int) -> bool:
    return all(not isinstance(each[row], float) or math.isfinite(each[row]) for each in columns)


def _jumps(engine: Engine, contract: Contract, bases: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows on both sides of the model's own thresholds. A model that refuses a row on the way has none."""
    try:
        return jump_rows(engine, contract, bases)
    except Exception:  # noqa: BLE001 - any model may raise anything; these rows are extra
        return []


def _edges(contract: Contract, bases: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Each base row with one value changed, for every column and every edge of its type."""
    return [
        (*base[:index], value, *base[index + 1 :])
        for index, column in enumerate(contract.columns)
        for base in bases
        for value in edge_values(column)
    ]


def edge_values(column: Column) -> list[Any]:
    """Values where models and their conversions go wrong, all of them valid by the contract."""
    values: list[Any] = [None] if column.nullable else []
    match column.type:
        case "number":
            values += [0.0, -1.0, 1e-30, 1e9, -1e9, *_around(column)]
        case "integer":
            values += [0, 1, -1, 2**24 + 1, 2**31, 2**53 + 1, *map(int, _around(column))]
        case "boolean":
            values += [True, False]
        case "category":
            values += list(column.categories or ())[:20]
            unseen = unseen_category(column)
            if not column.closed and unseen is not None:
                values += [unseen, ""] if isinstance(unseen, str) else [unseen]
        case "text":
            values += [
                "",
                " ",
                "na\N{LATIN SMALL LETTER I WITH DIAERESIS}ve caf\u00e9 \u6771\u4eac \U0001f6eb",
                "A a A.",
                "x" * 5_000,
            ]
        case "datetime":
            pass
    return values


def _around(column: Column) -> list[float]:
    """The ends of the range seen, the next value on either side of them, and the middle and far beyond."""
    if column.minimum is None or column.maximum is None:
        return []
    low, high = float(column.minimum), float(column.maximum)
    span = high - low or 1.0
    beside = [math.nextafter(end, toward) for end in (low, high) for toward in (-math.inf, math.inf)]
    return [low, high, *beside, (low + high) / 2, low - span, high + span]


def _answerable(engine: Engine, rows: list[tuple[Any, ...]]) -> Golden | None:
    """The outputs for those rows that the model doesn't refuse, found by halving where it doesn't name them."""
    if not rows:
        return None
    try:
        return ask(engine, rows, sampled=0)
    except RefusedRowsError as error:
        refused = set(error.rows)
        return _answerable(engine, [row for place, row in enumerate(rows) if place not in refused])
    except Exception:  # noqa: BLE001 - any model may raise anything; a refused row is left out
        if len(rows) == 1:
            return None
        middle = len(rows) // 2
        first, second = _answerable(engine, rows[:middle]), _answerable(engine, rows[middle:])
        return first if second is None else second if first is None else joined(first, second)


def joined(first: Golden, second: Golden | None) -> Golden:
    if second is None:
        return first
    return Golden(
        rows=first.rows + second.rows,
        predictions=first.predictions + second.predictions,
        probabilities=None
        if first.probabilities is None or second.probabilities is None
        else first.probabilities + second.probabilities,
        scores=None if first.scores is None or second.scores is None else first.scores + second.scores,
        sampled=first.sampled,
    )
