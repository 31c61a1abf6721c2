"""Lightship takes a trained model from a notebook to production on AWS Lambda."""

from lightship.api import Packaged, check, package

__all__ = ["Packaged", "check", "package"]
