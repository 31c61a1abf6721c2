"""What a caller may choose about a deployed model, as frozen properties with their defaults."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from lightship_cdk.batch_settings import BatchSettings
from lightship_cdk.monitoring_settings import MonitoringSettings
from lightship_cdk.settings_error import SettingsError

type Auth = Literal["iam", "jwt", "api_key", "none"]
type Shift = Literal[
    "AllAtOnce",
    "Canary10Percent5Minutes",
    "Canary10Percent10Minutes",
    "Canary10Percent15Minutes",
    "Canary10Percent30Minutes",
    "Linear10PercentEvery1Minute",
    "Linear10PercentEvery2Minutes",
    "Linear10PercentEvery3Minutes",
    "Linear10PercentEvery10Minutes",
]
type QuotaPeriod = Literal["DAY", "WEEK", "MONTH"]


UNSTAGED = "live"


@dataclass(frozen=True, slots=True)
class FunctionSettings:
    """The predicting function. Memory in MB follows from the proof when it is None; the timeout is in seconds.

    A new account has a concurrency of ten and may not reserve any of it, so nothing is reserved by default.
    """

    memory_mb: int | None = None
    timeout_s: int = 10
    snapstart: bool = False
    reserved_concurrency: int | None = None
    provisioned_concurrency: int | None = None
    tracing: bool = False

    def __post_init__(self) -> None:
        if self.snapstart and self.provisioned_concurrency:
            raise SettingsError(
                f"snapstart and provisioned_concurrency = {self.provisioned_concurrency} exclude each other on "
                "Lambda. Keep one of them."
            )


@dataclass(frozen=True, slots=True)
class Jwt:
    """Whose tokens are accepted: the issuer's address and the audiences."""

    issuer: str
    audience: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Domain:
    """A name for the API, and the ARN of its certificate in the stack's region."""

    name: str
    certificate_arn: str


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """The API. `iam`, `jwt` and `none` give an HTTP API, `api_key` a REST API with a usage plan and quota.

    `rate` and `burst` are requests a second over all callers. `cors_origins` lists who may call from a browser.
    """

    auth: Auth = "iam"
    rate: float = 50.0
    burst: int = 100
    jwt: Jwt | None = None
    quota: int = 100_000
    quota_period: QuotaPeriod = "DAY"
    cors_origins: tuple[str, ...] = ()
    domain: Domain | None = None
    waf: bool = False

    def __post_init__(self) -> None:
        if self.auth == "jwt" and (self.jwt is None or not self.jwt.audience):
            raise SettingsError('auth = "jwt" lacks an issuer and an audience. Give both, in [endpoint.jwt].')
        if self.auth != "jwt" and self.jwt is not None:
            raise SettingsError(f'An issuer is given, but auth = "{self.auth}" asks for no token. Write auth = "jwt".')
        if self.auth == "api_key" and self.cors_origins:
            raise SettingsError(
                f"cors lists {', '.join(self.cors_origins)}, but a key inside a web page is no secret. "
                'Use auth = "jwt" for browsers.'
            )
        if self.waf and self.auth != "api_key":
            raise SettingsError(
                f'waf = true, but an HTTP API (auth = "{self.auth}") can\'t have a web ACL. '
                'Leave waf out, or use auth = "api_key", which makes a REST API.'
            )


@dataclass(frozen=True, slots=True)
class RolloutSettings:
    """How traffic moves to a new version: CodeDeploy's name for it, and the milliseconds that the median warm
    call of the pre-traffic hook may take."""

    shift: Shift = "Canary10Percent5Minutes"
    hook_latency_ms: float = 1_000.0


@dataclass(frozen=True, slots=True)
class ComparisonSettings:
    """How many requests are replayed on another version: a share of them, none by default. Each is logged whole.

    Numbers agree within `tolerance * (1 + |number|)`, labels when they are the same. A shift is undone when more
    than `limit` of the compared rows disagree. `shadow` is the folder of a release that no caller reaches: with it,
    the live version is compared with that one, and only reported.
    """

    share: float = 0.0
    tolerance: float = 0.01
    limit: float = 0.05
    shadow: str | None = None

    def __post_init__(self) -> None:
        if self.shadow and not self.share:
            raise SettingsError(
                f"{self.shadow} is to be compared in the shadow, but no request is sampled. Give a share, such as 0.1."
            )


@dataclass(frozen=True, slots=True)
class Objectives:
    """What is promised: the share of requests answered, the milliseconds that nine of ten stay under, and the hours
    after which silence is told of (0: never)."""

    availability: float = 0.999
    latency_ms: float = 500.0
    quiet_hours: int = 24


