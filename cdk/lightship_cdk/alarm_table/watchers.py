"""The watchers themselves: an alarm that can't be delivered, and a monitor that says nothing, look like good news."""

from lightship_cdk.alarm_table.rows import HOUR, MINUTE, AlarmRow, Log, MetricRef, Part

ERRORS_QUERY = "filter @message like /Traceback|Error|Task timed out/ | sort @timestamp desc"


def _left_over(id: str, title: str, part: Part, log: Log, meaning: str, first_steps: str) -> AlarmRow:  # noqa: A002
    return AlarmRow(
        id=id,
        title=title,
        part=part,
        metrics={"waiting": MetricRef("queue", "ApproximateNumberOfMessagesVisible", "Maximum", of=part)},
        threshold=1.0,
        unit="messages",
        comparison=">=",
        period_s=5 * MINUTE,
        severity="ticket",
        meaning=meaning,
        causes="The function lacks a permission, is throttled, or fails on what it was given.",
        first_steps=first_steps,
        commands=("lightship status{options}",),
        query=ERRORS_QUERY,
        log=log,
    )


def _errors(id: str, title: str, part: Part, log: Log, meaning: str, first_steps: str) -> AlarmRow:  # noqa: A002
    return AlarmRow(
        id=id,
        title=title,
        part=part,
        metrics={"errors": MetricRef("helper", "Errors", "Sum", of=part)},
        threshold=1.0,
        unit="errors",
        comparison=">=",
        period_s=HOUR,
        severity="ticket",
        meaning=meaning,
        causes="A permission that was taken, data of an unknown shape, or a limit of time or memory.",
        first_steps=first_steps,
        commands=("lightship status{options}",),
        query=ERRORS_QUERY,
        log=log,
    )


def _undelivered(of: str, other: str) -> AlarmRow:
    """A message that wasn't delivered is counted once, after all of SNS's attempts. It is told by the other topic."""
    return AlarmRow(
        id=f"{of.capitalize()}Undelivered",
        title=f"{of}-undelivered",
        part="endpoint",
        metrics={"failed": MetricRef("topic", "NumberOfNotificationsFailed", "Sum", of=of)},
        threshold=1.0,
        unit="messages",
        comparison=">=",
        period_s=5 * MINUTE,
        severity="ticket" if other == "tickets" else "page",
        meaning=f"A message of the {of} topic didn't reach a subscriber: the next one may go unheard as well.",
        causes="An endpoint that refuses messages, or a key whose policy no longer admits the sender.",
        first_steps=f"Send a test message to the {of} topic; read the subscription's state and the key's policy.",
        commands=("lightship status{options}", "aws sns list-subscriptions"),
    )


WATCHER_ALARMS = (
    _undelivered("pages", "tickets"),
    _undelivered("tickets", "pages"),
    _left_over(
        "UncomparedSamples", "uncompared-samples", "comparison", "compare",
        "Sampled requests couldn't be compared; predictions are not affected.",
        "Read the comparing function's log, then purge the queue: it holds inputs of callers.",
    ),
    AlarmRow(
        id="MonitorSilent",
        title="monitor-silent",
        part="monitor",
        metrics={"runs": MetricRef("model", "MonitorRuns", "Sum")},
        # Filled: past missing points CloudWatch looks further back for real ones, and would sound two hours later.
        expression="FILL(runs, 0)",
        threshold=1.0,
        unit="runs",
        comparison="<",
        period_s=HOUR,
        periods=3,
        datapoints=3,
        missing_data="breaching",
        severity="ticket",
        meaning="The monitor hasn't finished a run for three hours: drift and accuracy go unwatched.",
        causes="Its schedule is off, it fails or runs out of time or memory.",
        first_steps="Read its log and the queue of failed runs; mend what they name.",
        commands=("lightship status{options}",),
        query=ERRORS_QUERY,
        log="monitor",
    ),
    _errors(
        "MonitorErrors", "monitor-errors", "monitor", "monitor",
        "A run of the monitor failed; it is tried again, and the next one looks at the same hours.",
        "Read the traceback in its log; if it stays, `monitor-silent` follows.",
    ),
    _left_over(
        "MonitorDeadLetters", "monitor-dead-letters", "monitor", "monitor",
        "Runs of the monitor were given up, and lie in its queue of failures.",
        "Read the message and the monitor's log; mend; purge the queue.",
    ),
    AlarmRow(
        id="TelemetryUndelivered",
        title="telemetry-undelivered",
        part="monitor",
        metrics={"age": MetricRef("stream", "DeliveryToS3.DataFreshness", "Maximum")},
        threshold=3600.0,
        unit="s",
        period_s=5 * MINUTE,
        periods=3,
        datapoints=3,
        severity="ticket",
        meaning="Telemetry waits for more than an hour on its way to the bucket: the monitor sees too few rows.",
        causes="The stream's role may no longer write to the bucket or use its key.",
        first_steps="Read the stream's log of errors; mend the role or the key's policy.",
        commands=("lightship status{options}",),
    ),
    _errors(
        "FeedbackErrors", "feedback-errors", "feedback", "feedback",
        "Labels that were sent couldn't be stored; their senders were told so.",
        "Read the traceback; senders may send the same labels again.",
    ),
    _errors(
        "NotifierErrors", "notifier-errors", "notifier", "notifier",
        "The written message behind an alarm wasn't made; CloudWatch's own one was delivered all the same.",
        "Read the traceback in the notifier's log.",
    ),
    _left_over(
        "NotifierDeadLetters", "notifier-dead-letters", "notifier", "notifier",
        "Alarms whose written message was given up; CloudWatch's own ones were delivered all the same.",
        "Read the message and the notifier's log; mend; purge the queue.",
    ),
)  # fmt: skip
