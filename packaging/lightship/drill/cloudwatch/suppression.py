"""When a transition's actions are taken: at once, or for a composite with a suppressor after waiting for it.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create_Composite_Alarm_Suppression.html
"""

from collections.abc import Mapping

import numpy as np

from lightship.drill.cloudwatch.alarms import Alarm, CompositeAlarm
from lightship.drill.cloudwatch.decide import ALARM, INSUFFICIENT_DATA, OK, States
from lightship.drill.cloudwatch.series import MINUTE


def acted(alarm: Alarm, states: States, suppressor: States | None) -> Mapping[int, tuple[int, tuple[str, ...]]]:
    """By the minute of a transition: the minute at which it was told, and whom; not in it while it is suppressed.

    With a suppressor, a transition waits for the suppressor as long as it may; suppressed, it waits for its end and the
    extension. What has changed back by then isn't told.
    """
    by_state = {OK: alarm.actions.ok, ALARM: alarm.actions.alarm, INSUFFICIENT_DATA: alarm.actions.insufficient_data}
    before = np.concatenate([[INSUFFICIENT_DATA], states[:-1]])
    changes = [int(minute) for minute in np.flatnonzero(states != before)]
    if not isinstance(alarm, CompositeAlarm) or suppressor is None:
        return {minute: (minute, by_state[int(states[minute])]) for minute in changes}
    told: dict[int, tuple[int, tuple[str, ...]]] = {}
    last = int(before[0])
    for minute, end in zip(changes, [*changes[1:], len(states)], strict=True):
        state = int(states[minute])
        if state == last:
            continue
        released = _released(alarm, suppressor, minute, end)
        if released is not None:
            told[minute] = (released, by_state[state])
            last = state
    return told


def _released(alarm: CompositeAlarm, suppressor: States, minute: int, end: int) -> int | None:
    """The minute at which a transition's actions are taken, if the state lasts until then."""
    extension = alarm.extension_s // MINUTE
    due = minute + alarm.wait_s // MINUTE
    for now in range(max(minute - extension, 0), end):
        if suppressor[now] == ALARM:
            due = max(due, now + 1 + extension)
        elif now >= max(due, minute):
            return now
    return None
