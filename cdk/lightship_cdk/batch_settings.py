"""What a caller may choose about scheduled scoring."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from lightship_cdk.settings_error import SettingsError

MAX_CONCURRENCY = 10_000
LONGEST_WATCH_H = 168
GRACE_H = 2
DAILY_H = 24
_HOURS = {"minute": 1 / 60, "hour": 1, "day": DAILY_H}


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """`schedule` is an EventBridge expression, `rate(1 day)` or `cron(0 3 * * ? *)`, in the time zone `timezone`,
    started within `flexible_minutes` of its time. `input` and `output` are `s3://bucket/prefix/`.

    `key`, `keep`, `format`, `delimiter`, `encoding` and `max_reject_share` are the runtime's own settings.
    `concurrency` is how many chunks are scored at once; the run ends with the first chunk that fails after its
    retries, unless `tolerated_failure_percent` lets others finish (it is then not published, nor can it be redriven).
    An alarm sounds when no run was committed for `expected_every_h` hours; where None, that follows from the schedule.
    """

    schedule: str
    input: str
    output: str
    key: tuple[str, ...]
    timezone: str = "UTC"
    flexible_minutes: int = 0
    keep: tuple[str, ...] | None = None
    format: Literal["csv", "jsonl", "parquet"] = "parquet"
    input_format: Literal["csv", "jsonl", "parquet"] | None = None
    delimiter: str = ","
    encoding: str = "utf-8"
    max_reject_share: float = 0.01
    concurrency: int = 10
    tolerated_failure_percent: float = 0.0
    memory_mb: int = 2048
    timeout_s: int = 900
    run_timeout_h: int = 24
    expected_every_h: int | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"(rate|cron|at)\(.+\)", self.schedule):
            raise SettingsError(f"The schedule {self.schedule!r} isn't rate(...), cron(...) or at(...). Write one.")
        if not self.key:
            raise SettingsError("[batch] names no key, by which scored rows are told apart. Write key = [COLUMN].")
        if not 1 <= self.concurrency <= MAX_CONCURRENCY:
            raise SettingsError(f"concurrency = {self.concurrency} isn't between 1 and {MAX_CONCURRENCY:,}. Mend it.")
        if self.expected_every_h is not None and not 1 <= self.expected_every_h <= LONGEST_WATCH_H:
            raise SettingsError(
                f"expected_every_h = {self.expected_every_h}, but CloudWatch looks back {LONGEST_WATCH_H} hours."
            )
        first, second = (place_of(each) for each in (self.input, self.output))
        if first[0] == second[0] and (first[1].startswith(second[1]) or second[1].startswith(first[1])):
            raise SettingsError(
                f"The input {self.input} and the output {self.output} overlap: a run would score the last one's output."
            )

    @classmethod
    def from_config(cls, batch: Mapping[str, Any] | None) -> Self | None:
        """What a parsed lightship.toml asks for; None where it has no schedule."""
        if batch is None or batch["schedule"] is None:
            return None
        values = {name: value for name, value in batch.items() if name not in ("memory", "timeout")}
        return cls(**values, memory_mb=batch["memory"], timeout_s=batch["timeout"])

    @property
    def watch_h(self) -> int | None:
        """Hours without a committed run after which an alarm sounds; None where runs are too rare to be missed."""
        return self.expected_every_h or hours_between(self.schedule)

    def runtime(self) -> dict[str, Any]:
        """As the handlers take it."""
        return {
            "key": list(self.key),
            "format": self.format,
            "keep": None if self.keep is None else list(self.keep),
            "delimiter": self.delimiter,
            "encoding": self.encoding,
            "max_reject_share": self.max_reject_share,
        }


def hours_between(schedule: str) -> int | None:
    """Hours that surely see a run, with some grace: of a rate its period, of a cron that runs on every day a day. None
    where that is more than an alarm can look back, or can't be told."""
    if rate := re.fullmatch(r"rate\((?P<count>\d+) (?P<unit>minute|hour|day)s?\)", schedule):
        hours = int(rate["count"]) * _HOURS[rate["unit"]]
    else:
        fields = schedule.partition("(")[2].rstrip(")").split()
        if len(fields) != 6 or sorted(fields[2:]) != ["*", "*", "*", "?"]:
            return None
        hours = DAILY_H
    watched = -int(-hours // 1) + GRACE_H
    return watched if watched <= LONGEST_WATCH_H else None


def place_of(address: str) -> tuple[str, str]:
    """(bucket, prefix) of `s3://bucket/prefix/`. Raises SettingsError."""
    found = re.fullmatch(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/((?:[^/]+/)*)", address)
    if found is None:
        raise SettingsError(f"{address!r} isn't a prefix in S3. Write s3://bucket/prefix/, with the slash at its end.")
    return found[1], found[2]
