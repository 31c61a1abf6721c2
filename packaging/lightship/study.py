"""Looks at a model: its contract, its golden rows, and which engine reproduces it.

This is the stage that parses foreign bytes and runs the model's own code. From the command line it runs in a process
without credentials; what it learns goes to a folder and into a JSON document.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pandas as pd
from threadpoolctl import threadpool_limits

from lightship.around import Around, load_module, model_sample, put_around
from lightship.candidates import Candidate
from lightship.choose import Choice, Fixed, choose
from lightship.describe import Described, describe, set_thresholds
from lightship.goldens import float32_rows, joined, make_golden, with_jumps
from lightship.loading import LoadedModel, OnnxModel, load_model
from lightship.monitoring.packaged import Wanted, write_baseline
from lightship.scoring import Labels, score
from lightship.synthetic import synthetic_golden
from lightship_runtime.around import INNER
from lightship_runtime.contract import Contract, Task
from lightship_runtime.engine import Engine
from lightship_runtime.engines.boosters import wrap_lightgbm, wrap_xgboost
from lightship_runtime.engines.native import NativeEngine
from lightship_runtime.golden import Golden, read_golden
from lightship_runtime.loader import with_thresholds
from lightship_runtime.manifest import BASELINE, CONTRACT, GOLDEN
from lightship_runtime.monitor.baseline import Baseline

STUDY_TIMEOUT_S = 1_800


@dataclass(frozen=True)
class Study:
    """What was learned of a model, with the folders of the chosen engines' files. `about` is for the release's notes:
    the sample in numbers, and the model's scores where there were labels."""

    folder: Path
    format: str
    request: Candidate
    batch: Candidate
    verdicts: Mapping[str, Mapping[str, Any]]
    why: str
    about: Mapping[str, Any]

    @property
    def contract(self) -> Contract:
        return Contract.from_json((self.folder / CONTRACT).read_bytes())

    @property
    def inner(self) -> Contract | None:
        """The model's own contract, where a module is around it."""
        place = self.folder / INNER
        return Contract.from_json(place.read_bytes()) if place.exists() else None

    @property
    def golden(self) -> Golden:
        return read_golden(self.folder / GOLDEN)

    @property
    def baseline(self) -> Baseline:
        return Baseline.from_json((self.folder / BASELINE).read_bytes())

    @property
    def tolerance(self) -> float:
        return max(self.request.tolerance, self.batch.tolerance)

    @classmethod
    def from_dict(cls, folder: Path, document: Mapping[str, Any]) -> Self:
        return cls(
            folder=folder,
            format=document["format"],
            request=_candidate(folder, document["request"]),
            batch=_candidate(folder, document["batch"]),
            verdicts=document["verdicts"],
            why=document["why"],
            about=document["about"],
        )


