"""What a caller may choose about scheduled scoring."""

import re
from dataclasses import dataclass
from typing import Any, Literal

from lightship_cdk.settings import SettingsError

MAX_CONCURRENCY = 10_000
LONGEST_WATCH_H = 168


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """`schedule` is an EventBridge expression, `rate(1 day)` or `cron(0 3 * * ? *)`, in the time zone `timezone`,
    started within `flexible_minutes` of its time. `input` and `output` are `s3://bucket/prefix/`.

    `key`, `keep`, `format`, `delimiter`, `encoding` and `max_reject_share` are the runtime's own settings.
    `concurrency` is how many chunks are scored at once; the run ends with the first chunk that fails after its
    retries, unless `tolerated_failure_percent` lets others finish (it is then not published, nor can it be redriven).
    An alarm sounds when no run was committed for `expected_every_h` hours.
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
    expected_every_h: int = 26

    def __post_init__(self) -> None:
        if not re.fullmatch(r"(rate|cron|at)\(.+\)", self.schedule):
            raise SettingsError(f"The schedule {self.schedule!r} isn't rate(...), cron(...) or at(...). Write one.")
        if not self.key:
            raise SettingsError("[batch] names no key, by which scored rows are told apart. Write key = [COLUMN].")
        if not 1 <= self.concurrency <= MAX_CONCURRENCY:
            raise SettingsError(f"concurrency = {self.concurrency} isn't between 1 and {MAX_CONCURRENCY:,}. Mend it.")
        if not 1 <= self.expected_every_h <= LONGEST_WATCH_H:
            raise SettingsError(
                f"expected_every_h = {self.expected_every_h}, but CloudWatch looks back {LONGEST_WATCH_H} hours."
            )
        first, second = (place_of(each) for each in (self.input, self.output))
        if first[0] == second[0] and (first[1].startswith(second[1]) or second[1].startswith(first[1])):
            raise SettingsError(
                f"The input {self.input} and the output {self.output} overlap: a run would score the last one's output."
            )

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


def place_of(address: str) -> tuple[str, str]:
    """(bucket, prefix) of `s3://bucket/prefix/`. Raises SettingsError."""
    found = re.fullmatch(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/((?:[^/]+/)*)", address)
    if found is None:
        raise SettingsError(f"{address!r} isn't a prefix in S3. Write s3://bucket/prefix/, with the slash at its end.")
    return found[1], found[2]
