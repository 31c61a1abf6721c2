"""The rehearsal's batch: the schedule is started by hand, and what the run wrote is held against what went in.

The input are the golden rows, so that every prediction that comes back can be compared with the model's own by key.
"""

import csv
import gzip
import importlib.util
import io
import json
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from lightship.batch.config import BatchConfig
from lightship.config import FILE, Config, load_config
from lightship.operate.stacks import read_stack
from lightship.operate.status import last_batch
from lightship.rehearsal.emulator.clients import Clients
from lightship.rehearsal.findings import CheckFailedError
from lightship.rehearsal.redriving import EVERY_PERCENT, Portion, run_redriven
from lightship.rehearsal.schedules import fire
from lightship.rehearsal.workspace import Workspace
from lightship_runtime.contract import Contract
from lightship_runtime.golden import Golden, compare
from lightship_runtime.manifest import BASELINE, Release
from lightship_runtime.monitor.counts import decode_counts
from lightship_runtime.predict import class_key
from lightship_runtime.telemetry import NAMESPACE

OWN = {
    "schedule": '"rate(1 day)"',
    "input": '"s3://lightship-rehearsal/in/"',
    "output": '"s3://lightship-rehearsal/scored/"',
    "key": '["lightship_row"]',
}
"""The batch of a project that has none, as TOML."""
NO_ROW = "not a row"
KEPT = "kept"

type Record = Mapping[str, Any]


def give_batch(workspace: Workspace, config: Config, release: Release) -> Config:
    """The configuration with a batch: the project's own, or one that is written into the workspace's lightship.toml, so
    that every batch.zip is rehearsed. As it is where there is none, or no Arrow here to read what comes back."""
    if (config.batch and config.batch.schedule) or "batch" not in release.artifacts:
        return config
    file = workspace.folder / FILE
    text = file.read_text(encoding="utf-8")
    added = with_batch(text)
    if added is None or importlib.util.find_spec("pyarrow") is None:
        return config
    file.unlink()  # a link to the project's own
    file.write_text(added, encoding="utf-8")
    return load_config(workspace.folder, config.stage)


def with_batch(text: str) -> str | None:
    """lightship.toml with what its [batch] lacks; None where that isn't a table by itself."""
    written = tomllib.loads(text).get("batch")
    lines = "".join(f"{key} = {value}\n" for key, value in OWN.items() if key not in (written or {}))
    if written is None:
        return f"{text.rstrip()}\n\n[batch]\n{lines}"
    head = re.search(r"^\[batch\][^\n]*\n", text, re.MULTILINE)
    return head and text[: head.end()] + lines + text[head.end() :]


@dataclass(frozen=True)
class Prepared:
    """Objects to be scored, by name: the golden rows in `golden`, `keys` naming each, and `bad` records besides."""

    objects: Mapping[str, bytes]
    golden: Golden
    keys: tuple[tuple[str, ...], ...]
    bad: int


def prepare(batch: BatchConfig, contract: Contract, golden: Golden) -> Prepared:
    """Two objects of golden rows, one of them gzipped; with a record that is no row where the settings bear one."""
    records = [_record(batch, contract, row, number) for number, row in enumerate(golden.rows)]
    names = [_key_of(batch, each) for each in records]
    count = Counter(names)
    kind = batch.input_format or "jsonl"
    keep = [i for i, each in enumerate(records) if count[names[i]] == 1 and None not in _key_values(batch, each)]
    keep = [i for i in keep if kind != "csv" or _fits_csv(batch, records[i])]
    rows = [records[i] for i in keep]
    half = len(rows) // 2
    bad = int(kind == "jsonl" and (len(rows) + 1) * batch.max_reject_share >= 1)
    first, second = _written(batch, kind, rows[:half], bad=bad), _written(batch, kind, rows[half:])
    objects = {f"golden-1.{kind}": first, f"golden-2.{kind}": second}
    if kind != "parquet":
        objects = {f"golden-1.{kind}": first, f"golden-2.{kind}.gz": gzip.compress(second, mtime=0)}
    return Prepared(objects, golden.select(keep), tuple(names[i] for i in keep), bad)


def _record(batch: BatchConfig, contract: Contract, row: Sequence[Any], number: int) -> dict[str, Any]:
    """A golden row with the columns that the configuration wants besides the model's."""
    record: dict[str, Any] = dict(zip(contract.names, row, strict=True))
    for name in batch.key:
        record.setdefault(name, number)
    for name in batch.keep or ():
        if name != "*":
            record.setdefault(name, KEPT)
    return record


def _key_values(batch: BatchConfig, record: Record) -> list[Any]:
    return [record[name] for name in batch.key]


