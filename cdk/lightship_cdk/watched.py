"""What the alarms and the dashboard look at, and where CloudWatch has its numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import assert_never

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_logs as logs

from lightship_cdk.alarm_table import LATENCY_SHARE, Log, MetricRef, Part, Setting
from lightship_cdk.api import ApiMetrics
from lightship_cdk.function import ALIAS, PredictFunction
from lightship_cdk.notifications import Notifications
from lightship_cdk.settings import ComparisonSettings, Objectives
from lightship_runtime.telemetry import NAMESPACE

# Multiples of the rate at which errors would use up a month's budget in a month: a fiftieth of it in an hour, a
# twentieth in six, all of it. Where the budget is large they end at what no caller puts up with.
FAST_BURN, SLOW_BURN = 14.4, 6.0
MOST_FAST, MOST_SLOW = 0.5, 0.25
LEAST_OUTAGE = 0.05
LATE_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class WatchedEndpoint:
    """The endpoint and what was promised about it. `reserved` is the concurrency that it has for itself."""

    function: PredictFunction
    api: ApiMetrics
    objectives: Objectives = field(default_factory=Objectives)
    comparison: ComparisonSettings = field(default_factory=ComparisonSettings)
    reserved: int | None = None


@dataclass(frozen=True, slots=True)
class WatchedBatch:
    """Scheduled scoring. Without `expected_every_h` runs are too rare for an alarm to miss one."""

    state_machine_arn: str
    expected_every_h: int | None
    max_reject_share: float


@dataclass(frozen=True, slots=True)
class Watched:
    """Everything of one service that is watched; alarms of what is absent aren't made.

    `service` names the alarms; `model` and `stage` are the metrics' dimensions; `options` go behind the commands.
    `queues` of failures and helping `functions` are by the part they belong to. `rule` is the EventBridge rule over
    failed deployments, `stream` what delivers telemetry. `runbooks` is an address below which each alarm's page lies;
    without it they are a dashboard.
    """

    service: str
    model: str
    stage: str
    notifications: Notifications
    options: str = ""
    endpoint: WatchedEndpoint | None = None
    batch: WatchedBatch | None = None
    queues: Mapping[str, str] = field(default_factory=dict[str, str])
    functions: Mapping[str, str] = field(default_factory=dict[str, str])
    log_groups: Mapping[Log, logs.LogGroup] = field(default_factory=dict[Log, logs.LogGroup])
    rule: str = ""
    stream: str = ""
    runbooks: str | None = None

    @property
    def parts(self) -> frozenset[Part]:
        """What there is to watch."""
        found: set[Part] = set()
        if self.endpoint:
            found |= {"endpoint", "rollout"}
            if self.endpoint.objectives.quiet_hours:
                found.add("traffic")
            if self.endpoint.comparison.share:
                found.add("comparison")
                # A shadow is only reported: nobody's traffic goes to it.
                if not self.endpoint.comparison.shadow:
                    found.add("disagreement")
        if self.batch:
            found.add("batch")
            if self.batch.expected_every_h:
                found.add("expected")
        helpers: tuple[Part, ...] = ("monitor", "feedback", "notifier")
        found.update(part for part in helpers if part in self.functions)
        return frozenset(found)

    def settings(self) -> dict[Setting, float]:
        """The thresholds and lengths that depend on this deployment, in the units that their names end in."""
        found: dict[Setting, float] = {}
        if self.endpoint:
            found |= _of_endpoint(self.endpoint)
        if self.batch:
            found["reject_percent"] = 50 * self.batch.max_reject_share
            if self.batch.expected_every_h:
                found["batch_hours"] = self.batch.expected_every_h
                found["batch_late_s"] = LATE_SHARE * 3600 * self.batch.expected_every_h
        return found


def objective_percents(objectives: Objectives) -> dict[Setting, float]:
    """From what was promised, the percentages of bad requests at which the alarms sound."""
    errors, slow = 1 - objectives.availability, 1 - LATENCY_SHARE
    fast_burn = min(FAST_BURN * errors, MOST_FAST)
    shares: dict[Setting, float] = {
        "fast_burn_percent": fast_burn,
        "slow_burn_percent": min(SLOW_BURN * errors, MOST_SLOW),
        "budget_percent": errors,
        "outage_percent": max(LEAST_OUTAGE, fast_burn),
        "fast_slow_percent": min(FAST_BURN * slow, MOST_FAST),
        "latency_budget_percent": slow,
    }
    return {name: round(100 * share, 6) for name, share in shares.items()}


def _of_endpoint(endpoint: WatchedEndpoint) -> dict[Setting, float]:
    found = objective_percents(endpoint.objectives)
    found["latency_ms"] = endpoint.objectives.latency_ms
    found["half_timeout_ms"] = endpoint.function.timeout_s * 1000 / 2
    found["quiet_hours"] = endpoint.objectives.quiet_hours
    found["disagreement_percent"] = 100 * endpoint.comparison.limit
    return found


def metric(ref: MetricRef, period_s: int, watched: Watched) -> cloudwatch.Metric:
    """A metric of the table as CloudWatch has it."""
    namespace, name, dimensions = place(ref, watched)
    settings = watched.settings()
    return cloudwatch.Metric(
        namespace=namespace,
        metric_name=name,
        dimensions_map=dict(dimensions),
        statistic=ref.statistic.format(latency_ms=f"{settings['latency_ms']:g}")
        if "{" in ref.statistic
        else ref.statistic,
        period=cdk.Duration.seconds(period_s),
    )


def place(ref: MetricRef, watched: Watched) -> tuple[str, str, Mapping[str, str]]:
    """(namespace, name, dimensions). Raises ValueError for a metric of a part that isn't there."""
    match ref.family:
        case "model":
            return NAMESPACE, ref.name, {"Service": watched.model, "Stage": watched.stage}
        case "run":
            if watched.batch is None:
                raise ValueError(f"{ref.name} is a metric of a batch, and there is none.")
            return "AWS/States", ref.name, {"StateMachineArn": watched.batch.state_machine_arn}
        case "queue" | "helper" | "topic" | "rule" | "stream":
            return _place_of_helpers(ref, watched)
        case "api" | "function" | "version" | "release" | "concurrency":
            if watched.endpoint is None:
                raise ValueError(f"{ref.name} is a metric of an endpoint, and there is none.")
            return _place_of_endpoint(ref, watched, watched.endpoint)
        case _:
            assert_never(ref.family)


