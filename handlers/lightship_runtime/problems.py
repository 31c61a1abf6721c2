"""Errors as callers see them: RFC 9457 problem documents."""

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Fault:
    """One reason why a request was refused: where, what was there, and what would have been right.

    `row` counts from 0; it and `column` are None where the fault isn't in one row or one column.
    """

    row: int | None
    column: str | None
    value: Any
    expected: str

    def to_dict(self) -> dict[str, Any]:
        return {"row": self.row, "column": self.column, "value": self.value, "expected": self.expected}


@dataclass
class Problem(Exception):  # noqa: N818 - the standard calls it so
    """A refusal with its HTTP status. `faults` are at most FAULTS of those found."""

    status: int
    detail: str
    faults: tuple[Fault, ...] = field(default=())

    FAULTS = 20

    def to_dict(self) -> dict[str, Any]:
        document = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if self.faults:
            document["errors"] = [fault.to_dict() for fault in self.faults]
        return document
