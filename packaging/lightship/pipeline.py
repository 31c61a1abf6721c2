"""The package step: carries out a plan, from a model to a sealed release."""

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import pandas as pd

from lightship.advice import Advice, advise
from lightship.assembly import HANDLER, WEB, Included, assemble, runtime_digest
from lightship.batch.building import BatchBuild, batch_requirements, build_batch
from lightship.binaries import check_binaries
from lightship.budgets import check_budgets
from lightship.choose import Fixed
from lightship.isolation import run_isolated
from lightship.loading import LoadedModel
from lightship.lockfile import Lock
from lightship.papers import write_papers
from lightship.plan import Plan
from lightship.proving import Proven, prove
from lightship.release_folder import draft, publish
from lightship.sbom import SBOM, Subject, make_sbom
from lightship.scoring import Labels
from lightship.study import STUDY_TIMEOUT_S, Study, study
from lightship.targets import bootable_here
from lightship.wheels import resolve
from lightship.zipping import write_zip
from lightship_runtime.documents import dump_document
from lightship_runtime.manifest import CONTRACT, GOLDEN, Artifact, Engines, Grade, Proof, Release, file_digest

REQUIREMENTS = "requirements.lock"
REALTIME = "realtime.zip"

type Say = Callable[[str], None]
type Live = tuple[LoadedModel, pd.DataFrame, Labels | None]


def run(plan: Plan, say: Say, live: Live | None = None) -> Path:
    """Package and prove; the sealed release's folder.

    `live` is a model, a sample and its labels from Python, in place of the plan's files. Raises a LightshipError of
    the stage that refused; nothing that looks finished is left behind then.
    """
    locked = None if plan.upgrade or plan.lock is None else Lock.read(plan.lock)
    with draft(plan.out / plan.name) as folder:
        studied = _study(plan, folder / ".study", say, live, locked)
        say("resolving wheels")
        requirements = _resolve(plan, studied, locked)
        release = _build(plan, studied, requirements, folder, say)
        shutil.rmtree(folder / ".study")
        place = publish(folder, release)
    if plan.lock is not None:
        Lock.of(release, requirements).write(plan.lock)
    return place


def _study(plan: Plan, folder: Path, say: Say, live: Live | None, locked: Lock | None) -> Study:
    folder.mkdir()
    fixed = _fixed(plan, locked)
    if live is not None:
        model, sample, labels = live
        document = study(
            model, sample, folder, labels=labels, fixed=fixed, task=plan.task, thresholds=plan.thresholds, say=say
        )
    else:
        say("studying the model")
        arguments = {
            "model": str((plan.model or Path()).absolute()),
            "sample": str((plan.sample or Path()).absolute()),
            "labels": None if plan.labels is None else str(plan.labels.absolute()),
            "folder": str(folder.absolute()),
            "fixed": fixed,
            "task": plan.task,
            "thresholds": dict(plan.thresholds),
            "trust": list(plan.trust),
            "trust_pickle": plan.trust_pickle,
        }
        search = [each.absolute().parent for each in plan.include]
        document = run_isolated("lightship.study:study_file", arguments, timeout_s=STUDY_TIMEOUT_S, python_path=search)
    return Study.from_dict(folder, document)


def _fixed(plan: Plan, locked: Lock | None) -> Fixed | None:
    """The engines that were asked for, or else those that an earlier packaging settled."""
    if plan.engine != "auto":
        return plan.engine, plan.engine
    return (locked.engine.request, locked.engine.batch) if locked else None


def _resolve(plan: Plan, studied: Study, locked: Lock | None) -> str:
    requirements = (*WEB, *studied.request.requirements)
    return resolve(requirements, plan.target, locked=locked.requirements if locked else "")


