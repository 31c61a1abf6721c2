"""Compiles fitted models to the programs that the array and pure engines evaluate."""

from lightship.compile.errors import UnsupportedModelError
from lightship.compile.model import Compiled, compile_model

__all__ = ["Compiled", "UnsupportedModelError", "compile_model"]
