"""Opens the engine that a packaged model folder names."""

from os import PathLike
from os.path import join
from typing import Any

from lightship_runtime.contract import Contract
from lightship_runtime.documents import dump_document, load_document
from lightship_runtime.engine import Engine
from lightship_runtime.errors import InvalidDocumentError

SCHEMA = 1
CONTRACT = "contract.json"
MODEL = "model.json"


def model_document(*, name: str, version: str, engine: str, options: dict[str, Any] | None = None) -> bytes:
    """What `model.json` says: whose model this is and which engine evaluates it, with that engine's own options."""
    return dump_document({"schema": SCHEMA, "name": name, "version": version, "engine": engine, **(options or {})})


def read_model_document(folder: str | PathLike[str]) -> dict[str, Any]:
    return load_document(read(folder, MODEL), what=MODEL, schema=SCHEMA)


def read(folder: str | PathLike[str], name: str) -> bytes:
    """A file's bytes, without pathlib, whose import a cold start would pay for."""
    with open(join(folder, name), "rb") as file:
        return file.read()


def open_engine(folder: str | PathLike[str], contract: Contract, engine: str, options: dict[str, Any]) -> Engine:
    """Open the model files in `folder` with the named engine. Only that engine's libraries are imported.

    Where `options` name a module, it is around the engine, and `contract` is that of the outer interface.
    """
    if "module" in options:
        from lightship_runtime.around import open_around, read_inner

        inner = read_inner(folder)
        return open_around(with_thresholds(_open(folder, inner, engine, options), inner), options, contract, inner)
    return with_thresholds(_open(folder, contract, engine, options), contract)


def with_thresholds(engine: Engine, contract: Contract) -> Engine:
    """The engine itself, unless the contract has thresholds."""
    if not contract.output.thresholds:
        return engine
    from lightship_runtime.thresholds import ThresholdedEngine

    return ThresholdedEngine(engine, contract.output.thresholds)


def _open(folder: str | PathLike[str], contract: Contract, engine: str, options: dict[str, Any]) -> Engine:
    match engine:
        case "pure":
            from lightship_runtime.engines import pure

            return pure.open_engine(folder, contract)
        case "array":
            from lightship_runtime.engines import array

            return array.open_engine(folder, contract)
        case "onnx":
            from lightship_runtime.engines import onnx

            return onnx.open_engine(folder, contract)
        case "native":
            from lightship_runtime.engines import native

            return native.open_engine(folder, contract, options)
        case _:
            raise InvalidDocumentError(
                f"The model names the engine {engine!r}; known are pure, array, onnx, native. Package the model again."
            )
