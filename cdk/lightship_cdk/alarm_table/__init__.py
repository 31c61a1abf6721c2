"""Every alarm, as one table: what is measured, when it sounds, whom it wakes, and what to do then.

A module for each thing that is watched. The alarms, the dashboard, the runbooks and docs/alarms.md are made of it.
"""

from lightship_cdk.alarm_table.batch import BATCH_ALARMS, BATCH_COMPOSITES
from lightship_cdk.alarm_table.deployment import DEPLOYMENT_ALARMS
from lightship_cdk.alarm_table.endpoint import ENDPOINT_ALARMS, ENDPOINT_COMPOSITES, FEWEST_BAD, LATENCY_SHARE
from lightship_cdk.alarm_table.model import MODEL_ALARMS, MODEL_COMPOSITES
from lightship_cdk.alarm_table.rows import (
    DAY,
    HOUR,
    MINUTE,
    AlarmRow,
    Comparison,
    CompositeRow,
    Log,
    MetricRef,
    MissingData,
    Part,
    Row,
    Setting,
    Severity,
    Told,
)
from lightship_cdk.alarm_table.watchers import WATCHER_ALARMS

ALARMS: tuple[AlarmRow, ...] = (
    *ENDPOINT_ALARMS,
    *BATCH_ALARMS,
    *MODEL_ALARMS,
    *DEPLOYMENT_ALARMS,
    *WATCHER_ALARMS,
)
COMPOSITES: tuple[CompositeRow, ...] = (*ENDPOINT_COMPOSITES, *BATCH_COMPOSITES, *MODEL_COMPOSITES)
ROLLBACK_ALARMS = tuple(row for row in ALARMS if row.rolls_back)
ROWS: tuple[Row, ...] = (*COMPOSITES, *ALARMS)
# Whoever is part of a composite tells nobody itself.
SILENT = frozenset(member for composite in COMPOSITES for member in composite.members)

__all__ = [
    "ALARMS",
    "COMPOSITES",
    "DAY",
    "FEWEST_BAD",
    "HOUR",
    "LATENCY_SHARE",
    "MINUTE",
    "ROLLBACK_ALARMS",
    "ROWS",
    "SILENT",
    "AlarmRow",
    "Comparison",
    "CompositeRow",
    "Log",
    "MetricRef",
    "MissingData",
    "Part",
    "Row",
    "Setting",
    "Severity",
    "Told",
]
