"""Where things lie in the monitoring store, a folder or a bucket.

telemetry/YYYY/MM/DD/HH/*          telemetry lines, by the hour they arrived in (UTC)
counts/YYYY/MM/DD/HH/*.json        what batches counted, by the hour they belong to
labels/YYYY/MM/DD/HH/*.jsonl       labels, by the hour of their prediction
labels/late/YYYY/MM/DD/HH/HOUR     labels came for a long past hour (seconds since 1970), by the hour they came in
baselines/VERSION.json             the baseline that a version's codes mean
accepted.json                      drift that was looked into
results/VERSION/START-END.json     a window's result
results/latest.json                what holds now
results/hours/YYYY/MM/DD.json      the monitor's own: a day's hour cells, and which files it has read
results/windows/VERSION.json       the monitor's own: the published windows in short
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from lightship_runtime.labels import LABELS, LATE, folder_of
from lightship_runtime.monitor.cells import DAY

TELEMETRY, COUNTS, BASELINES, RESULTS = "telemetry/", "counts/", "baselines/", "results/"
ACCEPTED = "accepted.json"
LATEST = "results/latest.json"
__all__ = ["ACCEPTED", "BASELINES", "COUNTS", "LABELS", "LATE", "LATEST", "RESULTS", "TELEMETRY", "folder_of"]
_HOUR = re.compile(r"(?:^|/)(\d{4})/(\d\d)/(\d\d)/(\d\d)/")


def day_of(time: float) -> int:
    return int(time // DAY) * DAY


def days_between(first: float, last: float) -> Iterator[int]:
    """The starts of the days from the one of `first` to the one of `last`."""
    yield from range(day_of(first), day_of(last) + 1, DAY)


def day_folder(day: float) -> str:
    """`YYYY/MM/DD/`."""
    return folder_of(day)[:-3]


def hour_in(name: str) -> int | None:
    """The hour that an object's name says, in seconds since 1970; None where it says none."""
    found = _HOUR.search(name)
    if found is None:
        return None
    year, month, day, hour = map(int, found.groups())
    try:
        return int((datetime(year, month, day, tzinfo=UTC) + timedelta(hours=hour)).timestamp())
    except (ValueError, OverflowError):
        return None


def result_name(version: str, start: int, end: int) -> str:
    return f"{RESULTS}{safe(version)}/{start}-{end}.json"


def windows_name(version: str) -> str:
    return f"{RESULTS}windows/{safe(version)}.json"


def day_name(day: int) -> str:
    return f"{RESULTS}hours/{day_folder(day)[:-1]}.json"


def baseline_name(version: str) -> str:
    return f"{BASELINES}{safe(version)}.json"


def safe(version: str) -> str:
    """A version as part of a name. Releases' own are hexadecimal digits and stay as they are."""
    if re.fullmatch(r"[\w.-]{1,64}", version, re.ASCII) and version.strip("."):
        return version
    return version.encode(errors="surrogatepass").hex()[:128] or "none"
