"""The rehearsal's monitoring: telemetry reaches its bucket, labels are taken, and the hourly run judges what came.

The run's schedule is fired by hand for a time at which the hour of the calls is over.
"""

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from lightship.rehearsal.calls import Caller
from lightship.rehearsal.emulator.clients import Clients
from lightship.rehearsal.findings import CheckFailedError
from lightship.rehearsal.schedules import fire
from lightship_runtime.contract import Contract
from lightship_runtime.golden import Golden
from lightship_runtime.identifiers import id_time_ms
from lightship_runtime.manifest import Release
from lightship_runtime.replay import chunks, instances_of
from lightship_runtime.telemetry import NAMESPACE

FEEDBACK = "/feedback"
# A window is judged from this many rows on; some more make up for what an hour's end cuts off.
ROWS = 600
REFUSED = (401, 403)
OK = 200


@dataclass(frozen=True)
class Watched:
    """A deployed and monitored model, and a caller of it."""

    clients: Clients
    outputs: Mapping[str, str]
    release: Release
    stage: str
    contract: Contract
    caller: Caller
    auth: str
    window_hours: int = 1

    @property
    def bucket(self) -> str:
        return self.outputs["MonitoringBucket"]

    def objects(self, prefix: str) -> dict[str, bytes]:
        """What lies below a prefix, unpacked."""
        s3 = self.clients("s3")
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        names = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
        found = {name: s3.get_object(Bucket=self.bucket, Key=name)["Body"].read() for name in names}
        return {name: gzip.decompress(data) if name.endswith(".gz") else data for name, data in found.items()}

    def metric(self, name: str, now: datetime) -> float:
        """The sum of a metric of this stage around now."""
        points = self.clients("cloudwatch").get_metric_statistics(
            Namespace=NAMESPACE,
            MetricName=name,
            Dimensions=[{"Name": "Service", "Value": self.release.name}, {"Name": "Stage", "Value": self.stage}],
            StartTime=now - timedelta(hours=3),
            EndTime=now + timedelta(hours=3),
            Period=3600,
            Statistics=["Sum"],
        )["Datapoints"]
        return float(sum(point["Sum"] for point in points))


def rehearse_monitoring(watched: Watched, golden: Golden) -> str:
    """Call, label, and judge; what was seen, in words. Raises CheckFailedError."""
    answered = _call(watched, golden)
    records = _arrived(watched, set(answered))
    # Several outputs at once have no label.
    labels = [{"id": name, "actual": value} for name, value in answered.items() if _is_label(value)]
    refused = _label(watched, labels) if labels else ""
    now = datetime.now(UTC)
    # By then the window of the calls is over, and its telemetry has had its time to arrive.
    fire(watched.clients, watched.outputs["MonitorSchedule"], now + timedelta(hours=watched.window_hours + 1))
    judged = _judged(watched, records)
    for name, least in (("MonitorRuns", 1), ("MonitoredRows", judged), ("LabelsReceived", len(labels))):
        found = watched.metric(name, now)
        if found < least:
            raise CheckFailedError(f"Monitoring: the metric {name} is {found:g}, and has to be at least {least}.")
    return (
        f"{len(records)} predictions in {watched.bucket}; {refused}{len(labels)} labels accepted; "
        f"the hourly run judged {judged} rows and reported its heartbeat"
    )


def _call(watched: Watched, golden: Golden) -> dict[str, Any]:
    """Enough predictions to be judged, by their ids."""
    rows = instances_of(golden, watched.contract)
    enough = (rows * -(-ROWS // len(rows)))[:ROWS]
    answered: dict[str, Any] = {}
    for chunk in chunks(enough):
        answer = watched.caller.predict(chunk)
        answered |= dict(zip(answer["ids"], answer["predictions"], strict=True))
    return answered


def _arrived(watched: Watched, answered: set[str]) -> set[str]:
    """The ids of all predictions whose telemetry lies in the bucket; those answered must be among them."""
    found = watched.objects("telemetry/")
    lines = [json.loads(line) for text in found.values() for line in text.decode().splitlines() if line]
    records = {record["i"] for line in lines for record in line.get("predictions", ())}
    if lost := answered - records:
        raise CheckFailedError(
            f"Monitoring: {len(lost)} of {len(answered)} predictions left no telemetry in the bucket."
        )
    return records


def _label(watched: Watched, labels: Sequence[Mapping[str, Any]]) -> str:
    """Send the labels; what became of them without authorisation, in words."""
    body = json.dumps({"labels": labels}).encode()
    refusal = ""
    if watched.auth != "none":
        status, _ = watched.caller.send("POST", FEEDBACK, body, authorised=False)
        if status not in REFUSED:
            raise CheckFailedError(f"Labels without {watched.auth} were answered {status}; they have to be refused.")
        refusal = f"labels without {watched.auth}: {status}; "
    status, answer = watched.caller.send("POST", FEEDBACK, body)
    if status != OK or json.loads(answer).get("accepted") != len(labels):
        raise CheckFailedError(f"{len(labels)} labels were answered {status}: {answer.decode(errors='replace')[:500]}")
    stored = [line for data in watched.objects("labels/").values() for line in data.splitlines()]
    if len(stored) != len(labels):
        raise CheckFailedError(f"Monitoring: {len(labels)} labels were accepted, but {len(stored)} lie in the bucket.")
    return refusal


def _is_label(value: Any) -> bool:
    return isinstance(value, str | int | float | bool)


def _judged(watched: Watched, records: set[str]) -> int:
    """How many rows the result documents tell of: exactly those whose hour they cover."""
    documents = [json.loads(data) for data in watched.objects("results/").values()]
    windows = [each for each in documents if "window" in each]
    if not windows:
        raise CheckFailedError("Monitoring: the hourly run wrote no result, though a window is over.")
    told = sum(each["rows"] for each in windows)
    spans = [(each["window"]["start"], each["window"]["end"]) for each in windows]
    there = sum(_within(id_time_ms(name) / 1000, spans) for name in records) + _counted(watched, spans)
    if told != there:
        raise CheckFailedError(f"Monitoring: the results tell of {told} rows, but {there} were there.")
    version = watched.release.version
    latest = json.loads(watched.objects("results/latest.json")["results/latest.json"])
    if latest["version"] != version or f"baselines/{version}.json" not in watched.objects("baselines/"):
        raise CheckFailedError(f"Monitoring: the hourly run tells of {latest['version']!r}, not of release {version}.")
    return int(told)


def _counted(watched: Watched, spans: Sequence[tuple[float, float]]) -> int:
    """Rows that batches counted within the spans."""
    counts = [json.loads(data) for data in watched.objects("counts/").values()]
    return sum(each["profile"]["rows"] for each in counts if _within(each["hour"], spans))


def _within(time: float, spans: Sequence[tuple[float, float]]) -> bool:
    return any(start <= time < end for start, end in spans)
