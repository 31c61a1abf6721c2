"""How often the endpoint's alarms page a healthy service, and how soon an outage is paged: simulations.

The very rows of the alarm table are evaluated, minute by minute over sliding windows as CloudWatch does it. Requests
come at random, as many by day as by night or (`--daily`) nine times as many at noon as at midnight.

Run: python benchmarks/alarm_burn_rates.py [--months 100] [--outages 300] [--daily]
"""

import argparse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightship_cdk.alarm_table import ALARMS, COMPOSITES, AlarmRow, CompositeRow
from lightship_cdk.settings import Objectives
from lightship_cdk.watched import objective_percents

DAY = 24 * 60
MONTH = 30 * DAY
PROMPT = 10
HEALTHY_RATES = (20, 60, 100, 150, 200, 300, 500, 1_000, 2_000, 10_000)
WATCHED = ("EndpointDown", "EndpointSlow", "BudgetBurning")

type Counts = NDArray[np.int64]
type Sounds = NDArray[np.bool_]


@dataclass(frozen=True)
class Traffic:
    """Requests of each minute, and how many of them failed or were slower than the objective."""

    requests: Counts
    failed: Counts
    slow: Counts


def draw(
    random: np.random.Generator, rate: NDArray[np.float64], failing: NDArray[np.float64], slow: NDArray[np.float64]
) -> Traffic:
    """`rate` in requests an hour, and the shares that fail and are slow, minute by minute."""
    requests = random.poisson(rate / 60)
    return Traffic(requests, random.binomial(requests, failing), random.binomial(requests, slow))


def sounds(row: AlarmRow, traffic: Traffic, settings: Mapping[str, float]) -> Sounds:
    """Whether a row sounds at the end of each minute. Its expression is Python as it is CloudWatch's."""
    minutes = row.period_s // 60
    every, failed, slow = (_sliding(each, minutes) for each in (traffic.requests, traffic.failed, traffic.slow))
    with np.errstate(divide="ignore", invalid="ignore"):
        values = {"all": every, "bad": failed, "fast": np.round(100 * (1 - slow / every), 6), "IF": np.where}
        share = eval(row.expression or "", {"__builtins__": {}}, values)  # noqa: S307 (a row of this project's table)
    threshold = settings[row.threshold] if isinstance(row.threshold, str) else row.threshold
    breaching = ((every > 0) & (share > threshold)).astype(np.int64)
    count = breaching.copy()
    for back in range(1, int(row.periods)):
        count[back * minutes :] += breaching[: -back * minutes or None][: len(count) - back * minutes]
    state = count >= int(row.datapoints)
    if minutes * int(row.periods) <= DAY:
        return state
    # What looks back for more than a day is evaluated once an hour.
    return np.repeat(state[59::60], 60)[: len(state)] if len(state) % 60 == 0 else state


def _sliding(counts: Counts, minutes: int) -> Counts:
    total = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts)])
    begin = np.maximum(np.arange(1, len(total)) - minutes, 0)
    return total[1:] - total[begin]


def evaluate(traffic: Traffic, settings: Mapping[str, float], table: Iterable[AlarmRow] = ALARMS) -> dict[str, Sounds]:
    """Every composite over the endpoint, by its id. The function's own counts take no part: a crash is a 500 here."""
    wanted = frozenset(member for each in COMPOSITES if each.id in WATCHED for member in each.members)
    rows = {row.id: row for row in table if row.id in wanted and _is_simulated(row)}
    alarms = {id_: sounds(row, traffic, settings) for id_, row in rows.items()}
    found: dict[str, Sounds] = {}
    for composite in COMPOSITES:
        if composite.id in WATCHED:
            found[composite.id] = _composite(composite, alarms, found)
    return found


def _is_simulated(row: AlarmRow) -> bool:
    return all(ref.family == "api" for ref in row.metrics.values())


def _composite(row: CompositeRow, alarms: Mapping[str, Sounds], before: Mapping[str, Sounds]) -> Sounds:
    groups = [[alarms[each] for each in group] for group in row.any_of if all(each in alarms for each in group)]
    any_of = np.logical_or.reduce([np.logical_and.reduce(group) for group in groups])
    return any_of & ~np.logical_or.reduce([before[each] for each in row.unless]) if row.unless else any_of


