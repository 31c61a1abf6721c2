"""Lightship takes a trained model from a notebook to production on AWS Lambda."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lightship.api import Packaged, check, package

if TYPE_CHECKING:
    from lightship.monitoring import make_baseline, monitor

__all__ = ["Packaged", "check", "make_baseline", "monitor", "package"]


def __getattr__(name: str) -> Any:
    """The monitoring functions, imported with NumPy and pandas when first asked for."""
    if name in ("make_baseline", "monitor"):
        return getattr(import_module("lightship.monitoring"), name)
    raise AttributeError(f"module 'lightship' has no attribute {name!r}")