def _key_of(batch: BatchConfig, record: Record) -> tuple[str, ...]:
    return tuple(map(str, _key_values(batch, record)))


def _fits_csv(batch: BatchConfig, record: Record) -> bool:
    """Whether CSV can say this row: an empty text it takes for a missing one, and not every text has this encoding."""
    texts = [value for value in record.values() if isinstance(value, str)]
    try:
        return all(text and text.encode(batch.encoding) for text in texts)
    except UnicodeEncodeError:
        return False


def _written(batch: BatchConfig, kind: str, rows: Sequence[Record], *, bad: int = 0) -> bytes:
    if kind == "parquet":
        import pyarrow as pa
        from pyarrow import parquet

        sink = io.BytesIO()
        parquet.write_table(pa.Table.from_pylist([dict(row) for row in rows]), sink)
        return sink.getvalue()
    text = io.StringIO(newline="")
    if kind == "csv":
        writer = csv.writer(text, delimiter=batch.delimiter, lineterminator="\n")
        writer.writerows([list(rows[0]), *([_csv_value(value) for value in row.values()] for row in rows)])
    else:
        text.writelines(json.dumps(each) + "\n" for each in [*rows, *[NO_ROW] * bad])
    return text.getvalue().encode(batch.encoding)


def _csv_value(value: Any) -> str:
    return "" if value is None else json.dumps(value) if isinstance(value, bool | float) else str(value)


def run_batch(
    clients: Clients, stack: str, outputs: Mapping[str, str], config: Config, release: Release,
    contract: Contract, golden: Golden, tolerance: float,
) -> str:  # fmt: skip
    """Put the golden rows where the schedule looks, in two portions, start it after each, and reconcile. The second
    run has to be redriven.

    Raises CheckFailedError.
    """
    batch = config.batch
    if batch is None or batch.input is None or batch.output is None:
        raise CheckFailedError(f"{config.service} has no [batch] to rehearse.")
    prepared = prepare(batch, contract, golden)
    first, second = (Portion(*_place(batch.input, name), data) for name, data in prepared.objects.items())
    now = datetime.now(UTC).replace(microsecond=0)
    later = now + timedelta(days=1)
    first.put(clients)
    runs = [fire(clients, outputs["BatchSchedule"], now)]
    # Where every failure is tolerated, no run fails that could be redriven.
    fails = batch.tolerated_failure_percent < EVERY_PERCENT
    if fails:
        runs.append(run_redriven(clients, outputs, second, later))
    else:
        second.put(clients)
        runs.append(fire(clients, outputs["BatchSchedule"], later))
    wanted = {"rows_in": len(prepared.keys) + prepared.bad, "rows_scored": len(prepared.keys),
              "rows_rejected": prepared.bad}  # fmt: skip
    _must_equal("counts of the runs", wanted, {name: sum(run[name] for run in runs) for name in wanted})
    read = _Reader(clients, batch, tuple(run["run"] for run in runs))
    agreement = compare(prepared.golden, contract, read.predictions(contract, prepared), tolerance)
    if not agreement.holds:
        raise CheckFailedError(f"What the batch wrote differs from the model's predictions: {agreement.worst}")
    _must_equal("rejects of the runs", [NO_ROW] * prepared.bad, read.rejected_values())
    before = read.everything()
    again = fire(clients, outputs["BatchSchedule"], now)
    _must_equal("the same time delivered again finds the run done", True, again["begun"]["done"])
    _must_equal("what lies below the output after that", before, read.everything())
    _check_traces(clients, stack, config, release, wanted["rows_in"])
    counted = _counted(clients, outputs, release)
    if counted is not None:
        _must_equal("rows counted for the monitor, and rejects", (len(prepared.keys), prepared.bad), counted)
    return (
        f"{len(runs)} runs, each of what was new{', the second failed and redriven' if fails else ''}; "
        f"{wanted['rows_in']} rows in: {wanted['rows_scored']} scored, "
        f"{prepared.bad} rejected; predictions agree with the model's by key; a time delivered twice changed nothing"
        + ("; all of them counted for the monitor" if counted else "")
    )


def _counted(clients: Clients, outputs: Mapping[str, str], release: Release) -> tuple[int, int] | None:
    """Rows and rejects in the monitoring store's counts; None where there is no store, or the release has no bins."""
    if "MonitoringBucket" not in outputs or BASELINE not in release.files:
        return None
    s3, bucket = clients("s3"), outputs["MonitoringBucket"]
    rows = rejected = 0
    for each in s3.list_objects_v2(Bucket=bucket, Prefix="counts/").get("Contents", ()):
        counts = decode_counts(s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read())
        if counts is None or counts.version != release.version:
            raise CheckFailedError(f"Batch, {each['Key']} in {bucket} isn't counts of {release.version}.")
        rows += counts.document["rows"]
        rejected += counts.rejected
    return rows, rejected


