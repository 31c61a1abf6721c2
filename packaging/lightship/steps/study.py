"""Learns what the model takes and gives, and which engines reproduce it."""

from pathlib import Path

from lightship.choose import Fixed
from lightship.isolation import run_isolated
from lightship.lambda_host import python_for
from lightship.lockfile import Lock
from lightship.monitoring.packaged import Wanted
from lightship.plan import Plan
from lightship.steps.build import Build
from lightship.study import STUDY_TIMEOUT_S, Study, study
from lightship_runtime.manifest import BASELINE, CONTRACT, GOLDEN


def study_model(build: Build) -> None:
    """Study the model; contract, golden rows and baseline become files of the release."""
    # What compiles and boots the zips: missing, it is better told before the work.
    python_for(build.plan.target.python)
    build.studied = _study(build)
    studied = build.studied
    build.notes.update(studied.about, format=studied.format, why=studied.why, engines=studied.verdicts)
    build.write(CONTRACT, studied.contract.to_json())
    build.write(GOLDEN, studied.golden.to_bytes())
    build.write(BASELINE, studied.baseline.to_json())


def _study(build: Build) -> Study:
    plan, folder, say = build.plan, build.folder / ".study", build.say
    folder.mkdir()
    fixed = _fixed(plan, build.locked)
    if build.live is not None:
        model, sample, labels = build.live
        document = study(
            model,
            sample,
            folder,
            labels=labels,
            fixed=fixed,
            task=plan.task,
            thresholds=plan.thresholds,
            module=plan.module,
            synthetic=plan.golden == "synthetic",
            baseline=Wanted(build.baseline, plan.baseline_label, plan.segments),
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
            "synthetic": plan.golden == "synthetic",
            "baseline": {
                "file": None if plan.baseline is None else str(plan.baseline.absolute()),
                "label": plan.baseline_label,
                "segments": list(plan.segments),
            },
        }
        search = [each.absolute().parent for each in plan.code]
        document = run_isolated("lightship.study:study_file", arguments, timeout_s=STUDY_TIMEOUT_S, python_path=search)
    return Study.from_dict(folder, document)


def _fixed(plan: Plan, locked: Lock | None) -> Fixed | None:
    """The engines that were asked for, or else those that an earlier packaging settled."""
    if plan.engine != "auto":
        return plan.engine, plan.engine
    return (locked.engine.request, locked.engine.batch) if locked else None
