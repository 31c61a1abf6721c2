"""Errors as callers see them: RFC 9457 problem documents."""

from typing import Any, NamedTuple

MEDIA_TYPE = "application/problem+json"


class Fault(NamedTuple):
    """One reason why a request was refused: where, what was there, and what would have been right.

    `row` counts from 0; it and `column` are None where the fault isn't in one row or one column.
    """

    row: int | None
    column: str | None
    value: Any
    expected: str

    def to_dict(self) -> dict[str, Any]:
        return self._asdict()


class Problem(Exception):  # noqa: N818 - the standard calls it so
    """A refusal with its HTTP status. `faults` are at most FAULTS of those found."""

    FAULTS = 20

    def __init__(self, status: int, detail: str, faults: tuple[Fault, ...] = ()) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.faults = faults

    def to_dict(self) -> dict[str, Any]:
        from http import HTTPStatus

        document: dict[str, Any] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if self.faults:
            document["errors"] = [fault.to_dict() for fault in self.faults]
        return document
