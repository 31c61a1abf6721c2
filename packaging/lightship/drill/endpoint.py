"""The endpoint under an incident: real answers, as often as the traffic asks for, and what AWS counts of them."""

import numpy as np

from lightship.drill import rows
from lightship.drill.answers import GATEWAY_MS, Answer, Answers
from lightship.drill.cloudwatch.series import Floats, MetricId
from lightship.drill.deployment import Deployment
from lightship.drill.incident import Change
from lightship.drill.ledger import Ledger
from lightship.drill.timeline import Timeline

HIT = ("model-raises", "function-dies", "function-times-out", "slow", "bad-requests", *rows.KINDS)
# A warm function is rarely started: the share of requests that wait for it on a quiet day.
COLD_SHARE = 0.002
GATEWAY_REFUSAL = Answer(429, 0.0)
LAMBDA_REFUSAL = Answer(500, 0.0)


def record(timeline: Timeline, answers: Answers, ledger: Ledger) -> str:
    """Write down the endpoint's metrics; says what was run for them."""
    deployment = answers.deployment
    random = timeline.random
    sent = random.poisson(timeline.traffic(deployment.api.rate)).astype(np.int64)
    passed = random.binomial(sent, np.minimum(1, 60 * deployment.api.rate / np.maximum(sent, 1)))
    _refused_by_gateway(deployment, ledger, (sent - passed).astype(np.float64))
    kinds, shares = _mixture(timeline, answers)
    throttled = _share(timeline, "throttled")
    turned_away = random.binomial(passed, throttled)
    _refused_by_lambda(deployment, ledger, turned_away.astype(np.float64))
    reached = passed - turned_away
    items = [each for kind in kinds for each in kind]
    chances = np.concatenate(
        [np.repeat(shares[:, [place]] / len(kind), len(kind), axis=1) for place, kind in enumerate(kinds)], axis=1
    )
    counts = random.multinomial(reached, chances / chances.sum(axis=1, keepdims=True)).astype(np.float64)
    ledger.spread(columns_of(items, deployment), counts)
    record_concurrency(deployment, ledger, counts @ np.array([each.duration_ms + each.init_ms for each in items]))
    drawn = int(counts[timeline.lead :].sum())
    return f"{len(items)} answers by realtime.zip {answers.release.version}, drawn {drawn:,} times in the incident"


def _mixture(timeline: Timeline, answers: Answers) -> tuple[list[list[Answer]], Floats]:
    """Kinds of answers, and [minutes, kinds] which share of the requests gets each."""
    hits = timeline.incident.of_kind(*HIT)
    kinds = [answers.healthy(), answers.cold(), *(answers.under(change) for change in hits)]
    shares = np.zeros((timeline.minutes, len(kinds)))
    shares[:, 1] = np.maximum(COLD_SHARE, _share(timeline, "cold-starts"))
    for place, change in enumerate(hits, start=2):
        shares[:, place] = change.share * timeline.during(change)
    shares[:, 0] = np.clip(1 - shares[:, 1:].sum(axis=1), 0, 1)
    return kinds, shares


def _share(timeline: Timeline, kind: str) -> Floats:
    total = np.zeros(timeline.minutes)
    for change in timeline.incident.of_kind(kind):
        total = np.maximum(total, _in_force(timeline, change))
    return total


def _in_force(timeline: Timeline, change: Change) -> Floats:
    return change.share * timeline.during(change).astype(np.float64)


def columns_of(items: list[Answer], deployment: Deployment) -> dict[MetricId, Floats]:
    """What each answer adds to each metric; NaN where it adds nothing. All but the printed ones are AWS's own."""
    columns: dict[MetricId, Floats] = {}
    status = np.array([each.status for each in items], dtype=np.float64)
    duration = np.array([each.duration_ms for each in items])
    waited = duration + np.array([each.init_ms for each in items])
    of_gateway = {
        "count": np.ones(len(items)),
        "client": ((status >= 400) & (status < 500)).astype(np.float64),
        "server": (status >= 500).astype(np.float64),
        "inner": waited + GATEWAY_MS / 2,
        "latency": waited + GATEWAY_MS,
    }
    of_lambda = {
        "Invocations": np.ones(len(items)),
        "Errors": np.array([float(each.error) for each in items]),
        "Throttles": np.zeros(len(items)),
        "Duration": duration,
    }
    for kind, values in of_gateway.items():
        columns |= dict.fromkeys(deployment.api.ids(kind), values)
    for name, values in of_lambda.items():
        columns |= dict.fromkeys(deployment.lambda_ids(deployment.predict, name), values)
    for place, each in enumerate(items):
        for metric, value in each.metrics:
            columns.setdefault(metric, np.full(len(items), np.nan))[place] = value
    return columns


def _refused_by_gateway(deployment: Deployment, ledger: Ledger, counts: Floats) -> None:
    """429 from the API's own throttle: the function hears nothing of it."""
    values = {"count": 1.0, "client": 1.0, "server": 0.0, "latency": GATEWAY_MS}
    for kind, value in values.items():
        for metric in deployment.api.ids(kind):
            ledger.spread({metric: np.array([value])}, counts[:, None])


def _refused_by_lambda(deployment: Deployment, ledger: Ledger, counts: Floats) -> None:
    """Throttled for want of concurrency: API Gateway answers 5xx, and Lambda counts neither invocation nor error."""
    values = {"count": 1.0, "client": 0.0, "server": 1.0, "latency": GATEWAY_MS}
    for kind, value in values.items():
        for metric in deployment.api.ids(kind):
            ledger.spread({metric: np.array([value])}, counts[:, None])
    for metric in deployment.lambda_ids(deployment.predict, "Throttles"):
        ledger.spread({metric: np.array([1.0])}, counts[:, None])


def record_concurrency(deployment: Deployment, ledger: Ledger, busy_ms: Floats) -> None:
    """How many ran at once, by Little's law: the milliseconds of work that arrived in each minute, over a minute."""
    values = np.where(busy_ms > 0, np.ceil(busy_ms / 60_000), np.nan)
    account = MetricId.of("AWS/Lambda", "ConcurrentExecutions", {})
    for metric in [*deployment.lambda_ids(deployment.predict, "ConcurrentExecutions"), account]:
        ledger.gauge(metric, values)
