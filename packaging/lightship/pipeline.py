"""The package step: carries out a plan, from a model to a sealed release, one step after the other."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from lightship.lockfile import Lock
from lightship.plan import Plan
from lightship.release_folder import draft, publish
from lightship.steps.batches import make_batch
from lightship.steps.build import Build, Live, Say
from lightship.steps.identify import identify
from lightship.steps.monitors import make_monitor, resolve_monitor
from lightship.steps.realtime import build_realtime, prove_realtime
from lightship.steps.resolve import resolve_wheels
from lightship.steps.sealing import make_release, write_bill, write_cards
from lightship.steps.study import study_model

type Step = Callable[[Build], None]

STEPS: tuple[Step, ...] = (
    study_model,  # contract, golden rows, engines
    resolve_wheels,
    resolve_monitor,
    identify,  # what the version digests must be in `build.inputs` before
    build_realtime,
    prove_realtime,
    make_batch,
    make_monitor,
    write_bill,
    make_release,  # what is sealed must be in `build.files` before
    write_cards,
)


def run(plan: Plan, say: Say, live: Live | None = None, baseline: pd.DataFrame | None = None) -> Path:
    """Package and prove; the sealed release's folder.

    `live` is a model, a sample and its labels from Python, in place of the plan's files; so is `baseline`.
    Raises a LightshipError of the stage that refused; nothing that looks finished is left behind then.
    """
    locked = None if plan.upgrade or plan.lock is None else Lock.read(plan.lock)
    with draft(plan.out / plan.name) as folder:
        build = Build(plan, folder, say, live, locked, baseline)
        for step in STEPS:
            step(build)
        shutil.rmtree(folder / ".study")
        place = publish(folder, build.release)
    if plan.lock is not None:
        Lock.of(build.release, build.requirements).write(plan.lock)
    return place
