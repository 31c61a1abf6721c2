"""An incident laid out over minutes: the calm before, what happens, and how long it is watched afterwards."""

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightship.drill.cloudwatch.series import Floats
from lightship.drill.incident import Change, Incident

# A Monday at midnight: every drill happens on the same day.
START_S = 1_767_571_200
HOUR = 60


@dataclass(frozen=True)
class Timeline:
    """`lead` quiet minutes, then the incident. Minutes count from the start of the data, an incident's own from its
    beginning at `lead`, which is the start of an hour."""

    incident: Incident
    lead: int

    @classmethod
    def of(cls, incident: Incident, reach_minutes: int) -> "Timeline":
        """With as much quiet before it as the alarm that looks back furthest has in view."""
        return cls(incident, -(-max(reach_minutes, 2 * HOUR) // HOUR) * HOUR)

    @property
    def minutes(self) -> int:
        return self.lead + self.incident.lasts_minutes

    @property
    def begin_s(self) -> int:
        """When the incident begins, in seconds since 1970."""
        return START_S + 60 * self.lead

    @property
    def random(self) -> np.random.Generator:
        """The same for the same incident."""
        return np.random.default_rng(zlib.crc32(self.incident.name.encode()))

    def during(self, change: Change) -> NDArray[np.bool_]:
        """[minutes]: whether a change is in force."""
        minute = np.arange(self.minutes) - self.lead
        until = self.incident.lasts_minutes if change.until_minute is None else change.until_minute
        return (minute >= change.from_minute) & (minute < until)

    def traffic(self, limit: float) -> Floats:
        """[minutes]: requests a minute, as callers send them. `limit` is what the API lets through in a second."""
        rate = np.full(self.minutes, self.incident.traffic_per_hour / HOUR)
        for change in self.incident.of_kind("traffic"):
            limits = change.options.get("limits")
            then = rate * change.number("factor", 1.0) if limits is None else np.full_like(rate, 60 * limit * limits)
            rate = np.where(self.during(change), then, rate)
        return rate
