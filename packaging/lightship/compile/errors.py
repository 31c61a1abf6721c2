"""What compiling a model can refuse."""

from typing import Any

from lightship_runtime.errors import LightshipError


class UnsupportedModelError(LightshipError):
    """An estimator, or a setting of one, that can't be compiled with certainty."""

    def __init__(self, estimator: Any, reason: str) -> None:
        kind = estimator if isinstance(estimator, str) else qualified_name(type(estimator))
        self.estimator = kind
        self.reason = reason
        super().__init__(
            f"{kind} can't be compiled for the array and pure engines: {reason}. "
            "The onnx or native engine may take the model; or fit it without that setting."
        )


def qualified_name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