@dataclass(frozen=True, slots=True)
class Recipients:
    """E-mail addresses or https:// hooks. `everyone` hears pages and tickets, `tickets` tickets alone: both get each
    alarm as CloudWatch sends it.

    `explained` gets the written message of every page and ticket besides. So does `chat`, incoming hooks of Slack,
    Teams and their like: an https:// address, or `ssm:` and the name of a parameter that holds one.
    """

    everyone: tuple[str, ...] = ()
    tickets: tuple[str, ...] = ()
    explained: tuple[str, ...] = ()
    chat: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for address in self.chat:
            if not re.fullmatch(r"https://[^\s@/]+\.[^\s@/]+/\S*|ssm:/[\w./-]+", address):
                raise SettingsError(
                    f"chat names {address!r}; write a hook's whole https:// address, or ssm:/ and the name of a "
                    "parameter that holds one."
                )


@dataclass(frozen=True, slots=True)
class Network:
    """A VPC that exists, by ids, so that synth looks nothing up."""

    vpc_id: str
    subnet_ids: tuple[str, ...]
    security_group_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CustodySettings:
    """How what the service writes is kept: days of logs, whether data outlives the stack, whose key encrypts it.

    The policy of a key of one's own must let `logs.<region>` and `cloudwatch.amazonaws.com` use it; without
    the latter, alarms vanish unsent.
    """

    log_retention_days: int = 30
    retain_data: bool = True
    kms_key_arn: str | None = None


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """Everything about one deployed model. `stage` is the one of lightship.toml, if it has stages. A release without a
    monitor has no monitoring, whatever is set."""

    stage: str | None = None
    allow_unproven: bool = False
    function: FunctionSettings = field(default_factory=FunctionSettings)
    endpoint: EndpointSettings = field(default_factory=EndpointSettings)
    rollout: RolloutSettings = field(default_factory=RolloutSettings)
    comparison: ComparisonSettings = field(default_factory=ComparisonSettings)
    objectives: Objectives = field(default_factory=Objectives)
    recipients: Recipients = field(default_factory=Recipients)
    custody: CustodySettings = field(default_factory=CustodySettings)
    batch: BatchSettings | None = None
    monitoring: MonitoringSettings | None = field(default_factory=MonitoringSettings)
    runbooks: str | None = None
    network: Network | None = None
    permissions_boundary_arn: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def stage_name(self) -> str:
        """The stage as telemetry and tags have it."""
        return self.stage or UNSTAGED

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """The settings that a parsed lightship.toml asks for, given as nested dictionaries of its keys."""
        endpoint, monitoring, deploy = config["endpoint"], config["monitoring"], config["deploy"]
        jwt, domain, vpc = endpoint["jwt"], endpoint["domain"], deploy["vpc"]
        compare, shadow = endpoint["compare"], endpoint["compare"]["shadow"]
        return cls(
            stage=config["stage"],
            allow_unproven=config["allow_unproven"],
            function=FunctionSettings(
                memory_mb=endpoint["memory"],
                timeout_s=endpoint["timeout"],
                snapstart=endpoint["snapstart"],
                reserved_concurrency=endpoint["reserved_concurrency"],
                provisioned_concurrency=endpoint["provisioned_concurrency"],
                tracing=endpoint["tracing"],
            ),
            endpoint=EndpointSettings(
                auth=endpoint["auth"],
                rate=endpoint["throttle"]["rate"],
                burst=endpoint["throttle"]["burst"],
                jwt=jwt and Jwt(jwt["issuer"], jwt["audience"]),
                quota=endpoint["quota"]["limit"],
                quota_period=endpoint["quota"]["period"],
                cors_origins=endpoint["cors"],
                domain=domain and Domain(domain["name"], domain["certificate"]),
                waf=endpoint["waf"],
            ),
            rollout=RolloutSettings(shift=endpoint["canary"], hook_latency_ms=endpoint["hook_latency_ms"]),
            comparison=ComparisonSettings(
                share=compare["share"],
                tolerance=compare["tolerance"],
                limit=compare["limit"],
                shadow=shadow and str(shadow),
            ),
            objectives=Objectives(monitoring["availability"], monitoring["latency_ms"], monitoring["quiet_hours"]),
            runbooks=monitoring["runbooks"],
            recipients=Recipients(
                monitoring["notify"], monitoring["notify_tickets"], monitoring["notify_explained"], monitoring["chat"]
            ),
            custody=CustodySettings(endpoint["log_retention_days"], deploy["retain_data"], deploy["kms_key"]),
            batch=BatchSettings.from_config(config["batch"]),
            monitoring=MonitoringSettings.from_config(monitoring),
            network=vpc and Network(vpc["id"], vpc["subnets"], vpc["security_groups"]),
            permissions_boundary_arn=deploy["permissions_boundary"],
            tags=deploy["tags"],
        )
