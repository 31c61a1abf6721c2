"""What the evaluator doesn't know, it refuses."""

from lightship_runtime.errors import LightshipError


class UnknownSemanticsError(LightshipError):
    """An alarm uses something whose meaning isn't modelled: no verdict about it would be worth anything."""
