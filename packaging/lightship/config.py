"""lightship.toml, parsed once into frozen objects. Every field is a key; every default stands here.

A stage's table (`[stages.prod.endpoint]` ...) is laid over the base tables before parsing, so it may override any key.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from lightship.batch.config import BatchConfig
from lightship.toml_reader import ConfigError, bounded, check_keys, named, read_table
from lightship_runtime.contract import Task

FILE = "lightship.toml"

type Table = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """`[model]`: what is packaged. `module` is a Python file with `preprocess(row)` or `postprocess(prediction)`, which
    go around the model. `task` overrides what the model itself says it does; `threshold` has, by class, the
    probability from which it is predicted."""

    name: str = named("model", r"[A-Za-z][A-Za-z0-9-]{0,62}", "letters, digits and hyphens, a letter first")
    path: Path | None = None
    sample: Path | None = None
    labels: Path | None = None
    module: Path | None = None
    task: Task | None = None
    threshold: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Budgets:
    """Limits that fail a packaging: sizes and peak memory in MB (10^6 bytes), times in milliseconds. None doesn't
    limit."""

    zip_mb: float | None = None
    unzipped_mb: float | None = None
    init_ms: float | None = None
    p99_ms: float | None = None
    memory_mb: float | None = None


@dataclass(frozen=True, slots=True)
class PackageConfig:
    """`[package]`: what the release is built for, and how."""

    python: Literal["3.12", "3.13"] = "3.13"
    architecture: Literal["x86_64", "arm64"] = "x86_64"
    engine: Literal["auto", "pure", "array", "onnx", "native"] = "auto"
    include: tuple[Path, ...] = ()
    golden: Literal["sample", "synthetic"] = "sample"
    budgets: Budgets = field(default_factory=Budgets)


@dataclass(frozen=True, slots=True)
class Throttle:
    """Requests a second that the endpoint lets through, steadily and at once."""

    rate: float = bounded(50.0, 1, 10_000)
    burst: int = bounded(100, 1, 5_000)


@dataclass(frozen=True, slots=True)
class Jwt:
    """Who issues the tokens (`https://...`) and for whom."""

    issuer: str
    audience: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Quota:
    """How many requests a key may make in each period."""

    limit: int = bounded(100_000, 1, 1_000_000_000)
    period: Literal["DAY", "WEEK", "MONTH"] = "DAY"


@dataclass(frozen=True, slots=True)
class Domain:
    """A name of one's own for the endpoint, and the ARN of its certificate in the same region."""

    name: str
    certificate: str


@dataclass(frozen=True, slots=True)
class Compare:
    """How many requests are replayed on another version, and when that undoes a shift: see docs/deploying.md.

    `shadow` is the folder of a release that no caller reaches, with which the live one is compared.
    """

    share: float = bounded(0.0, 0, 1)
    tolerance: float = bounded(0.01, 0, 1)
    limit: float = bounded(0.05, 0, 1)
    shadow: Path | None = None


@dataclass(frozen=True, slots=True)
class EndpointConfig:
    """`[endpoint]`: the function and the API before it.

    `memory` in MB and `timeout` in seconds; without `memory` it follows from the proof. `canary` is the name that
    CodeDeploy gives the shift. `cors` lists origins. `hook_latency_ms` is what the hook lets a warm call take.
    """

    auth: Literal["iam", "jwt", "api_key", "none"] = "iam"
    throttle: Throttle = field(default_factory=Throttle)
    memory: int | None = bounded(None, 128, 10_240)
    timeout: int = bounded(10, 1, 29)
    snapstart: bool = False
    canary: Literal[
        "AllAtOnce",
        "Canary10Percent5Minutes",
        "Canary10Percent10Minutes",
        "Canary10Percent15Minutes",
        "Canary10Percent30Minutes",
        "Linear10PercentEvery1Minute",
        "Linear10PercentEvery2Minutes",
        "Linear10PercentEvery3Minutes",
        "Linear10PercentEvery10Minutes",
    ] = "Canary10Percent5Minutes"
    jwt: Jwt | None = None
    quota: Quota = field(default_factory=Quota)
    cors: tuple[str, ...] = ()
    domain: Domain | None = None
    waf: bool = False
    tracing: bool = False
    reserved_concurrency: int | None = bounded(None, 1, 100_000)
    provisioned_concurrency: int | None = bounded(None, 1, 100_000)
    log_retention_days: Literal[1, 3, 7, 14, 30, 60, 90, 180, 365, 731, 1827, 3653] = 30
    compare: Compare = field(default_factory=Compare)
    hook_latency_ms: float = bounded(1_000.0, 1, 29_000)