def _place_of_helpers(ref: MetricRef, watched: Watched) -> tuple[str, str, Mapping[str, str]]:
    match ref.family:
        case "queue":
            return "AWS/SQS", ref.name, {"QueueName": watched.queues[ref.of]}
        case "helper":
            return "AWS/Lambda", ref.name, {"FunctionName": watched.functions[ref.of]}
        case "rule":
            return "AWS/Events", ref.name, {"RuleName": watched.rule}
        case "stream":
            return "AWS/Firehose", ref.name, {"DeliveryStreamName": watched.stream}
        case _:
            topic = watched.notifications.pages if ref.of == "pages" else watched.notifications.tickets
            return "AWS/SNS", ref.name, {"TopicName": topic.topic_name}


def _place_of_endpoint(
    ref: MetricRef, watched: Watched, endpoint: WatchedEndpoint
) -> tuple[str, str, Mapping[str, str]]:
    function = endpoint.function
    name = function.function.function_name
    # Named by hand: the alias itself depends on these alarms, since they may undo its shift.
    alias = {"FunctionName": name, "Resource": f"{name}:{ALIAS}"}
    match ref.family:
        case "api":
            return "AWS/ApiGateway", endpoint.api.names[ref.name], endpoint.api.dimensions
        case "version":
            return "AWS/Lambda", ref.name, {**alias, "ExecutedVersion": function.version.version}
        case "release":
            version = function.release.manifest.version
            return NAMESPACE, ref.name, {"Service": watched.model, "Stage": watched.stage, "Version": version}
        case "concurrency":
            if endpoint.reserved is not None:
                return "AWS/Lambda", ref.name, {"FunctionName": name}
            # The account's whole use, by which Service Quotas measures its quota.
            return "AWS/Lambda", ref.name, {}
        case _:
            return "AWS/Lambda", ref.name, alias
