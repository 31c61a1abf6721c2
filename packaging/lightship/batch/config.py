"""`[batch]` of lightship.toml: scheduled scoring. A mistake is found when the file is read, and named by its key."""

import codecs
import re
import zoneinfo
from dataclasses import dataclass
from typing import Literal

from lightship.toml_reader import ConfigError, bounded, named

_PREFIX = r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/(?:[^/]+/)*"
_PREFIX_RULE = "s3://bucket/prefix/, with the slash at its end"
_RATE = re.compile(r"rate\([1-9]\d{0,4} (minute|hour|day)s?\)")
_CRON = re.compile(r"cron\((?P<fields>[^()]+)\)")
_CRON_FIELDS = 6
LONGEST_WATCH_H = 168
"""CloudWatch looks back a week."""


@dataclass(frozen=True, slots=True)
class BatchConfig:
    """`[batch]`: scheduled scoring of what is new below an S3 prefix.

    `schedule` is EventBridge Scheduler's rate(...) or cron(...), in `timezone`, started within `flexible_minutes` of
    its time; it needs `input`, `output` and `key`, the columns that tell rows apart. `format` is the output's;
    `input_format` is for objects whose names don't say theirs. `keep` names further columns to pass through
    (["*"]: all; left out: those that the model doesn't take). `delimiter` and `encoding` are those of the input's text.

    `concurrency` is how many pieces are scored at once. A run fails above `max_reject_share` of its rows, or when
    more than `tolerated_failure_percent` of its pieces do. An alarm sounds when no run was committed for
    `expected_every_h` hours; left out, that follows from the schedule. `memory` in MB, `timeout` in seconds.
    """

    schedule: str | None = None
    input: str | None = named(None, _PREFIX, _PREFIX_RULE)
    output: str | None = named(None, _PREFIX, _PREFIX_RULE)
    format: Literal["csv", "jsonl", "parquet"] = "parquet"
    concurrency: int = bounded(10, 1, 10_000)
    input_format: Literal["csv", "jsonl", "parquet"] | None = None
    key: tuple[str, ...] = ()
    keep: tuple[str, ...] | None = None
    timezone: str = "UTC"
    flexible_minutes: int = bounded(0, 0, 1_440)
    delimiter: str = named(",", r"[\x20-\x7e\t]", "one ASCII character, such as ';'")
    encoding: str = "utf-8"
    max_reject_share: float = bounded(0.01, 0, 1)
    tolerated_failure_percent: float = bounded(0.0, 0, 100)
    expected_every_h: int | None = bounded(None, 1, LONGEST_WATCH_H)
    memory: int = bounded(2_048, 512, 10_240)
    timeout: int = bounded(900, 60, 900)

    def __post_init__(self) -> None:
        self._check_words()
        if self.schedule is None:
            return
        check_schedule(self.schedule)
        for name in ("input", "output", "key"):
            if not getattr(self, name):
                example = '["id"]' if name == "key" else f'"s3://bucket/{name}/"'
                raise ConfigError(f"[batch] in lightship.toml has a schedule, but no {name}. Write {name} = {example}.")
        first, second = str(self.input), str(self.output)
        if first.startswith(second) or second.startswith(first):
            raise ConfigError(
                f"batch.input {first} and batch.output {second} in lightship.toml overlap: a run would score the last "
                "one's output. Write them beside each other."
            )

    def _check_words(self) -> None:
        if self.delimiter == '"':
            raise ConfigError("batch.delimiter in lightship.toml is a quote, which CSV has for fields. Use another.")
        for name in ("key", "keep"):
            listed = getattr(self, name) or ()
            if double := [each for each in listed if not each or listed.count(each) > 1]:
                raise ConfigError(
                    f"batch.{name} in lightship.toml has {double[0]!r} twice, or empty. Name columns once."
                )
        try:
            codecs.lookup(self.encoding)
        except LookupError:
            raise ConfigError(
                f"batch.encoding in lightship.toml is {self.encoding!r}; use one of Python's names, such as latin-1."
            ) from None
        known = zoneinfo.available_timezones()
        if known and self.timezone not in known:
            raise ConfigError(
                f"batch.timezone in lightship.toml is {self.timezone!r}; use a name such as Europe/Berlin."
            )


def check_schedule(schedule: str) -> None:
    """Raises ConfigError for what EventBridge Scheduler would refuse.

    https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
    """
    if _RATE.fullmatch(schedule):
        return
    found = _CRON.fullmatch(schedule)
    fields = found["fields"].split() if found else []
    if len(fields) != _CRON_FIELDS:
        raise ConfigError(
            f"batch.schedule in lightship.toml is {schedule!r}; write rate(1 day), or cron(0 3 * * ? *): minute, hour, "
            "day of the month, month, day of the week, year."
        )
    if (fields[2] == "?") == (fields[4] == "?"):
        raise ConfigError(
            f"batch.schedule in lightship.toml is {schedule!r}; of the day of the month and the day of the week, "
            "exactly one is ?."
        )
