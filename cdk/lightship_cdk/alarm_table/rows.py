"""What an alarm is, as plain data: the constructs, the dashboard, the runbooks and the drill read the same rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

type Severity = Literal["page", "ticket"]
type Comparison = Literal[">", ">=", "<", "<="]
type MissingData = Literal["notBreaching", "breaching", "ignore"]
type Family = Literal[
    "api", "function", "version", "release", "model", "concurrency", "topic", "queue", "helper", "run", "rule", "stream"
]
type Part = Literal[
    "endpoint",
    "traffic",
    "rollout",
    "comparison",
    "disagreement",
    "batch",
    "expected",
    "monitor",
    "feedback",
    "notifier",
]
type Setting = Literal[
    "latency_ms",
    "half_timeout_ms",
    "outage_percent",
    "fast_burn_percent",
    "slow_burn_percent",
    "budget_percent",
    "fast_slow_percent",
    "latency_budget_percent",
    "disagreement_percent",
    "quiet_hours",
    "batch_hours",
    "batch_late_s",
    "reject_percent",
]
type Log = Literal["predict", "access", "hook", "compare", "batch", "monitor", "feedback", "notifier"]

MINUTE, HOUR, DAY = 60, 3600, 86_400


@dataclass(frozen=True, slots=True)
class MetricRef:
    """A metric by what it belongs to.

    `api` by its role (`count`, `server_errors`, ...), the others by the name that CloudWatch has for it: `function` is
    the alias that callers reach, `version` the newest Lambda version alone, `release` what is counted of the newest
    release, `model` our own metrics of service and stage. `of` tells queues, topics and helping functions apart.
    `statistic` is as CloudWatch writes it; `{latency_ms}` in it stands for that setting.
    """

    family: Family
    name: str
    statistic: str
    of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What people read about an alarm. The severity says which topic hears of it.

    `commands` are what to type, `{options}` standing for the stage's; `query` is for Logs Insights, in the log `log`.
    """

    id: str
    title: str
    part: Part
    severity: Severity
    meaning: str
    causes: str
    first_steps: str
    commands: tuple[str, ...] = ()
    query: str = ""
    log: Log = "predict"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmRow(Told):
    """One alarm. It sounds when `datapoints` of the last `periods` values stand in `comparison` to the threshold.

    `expression` combines the metrics by their keys; without one there is a single metric. `{concurrency}` in it is what
    may run at once. Thresholds and periods that depend on the deployment are names of settings.
    `evaluate_low_samples` is False for a percentile that few requests can't give. `rolls_back` alarms stop a shift.
    """

    metrics: Mapping[str, MetricRef]
    threshold: float | Setting
    unit: str
    periods: int | Setting = 1
    datapoints: int | Setting = 1
    period_s: int = MINUTE
    comparison: Comparison = ">"
    expression: str | None = None
    missing_data: MissingData = "notBreaching"
    evaluate_low_samples: bool = True
    rolls_back: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositeRow(Told):
    """One message for several alarms: it sounds while all alarms of one group in `any_of` do, and none of `unless`.

    The alarms it names tell nobody themselves.
    """

    any_of: tuple[tuple[str, ...], ...]
    unless: tuple[str, ...] = ()

    @property
    def members(self) -> frozenset[str]:
        return frozenset(member for group in self.any_of for member in group)


type Row = AlarmRow | CompositeRow
