"""Writes a model for the `native` engine: in the skops format, or a booster in its library's own."""

import io
import json
import sys
import zipfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import skops.io

from lightship.candidates import CandidateError
from lightship.wheels import distribution
from lightship.zipping import DATE
from lightship_runtime.engines.native import FILES


def export(model: Any, folder: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The options for model.json and the distributions that the model needs.

    Raises CandidateError for a model that the skops format can't hold.
    """
    match type(model).__module__.split(".")[0], type(model).__name__:
        case "lightgbm", "Booster":
            model.save_model(folder / FILES["lightgbm"])
            return {"format": "lightgbm"}, ("lightgbm", "numpy", "scipy")
        case "xgboost", "Booster":
            model.save_model(folder / FILES["xgboost"])
            return {"format": "xgboost"}, (_xgboost(), "numpy", "scipy")
    path = folder / FILES["skops"]
    try:
        path.write_bytes(canonical(skops.io.dumps(model)))
        trusted = sorted(skops.io.get_untrusted_types(file=path))
    except Exception as error:
        raise CandidateError(f"The skops format can't hold the model: {type(error).__name__}: {error}.") from error
    libraries = ["scikit-learn", "numpy", "scipy", "skops"]
    if any(name.startswith("lightgbm.") for name in trusted):
        libraries.append("lightgbm")
    if any(name.startswith("xgboost.") for name in trusted):
        libraries.append(_xgboost())
    libraries += [name for name in _distributions(trusted) if name not in libraries and "xgboost" not in name]
    return {"format": "skops", "trusted": trusted}, tuple(libraries)


def _distributions(types: Sequence[str]) -> list[str]:
    """The installed distributions that these types come from; code of the user's own comes from none."""
    tops = dict.fromkeys(name.partition(".")[0] for name in types)
    known = metadata.packages_distributions()
    found = [known[top][0] for top in tops if top in known and top not in sys.stdlib_module_names]
    return [distribution(name) for name in found]


def canonical(data: bytes) -> bytes:
    """The same bytes for the same model: skops names arrays and references by memory address, and dates its zip."""
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        members = {name: source.read(name) for name in source.namelist()}
    schema = json.loads(members.pop("schema.json"))
    ids: dict[int, int] = {}
    files: dict[str, str] = {}
    _renumber(schema, ids, files)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name in ["schema.json", *files]:
            content = json.dumps(schema).encode() if name == "schema.json" else members[name]
            target.writestr(zipfile.ZipInfo(files.get(name, name), DATE), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _renumber(node: Any, ids: dict[int, int], files: dict[str, str]) -> None:
    """Number the references and files of a schema in the order in which they stand."""
    match node:
        case dict():
            if isinstance(identity := node.get("__id__"), int):
                node["__id__"] = ids.setdefault(identity, len(ids) + 1)
            if isinstance(file := node.get("file"), str):
                node["file"] = files.setdefault(file, f"{len(files) + 1}{Path(file).suffix}")
            for each in node.values():
                _renumber(each, ids, files)
        case list():
            for each in node:
                _renumber(each, ids, files)


def _xgboost() -> str:
    """The CPU build where it is what is installed: the other brings 361 MB of NCCL."""
    installed = {distribution.metadata["Name"] for distribution in metadata.distributions()}
    return "xgboost-cpu" if "xgboost-cpu" in installed else "xgboost"
