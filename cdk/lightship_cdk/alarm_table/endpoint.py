"""The endpoint: what callers notice, and what they will notice soon.

Availability and latency are objectives, watched as burn rates over two windows each (Google's SRE workbook, "Alerting
on SLOs"): the long one says that it matters, the short one that it still goes on. A share of few requests means
nothing, so that several have to be bad, and then one failure of twenty in a quiet hour wakes nobody. A short window
counts while it or one of a few before it was bad: noise about the threshold is one message and not ten. All of these
numbers come from benchmarks/alarm_burn_rates.py, which evaluates these rows.
"""

from typing import Literal

from lightship_cdk.alarm_table.rows import DAY, HOUR, MINUTE, AlarmRow, CompositeRow, MetricRef, Setting, Severity

# So many have to be bad that a service which just keeps its objective pages less than once in ten months, whatever its
# traffic.
FEWEST_BAD, FEWEST_BAD_FAST, FEWEST_BAD_SLOW = 5, 6, 10
# One request in ten may be slower than the objective.
LATENCY_SHARE = 0.9

FAILURES_QUERY = "fields @timestamp, status, version | filter status >= 500 | sort @timestamp desc"
CRASHES_QUERY = "filter @message like /Traceback|Task timed out|Runtime exited/ | sort @timestamp desc"

type Window = tuple[str, str, int, Setting, Severity, int, int]

_ANSWERS = {"bad": MetricRef("api", "server_errors", "Sum"), "all": MetricRef("api", "count", "Sum")}
_TIMES = {
    "fast": MetricRef("api", "latency", "PR(:{latency_ms})"),
    "all": MetricRef("api", "latency", "SampleCount"),
}


def _failed_percent(fewest: int) -> str:
    return f"IF(bad >= {fewest}, 100 * bad / all, 0)"


def _slow_percent(fewest: int) -> str:
    # A rank is rounded, so that a product with it is never quite a whole number.
    return f"IF(all * (100 - fast) / 100 > {fewest - 0.5}, 100 - fast, 0)"


def _window(
    objective: Literal["availability", "latency"],
    id: str,  # noqa: A002 (a row's own name)
    window: str,
    period_s: int,
    threshold: Setting,
    severity: Severity,
    fewest: int = 1,
    windows: int = 1,
) -> AlarmRow:
    """One window of a burn rate, in which `fewest` have to be bad: the last one, or one of the last `windows`."""
    failed = objective == "availability"
    what = "failed" if failed else "were slower than the objective"
    return AlarmRow(
        id=id,
        title=f"{objective}-{window}",
        part="endpoint",
        metrics=_ANSWERS if failed else _TIMES,
        expression=_failed_percent(fewest) if failed else _slow_percent(fewest),
        threshold=threshold,
        unit="% of requests",
        period_s=period_s,
        periods=windows,
        severity=severity,
        meaning=f"Of the requests of the last {window.partition('-')[2]}, too many {what}: the month's budget burns.",
        causes="Whatever the alarm that this one belongs to says: by itself it tells nobody.",
        first_steps="Look at the alarm that it is part of.",
    )


_AVAILABILITY: tuple[Window, ...] = (
    ("AvailabilityFast1h", "fast-1h", HOUR, "fast_burn_percent", "page", FEWEST_BAD_FAST, 1),
    ("AvailabilityFast5m", "fast-5m", 5 * MINUTE, "fast_burn_percent", "page", 1, 5),
    ("AvailabilitySlow6h", "slow-6h", 6 * HOUR, "slow_burn_percent", "page", FEWEST_BAD_SLOW, 1),
    ("AvailabilitySlow30m", "slow-30m", 30 * MINUTE, "slow_burn_percent", "page", 3, 1),
    ("AvailabilityBudget3d", "budget-3d", 3 * DAY, "budget_percent", "ticket", FEWEST_BAD_SLOW, 2),
    ("AvailabilityBudget6h", "budget-6h", 6 * HOUR, "budget_percent", "ticket", 1, 5),
)
_LATENCY: tuple[Window, ...] = (
    ("LatencyFast30m", "fast-30m", 30 * MINUTE, "fast_slow_percent", "page", FEWEST_BAD_SLOW, 1),
    ("LatencyFast5m", "fast-5m", 5 * MINUTE, "fast_slow_percent", "page", 1, 5),
    ("LatencyBudget3d", "budget-3d", 3 * DAY, "latency_budget_percent", "ticket", FEWEST_BAD_SLOW, 2),
    ("LatencyBudget6h", "budget-6h", 6 * HOUR, "latency_budget_percent", "ticket", 1, 5),
)