def begins(state: Sounds) -> int:
    """How often it changed to sounding: so many messages."""
    return int((state[1:] & ~state[:-1]).sum() + state[0])


def healthy_months(
    months: int,
    rate: float,
    *,
    failing: float,
    slow: float,
    daily: bool = False,
    seed: int = 1,
    table: Iterable[AlarmRow] = ALARMS,
) -> dict[str, float]:
    """Messages a month of a service that fails and is slow just as often as it may."""
    random, settings = np.random.default_rng(seed), objective_percents(Objectives())
    found = dict.fromkeys(WATCHED, 0)
    by_minute = np.full(MONTH, float(rate))
    if daily:
        by_minute *= 1 + 0.8 * np.sin(np.arange(MONTH) * 2 * np.pi / (24 * 60))
    for _ in range(months):
        traffic = draw(random, by_minute, np.full(MONTH, failing), np.full(MONTH, slow))
        for name, state in evaluate(traffic, settings, table).items():
            found[name] += begins(state)
    return {name: count / months for name, count in found.items()}


def outage(
    runs: int, rate: float, *, failing: float, slow: float = 0.05, minutes: int = 120, seed: int = 1
) -> tuple[NDArray[np.float64], float]:
    """After a healthy day a share of requests fails for `minutes`: minutes until the first page of each run (infinite
    without one), and pages a run."""
    random, settings = np.random.default_rng(seed), objective_percents(Objectives())
    share, lag = (
        np.concatenate([np.full(DAY, usual), np.full(minutes, now)]) for usual, now in ((0.0005, failing), (0.05, slow))
    )
    waits, pages = [], 0
    for _ in range(runs):
        traffic = draw(random, np.full(DAY + minutes, float(rate)), share, lag)
        found = evaluate(traffic, settings)
        state = (found["EndpointDown"] | found["EndpointSlow"])[DAY:]
        pages += begins(found["EndpointDown"][DAY:]) + begins(found["EndpointSlow"][DAY:])
        waits.append(float(np.argmax(state) + 1) if state.any() else np.inf)
    return np.array(waits), pages / runs


OUTAGES = (
    (20, 1.0), (100, 1.0), (100, 0.1), (1_000, 1.0), (1_000, 0.1), (1_000, 0.05), (10_000, 0.1), (10_000, 0.02),
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--months", type=int, default=100)
    parser.add_argument("--outages", type=int, default=300)
    parser.add_argument("--daily", action="store_true")
    given = parser.parse_args()
    print(
        f"Messages a month of a service with 0.1% failing and 10% slow, {given.months} months; last, with half of both"
    )
    print("| requests an hour | page: down | page: slow | ticket: budget | ticket, half |")
    print("|---|---|---|---|---|")
    for rate in HEALTHY_RATES:
        found = healthy_months(given.months, rate, failing=0.001, slow=0.1, daily=given.daily)
        half = healthy_months(max(1, given.months // 5), rate, failing=0.0005, slow=0.05, daily=given.daily)
        pages = f"{found['EndpointDown']:.3f} | {found['EndpointSlow']:.3f}"
        print(f"| {rate:,} | {pages} | {found['BudgetBurning']:.2f} | {half['BudgetBurning']:.2f} |", flush=True)
    print(f"\nMinutes until a page, {given.outages} outages of two hours")
    print("| requests an hour | failing | median | 95% | within 10 | never | pages an outage |")
    print("|---|---|---|---|---|---|---|")
    for rate, failing in OUTAGES:
        waits, pages_each = outage(given.outages, rate, failing=failing)
        shares = f"{(waits <= PROMPT).mean():.1%} | {np.isinf(waits).mean():.1%}"
        times = f"{np.median(waits):.0f} | {np.quantile(waits, 0.95):.0f}"
        print(f"| {rate:,} | {failing:.0%} | {times} | {shares} | {pages_each:.2f} |", flush=True)


if __name__ == "__main__":
    main()
