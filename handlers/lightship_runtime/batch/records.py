"""The documents that plan, score and commit hand to each other, as frozen data with their JSON forms."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self, get_args

from lightship_runtime.batch.errors import BatchError

type Format = Literal["csv", "jsonl", "parquet"]
FORMATS: tuple[str, ...] = get_args(Format.__value__)
SUFFIXES: Mapping[str, Format] = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}


def format_of(name: str) -> Format | None:
    """The format that an object's name says, with or without .gz; None for any other name."""
    lower = name.lower().removesuffix(".gz")
    return next((kind for suffix, kind in SUFFIXES.items() if lower.endswith(suffix)), None)


@dataclass(frozen=True, slots=True)
class Settings:
    """How a run reads and writes.

    `key` are the columns a row is known by. `keep` are further columns to pass through; None keeps every column that
    the model doesn't take, `("*",)` keeps all (in JSON Lines: of those in the object's first row).
    A run fails above `max_reject_share`.
    """

    key: tuple[str, ...]
    format: Format = "parquet"
    keep: tuple[str, ...] | None = None
    delimiter: str = ","
    encoding: str = "utf-8"
    max_reject_share: float = 0.01

    def __post_init__(self) -> None:
        if not self.key:
            raise BatchError("A batch has no key. Name the column that tells rows apart, with --key COLUMN.")
        if self.format not in FORMATS:
            raise BatchError(f"The format {self.format!r} isn't known; choose {', '.join(FORMATS)}.")
        if len(self.delimiter) != 1 or not self.delimiter.isascii() or self.delimiter in '"\r\n':
            raise BatchError(f"The delimiter {self.delimiter!r} isn't one ASCII character. Give one, such as ';'.")
        if not 0 <= self.max_reject_share <= 1:
            raise BatchError(f"The share of rejects {self.max_reject_share} isn't between 0 and 1. Mend the setting.")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        keep = document["keep"]
        return cls(**{**document, "key": tuple(document["key"]), "keep": None if keep is None else tuple(keep)})


@dataclass(frozen=True, slots=True)
class Chunk:
    """One piece of work: rows of one object. Text: the bytes from `start` to `end` (None: to its end), which begin and
    end where records do. Parquet: the row groups from `start` to before `end`. `first_row` is the number of the first
    record within the object, counted from 1 after the header."""

    number: int
    file: str
    etag: str
    size: int
    format: Format
    start: int = 0
    end: int | None = None
    first_row: int = 1

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        return cls(**document)


@dataclass(frozen=True, slots=True)
class Reject:
    """One row that wasn't scored: its first fault. `row` counts from 1 after the header; `column` is None where the
    row as a whole is at fault."""

    row: int
    column: str | None
    value: Any
    expected: str


@dataclass(frozen=True, slots=True)
class ChunkResult:
    """What became of a chunk: `part` and `rejects` are names below the run's folder, None where there are no such
    rows. `unreadable` says why no row could be read. `seconds` of work by step. `counts` are for the monitor; they are
    kept with the item's, not with each chunk."""

    number: int
    file: str
    rows_in: int
    rows_scored: int
    rows_rejected: int
    part: str | None = None
    part_bytes: int = 0
    rejects: str | None = None
    unreadable: str | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    counts: Mapping[str, Any] | None = None

    @property
    def reconciled(self) -> bool:
        return self.rows_in == self.rows_scored + self.rows_rejected

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__ if name != "counts"}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        return cls(**document)
