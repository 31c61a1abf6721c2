"""Makes and proves realtime.zip, the artifact that answers requests."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from lightship.advice import advise
from lightship.assembly import HANDLER, Assembled, assemble, included, surroundings
from lightship.binaries import check_binaries
from lightship.budgets import check_budgets
from lightship.healing import PutBack, heal
from lightship.lambda_host import InitError, unpacked
from lightship.proving import ProofError, Proven, prove, try_out
from lightship.steps.build import Build
from lightship.zipping import Packed, write_zip
from lightship_runtime.errors import LightshipError
from lightship_runtime.manifest import Artifact, file_digest
from lightship_runtime.monitor.bins import BINS

REALTIME = "realtime.zip"


def build_realtime(build: Build) -> None:
    """Assemble, check and zip the artifact. Raises IncludeError, BinaryError and TooLargeError."""
    root, archive = build.folder / ".task", build.folder / REALTIME
    build.say("assembling")
    assembled = _assemble(build, root, host=False)
    build.say("checking the machine code")
    binaries = check_binaries(root, build.plan.target)
    build.say("zipping")
    packed = write_zip(root, archive, assembled.libraries)
    shutil.rmtree(root)
    build.lent = list(assembled.lent)
    build.notes.update(slimmed=dict(assembled.slimmed), binaries=asdict(binaries))
    build.artifacts["realtime"] = Artifact(
        REALTIME, HANDLER, file_digest(archive), packed.zip_bytes, packed.unzipped_bytes
    )
    build.seal(REALTIME)


def prove_realtime(build: Build) -> None:
    """Boot the artifact and replay the golden rows; hold it to the budgets.

    An artifact that fails because slimming left too much out is made again with what it needs. Raises ProofError,
    InitError and OverBudgetError.
    """
    plan, studied = build.plan, build.studied
    try:
        build.proven = _proven(build)
    except (ProofError, InitError) as failure:
        build.put_back["realtime"] = _healed(build, failure)
        build_realtime(build)
        build.proven = _proven(build)
    artifact, proof, traces = build.artifacts["realtime"], build.proven.proof, build.proven.traces
    check_budgets(
        plan.limits,
        Packed(artifact.zip_bytes, artifact.unzipped_bytes),
        proof,
        build.folder / REALTIME,
        engine=studied.request.engine,
        verdicts=studied.verdicts,
    )
    build.notes["memory"] = advise(
        plan.target, requests_ms=traces.singles_ms, init_ms=proof.init_ms, busy_rss_mb=traces.busy_rss_mb
    ).to_dict()


def _proven(build: Build) -> Proven:
    """The proof of the very zip; where this host can't boot all of it, of the same with this host's wheels besides.

    With the pure engine all predictions come from Python alone, so that the very zip gives them on any host.
    """
    build.say("booting the zip")
    pure = build.studied.request.engine == "pure"
    if build.exact or pure:
        proven = prove(
            build.folder / REALTIME, grade="exact", say=build.say, foreign=not build.exact, **_subject(build)
        )
        if not build.exact:
            with _bootable(build) as archive, unpacked(archive) as root:
                try_out(root, **_subject(build))
        return proven
    with _bootable(build) as archive:
        return prove(archive, grade="equivalent", say=build.say, **_subject(build))


def _subject(build: Build) -> dict[str, Any]:
    studied = build.studied
    return {
        "handler": HANDLER,
        "contract": studied.contract,
        "golden": studied.golden,
        "tolerance": studied.tolerance,
        "target": build.plan.target,
    }


def _healed(build: Build, failure: LightshipError) -> tuple[PutBack, ...]:
    """What slimming must leave. Raises `failure` where slimming isn't to blame."""
    trial = partial(try_out, **_subject(build))
    lock = build.requirements["realtime"]
    with _bootable(build) as archive:
        return heal(
            archive,
            lock=lock,
            target=build.plan.target,
            host=not build.exact,
            trial=trial,
            failure=failure,
            say=build.say,
        )


@contextmanager
def _bootable(build: Build) -> Iterator[Path]:
    """The artifact itself, or where this host can't boot it the same with this host's wheels."""
    if build.exact:
        yield build.folder / REALTIME
        return
    archive = _host_build(build)
    try:
        yield archive
    finally:
        archive.unlink()


def _host_build(build: Build) -> Path:
    """The same artifact with this host's own wheels, for a proof by equivalence."""
    root, archive = build.folder / ".host", build.folder / ".host.zip"
    write_zip(root, archive, _assemble(build, root, host=True).libraries)
    shutil.rmtree(root)
    return archive


def _assemble(build: Build, root: Path, *, host: bool) -> Assembled:
    return assemble(
        root,
        contract=build.studied.contract,
        candidate=build.studied.request,
        lock=build.requirements["realtime"],
        target=build.plan.target,
        name=build.plan.name,
        version=build.version,
        include=included(build.plan.code),
        around=surroundings(build.studied, build.plan.module),
        files={BINS: build.studied.baseline.to_bins()},
        host=host,
        keep=[each.file for each in build.put_back.get("realtime", ())],
    )