def study_file(  # noqa: PLR0913 - what a plan says, by keyword
    *,
    model: str,
    sample: str,
    labels: str | None,
    folder: str,
    fixed: Fixed | None,
    task: Task | None,
    thresholds: Mapping[str, float],
    trust: Sequence[str],
    trust_pickle: bool,
    module: str | None = None,
    synthetic: bool = False,
    baseline: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """`study` for files: what runs in the process without credentials."""
    from lightship.samples import read_labels, read_sample

    loaded = load_model(Path(model), trust=trust, trust_pickle=trust_pickle)
    frame = read_sample(Path(sample))
    actual = None if labels is None else read_labels(labels)
    return study(
        loaded,
        frame,
        Path(folder),
        labels=actual,
        fixed=fixed,
        task=task,
        thresholds=thresholds,
        module=None if module is None else Path(module),
        synthetic=synthetic,
        baseline=_wanted(**(baseline or {})),
        say=_quiet,
    )


def _wanted(*, file: str | None = None, label: str | None = None, segments: Sequence[str] = ()) -> Wanted:
    from lightship.samples import read_sample

    return Wanted(None if file is None else read_sample(file), label, tuple(segments))


def study(  # noqa: PLR0913 - what a plan says, by keyword
    loaded: LoadedModel,
    sample: pd.DataFrame,
    folder: Path,
    *,
    labels: Labels | None = None,
    fixed: Fixed | None,
    task: Task | None,
    thresholds: Mapping[str, float],
    module: Path | None = None,
    synthetic: bool = False,
    baseline: Wanted | None = None,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Write contract, golden rows, baseline and engine files into `folder`; the rest as `Study.from_dict` takes it.

    With `synthetic`, golden rows are made from the contract, and so is the baseline unless it has rows of its own: of
    the sample, the contract alone is kept.
    """
    say("inferring the contract")
    with quiet_and_single():
        subject = subject_of(loaded, sample, folder, task, thresholds, module)
        wanted = baseline or Wanted()
        return {
            "format": loaded.format,
            **_studied(subject, folder, labels=labels, wanted=wanted, fixed=fixed, synthetic=synthetic, say=say),
        }


@contextmanager
def quiet_and_single() -> Iterator[None]:
    """One thread, as in a function of Lambda's, and no warnings: what libraries remark isn't for the packager."""
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        yield


@dataclass(frozen=True)
class Subject:
    """What is studied: the model behind scikit-learn's methods, what callers send and get, and the original as an
    engine of that; where a module is around the model, also the model's own side."""

    live: Any
    described: Described
    original: Engine
    around: Around | None = None

    @property
    def inner(self) -> Described:
        """What the model itself takes and gives."""
        return self.around.inner if self.around else self.described

    def judged_by(self, golden: Golden) -> Golden:
        """The golden rows that engines are judged by: rows of the model's own input."""
        if self.around is None:
            return with_jumps(self.original, self.described.contract, golden)
        inside = self.around.inside
        rows = make_golden(inside, self.inner, also=self.around.model_rows(golden))
        return with_jumps(inside, self.inner.contract, rows)


def subject_of(
    loaded: LoadedModel,
    sample: pd.DataFrame,
    folder: Path,
    task: Task | None,
    thresholds: Mapping[str, float] | None = None,
    module: Path | None = None,
) -> Subject:
    """The model with what is around it. Raises DescriptionError, ModuleError and ColumnError."""
    if module is None:
        return Subject(*described_model(loaded, sample, folder, task, thresholds))
    loaded_module = load_module(module)
    live, inner, original = described_model(loaded, model_sample(loaded_module, sample), folder, task, thresholds)
    around = put_around(loaded_module, sample, inner, original)
    return Subject(live, around.described, around.engine, around)


def _studied(
    subject: Subject,
    folder: Path,
    *,
    labels: Labels | None,
    wanted: Wanted,
    fixed: Fixed | None,
    synthetic: bool,
    say: Callable[[str], None],
) -> dict[str, Any]:
    described, original = subject.described, subject.original
    about: dict[str, Any] = {"data": _summary(described), "scores": None}
    if labels is not None:
        say("scoring the model on the labels")
        about["scores"] = score(original, described, labels).to_dict()
    say("asking the model for its golden rows")
    golden = seen = make_golden(original, described)
    if synthetic:
        golden = synthetic_golden(original, described.contract)
        seen = joined(seen, golden)
        about["golden"] = "synthetic"
        if wanted.frame is None:
            labels, described = None, Described(described.contract, golden.select(range(golden.sampled)).columns())
    choice = choose(subject.live, subject.inner, subject.judged_by(seen), folder / "engines", fixed=fixed, say=say)
    (folder / CONTRACT).write_bytes(described.contract.to_json())
    if subject.around is not None:
        (folder / INNER).write_bytes(subject.inner.contract.to_json())
    (folder / GOLDEN).write_bytes(_judged(choice, golden, subject.around).to_bytes())
    say("making the baseline")
    about["baseline"] = write_baseline(folder, original, described, labels, wanted)
    if synthetic and wanted.frame is None:
        about["baseline"]["source"] = "synthetic"
    return {
        "request": _document(choice.request),
        "batch": _document(choice.batch),
        "verdicts": {verdict.engine: verdict.to_dict() for verdict in choice.verdicts},
        "why": choice.why,
        "about": about,
    }


def _summary(described: Described) -> dict[str, Any]:
    """The sample in numbers: how many rows, and of each column the share that is missing."""
    rows = len(described.columns[0])
    return {"rows": rows, "missing": [sum(value is None for value in column) / rows for column in described.columns]}


def described_model(
    loaded: LoadedModel,
    sample: pd.DataFrame,
    folder: Path,
    task: Task | None,
    thresholds: Mapping[str, float] | None = None,
) -> tuple[Any, Described, Engine]:
    """(the model behind scikit-learn's methods, what it takes and gives, the original as an engine)."""
    if isinstance(loaded.model, OnnxModel):
        from lightship.onnx_import import describe_onnx
        from lightship_runtime.engines.onnx import open_engine

        original = folder / "original"
        original.mkdir(parents=True)
        described = set_thresholds(describe_onnx(loaded.model, sample, original), thresholds or {})
        return original, described, with_thresholds(open_engine(original, described.contract), described.contract)
    live = loaded.model
    match type(live).__module__.split(".")[0], type(live).__name__:
        case "lightgbm", "Booster":
            callable_as = wrap_lightgbm(live)
        case "xgboost", "Booster":
            callable_as = wrap_xgboost(live)
        case _:
            callable_as = live
    described = set_thresholds(describe(callable_as, sample, task), thresholds or {})
    engine = with_thresholds(NativeEngine(callable_as, described.contract), described.contract)
    return live, described, engine


def _judged(choice: Choice, golden: Golden, around: Around | None) -> Golden:
    """The rows that both chosen engines were judged on."""
    if "onnx" not in (choice.request.engine, choice.batch.engine):
        return golden
    return float32_rows(golden) if around is None else around.float32_rows(golden)


def _document(candidate: Candidate) -> dict[str, Any]:
    return {
        "engine": candidate.engine,
        "tolerance": candidate.tolerance,
        "options": dict(candidate.options),
        "requirements": list(candidate.requirements),
    }


def _candidate(folder: Path, document: Mapping[str, Any]) -> Candidate:
    engine, requirements = document["engine"], tuple(document["requirements"])
    return Candidate(engine, folder / "engines" / engine, document["tolerance"], document["options"], requirements)


def _quiet(_text: str) -> None:
    """A child process has nobody to tell."""
