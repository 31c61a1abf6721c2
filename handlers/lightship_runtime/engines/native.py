"""The `native` engine: the model's own library, loaded from a format that runs no code."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from lightship_runtime.contract import Contract
from lightship_runtime.engine import Outputs, Values
from lightship_runtime.engines.estimator import outputs_of
from lightship_runtime.engines.inputs import model_input
from lightship_runtime.errors import InvalidDocumentError

FILES = {"skops": "model.skops", "lightgbm": "model.lightgbm.txt", "xgboost": "model.ubj"}


class NativeEngine:
    """A live estimator behind the engine protocol."""

    name = "native"

    def __init__(self, model: Any, contract: Contract) -> None:
        self._model = model
        self._contract = contract

    def predict(self, columns: Sequence[Values]) -> Outputs:
        return outputs_of(self._model, model_input(self._contract, columns), self._contract)


def open_engine(folder: str | PathLike[str], contract: Contract, options: dict[str, Any]) -> NativeEngine:
    """`options["format"]` names the file's format; for skops, `options["trusted"]` its types, pinned at packaging."""
    kind = options["format"]
    match kind:
        case "skops":
            import skops.io

            model = skops.io.load(Path(folder) / FILES[kind], trusted=options["trusted"])
        case "lightgbm" | "xgboost":
            from lightship_runtime.engines import boosters

            model = boosters.open_booster(kind, Path(folder) / FILES[kind])
        case _:
            raise InvalidDocumentError(f"The native model has the unknown format {kind!r}. Package the model again.")
    return NativeEngine(model, contract)
