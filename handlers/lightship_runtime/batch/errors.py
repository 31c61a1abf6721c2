"""What can go wrong with a batch, apart from a row."""

from lightship_runtime.errors import LightshipError


class BatchError(LightshipError):
    """A run can't be begun, or mustn't be published."""


class UnreadableError(BatchError):
    """An object whose rows can't be told apart or read: it would be guesswork to say how many there are.

    `reason` is a sentence without the object's name.
    """

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(f"{file} can't be read: {reason}")
        self.file = file
        self.reason = reason


class InputChangedError(BatchError):
    """An object is no longer the one that was planned."""

    def __init__(self, file: str) -> None:
        super().__init__(
            f"{file} was rewritten or removed since the run was planned. Start another run; it takes the new object."
        )
