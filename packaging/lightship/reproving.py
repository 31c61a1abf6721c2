"""Proves a release that is already sealed, again."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lightship.proving import prove
from lightship.targets import bootable_here
from lightship_runtime.errors import LightshipError
from lightship_runtime.golden import read_golden
from lightship_runtime.manifest import GOLDEN, Release, read_contract


class NotBootableError(LightshipError):
    """This host can't run the release's machine code."""


def prove_release(folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Boot the realtime zip of a sealed release and replay its golden rows.

    Raises NotAReleaseError, NotBootableError or ProofError.
    """
    release = Release.read(folder)
    if not bootable_here(release.target):
        raise NotBootableError(
            f"{folder} is built for {release.architecture} Linux, which this machine can't boot. "
            "Prove it on such a machine; the hook replays the golden rows before traffic in any case."
        )
    tolerance = release.proof.tolerance if release.proof else 1e-9
    artifact = release.artifacts["realtime"]
    return asdict(
        prove(
            folder / artifact.file,
            handler=artifact.handler,
            contract=read_contract(folder),
            golden=read_golden(folder / GOLDEN),
            tolerance=tolerance,
            target=release.target,
            grade="exact",
            say=say,
        ).proof
    )
