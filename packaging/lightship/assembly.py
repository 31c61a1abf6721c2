"""Puts an artifact together: the locked wheels, the runtime's own code, the model."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import lightship_runtime
from lightship import lending, slimming
from lightship.binaries import check_binaries
from lightship.bytecode import KEEP_DOCSTRINGS, KEEP_SOURCE, compile_tree
from lightship.cache import cache_root, make_once
from lightship.candidates import Candidate
from lightship.imports import check_imports
from lightship.lambda_host import python_for
from lightship.lending import LENDERS, Lent
from lightship.wheels import install
from lightship.zipping import MAX_UNZIPPED, unzipped_bytes, write_zip
from lightship_runtime.around import INNER
from lightship_runtime.batch.packed import PREFIX
from lightship_runtime.contract import Contract
from lightship_runtime.errors import LightshipError
from lightship_runtime.loader import CONTRACT, MODEL, model_document
from lightship_runtime.manifest import Target, file_digest

if TYPE_CHECKING:
    from lightship.study import Study

HANDLER = "lightship_runtime.realtime.handler"
BATCH_HANDLER = "lightship_runtime.batch.handlers.handler"
PACKED_HANDLER = "lightship_runtime.batch.packed.handler"
WEB = ("fastapi", "mangum")
CODE = "code"
PACKED = "pyarrow"
NO_ENGINE = ""

# The parts of the runtime that only one engine, or no real-time function at all, uses.
_ENGINE_FILES: Mapping[str, Sequence[str]] = {
    NO_ENGINE: (),
    "pure": ("engines/pure.py", "program/"),
    "array": ("engines/array.py", "program/"),
    "onnx": ("engines/onnx.py", "engines/inputs.py"),
    "native": ("engines/native.py", "engines/estimator.py", "engines/inputs.py", "engines/boosters.py"),
}
_REALTIME_FILES = (
    "__init__.py", "api.py", "around.py", "capture.py", "contract.py", "documents.py", "engine.py",
    "engines/__init__.py", "errors.py", "events.py", "identifiers.py", "loader.py", "monitor/__init__.py",
    "monitor/bins.py", "monitor/encode.py", "openapi.py", "predict.py", "problems.py", "realtime.py", "sampling.py",
    "strict_json.py", "telemetry.py", "thresholds.py", "validation.py",
)  # fmt: skip
_BATCH_FILES = (
    "__init__.py", "around.py", "batch/", "capture.py", "contract.py", "documents.py", "engine.py",
    "engines/__init__.py", "errors.py", "identifiers.py", "loader.py", "monitor/", "predict.py", "problems.py",
    "sampling.py", "strict_json.py", "telemetry.py", "thresholds.py", "validation.py",
)  # fmt: skip
_MONITOR_FILES = (
    "__init__.py", "batch/__init__.py", "batch/errors.py", "batch/s3.py", "batch/stores.py", "contract.py",
    "documents.py", "engine.py", "errors.py", "identifiers.py", "labels.py", "loader.py", "monitor/", "problems.py",
    "telemetry.py",
)  # fmt: skip
_USES: Mapping[str, Sequence[str]] = {
    "realtime": _REALTIME_FILES,
    "batch": _BATCH_FILES,
    "monitor": _MONITOR_FILES,
}


@dataclass(frozen=True)
class Assembled:
    """What went on while an artifact was put together: bytes that each slimming rule saved, the system libraries that
    one wheel lent another (see lending.py), the zip of the libraries, for the artifact's own zip to begin with, and
    whether Arrow is packed in it (see the runtime's batch/packed.py)."""

    slimmed: Mapping[str, int]
    lent: tuple[Lent, ...]
    libraries: Path
    packed: bool = False


class IncludeError(LightshipError):
    """Code to include can't go beside what is there."""


@dataclass(frozen=True)
class Included:
    """A user's own module or package that the model needs, by the name it is imported under."""

    name: str
    path: Path


def included(paths: Sequence[Path]) -> list[Included]:
    """A user's modules and packages, each under its own name."""
    return [Included(path.stem if path.is_file() else path.name, path) for path in paths]


@dataclass(frozen=True)
class Surroundings:
    """The module around the model, by the name it is imported under, and the model's own contract."""

    module: str
    inner: Contract


def surroundings(studied: "Study", module: Path | None) -> Surroundings | None:
    """None for a model without a module."""
    return None if module is None or studied.inner is None else Surroundings(module.stem, studied.inner)


def runtime_files(engine: str, use: str = "realtime") -> dict[str, Path]:
    """The runtime's modules that an artifact for this use with this engine holds, by their path in it."""
    root = Path(str(resources.files(lightship_runtime)))
    wanted = (*_USES[use], *_ENGINE_FILES[engine])
    found = {path.relative_to(root).as_posix(): path for path in sorted(root.rglob("*.py"))}
    return {f"lightship_runtime/{name}": path for name, path in found.items() if _wanted(name, wanted)}


def _wanted(name: str, wanted: Sequence[str]) -> bool:
    return any(name == each or (each.endswith("/") and name.startswith(each)) for each in wanted)


def runtime_digest(engine: str, use: str = "realtime") -> str:
    """The digest of the runtime's own code that ships with this engine, for this use."""
    digest = hashlib.sha256()
    for name, path in runtime_files(engine, use).items():
        digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def assemble(  # noqa: PLR0913 - everything that goes into an artifact, by keyword
    folder: Path,
    *,
    contract: Contract,
    candidate: Candidate,
    lock: str,
    target: Target,
    name: str,
    version: str,
    include: Sequence[Included] = (),
    around: Surroundings | None = None,
    files: Mapping[str, bytes] | None = None,
    host: bool = False,
    use: str = "realtime",
    keep: Collection[str] = (),
) -> Assembled:
    """Fill `folder` with an artifact. Raises IncludeError and MissingImportError for code that can't go into it.

    `files` are further ones of the model's folder. With `host`, the wheels are this machine's own instead of the
    target's (see grades of proof). `keep` are paths of the libraries that slimming must leave.
    """
    libraries = _libraries(lock, target, host, keep)
    _lay_code(folder, libraries, runtime_files(candidate.engine, use), target, include)
    for each in include:
        check_imports(each.path, folder, candidate.engine, deep=around is not None and each.name == around.module)
    model = folder / "model"
    shutil.copytree(candidate.folder, model)
    (model / CONTRACT).write_bytes(contract.to_json())
    for file, data in (files or {}).items():
        (model / file).write_bytes(data)
    options = dict(candidate.options)
    if around is not None:
        options["module"] = around.module
        (model / INNER).write_bytes(around.inner.to_json())
    if use == "batch":
        # For `lightship batch run`, whose own Python may be another than the one that the bytecode is for.
        for each in include:
            _copy(each.path, model / CODE / (each.name if each.path.is_dir() else f"{each.name}.py"))
    (model / MODEL).write_bytes(model_document(name=name, version=version, engine=candidate.engine, options=options))
    return _assembled(libraries)


def assemble_without_engine(
    folder: Path, *, use: str, files: Mapping[str, bytes], lock: str, target: Target, host: bool = False
) -> Assembled:
    """Fill `folder` with an artifact that predicts nothing: libraries, the runtime's code for this use, and `files` of
    the model's folder."""
    libraries = _libraries(lock, target, host, ())
    _lay_code(folder, libraries, runtime_files(NO_ENGINE, use), target, ())
    (folder / "model").mkdir()
    for file, data in files.items():
        (folder / "model" / file).write_bytes(data)
    return _assembled(libraries)


def _lay_code(
    folder: Path, libraries: Path, files: Mapping[str, Path], target: Target, include: Sequence[Included]
) -> None:
    """The libraries, and beside them the runtime's code and the user's, compiled."""
    shutil.copytree(libraries / TREE, folder, dirs_exist_ok=True)
    code = folder / ".code"
    for relative, path in files.items():
        _copy(path, code / relative)
    for each in include:
        _copy(each.path, code / (each.name if each.path.is_dir() else f"{each.name}.py"))
    compile_tree(code, python_for(target.python))
    _refuse_shadows(code, folder)
    shutil.copytree(code, folder, dirs_exist_ok=True)
    shutil.rmtree(code)


def _assembled(libraries: Path) -> Assembled:
    made = json.loads((libraries / MADE).read_text())
    lent = tuple(Lent(**each) for each in made["lent"])
    return Assembled(made["slimmed"], lent, libraries / ZIPPED, made["packed"])


TREE, ZIPPED, MADE = "tree", "tree.zip", "made.json"
# Goes up when what a cached folder holds changes, so that an older one isn't taken for it.
LAYOUT = 4


def _refuse_shadows(code: Path, folder: Path) -> None:
    """Raises IncludeError when the user's code would take the place of a library's."""
    for path in code.rglob("*"):
        name = path.relative_to(code)
        if path.is_file() and (folder / name).exists():
            raise IncludeError(f"The included {name.parts[0]} would replace a library of that name. Rename it.")


def _libraries(lock: str, target: Target, host: bool, keep: Collection[str]) -> Path:
    """The locked wheels, slimmed, compiled and zipped: made once for each lock, target and set of rules."""
    key = hashlib.sha256(
        json.dumps(
            [
                LAYOUT,
                lock,
                asdict(target),
                host,
                list(map(str, slimming.RULES)),
                KEEP_SOURCE,
                KEEP_DOCSTRINGS,
                str(LENDERS),
                sorted(keep),
            ]
        ).encode()
    ).hexdigest()
    python = python_for(target.python)

    def make(folder: Path) -> None:
        tree = folder / TREE
        install(lock, None if host else target, python, tree)
        slimmed = slimming.slim(tree, keep)
        compile_tree(tree, python, keep)
        lent = () if host else lending.lend(tree, target, python, lock)
        packed = (tree / PACKED).is_dir() and unzipped_bytes(tree) > MAX_UNZIPPED
        if packed:
            if not host:
                check_binaries(tree, target)
            pack(tree)
        write_zip(tree, folder / ZIPPED, most=None)
        notes = {"slimmed": slimmed, "lent": [each.to_dict() for each in lent], "packed": packed}
        (folder / MADE).write_text(json.dumps(notes))

    return make_once(cache_root() / "libraries" / key[:32], make)


def pack(root: Path) -> None:
    """Put Arrow, a third of a batch's libraries, into one file that the function unpacks at its start."""
    with tempfile.TemporaryDirectory(prefix="lightship-pack-", dir=root.parent) as scratch:
        archive, content = Path(scratch) / "packed.zip", Path(scratch) / "content"
        content.mkdir()
        (root / PACKED).rename(content / PACKED)
        write_zip(content, archive)
        archive.rename(root / f"{PREFIX}{file_digest(archive)[:16]}.zip")


def _copy(source: Path, destination: Path) -> None:
    destination.parent.mkdir(parents=True, exist_ok=True)
    copy: Callable[[Path, Path], object] = shutil.copytree if source.is_dir() else shutil.copyfile
    copy(source, destination)
