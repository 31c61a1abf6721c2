"""`lightship check`: which engines reproduce a model, and how fast, without building anything."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from lightship.choose import NoEngineError, choose
from lightship.goldens import make_golden
from lightship.isolation import run_isolated
from lightship.loading import LoadedModel, load_model
from lightship.plan import Plan
from lightship.study import STUDY_TIMEOUT_S, quiet_and_single, subject_of
from lightship_runtime.contract import Task


@dataclass(frozen=True)
class Check:
    """One verdict an engine, and the choice for requests and batches; None where no engine holds."""

    engines: Mapping[str, Mapping[str, Any]]
    choice: Mapping[str, str] | None

    def to_dict(self) -> dict[str, Any]:
        return {"engines": dict(self.engines), "choice": self.choice}

    def table(self) -> str:
        """A line an engine, and the choice."""
        lines = [f"{name:>7}  {_line(verdict)}" for name, verdict in self.engines.items()]
        if self.choice is None:
            return "\n".join([*lines, "No engine reproduces the model."])
        return "\n".join(
            [*lines, f"Requests go through {self.choice['request']}, batches through {self.choice['batch']}."]
        )


def check(
    loaded: LoadedModel,
    sample: pd.DataFrame,
    task: Task | None,
    say: Callable[[str], None],
    module: Path | None = None,
) -> Check:
    """Judge every engine in this process. Raises DescriptionError or GoldenError when the sample doesn't fit."""
    with tempfile.TemporaryDirectory(prefix="lightship-check-") as folder, quiet_and_single():
        subject = subject_of(loaded, sample, Path(folder), task, module=module)
        golden = subject.judged_by(make_golden(subject.original, subject.described))
        try:
            choice = choose(subject.live, subject.inner, golden, Path(folder) / "engines", say=say)
        except NoEngineError as error:
            return Check({verdict.engine: verdict.to_dict() for verdict in error.verdicts}, None)
        return Check(
            {verdict.engine: verdict.to_dict() for verdict in choice.verdicts},
            {"request": choice.request.engine, "batch": choice.batch.engine},
        )


def check_file(plan: Plan, say: Callable[[str], None]) -> Check:
    """The same for files, in a process without credentials."""
    say("judging the engines")
    arguments = {
        "model": str((plan.model or Path()).absolute()),
        "sample": str((plan.sample or Path()).absolute()),
        "task": plan.task,
        "trust": list(plan.trust),
        "trust_pickle": plan.trust_pickle,
        "module": None if plan.module is None else str(plan.module.absolute()),
    }
    search = [each.absolute().parent for each in plan.code]
    document = run_isolated("lightship.checking:check_paths", arguments, timeout_s=STUDY_TIMEOUT_S, python_path=search)
    return Check(document["engines"], document["choice"])


def check_paths(
    *, model: str, sample: str, task: Task | None, trust: list[str], trust_pickle: bool, module: str | None = None
) -> dict[str, Any]:
    """What runs in that process."""
    from lightship.samples import read_sample

    loaded = load_model(Path(model), trust=trust, trust_pickle=trust_pickle)
    around = None if module is None else Path(module)
    return check(loaded, read_sample(Path(sample)), task, lambda _text: None, around).to_dict()


def _line(verdict: Mapping[str, Any]) -> str:
    if not verdict["accepted"]:
        return f"no: {verdict['reason']}"
    return (
        f"yes: {verdict['row_us']:,.0f} us a row, {verdict['batch_rows_per_s']:,.0f} rows/s, "
        f"largest difference {verdict['max_abs_diff']:.2g}"
    )
