"""What a caller may choose about the monitoring of a deployed model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

from lightship_cdk.settings_error import SettingsError
from lightship_runtime.capture import Capture

OFF = "off"
# Firehose's own limits: https://docs.aws.amazon.com/firehose/latest/APIReference/API_BufferingHints.html
LONGEST_BUFFER_S = 900
LEAST_RETENTION_DAYS = 15


@dataclass(frozen=True, slots=True)
class MonitoringSettings:
    """A prediction leaves codes (`capture`), or also the raw values of `capture_share` of them less the columns
    `capture_without`. Telemetry and labels are kept for `retention_days`; results, which are counts, and baselines
    stay. A window whose accuracy is surely below `accuracy_floor` is a breach, whatever the baseline's; windows span a
    multiple of `window_hours`.

    A delivery to the bucket waits at most `buffer_s` seconds or for `buffer_mb` MB. The monitor runs at `minute` of
    each hour, late enough for the last hour's deliveries, with `memory_mb`, `storage_mb` of disk and `timeout_s`.
    """

    retention_days: int = 90
    capture: Literal["codes", "raw"] = "codes"
    capture_share: float = 1.0
    capture_without: tuple[str, ...] = ()
    accuracy_floor: float | None = None
    window_hours: int = 1
    buffer_s: int = 300
    buffer_mb: int = 64
    minute: int = 15
    memory_mb: int = 1024
    storage_mb: int = 4096
    timeout_s: int = 900

    def __post_init__(self) -> None:
        if self.retention_days < LEAST_RETENTION_DAYS:
            raise SettingsError(
                f"retention_days = {self.retention_days}, but windows take up to a week, and volume is compared with "
                f"the week before. Write at least {LEAST_RETENTION_DAYS}."
            )
        if not 0 <= self.buffer_s <= LONGEST_BUFFER_S:
            raise SettingsError(f"buffer_s = {self.buffer_s} isn't between 0 and {LONGEST_BUFFER_S}. Mend it.")
        if not self.buffer_s // 60 < self.minute < 60:
            raise SettingsError(
                f"The monitor would run at minute {self.minute} of the hour, before {self.buffer_s} s of buffering "
                "have delivered the hour before. Choose a later minute."
            )

    @classmethod
    def from_config(cls, monitoring: Mapping[str, Any]) -> Self | None:
        """What a parsed [monitoring] asks for; None where it captures nothing."""
        if monitoring["capture"] == OFF:
            return None
        named = ("retention_days", "capture", "capture_share", "capture_without", "accuracy_floor", "window_hours")
        return cls(**{name: monitoring[name] for name in named})

    def check_columns(self, columns: Sequence[str]) -> None:
        """Raises SettingsError for a column of `capture_without` that the model doesn't have: a slip of the pen there
        would keep values that were to be left out."""
        for name in self.capture_without:
            if name not in columns:
                raise SettingsError(
                    f"capture_without names {name!r}, which is no column of the model: {', '.join(columns[:20])}. "
                    "Mend it in [monitoring]."
                )

    @property
    def captured(self) -> Capture:
        """What a prediction leaves, as the predicting function takes it."""
        return Capture(self.capture, self.capture_share, self.capture_without)
