"""The baseline: the training-time picture that monitoring compares with, as a JSON document.

Standard library only. What the predicting function needs of it to code rows is `bins.json` (see `bins`).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self, get_args

from lightship_runtime.documents import dump_document, load_document
from lightship_runtime.errors import InvalidDocumentError
from lightship_runtime.monitor.bins import SCHEMA as BINS_SCHEMA
from lightship_runtime.monitor.bins import TrackBins, digest

SCHEMA = 1

type ColumnKind = Literal["numeric", "category", "boolean", "datetime", "text"]
type TrackKind = Literal["numeric", "category", "boolean", "clock"]
type BaselineTask = Literal["binary", "multiclass", "regression", "labels", "none"]

COLUMN_KINDS: tuple[str, ...] = get_args(ColumnKind.__value__)
TASKS: tuple[str, ...] = get_args(BaselineTask.__value__)


@dataclass(frozen=True, slots=True)
class Track:
    """One binned view of a column: its value, or for texts and dates something read off the value.

    `counts` maps a bin code (`bins` tells what each means) to the number of baseline rows. Numeric tracks have
    interior `edges` (bin i holds edges[i-1] <= x < edges[i]), the range and standard deviation seen, `sketch`, evenly
    spaced quantiles from the smallest to the largest value, and `step`, of which all differences of values are
    multiples (1 for whole numbers; 0 where there is none, or the values are many).

    Category tracks have the top `values`, in the order of their codes, and `known`: digests of the further values
    seen; `open` says that they were too many to keep. `singles` counts the values seen once only: as many rows of a
    second sample like it would hold values not seen in this one (Good and Turing's estimate). `digests` are those of
    the top values; in a blank baseline the values themselves are left out.
    """

    name: str
    kind: TrackKind
    counts: Mapping[str, int]
    edges: tuple[float, ...] = ()
    minimum: float = 0.0
    maximum: float = 0.0
    deviation: float = 0.0
    step: float = 0.0
    sketch: tuple[float, ...] = ()
    values: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    open: bool = False
    singles: int = 0

    def __post_init__(self) -> None:
        if self.values and not self.digests:
            object.__setattr__(self, "digests", tuple(digest(value) for value in self.values))


@dataclass(frozen=True, slots=True)
class ColumnBaseline:
    """A column's tracks. Texts and dates have two; `tokens` are digests of a text column's commonest words."""

    name: str
    kind: ColumnKind
    tracks: tuple[Track, ...]
    tokens: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Calibration:
    """What turns one class's score into a probability, and what was seen when it was fitted.

    `edges` are the interior edges of the score bins. `scores` and `probabilities` are the knots of a non-decreasing
    map, linear between knots and constant beyond; empty when the raw score was the better probability. `rows` and
    `positives` count the labelled baseline rows of each score bin.
    """

    edges: tuple[float, ...]
    scores: tuple[float, ...] = ()
    probabilities: tuple[float, ...] = ()
    rows: tuple[int, ...] = ()
    positives: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the model gave. `classes` are keys as `bins.category_key` writes them; `positive` is one of them (binary).

    `tracks` are the binned outputs: `prediction`, and `score` where the model gives one (for several classes, the
    largest score of the row). `calibration` has one entry for a binary model, one a class for several. `names` are the
    columns they came from: `prediction`, `label`, `score`, or `score:` and the class.
    """

    task: BaselineTask
    classes: tuple[str, ...] = ()
    positive: str | None = None
    tracks: tuple[Track, ...] = ()
    calibration: tuple[Calibration, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Performance:
    """Baseline metrics, each with `value`, `low` and `high` (95%), from `rows` labelled rows."""

    rows: int = 0
    correct: int = 0
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    label_mean: float = 0.0
    by_class: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    segments: Mapping[str, Mapping[str, tuple[int, int]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Baseline:
    """Everything monitoring knows of the time of training. `segments` names the columns to report accuracy by."""

    rows: int
    columns: tuple[ColumnBaseline, ...]
    outputs: Outputs
    performance: Performance
    segments: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, with the schema version."""
        return {"schema": SCHEMA, **asdict(self)}

    def to_json(self) -> bytes:
        return dump_document(_lean(self.to_dict()))

    def to_bins(self, *, outputs: bool = False) -> bytes:
        """`bins.json`: what coding rows takes, without counts and categories; with `outputs`, also what counting
        predictions and scores takes, without labels."""
        document: dict[str, Any] = {
            "schema": BINS_SCHEMA,
            "columns": [_bins(asdict(each)) for each in self.columns],
            "scores": len(self.outputs.calibration),
        }
        if outputs:
            found = asdict(self.outputs)
            for calibration in found["calibration"]:
                del calibration["rows"], calibration["positives"]
            document |= {"outputs": _bins(found), "segments": self.segments}
        return dump_document(_lean(document))

    @classmethod
    def from_bins(cls, data: bytes | str) -> Self:
        """A blank baseline, without counts, that codes as the whole one does. With outputs in it, it takes what
        `accumulate.add_batch` and `profile.Profile` take, for rows without labels. Raises as `from_json`."""
        document = load_document(data, what="bins.json", schema=BINS_SCHEMA)
        try:
            return cls(
                rows=0,
                columns=tuple(_column(column) for column in document["columns"]),
                outputs=_outputs(document["outputs"]) if "outputs" in document else Outputs("none"),
                performance=Performance(),
                segments=tuple(document.get("segments", ())),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise InvalidDocumentError(
                f"bins.json lacks or misnames a key ({error!r}). Package the model again."
            ) from error

    @classmethod
    def from_json(cls, data: bytes | str) -> Self:
        """Raises InvalidDocumentError or UnknownSchemaError."""
        document = load_document(data, what="The baseline", schema=SCHEMA)
        try:
            baseline = cls(
                rows=document["rows"],
                columns=tuple(_column(column) for column in document["columns"]),
                outputs=_outputs(document["outputs"]),
                performance=_performance(document["performance"]),
                segments=tuple(document.get("segments", ())),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise InvalidDocumentError(
                f"The baseline lacks or misnames a key ({error!r}). Make the baseline again."
            ) from error
        for kind in (column.kind for column in baseline.columns):
            if kind not in COLUMN_KINDS:
                raise InvalidDocumentError(f"The baseline has the column kind {kind!r}. Make the baseline again.")
        if baseline.outputs.task not in TASKS:
            raise InvalidDocumentError(f"The baseline has the task {baseline.outputs.task!r}. Make the baseline again.")
        return baseline


def _lean(document: Any) -> Any:
    """The document without its empty parts and the digests of values that are there, which the reader fills in."""
    if isinstance(document, dict):
        told = {"digests"} if document.get("values") else set()
        return {key: _lean(value) for key, value in document.items() if key not in told and not _empty(value)}
    if isinstance(document, list | tuple):
        return [_lean(value) for value in document]
    return document


def _bins(column: dict[str, Any]) -> dict[str, Any]:
    """A column or the outputs without what coding doesn't take."""
    kept = [{key: track[key] for key in track if key in _CODING} for track in column["tracks"]]
    return {**column, "tracks": kept}


_CODING = frozenset({"name", *TrackBins.__slots__})


def _empty(value: Any) -> bool:
    return value is None or value is False or (isinstance(value, tuple | dict) and not value)


def _track(document: Mapping[str, Any]) -> Track:
    return Track(**{"counts": {}, **_tuples(document)})


def _tuples(document: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in document.items()}


def _column(document: Mapping[str, Any]) -> ColumnBaseline:
    return ColumnBaseline(
        name=document["name"],
        kind=document["kind"],
        tracks=tuple(_track(track) for track in document["tracks"]),
        tokens=tuple(document.get("tokens", ())),
    )


def _outputs(document: Mapping[str, Any]) -> Outputs:
    return Outputs(
        task=document["task"],
        classes=tuple(document.get("classes", ())),
        positive=document.get("positive"),
        tracks=tuple(_track(track) for track in document.get("tracks", ())),
        calibration=tuple(Calibration(**{"edges": (), **_tuples(entry)}) for entry in document.get("calibration", ())),
        names=dict(document.get("names", {})),
    )


def _performance(document: Mapping[str, Any]) -> Performance:
    segments = {
        name: {value: (int(pair[0]), int(pair[1])) for value, pair in values.items()}
        for name, values in document.get("segments", {}).items()
    }
    return Performance(**{**document, "segments": segments})
