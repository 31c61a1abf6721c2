"""The engines at packaging: each tries to write its model files into a folder, or says why it can't.

Nothing is believed of a candidate until it has reproduced the golden rows.
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightship_runtime.contract import Contract
from lightship_runtime.engine import Engine
from lightship_runtime.errors import LightshipError
from lightship_runtime.loader import open_engine

if TYPE_CHECKING:
    from lightship.compile.model import Compiled
    from lightship.describe import Described

ORDER = ("pure", "array", "onnx", "native")
DOUBLE = 1e-9
SINGLE = 1e-5


class CandidateError(LightshipError):
    """An engine can't take this model; another may."""


@dataclass(frozen=True)
class Candidate:
    """Model files written for one engine.

    `tolerance` is how near it has to come to the model. `options` go into model.json. `requirements` are the
    distributions its zip needs, exactly pinned to what this environment has where the model was made by them.
    """

    engine: str
    folder: Path
    tolerance: float
    options: Mapping[str, Any] = field(default_factory=dict)
    requirements: tuple[str, ...] = ()

    def open(self, contract: Contract) -> Engine:
        return open_engine(self.folder, contract, self.engine, dict(self.options))


type Maker = Callable[[Any, "Described", Path], Candidate]


def make_pure(model: Any, described: "Described", folder: Path) -> Candidate:
    compiled = _compile(model, described, folder)
    if not compiled.pure:
        raise CandidateError(f"The standard library alone can't evaluate the model: {compiled.pure_reason}.")
    return Candidate("pure", folder, _tolerance(compiled))


def make_array(model: Any, described: "Described", folder: Path) -> Candidate:
    compiled = _compile(model, described, folder)
    return Candidate("array", folder, _tolerance(compiled), requirements=("numpy",))


def _tolerance(compiled: "Compiled") -> float:
    """A model that computes in single precision differs from itself by more than 1e-9 in another batch size."""
    return SINGLE if compiled.single_precision else DOUBLE


def _compile(model: Any, described: "Described", folder: Path) -> "Compiled":
    _refuse_graph(model)
    from lightship.compile import compile_model

    return compile_model(model, described.contract, folder)


def make_onnx(model: Any, described: "Described", folder: Path) -> Candidate:
    """A model that is an ONNX file already comes as the folder of its files."""
    if isinstance(model, Path):
        shutil.copytree(model, folder, dirs_exist_ok=True)
    else:
        from lightship.onnx_export import export

        export(model, described.contract, folder)
    return Candidate("onnx", folder, SINGLE, requirements=("onnxruntime", "numpy"))


def make_native(model: Any, described: "Described", folder: Path) -> Candidate:
    _refuse_graph(model)
    from lightship.native_export import export

    options, libraries = export(model, folder)
    frames = ("pandas",) if described.contract.layout == "frame" else ()
    pinned = tuple(f"{name}=={metadata.version(name)}" for name in (*libraries, *frames))
    return Candidate("native", folder, DOUBLE, options, pinned)


def _refuse_graph(model: Any) -> None:
    if isinstance(model, Path):
        raise CandidateError("The model is an ONNX graph, which ONNX Runtime alone evaluates.")


MAKERS: Mapping[str, Maker] = {"pure": make_pure, "array": make_array, "onnx": make_onnx, "native": make_native}


def installed(module: str) -> bool:
    """Whether an optional library can be imported here."""
    try:
        import_module(module)
    except ImportError:
        return False
    return True
