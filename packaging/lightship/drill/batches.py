"""Scheduled scoring under an incident: the real batch.zip, step by step as its state machine calls it, over folders.

In place of S3 the function gets two folders; the rest of it is the artifact's. Each kind of run is run once, and
written down at every time that the schedule has.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lightship.drill.answers import Answers, Row, embedded
from lightship.drill.cloudwatch.template import Resource
from lightship.drill.deployment import FUNCTION, Deployment, variables_of
from lightship.drill.incident import Change
from lightship.drill.ledger import Ledger
from lightship.drill.surroundings import SCHEDULE, metric_of
from lightship.drill.timeline import HOUR, Timeline
from lightship.lambda_host import Function, Worker
from lightship.serving import unpacked_function

HANDLER = "lightship_runtime.batch.handlers"
MODULE = "lightship_drill_folders"
STATES = "AWS::StepFunctions::StateMachine"
SOURCE = f"""\
import os
from pathlib import Path

from {HANDLER} import handler
import {HANDLER} as handlers
from lightship_runtime.batch.stores import LocalStore


def _stores(event):
    folder = Path(os.environ["LIGHTSHIP_DRILL_FOLDER"]) / event["source"].split("/")[2]
    return LocalStore(folder / "in"), LocalStore(folder / "out")


handlers._stores = _stores
"""
KEY = "drill_row"
ROWS = 800
RUN_MINUTES = 10
_STEPS_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Run:
    """One run: the lines that its steps printed, or the error that ended it."""

    lines: tuple[str, ...] = ()
    error: str = ""


@dataclass
class Batches:
    """The batch function of one release, or none where the template has no schedule for it."""

    deployment: Deployment
    answers: Answers
    folder: Path
    scratch: Path
    _runs: dict[str, Run] = field(default_factory=dict)

    @property
    def machine(self) -> Resource | None:
        """The state machine of the schedule."""
        return next(iter(self.deployment.found(STATES, "batch")), None)

    def record(self, timeline: Timeline, ledger: Ledger) -> list[str]:
        """Write down every scheduled run; says what was run for it."""
        if self.machine is None:
            return []
        told: dict[str, None] = {}
        for minute in range(0, timeline.minutes, HOUR * self._every_h()):
            change = self._hit(timeline, minute)
            if change is not None and change.kind == "batch-stops":
                continue
            run = self._run(change)
            self._write(ledger, minute, run)
            if minute >= timeline.lead and change is not None:
                told[f"a batch run by batch.zip over {ROWS} rows: {run.error or 'committed'}"] = None
        return list(told)

    def _hit(self, timeline: Timeline, minute: int) -> Change | None:
        changes = timeline.incident.of_kind("batch-stops", "batch-fails", "batch-rejects", "batch-late")
        return next((each for each in changes if timeline.during(each)[minute]), None)

    def _write(self, ledger: Ledger, minute: int, run: Run) -> None:
        if self.machine is None:
            return
        outcome = "ExecutionsFailed" if run.error else "ExecutionsSucceeded"
        ledger.add(metric_of("AWS/States", "ExecutionsStarted", self.machine), minute, 1.0)
        ledger.add(metric_of("AWS/States", outcome, self.machine), minute + RUN_MINUTES, 1.0)
        for line in run.lines:
            for metric, value in embedded(line):
                ledger.add(metric, minute + RUN_MINUTES, value)

    def _every_h(self) -> int:
        """Hours between two times of the schedule; a cron is taken as daily."""
        for each in self.deployment.found(SCHEDULE, "batch"):
            found = re.fullmatch(r"rate\((\d+) (hour|day)s?\)", str(each.properties["ScheduleExpression"]))
            if found:
                return int(found[1]) * (24 if found[2] == "day" else 1)
        return 24

    def _run(self, change: Change | None) -> Run:
        kind = change.kind if change else "usual"
        if kind not in self._runs:
            with self._function(kind) as function, Worker.start(function, log=_unheard) as worker:
                self._runs[kind] = self._steps(worker, kind, change)
        return self._runs[kind]

    @contextmanager
    def _function(self, kind: str) -> Iterator[Function]:
        place = self.scratch / kind
        (place / "in").mkdir(parents=True)
        variables = variables_of(self._deployed)
        environment = {
            "LIGHTSHIP_STAGE": variables.get("LIGHTSHIP_STAGE", "local"),
            "LIGHTSHIP_DRILL_FOLDER": str(self.scratch),
        }
        release = self.answers.release
        with unpacked_function(
            self.folder, release, use="batch", timeout_s=_STEPS_TIMEOUT_S, environment=environment
        ) as function:
            root = Path(function.root)
            root.chmod(root.stat().st_mode | 0o200)
            (root / f"{MODULE}.py").write_text(SOURCE)
            yield replace(function, handler=f"{MODULE}.handler", memory_mb=2048)

    @property
    def _deployed(self) -> Resource:
        (found,) = [
            each for each in self.deployment.stack.of_type(FUNCTION) if HANDLER in str(each.properties.get("Handler"))
        ]
        return found

    def _steps(self, worker: Worker, kind: str, change: Change | None) -> Run:
        """Begin, scan, cut, score and commit, as the state machine has them follow each other."""
        settings = self._settings()
        rows = [{KEY: number, **row} for number, row in enumerate(self._rows())]
        self._put(kind, rows, settings)
        shared = {"source": f"s3://{kind}/in/", "sink": f"s3://{kind}/out/", "settings": settings}
        lag = timedelta(hours=change.number("hours", 0.0) if change else 0.0)
        scheduled = (datetime.now(UTC) - lag).strftime("%Y-%m-%dT%H:%M:%SZ")
        lines: list[str] = []

        def step(name: str, **given: Any) -> Mapping[str, Any]:
            done = worker.invoke(json.dumps({"step": name, **given, **shared}).encode())
            lines.extend(line for line in done.logs if line.startswith("{"))
            document: Mapping[str, Any] = json.loads(done.payload)
            if done.error:
                raise _StepError(f"{document.get('errorType')}: {document.get('errorMessage')}")
            return document

        try:
            begun = step("begin", time=scheduled, format="jsonl")
            for piece in self._listed(kind, begun, begun["scans"]):
                step("scan", piece=piece, run=begun["run"])
            plan = step("cut", run=begun["run"])
            for work in self._listed(kind, plan, plan["items"]):
                step("score", work=work)
            step("commit", run=begun["run"], time=scheduled)
        except _StepError as error:
            return Run(tuple(lines), str(error)[:300])
        return Run(tuple(lines))

    def _settings(self) -> dict[str, Any]:
        """The runtime's settings as the state machine hands them on, but for the key, which the drill's rows have."""
        definition = json.dumps(self.machine.properties if self.machine else {})
        found = re.search(r"max_reject_share\W+([\d.]+)", definition)
        share = float(found[1]) if found else 0.01
        return {
            "key": [KEY],
            "format": "parquet",
            "keep": [],
            "delimiter": ",",
            "encoding": "utf-8",
            "max_reject_share": share,
        }

    def _rows(self) -> Sequence[Row]:
        rows = self.answers.rows
        return [rows[number % len(rows)] for number in range(ROWS)]

    def _put(self, kind: str, rows: list[dict[str, Any]], settings: Mapping[str, Any]) -> None:
        """The input: two objects, of which an incident may spoil the second, or some of the rows."""
        if kind == "batch-rejects":
            # Three quarters of what fails a run: it is committed, and told of.
            for row in rows[: max(1, round(0.75 * settings["max_reject_share"] * len(rows)))]:
                row[next(name for name in row if name != KEY)] = {"nested": True}
        half = len(rows) // 2
        for name, part in (("first.jsonl", rows[:half]), ("second.jsonl", rows[half:])):
            data = "".join(json.dumps(row) + "\n" for row in part).encode()
            if kind == "batch-fails" and name == "second.jsonl":
                data = b"\x00\xff" * (len(data) // 2)
            (self.scratch / kind / "in" / name).write_bytes(data)

    def _listed(self, kind: str, answer: Mapping[str, Any], count: int) -> Sequence[Any]:
        """A list that a step left behind for a map to read."""
        if not count:
            return ()
        place = self.scratch / kind / "out" / str(answer["key"]).removeprefix("out/")
        items: Sequence[Any] = json.loads(place.read_bytes())
        return items


class _StepError(Exception):
    """A step of a run failed."""


def _unheard(_line: str) -> None:
    """What a failing run prints is in its error."""


@contextmanager
def batches_of(folder: Path, answers: Answers) -> Iterator[Batches]:
    """The scratch folders go away with the context; batch.zip is booted when an incident needs it."""
    with TemporaryDirectory(prefix="lightship-drill-batch-") as scratch:
        yield Batches(answers.deployment, answers, folder, Path(scratch))
