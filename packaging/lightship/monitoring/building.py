"""The third artifact of a release, monitor.zip: the monitor, NumPy and the baseline."""

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightship.assembly import Assembled, assemble_without_engine
from lightship.binaries import check_binaries
from lightship.lambda_host import Function, Worker, remove_tree, unpack
from lightship.lending import Lent
from lightship.monitoring.samples import HOURS, START, fill_store
from lightship.proving import ProofError
from lightship.targets import bootable_here
from lightship.wheels import resolve
from lightship.zipping import Packed, write_zip
from lightship_runtime.batch.stores import LocalStore
from lightship_runtime.loader import MODEL, model_document
from lightship_runtime.manifest import BASELINE, Artifact, Target, file_digest
from lightship_runtime.monitor.baseline import Baseline
from lightship_runtime.monitor.cells import HOUR
from lightship_runtime.monitor.places import LATEST
from lightship_runtime.monitor.run import run_monitor

ARCHIVE = "monitor.zip"
REQUIREMENTS = "monitor-requirements.lock"
USE = "monitor"
HANDLER = "lightship_runtime.monitor.handler.handle"
LIBRARIES = ("numpy",)
MEMORY_MB = 1024
TOLERANCE = 1e-6
"""How far a number may be off: another NumPy may sum in another order."""

type Say = Callable[[str], None]


@dataclass(frozen=True)
class MonitorBuild:
    """The artifact, what its proof measured, and the system libraries lent in it."""

    artifact: Artifact
    notes: dict[str, Any]
    lent: tuple[Lent, ...]


def monitor_requirements(target: Target, *, locked: str = "") -> str:
    """The locked wheels of monitor.zip: those of an earlier packaging, or else the versions that Lightship pins."""
    return resolve(LIBRARIES, target, locked=locked)


def build_monitor(
    folder: Path, baseline: Baseline, *, name: str, version: str, lock: str, target: Target, say: Say
) -> MonitorBuild:
    """Assemble and prove monitor.zip in `folder`. Raises ProofError, InitError, BinaryError and TooLargeError."""
    say("assembling monitor.zip")
    archive = folder / ARCHIVE
    packed, assembled = _pack(folder, archive, baseline, name, version, lock, target, host=False)
    exact = bootable_here(target)
    proven = archive
    if not exact:
        proven = folder / ".monitor-host.zip"
        _pack(folder, proven, baseline, name, version, lock, target, host=True)
    say("trying monitor.zip on a small store")
    notes = prove_monitor(proven, baseline, version, target)
    if not exact:
        proven.unlink()
    artifact = Artifact(ARCHIVE, HANDLER, file_digest(archive), packed.zip_bytes, packed.unzipped_bytes)
    return MonitorBuild(artifact, notes, assembled.lent)


def _pack(
    folder: Path, archive: Path, baseline: Baseline, name: str, version: str, lock: str, target: Target, *, host: bool
) -> tuple[Packed, Assembled]:
    root = folder / ".monitor"
    files = {BASELINE: baseline.to_json(), MODEL: model_document(name=name, version=version, engine="")}
    try:
        assembled = assemble_without_engine(root, use=USE, files=files, lock=lock, target=target, host=host)
        if not host:
            check_binaries(root, target)
        return write_zip(root, archive, assembled.libraries), assembled
    finally:
        shutil.rmtree(root, ignore_errors=True)


def prove_monitor(archive: Path, baseline: Baseline, version: str, target: Target) -> dict[str, Any]:
    """What booting the zip measured: it has to give, over a small store, what this process gives. Raises ProofError."""
    with tempfile.TemporaryDirectory(prefix="lightship-proof-") as name:
        scratch = Path(name)
        stores = [LocalStore(scratch / "here"), LocalStore(scratch / "there")]
        for store in stores:
            fill_store(store, baseline, version)
        (scratch / "tmp").mkdir()
        here, there = stores
        run_monitor(here, START + HOURS * HOUR, scratch / "tmp", own=(version, baseline))
        root = unpack(archive, scratch / "task")
        try:
            notes = _booted(root, there, target, scratch / "tmp")
        finally:
            remove_tree(root)
        _compare(_results(here, version), _results(there, version))
    return notes


def _booted(root: Path, store: LocalStore, target: Target, scratch: Path) -> dict[str, Any]:
    environment = {"LIGHTSHIP_MONITORING": str(store.root), "TMPDIR": str(scratch)}
    function = Function(
        root=root, handler=HANDLER, python=target.python, name="lightship-monitor-proof", timeout_s=120,
        memory_mb=MEMORY_MB, environment=environment,
    )  # fmt: skip
    event = {"time": START + HOURS * HOUR, "settled": True}
    with Worker.start(function) as worker:
        invocation = worker.invoke(json.dumps(event).encode())
        if invocation.error:
            raise ProofError(f"monitor.zip failed on a small store: {invocation.payload.decode()[:1000]}")
        return {
            "init_ms": round(worker.init_ms, 1),
            "run_ms": round(invocation.ms, 1),
            "peak_rss_mb": round(worker.peak_rss_mb(), 1),
            "rows": json.loads(invocation.payload)["rows"],
        }


def _results(store: LocalStore, version: str) -> dict[str, Any]:
    names = [LATEST, *(stored.name for stored in store.list(f"results/{version}/"))]
    return {name: json.loads((store.root / name).read_bytes()) for name in names}


def _compare(here: Any, there: Any, place: str = "") -> None:
    """Raises ProofError where two documents differ in more than the last digits of a number."""
    match here, there:
        case dict(), dict() if here.keys() == there.keys():
            for key in here:
                _compare(here[key], there[key], f"{place}/{key}")
        case list(), list() if len(here) == len(there):
            for index, (one, other) in enumerate(zip(here, there, strict=True)):
                _compare(one, other, f"{place}/{index}")
        case ((int() | float()), (int() | float())) if abs(here - there) <= TOLERANCE * (1 + abs(here)):
            pass
        case _:
            if here != there:
                raise ProofError(
                    f"monitor.zip gives {str(there)[:200]} at {place} of a small store, this process "
                    f"{str(here)[:200]}. Report this with the model's kind."
                )
