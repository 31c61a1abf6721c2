"""Proves a release that is already sealed, again."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lightship.batch.proving import prove_batch
from lightship.proving import prove
from lightship.targets import bootable_here
from lightship_runtime.errors import LightshipError
from lightship_runtime.golden import read_golden
from lightship_runtime.manifest import GOLDEN, Release, read_contract


class NotBootableError(LightshipError):
    """This host can't run the release's machine code."""


def prove_release(folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Boot the zips of a sealed release and replay its golden rows: the proof of realtime.zip, and under `batch` what
    that of batch.zip measured (None without one, or where this machine can't boot it).

    Raises NotAReleaseError, NotBootableError or ProofError.
    """
    release = Release.read(folder)
    bootable = bootable_here(release.target)
    if not bootable and release.engine.request != "pure":
        raise NotBootableError(
            f"{folder} is built for {release.architecture} Linux, which this machine can't boot. "
            "Prove it on such a machine; the hook replays the golden rows before traffic in any case."
        )
    tolerance = release.proof.tolerance if release.proof else 1e-9
    artifact = release.artifacts["realtime"]
    contract, golden = read_contract(folder), read_golden(folder / GOLDEN)
    proof = asdict(
        prove(
            folder / artifact.file,
            handler=artifact.handler,
            contract=contract,
            golden=golden,
            tolerance=tolerance,
            target=release.target,
            grade="exact",
            say=say,
            foreign=not bootable,
        ).proof
    )
    batch = release.artifacts.get("batch")
    if batch is None or not bootable:
        return {**proof, "batch": None}
    say("replaying the golden rows through batch.zip")
    archive = folder / batch.file
    proven = prove_batch(archive, contract=contract, golden=golden, tolerance=tolerance, target=release.target)
    return {**proof, "batch": proven}
