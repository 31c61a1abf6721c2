"""What can be wrong with a frame that is handed to monitoring."""

from collections.abc import Sequence

from lightship_runtime.errors import LightshipError


class MonitoringError(LightshipError):
    """A frame, column name or label that monitoring can't work with."""


class MissingColumnError(MonitoringError):
    """A named column isn't in the frame."""

    def __init__(self, role: str, name: object, available: Sequence[object]) -> None:
        shown = ", ".join(repr(column) for column in list(available)[:20])
        super().__init__(f"The {role} column {name!r} is not in the frame. It has {shown}. Name one of these.")


class BaselineError(MonitoringError):
    """Rows can't be the baseline of the model that is packaged."""
