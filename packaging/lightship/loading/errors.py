"""Why a file was not taken for a model."""

from collections.abc import Sequence

from lightship_runtime.errors import LightshipError


class ModelLoadError(LightshipError):
    """A model file could not be read, is not trusted, or holds no model that could serve."""


class NotAModelError(ModelLoadError):
    """The bytes, or the object in them, are not a model that predicts."""


class CorruptModelError(ModelLoadError):
    """The file is of a known kind but truncated or damaged."""


class TooLargeError(ModelLoadError):
    """The file, or what it unpacks to, is over the stated limit."""


class MissingPackageError(ModelLoadError):
    """Reading the file takes a package that is not installed here."""

    def __init__(self, file: str, package: str, install: str) -> None:
        super().__init__(
            f"{file} needs the package {package!r}, which is not installed here. Run: uv pip install '{install}'"
        )


class UntrustedModelError(ModelLoadError):
    """The file would construct or import something that was not trusted. `names` lists it, dotted."""

    def __init__(self, message: str, names: Sequence[str]) -> None:
        super().__init__(message)
        self.names = tuple(names)


class VersionMismatchError(ModelLoadError):
    """The model was fitted with another scikit-learn than the one installed."""

    def __init__(self, file: str, fitted: str, installed: str) -> None:
        super().__init__(
            f"{file} was fitted with scikit-learn {fitted}, and {installed} is installed here: its predictions could "
            f"silently differ. Run: uv pip install scikit-learn=={fitted} (or fit and save the model again with "
            f"{installed})."
        )
        self.fitted = fitted
        self.installed = installed


class UnfittedModelError(ModelLoadError):
    """The model was saved before it was fitted."""
