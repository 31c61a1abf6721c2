"""What a packaging is going to do, as frozen data: `--dry-run` prints it, the pipeline carries it out."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from lightship.candidates import ORDER
from lightship.targets import bootable_here, make_target
from lightship_runtime.contract import Task
from lightship_runtime.errors import LightshipError
from lightship_runtime.manifest import Target

type Golden = Literal["sample", "synthetic"]


class PlanError(LightshipError):
    """The packaging can't begin as it was asked for."""


@dataclass(frozen=True)
class Limits:
    """Budgets that fail a packaging: sizes and peak memory in MB (10^6 bytes), times in ms. None doesn't limit."""

    zip_mb: float | None = None
    unzipped_mb: float | None = None
    init_ms: float | None = None
    p99_ms: float | None = None
    memory_mb: float | None = None


@dataclass(frozen=True)
class Plan:
    """One packaging. `model` and `sample` are files, or None where live objects were given from Python."""

    name: str
    out: Path
    target: Target
    model: Path | None = None
    sample: Path | None = None
    labels: Path | None = None
    engine: str = "auto"
    task: Task | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)
    trust: tuple[str, ...] = ()
    trust_pickle: bool = False
    include: tuple[Path, ...] = ()
    module: Path | None = None
    golden: Golden = "sample"
    baseline: Path | None = None
    baseline_label: str | None = None
    segments: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    lock: Path | None = None
    upgrade: bool = False

    @property
    def code(self) -> tuple[Path, ...]:
        """The user's own code that goes into the zips: what is included, and the module around the model."""
        return self.include if self.module is None or self.module in self.include else (*self.include, self.module)

    def steps(self) -> list[str]:
        """What will be done, in words."""
        source = f"{self.model} in a process without credentials" if self.model else "the model given"
        engines = "pure, array, onnx, native in this order" if self.engine == "auto" else self.engine
        boot = "boot the zip" if bootable_here(self.target) else "boot the same versions with this host's wheels"
        return [
            f"load {source}, and describe it from {self.sample or 'the sample given'}",
            f"record golden rows and judge the engines by them: {engines}",
            f"make the baseline of {self.baseline or 'the sample'} with the model's own predictions",
            f"resolve wheels for Python {self.target.python} on {self.target.architecture}, glibc {self.target.glibc}",
            "assemble, slim, compile and zip",
            f"{boot} under AWS's runtime client and replay the golden rows",
            f"seal {self.out / self.name}/VERSION" + (f" and record it in {self.lock}" if self.lock else ""),
        ]

    def to_dict(self) -> dict[str, Any]:
        return {**_plain(asdict(self)), "steps": self.steps()}


def make_plan(
    *,
    out: Path,
    name: str | None = None,
    model: Path | None = None,
    sample: Path | None = None,
    labels: Path | None = None,
    python: str = "3.13",
    architecture: str = "x86_64",
    engine: str = "auto",
    include: Sequence[Path] = (),
    module: Path | None = None,
    **others: Any,
) -> Plan:
    """Check what can be checked before anything is read. Raises PlanError or TargetError."""
    given = (
        ("model", model),
        ("sample", sample),
        ("labels", labels),
        ("module", module),
        ("baseline", others.get("baseline")),
    )
    for what, path in (*given, *(("included code", path) for path in include)):
        if path is not None and not path.exists():
            raise PlanError(f"The {what} {str(path)!r} doesn't exist. Check the path.")
    if model is not None and sample is None:
        raise PlanError(
            "A model file needs a sample of its input: give --sample FILE (Parquet, CSV, JSON Lines or .npy), "
            "or [model] sample in lightship.toml."
        )
    if engine not in ("auto", *ORDER):
        raise PlanError(f"The engine {engine!r} isn't known; choose auto, {', '.join(ORDER)}.")
    if out.exists() and not out.is_dir():
        raise PlanError(f"The output folder {str(out)!r} is a file. Give --out a folder.")
    if module is not None:
        from lightship.around import check_module_path

        check_module_path(module)
    return Plan(
        name=check_name(name or (model.stem if model else "model")),
        out=out,
        target=make_target(python, architecture),
        model=model,
        sample=sample,
        labels=labels,
        engine=engine,
        include=tuple(include),
        module=module,
        **others,
    )


def check_name(name: str) -> str:
    """A model's name is part of folders, functions and metrics. Raises PlanError."""
    safe = name.replace("-", "").replace("_", "")
    if not name or len(name) > 40 or not safe.isascii() or not safe.isalnum() or not name[0].isalpha():
        raise PlanError(
            f"The name {name!r} can't be used: take at most 40 letters, digits, hyphens and underscores, "
            "beginning with a letter (--name NAME, or [model] name in lightship.toml)."
        )
    return name


def _plain(value: Any) -> Any:
    match value:
        case Mapping():
            return {key: _plain(each) for key, each in value.items()}
        case tuple() | list():
            return [_plain(each) for each in value]
        case Path():
            return str(value)
        case _:
            return value