ENDPOINT_ALARMS = (
    *(_window("availability", *window) for window in _AVAILABILITY),
    *(_window("latency", *window) for window in _LATENCY),
    AlarmRow(
        id="ApiServerErrors",
        title="api-5xx",
        part="endpoint",
        metrics=_ANSWERS,
        expression=_failed_percent(FEWEST_BAD),
        threshold="outage_percent",
        unit="% of requests",
        period_s=5 * MINUTE,
        periods=3,
        severity="page",
        meaning="More than one request in twenty failed in five minutes.",
        causes="A release that fails on real inputs; the function timing out or throttled.",
        first_steps="Read the log for tracebacks, compare with the last deployment, roll back.",
        query=FAILURES_QUERY,
    ),
    AlarmRow(
        id="FunctionErrors",
        title="function-errors",
        part="endpoint",
        metrics={"bad": MetricRef("function", "Errors", "Sum"), "all": MetricRef("function", "Invocations", "Sum")},
        expression=_failed_percent(FEWEST_BAD),
        threshold="outage_percent",
        unit="% of invocations",
        period_s=5 * MINUTE,
        periods=3,
        severity="page",
        meaning="More than one invocation in twenty crashed or timed out in five minutes.",
        causes="The function out of memory or time, or dying at its start.",
        first_steps="Look for `Task timed out`, `Runtime exited` and `INIT_REPORT` in the function's log; roll back.",
        query=CRASHES_QUERY,
    ),
    AlarmRow(
        id="FunctionThrottles",
        title="function-throttles",
        part="endpoint",
        metrics={"throttles": MetricRef("function", "Throttles", "Sum")},
        threshold=1.0,
        unit="throttled invocations",
        comparison=">=",
        periods=5,
        datapoints=5,
        severity="page",
        meaning="Lambda turned invocations away in each of five minutes.",
        causes="The account's concurrency is used up, or what is reserved for this function.",
        first_steps="Look at ConcurrentExecutions; raise the reservation or the quota, or lower the throttle.",
        commands=("aws lambda get-account-settings",),
    ),
    AlarmRow(
        id="ApiClientErrors",
        title="api-4xx",
        part="endpoint",
        metrics={"bad": MetricRef("api", "client_errors", "Sum"), "all": MetricRef("api", "count", "Sum")},
        expression=_failed_percent(FEWEST_BAD),
        threshold=5.0,
        unit="% of requests",
        period_s=5 * MINUTE,
        periods=3,
        datapoints=3,
        severity="ticket",
        meaning="More than one request in twenty was refused, for a quarter of an hour.",
        causes="A caller whose columns or types left the contract; expired credentials; throttling (429).",
        first_steps="Count the statuses in the access log; for 422 the answer names the column.",
        commands=("lightship call{options}",),
        query="stats count(*) by status | sort status",
        log="access",
    ),
    AlarmRow(
        id="FunctionDuration",
        title="function-near-timeout",
        part="endpoint",
        metrics={"duration": MetricRef("function", "Duration", "p90")},
        threshold="half_timeout_ms",
        unit="ms",
        period_s=15 * MINUTE,
        periods=2,
        datapoints=2,
        severity="ticket",
        meaning="For half an hour the slow tenth of invocations took more than half of the timeout.",
        causes="Requests are growing, or memory is too small for them.",
        first_steps="Look at rows per request; raise memory or the timeout before requests fail.",
        query="stats avg(Predictions), max(Predictions), pct(Latency, 90) by bin(5m)",
        evaluate_low_samples=False,
    ),
    AlarmRow(
        id="ConcurrencyNearQuota",
        title="concurrency-near-quota",
        part="endpoint",
        metrics={"used": MetricRef("concurrency", "ConcurrentExecutions", "Maximum")},
        expression="100 * used / {concurrency}",
        threshold=80.0,
        unit="% of what may run at once",
        period_s=5 * MINUTE,
        periods=3,
        datapoints=3,
        severity="ticket",
        meaning="More than four fifths of what may run at once did, for a quarter of an hour; more are refused.",
        causes="More traffic, slower answers, or another function of the account that uses its share.",
        first_steps="Compare with the other functions of the account; ask for a higher quota or reserve concurrency.",
        commands=("aws lambda get-account-settings",),
    ),
    AlarmRow(
        id="ColdStarts",
        title="cold-starts",
        part="endpoint",
        metrics={"cold": MetricRef("model", "ColdStarts", "Sum"), "all": MetricRef("model", "Requests", "Sum")},
        # In a quiet hour every request may start cold, and that is no fault.
        expression="IF(all >= 300, 100 * FILL(cold, 0) / all, 0)",
        threshold=10.0,
        unit="% of requests",
        period_s=HOUR,
        severity="ticket",
        meaning="One request in ten waited for a new process within an hour of steady traffic.",
        causes="Processes that die and are replaced; traffic in bursts; a deployment an hour ago.",
        first_steps="Look for `Runtime exited` in the log; for bursts of traffic, provision concurrency.",
        query=CRASHES_QUERY,
    ),
    AlarmRow(
        id="TrafficStopped",
        title="traffic-stopped",
        part="traffic",
        metrics={"count": MetricRef("api", "count", "Sum")},
        # Filled: past missing points CloudWatch looks further back for real ones, and would sound two hours later.
        expression="FILL(count, 0)",
        threshold=1.0,
        unit="requests",
        comparison="<",
        period_s=HOUR,
        periods="quiet_hours",
        datapoints="quiet_hours",
        missing_data="breaching",
        severity="ticket",
        meaning="No request has arrived for as long as lightship.toml's quiet_hours.",
        causes="A caller that lost its credentials, address or schedule; or nobody has any need.",
        first_steps="Call the endpoint yourself; if it answers, ask its callers. Without callers: quiet_hours = 0.",
        commands=("lightship status{options}", "lightship call{options}"),
        query="stats count(*) by status, caller",
        log="access",
    ),
)

