"""What a request leaves behind of each prediction, for the monitor to read."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, Self, cast, get_args

from lightship_runtime.contract import Contract
from lightship_runtime.errors import InvalidDocumentError
from lightship_runtime.monitor.bins import Bins, Coder, column_coder, encode_columns
from lightship_runtime.monitor.encode import PREDICTION_DIGITS, encode_record, rounded

type Mode = Literal["codes", "raw", "off"]

MODES: tuple[str, ...] = get_args(Mode.__value__)
MODE, SHARE, WITHOUT = "LIGHTSHIP_CAPTURE", "LIGHTSHIP_CAPTURE_SHARE", "LIGHTSHIP_CAPTURE_WITHOUT"
LONGEST_TEXT = 1_000
"""Characters that are kept of a raw text."""
LONGEST_RECORD = 100_000
"""A record whose raw values make it longer goes without them, so that it fits into a line."""

_encode = json.JSONEncoder(separators=(",", ":")).encode


class Capture:
    """How much is kept: bin `codes`, also the `raw` values of a share of the predictions, or nothing (`off`).

    `without` names the columns whose raw values are left out.
    """

    __slots__ = ("mode", "share", "without")

    def __init__(self, mode: Mode = "codes", share: float = 1.0, without: Collection[str] = ()) -> None:
        self.mode: Mode = mode
        self.share = share
        self.without = frozenset(without)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Raises InvalidDocumentError for a mode that isn't known."""
        mode = environment.get(MODE, "codes")
        if mode not in MODES:
            raise InvalidDocumentError(f"{MODE} is {mode!r}; known are {', '.join(MODES)}. Deploy again.")
        without = json.loads(environment.get(WITHOUT, "[]"))
        return cls(cast("Mode", mode), float(environment.get(SHARE, "1")), without)

    def to_environment(self) -> dict[str, str]:
        """The variables that say the same."""
        return {MODE: self.mode, SHARE: f"{self.share:g}", WITHOUT: json.dumps(sorted(self.without))}


class Recorder:
    """Writes the records of a request's predictions. Made once at a function's start.

    Without `bins` (a release that has no baseline) the records have no codes.
    """

    def __init__(self, contract: Contract, bins: Bins | None = None, capture: Capture | None = None) -> None:
        self._capture = capture or Capture()
        self._output = contract.output
        columns = {column.name: column for column in bins.columns} if bins else {}
        self._coders: tuple[Coder, ...] = tuple([column_coder(columns[name]) for name in columns])
        self._places = [contract.positions.get(name) for name in columns]
        self._scored = contract.output.probabilities if bins is None else bins.scores > 0
        self._raw = [(place, name) for place, name in enumerate(contract.names) if name not in self._capture.without]

    def records(
        self,
        ids: Sequence[str],
        callers: Sequence[str],
        columns: Sequence[Sequence[Any]],
        document: Mapping[str, Any],
        decisions: Any = None,
    ) -> list[str]:
        """The JSON text of each prediction's record. `columns` are validated values in the contract's order,
        `document` is the answer, `decisions` the engine's decision values, which callers don't see."""
        if self._capture.mode == "off":
            return []
        codes = self._codes(columns, len(ids))
        scores = self._scores(document, decisions, len(ids))
        records = [
            encode_record(each, self._predicted(value), score, code)
            for each, value, score, code in zip(ids, document["predictions"], scores, codes, strict=True)
        ]
        for record, caller in zip(records, callers, strict=False):
            record["u"] = caller
        if self._capture.mode == "raw":
            from lightship_runtime.sampling import is_sampled

            for row, record in enumerate(records):
                if is_sampled(ids[row], self._capture.share):
                    record["x"] = {name: _short(columns[place][row]) for place, name in self._raw}
        return [_text(record) for record in records]

    def _codes(self, columns: Sequence[Sequence[Any]], rows: int) -> list[str]:
        if not self._coders:
            return [""] * rows
        gap = [None] * rows
        return encode_columns(self._coders, [gap if place is None else columns[place] for place in self._places])

    def _scores(self, document: Mapping[str, Any], decisions: Any, rows: int) -> Sequence[Any]:
        """Two classes have the second one's probability, several have all, outliers how usual a row is; None where
        the answer has a gap."""
        if self._output.task == "outlier" and self._scored and decisions is not None:
            return [float(value) for value in decisions]
        probabilities = document.get("probabilities")
        if not self._scored or not probabilities:
            return [None] * rows
        found = [list(row.values()) for row in probabilities]
        if self._output.task == "binary":
            return [row[1] for row in found]
        return [None if None in row else row for row in found]

    def _predicted(self, value: Any) -> Any:
        if self._output.width:
            return None
        if type(value) is float and self._output.task == "regression":
            return rounded(value, PREDICTION_DIGITS)
        return value


def _text(record: dict[str, Any]) -> str:
    text = _encode(record)
    if len(text) > LONGEST_RECORD and record.pop("x", None):
        text = _encode(record)
    return text


def _short(value: Any) -> Any:
    return value[:LONGEST_TEXT] if isinstance(value, str) else value
