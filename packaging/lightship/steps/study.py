"""Learns what the model takes and gives, and which engines reproduce it."""

from pathlib import Path

from lightship.choose import Fixed
from lightship.isolation import run_isolated
from lightship.lockfile import Lock
from lightship.plan import Plan
from lightship.steps.build import Build, Live, Say
from lightship.study import STUDY_TIMEOUT_S, Study, study
from lightship_runtime.manifest import CONTRACT, GOLDEN


def study_model(build: Build) -> None:
    """Study the model; contract and golden rows become files of the release."""
    build.studied = _study(build.plan, build.folder / ".study", build.say, build.live, build.locked)
    studied = build.studied
    build.notes.update(studied.about, format=studied.format, why=studied.why, engines=studied.verdicts)
    build.write(CONTRACT, studied.contract.to_json())
    build.write(GOLDEN, studied.golden.to_bytes())


def _study(plan: Plan, folder: Path, say: Say, live: Live | None, locked: Lock | None) -> Study:
    folder.mkdir()
    fixed = _fixed(plan, locked)
    if live is not None:
        model, sample, labels = live
        document = study(
            model,
            sample,
            folder,
            labels=labels,
            fixed=fixed,
            task=plan.task,
            thresholds=plan.thresholds,
            module=plan.module,
            say=say,
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
            "module": None if plan.module is None else str(plan.module.absolute()),
        }
        search = [each.absolute().parent for each in plan.code]
        document = run_isolated("lightship.study:study_file", arguments, timeout_s=STUDY_TIMEOUT_S, python_path=search)
    return Study.from_dict(folder, document)


def _fixed(plan: Plan, locked: Lock | None) -> Fixed | None:
    """The engines that were asked for, or else those that an earlier packaging settled."""
    if plan.engine != "auto":
        return plan.engine, plan.engine
    return (locked.engine.request, locked.engine.batch) if locked else None