ENDPOINT_COMPOSITES = (
    CompositeRow(
        id="EndpointDown",
        title="endpoint-down",
        part="endpoint",
        any_of=(
            ("ApiServerErrors",),
            ("FunctionErrors",),
            ("FunctionThrottles",),
            ("AvailabilityFast1h", "AvailabilityFast5m"),
            ("AvailabilitySlow6h", "AvailabilitySlow30m"),
        ),
        severity="page",
        meaning="Callers get errors in place of predictions.",
        causes="The last deployment; the function crashing, timing out or throttled; a dependency of the account.",
        first_steps="Deployed in the last hours? Roll back now. Otherwise read the failures in the log.",
        commands=("lightship status{options}", "lightship rollback{options} --now"),
        query=FAILURES_QUERY,
    ),
    CompositeRow(
        id="EndpointSlow",
        title="endpoint-slow",
        part="endpoint",
        any_of=(("LatencyFast30m", "LatencyFast5m"),),
        unless=("EndpointDown",),
        severity="page",
        meaning="More than half of the requests take longer than the objective allows.",
        causes="A slower release; larger requests; too little memory, hence CPU; cold starts after a rise in traffic.",
        first_steps="Deployed today? Roll back. Otherwise compare duration with rows per request; raise memory.",
        commands=("lightship status{options}", "lightship rollback{options} --now"),
        query="stats pct(Latency, 50), pct(Latency, 90), avg(Predictions) by bin(5m)",
    ),
    CompositeRow(
        id="BudgetBurning",
        title="budget-burning",
        part="endpoint",
        any_of=(("AvailabilityBudget3d", "AvailabilityBudget6h"), ("LatencyBudget3d", "LatencyBudget6h")),
        severity="ticket",
        meaning="For days more requests fail or are slow than the objective allows: the month will miss it.",
        causes="A small share of inputs that fail; a slow drift of load or size; an objective that was never met.",
        first_steps="Group the failures by status and version; mend the commonest, or change the objective.",
        commands=("lightship status{options}",),
        query="stats count(*), pct(Latency, 90) by status, version",
    ),
)