def _check_traces(clients: Clients, stack: str, config: Config, release: Release, rows: int) -> None:
    """The metric, and what `lightship status` says."""
    now = datetime.now(UTC)
    found = clients("cloudwatch").get_metric_statistics(
        Namespace=NAMESPACE,
        MetricName="BatchRows",
        Dimensions=[{"Name": "Service", "Value": release.name}, {"Name": "Stage", "Value": config.stage or "live"}],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(minutes=5),
        Period=3600,
        Statistics=["Sum"],
    )["Datapoints"]
    _must_equal("the metric BatchRows", rows, int(sum(each["Sum"] for each in found)))
    deployed = read_stack(clients, stack)
    last = deployed and last_batch(clients, deployed)
    _must_equal("the last batch of `lightship status`", "SUCCEEDED", last and last.status)


def _must_equal(what: str, expected: Any, found: Any) -> None:
    if expected != found:
        raise CheckFailedError(f"Batch, {what}: expected {expected!r}, found {found!r}.")


def _place(address: str, name: str = "") -> tuple[str, str]:
    bucket, _, prefix = address.removeprefix("s3://").partition("/")
    return bucket, prefix + name


def create_buckets(clients: Clients, config: Config) -> None:
    """The buckets that a batch supposes."""
    batch = config.batch
    if batch is None or batch.schedule is None:
        return
    for bucket in dict.fromkeys(_place(address)[0] for address in (batch.input, batch.output) if address):
        clients.create_bucket(bucket)


@dataclass(frozen=True)
class _Reader:
    """What committed runs wrote."""

    clients: Clients
    batch: BatchConfig
    runs: tuple[str, ...]

    def _get(self, run: str, name: str) -> bytes:
        bucket, key = _place(str(self.batch.output), f"run={run}/{name}")
        data: bytes = self.clients("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        return data

    def _published(self, what: str) -> Iterator[bytes]:
        """The objects that the runs' manifests list under `what`."""
        for run in self.runs:
            self._get(run, "_SUCCESS")
            for each in json.loads(self._get(run, "_manifest.json"))[what]:
                yield self._get(run, each if isinstance(each, str) else each["name"])

    def everything(self) -> list[tuple[str, str, datetime]]:
        bucket, prefix = _place(str(self.batch.output))
        pages = self.clients("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [(each["Key"], each["ETag"], each["LastModified"]) for page in pages for each in page["Contents"]]

    def rejected_values(self) -> list[Any]:
        lines = [line for data in self._published("rejects") for line in data.splitlines()]
        return [json.loads(json.loads(line)["value"]) for line in lines]

    def predictions(self, contract: Contract, prepared: Prepared) -> Golden:
        """In the order of the golden rows. Raises CheckFailedError unless each key is there once."""
        from lightship.batch.proving import as_golden

        by_key: dict[tuple[str, ...], Record] = {}
        for part in self._published("parts"):
            for record in self._records(part, contract):
                key = _key_of(self.batch, record)
                if key in by_key:
                    raise CheckFailedError(f"The batch wrote the row {', '.join(key)} twice.")
                by_key[key] = record
        if by_key.keys() != set(prepared.keys):
            apart = sorted(by_key.keys() ^ set(prepared.keys))
            raise CheckFailedError(f"{len(apart)} rows of the batch were lost or added, such as {apart[0]}.")
        names = list(by_key[prepared.keys[0]])
        columns = {name: [by_key[key][name] for key in prepared.keys] for name in names}
        return as_golden(columns, contract, prepared.golden)

    def _records(self, data: bytes, contract: Contract) -> list[Record]:
        match self.batch.format:
            case "jsonl":
                return [json.loads(line) for line in data.splitlines()]
            case "parquet":
                from pyarrow import parquet

                rows: list[Record] = parquet.read_table(io.BytesIO(data)).to_pylist()
                return rows
            case "csv":
                reader = csv.DictReader(io.StringIO(data.decode(), newline=""), delimiter=self.batch.delimiter)
                value = _value_of(contract)
                return [{name: value(name, text) for name, text in row.items()} for row in reader]


def _value_of(contract: Contract) -> Callable[[str, str], Any]:
    """What a text of CSV says in a column of the output."""
    labels = {class_key(label): label for label in contract.output.classes}
    named = contract.output.task in ("binary", "multiclass")

    def value(name: str, text: str) -> Any:
        if name == "prediction" and named:
            return labels[text]
        if name.startswith(("prediction", "probability_")):
            return {"": None, "true": 1, "false": 0}[text] if text in ("", "true", "false") else float(text)
        return text

    return value