def _build(plan: Plan, studied: Study, requirements: str, folder: Path, say: Say) -> Release:
    contract, golden = studied.contract, studied.golden
    batch_lock = batch_requirements(plan, studied)
    version = _version(plan, studied, requirements + batch_lock)
    include = _included(plan.include)
    root = folder / ".task"
    say("assembling")
    assembled = assemble(
        root,
        contract=contract,
        candidate=studied.request,
        lock=requirements,
        target=plan.target,
        name=plan.name,
        version=version,
        include=include,
    )
    say("checking the machine code")
    binaries = check_binaries(root, plan.target)
    say("zipping")
    packed = write_zip(root, folder / REALTIME, assembled.libraries)
    shutil.rmtree(root)
    grade: Grade = "exact" if bootable_here(plan.target) else "equivalent"
    exact = grade == "exact"
    archive = folder / REALTIME if exact else _host_build(plan, studied, requirements, version, folder)
    say("booting the zip")
    proven = prove(
        archive,
        handler=HANDLER,
        contract=contract,
        golden=golden,
        tolerance=studied.tolerance,
        target=plan.target,
        grade=grade,
        say=say,
    )
    if not exact:
        archive.unlink()
    check_budgets(
        plan.limits,
        packed,
        proven.proof,
        folder / REALTIME,
        engine=studied.request.engine,
        verdicts=studied.verdicts,
    )
    batch = build_batch(plan, studied, batch_lock, version, include, folder, say)
    (folder / REQUIREMENTS).write_text(requirements)
    (folder / CONTRACT).write_bytes(contract.to_json())
    (folder / GOLDEN).write_bytes(golden.to_bytes())
    lent = tuple(dict.fromkeys((*assembled.lent, *batch.lent)))
    subject = Subject(
        name=plan.name,
        version=version,
        lightship=installed_version("lightship"),
        target=plan.target,
        engines=Engines(studied.request.engine, studied.batch.engine),
        contract=contract,
        lent=lent,
    )
    archives = {"realtime": folder / REALTIME} | {use: folder / each.file for use, each in batch.artifacts.items()}
    (folder / SBOM).write_bytes(make_sbom(subject, archives, requirements + batch_lock))
    artifact = Artifact(REALTIME, HANDLER, file_digest(folder / REALTIME), packed.zip_bytes, packed.unzipped_bytes)
    notes = {
        **studied.about,
        "memory": _advice(plan, proven).to_dict(),
        "slimmed": dict(assembled.slimmed),
        "binaries": asdict(binaries),
        "lent": [each.to_dict() for each in lent],
        "batch": batch.notes,
    }
    release = _release(plan, studied, version, artifact, batch, proven.proof, notes, folder)
    write_papers(folder, release, contract, golden, proven.traces)
    return release


def _advice(plan: Plan, proven: Proven) -> Advice:
    traces = proven.traces
    return advise(
        plan.target,
        requests_ms=traces.singles_ms,
        init_ms=proven.proof.init_ms,
        busy_rss_mb=traces.busy_rss_mb,
    )


def _release(
    plan: Plan,
    studied: Study,
    version: str,
    artifact: Artifact,
    batch: BatchBuild,
    proof: Proof,
    notes: dict[str, Any],
    folder: Path,
) -> Release:
    return Release(
        name=plan.name,
        version=version,
        lightship=installed_version("lightship"),
        target=plan.target,
        engine=Engines(studied.request.engine, studied.batch.engine),
        artifacts={"realtime": artifact, **batch.artifacts},
        files={
            **{name: file_digest(folder / name) for name in (CONTRACT, GOLDEN, REALTIME, REQUIREMENTS, SBOM)},
            **batch.files,
        },
        proof=proof,
        notes={"format": studied.format, "why": studied.why, "engines": studied.verdicts, **notes},
    )


def _version(plan: Plan, studied: Study, requirements: str) -> str:
    """The digest of everything that can change an answer, 16 hexadecimal digits of it."""
    inputs = {
        "name": plan.name,
        "target": asdict(plan.target),
        "contract": file_digest(studied.folder / CONTRACT),
        "golden": file_digest(studied.folder / GOLDEN),
        "engines": {use: _folder_digests(each.folder) for use, each in _uses(studied)},
        "runtime": {use: runtime_digest(each.engine, _PARTS[use]) for use, each in _uses(studied)},
        "requirements": requirements,
        "include": [_folder_digests(path) for path in plan.include],
    }
    return hashlib.sha256(dump_document(inputs)).hexdigest()[:16]


_PARTS = {"request": "realtime", "batch": "batch"}


def _uses(studied: Study) -> list[tuple[str, Any]]:
    return [("request", studied.request), ("batch", studied.batch)]


def _folder_digests(path: Path) -> dict[str, str]:
    if path.is_file():
        return {path.name: file_digest(path)}
    files = sorted(each for each in path.rglob("*") if each.is_file() and "__pycache__" not in each.parts)
    return {each.relative_to(path).as_posix(): file_digest(each) for each in files}


def _host_build(plan: Plan, studied: Study, requirements: str, version: str, folder: Path) -> Path:
    """The same artifact with this host's own wheels, for a proof by equivalence."""
    root, archive = folder / ".host", folder / ".host.zip"
    assembled = assemble(
        root,
        contract=studied.contract,
        candidate=studied.request,
        lock=requirements,
        target=plan.target,
        name=plan.name,
        version=version,
        include=_included(plan.include),
        host=True,
    )
    write_zip(root, archive, assembled.libraries)
    shutil.rmtree(root)
    return archive


def _included(paths: Sequence[Path]) -> list[Included]:
    return [Included(path.stem if path.is_file() else path.name, path) for path in paths]
