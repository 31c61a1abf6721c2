"""A month in which nothing is wrong: days and nights, weekends, deployments, and errors within the objective.

The answers are real ones; how often each comes is drawn. No alarm may sound, at any traffic.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lightship.drill import endpoint, surroundings
from lightship.drill.answers import Answer, Answers
from lightship.drill.cloudwatch.decide import ALARM
from lightship.drill.cloudwatch.evaluate import Evaluation, evaluate_all
from lightship.drill.cloudwatch.series import Floats
from lightship.drill.incident import Change, Incident
from lightship.drill.ledger import Ledger
from lightship.drill.outcome import PAGES
from lightship.drill.timeline import HOUR, START_S, Timeline
from lightship.drill.world import World

DAY = 24 * HOUR
DAYS = 30
LEVELS = (20, 200, 1000, 10_000)
# Half of what the objective allows: at all of it, the month's budget is used up, which isn't healthy.
ERROR_SHARE_OF_BUDGET = 0.5
NIGHT, WEEKEND = 0.4, 0.6
BUSY_SLOWDOWN = 1.3
DEPLOYMENTS_EVERY = 7 * DAY
COLD_AFTER_DEPLOYMENT = 10
KINDS = 16


@dataclass(frozen=True)
class Month:
    """What a healthy month came to at one level of traffic (requests an hour, on average by day).

    `fired` are alarms that told somebody, `stirred` those that only others look at: by themselves they tell nobody.
    """

    level: int
    requests: int
    failed: int
    fired: tuple[str, ...]
    stirred: tuple[str, ...]
    pages: int


def healthy_month(world: World, level: int, *, availability: float, budget: float, seed: int = 0) -> Month:
    """Simulate and evaluate 30 days. `budget` is the share of the error budget that is used."""
    deployment = world.deployment
    timeline = Timeline(_nothing(level), -(-max(deployment.reach_minutes, 2 * HOUR) // HOUR) * HOUR)
    random = np.random.default_rng([level, seed])
    ledger = Ledger(timeline.minutes, deployment.watched)
    requests, failed = _record_endpoint(timeline, world.answers, ledger, random, (1 - availability) * budget)
    world.monitor.record(timeline, ledger)
    world.batch.record(timeline, ledger)
    surroundings.record(timeline, deployment, ledger)
    found = evaluate_all(deployment.stack.alarms, ledger.series(), minutes=timeline.minutes, start_s=START_S)
    sounded = [each for each in deployment.stack.alarms if (found.states[each.name][timeline.lead :] == ALARM).any()]
    fired = tuple(each.name for each in sounded if each.actions.alarm)
    stirred = tuple(each.name for each in sounded if not each.actions.alarm)
    return Month(level, requests, failed, fired, stirred, _pages(world, timeline, found))


def healthy_months(
    world: World,
    *,
    availability: float,
    levels: Sequence[int] = LEVELS,
    say: Callable[[str], None] = lambda _text: None,
) -> tuple[Month, ...]:
    """A month at each level."""
    months = []
    for level in levels:
        say(f"a healthy month at {level:,} requests an hour")
        months.append(healthy_month(world, level, availability=availability, budget=ERROR_SHARE_OF_BUDGET))
    return tuple(months)


def _pages(world: World, timeline: Timeline, found: Evaluation) -> int:
    return sum(
        any(world.deployment.topic_kind(topic) == PAGES for topic in each.told)
        for each in found.transitions
        if each.after == "ALARM" and each.minute >= timeline.lead
    )


def _nothing(level: int) -> Incident:
    quiet = Change("traffic", options={"factor": 1.0})
    return Incident("healthy", "Nothing is wrong", (), (), (quiet,), float(level), DAYS * DAY)


def _record_endpoint(
    timeline: Timeline, answers: Answers, ledger: Ledger, random: np.random.Generator, errors: float
) -> tuple[int, int]:
    """Requests and failures of the month."""
    minute = np.arange(timeline.minutes)
    rate = timeline.traffic(answers.deployment.api.rate) * _daily(minute)
    usual = answers.healthy()[:KINDS]
    busy = [replace(each, duration_ms=BUSY_SLOWDOWN * each.duration_ms) for each in usual]
    failing = answers.under(Change("model-raises", options={}))[:1]
    groups: Sequence[Sequence[Answer]] = (usual, busy, answers.cold()[:1], failing)
    cold = np.where(minute % DEPLOYMENTS_EVERY < COLD_AFTER_DEPLOYMENT, 0.05, endpoint.COLD_SHARE)
    share_busy = 0.5 * _daily(minute)
    shares: Mapping[int, Floats] = {2: cold, 3: np.full(timeline.minutes, errors)}
    rest = 1 - cold - errors
    columns = [rest * (1 - share_busy), rest * share_busy, shares[2], shares[3]]
    chances = np.concatenate(
        [
            np.repeat(share[:, None] / len(group), len(group), axis=1)
            for share, group in zip(columns, groups, strict=True)
        ],
        axis=1,
    )
    counts = random.multinomial(random.poisson(rate), chances / chances.sum(axis=1, keepdims=True)).astype(np.float64)
    items = [each for group in groups for each in group]
    ledger.spread(endpoint.columns_of(items, answers.deployment), counts)
    endpoint.record_concurrency(answers.deployment, ledger, counts @ np.array([each.duration_ms for each in items]))
    return int(counts.sum()), int(counts[:, -1].sum())


def _daily(minute: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> Floats:
    """[minutes]: less at night and on Saturdays and Sundays, on average over a weekday 1."""
    of_day = 1 - (1 - NIGHT) * np.cos(2 * np.pi * (minute % DAY) / DAY)
    weekend = (minute // DAY) % 7 >= 5
    shaped: Floats = of_day * np.where(weekend, WEEKEND, 1.0)
    return shaped