@dataclass(frozen=True, slots=True)
class MonitoringConfig:
    """`[monitoring]`: the objectives, who hears when they are missed, and what is kept of predictions.

    `availability` is a share of requests; `latency_ms` is what nine requests of ten stay under. `notify` are e-mail
    addresses or `https://` hooks for pages and tickets alike, `notify_tickets` for tickets alone. `notify_explained`
    and `chat` (hooks of Slack or Teams, or `ssm:/name` of a parameter that holds one) get the written message besides.
    After `quiet_hours` without a request a ticket asks why (0: never). `runbooks` is an address below which the pages
    of docs/runbooks lie; without it they are a dashboard.

    `baseline` is a file of rows to compare later ones with (the sample by default), `baseline_label` its column of what
    happened, and `segments` are columns to report accuracy by. `capture` is what a prediction leaves for the monitor:
    codes, also the raw values of a share of them less the columns in `capture_without`, or nothing. That and late
    labels are kept for `retention_days`. Windows span a multiple of `window_hours`: 24 or 168 where inputs follow the
    clock or the week.
    """

    availability: float = bounded(0.999, 0.5, 0.99999)
    latency_ms: float = bounded(500.0, 1, 29_000)
    accuracy_floor: float | None = bounded(None, 0, 1)
    notify: tuple[str, ...] = ()
    notify_tickets: tuple[str, ...] = ()
    notify_explained: tuple[str, ...] = ()
    chat: tuple[str, ...] = ()
    quiet_hours: int = bounded(24, 0, 168)
    runbooks: str | None = None
    baseline: Path | None = None
    baseline_label: str | None = None
    segments: tuple[str, ...] = ()
    capture: Literal["codes", "raw", "off"] = "codes"
    capture_share: float = bounded(1.0, 0, 1)
    capture_without: tuple[str, ...] = ()
    retention_days: int = bounded(90, 15, 3_650)
    window_hours: int = bounded(1, 1, 168)


@dataclass(frozen=True, slots=True)
class Vpc:
    """A network that exists: its id, private subnets and security groups."""

    id: str
    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeployConfig:
    """`[deploy]`: where the stack goes and what everything in it carries."""

    account: str | None = None
    region: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    permissions_boundary: str | None = None
    kms_key: str | None = None
    vpc: Vpc | None = None
    retain_data: bool = True


@dataclass(frozen=True)
class Settings:
    """What a lightship.toml may say at the top, beside `stages`; a stage may say the same."""

    allow_unproven: bool = False
    model: ModelConfig = field(default_factory=ModelConfig)
    package: PackageConfig = field(default_factory=PackageConfig)
    endpoint: EndpointConfig = field(default_factory=EndpointConfig)
    batch: BatchConfig | None = None
    monitoring: MonitoringConfig = field(default_factory=MonitoringConfig)
    deploy: DeployConfig = field(default_factory=DeployConfig)


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """The settings of one stage. `stages` are the names that may be asked for; `folder` is where the file lies."""

    folder: Path
    stage: str | None = None
    stages: tuple[str, ...] = ()

    @property
    def service(self) -> str:
        """The deployed service's name: the model's, with the stage behind it."""
        return f"{self.model.name}-{self.stage}" if self.stage else self.model.name


def load_config(path: Path, stage: str | None = None) -> Config:
    """Read the file at `path`, or the one in the folder `path`. Raises ConfigError."""
    file = path / FILE if path.is_dir() else path
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"There is no {file}. `lightship init` writes one.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} isn't valid TOML: {error}. Mend it there.") from error
    return parse_config(document, folder=file.parent, stage=stage)


def parse_config(document: Table, *, folder: Path, stage: str | None = None) -> Config:
    """The document as one stage sees it. Every stage is parsed, so that a mistake in any of them is found at once.

    Raises ConfigError.
    """
    known = [entry.name for entry in fields(Settings)]
    check_keys(document, [*known, "stages"], "")
    base = {key: value for key, value in document.items() if key != "stages"}
    stages = document.get("stages", {})
    if not isinstance(stages, Mapping):
        raise ConfigError(f"stages in lightship.toml is {stages!r}; write tables like [stages.prod.endpoint].")
    if stage is not None and stage not in stages:
        names = ", ".join(stages) or "none"
        raise ConfigError(f"lightship.toml has no stage {stage!r}; it has {names}. Add [stages.{stage}].")
    settings: dict[str | None, Settings] = {None: read_table(Settings, base, "", folder)}
    for name, table in stages.items():
        settings[name] = _read_stage(base, name, table, folder)
    values = {name: getattr(settings[stage], name) for name in known}
    return Config(folder=folder, stage=stage, stages=tuple(stages), **values)


def _read_stage(base: Table, name: str, table: object, folder: Path) -> Settings:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,19}", name):
        raise ConfigError(
            f"The stage name {name!r} can't be part of a stack's name; use at most 20 letters, digits and hyphens."
        )
    if not isinstance(table, Mapping):
        raise ConfigError(f"stages.{name} in lightship.toml is {table!r}; write tables like [stages.{name}.endpoint].")
    return read_table(Settings, _overlay(base, table), f"stages.{name}", folder)


def _overlay(base: Table, over: Table) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            merged[key] = _overlay(below, value)
        else:
            merged[key] = value
    return merged
