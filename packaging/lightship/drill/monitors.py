"""The monitor under an incident: the real monitor.zip, hour by hour, over telemetry that the real function printed.

A folder stands in for the bucket. Telemetry is written where Firehose would have it by then; labels go through the
code of the feedback function. A quiet hour is run once, and its metrics are written down for every quiet hour.
"""

import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from lightship.drill.answers import Answer, Answers, Row, embedded
from lightship.drill.cloudwatch.template import Resource
from lightship.drill.deployment import FUNCTION, variables_of
from lightship.drill.incident import Change
from lightship.drill.labels import Prediction, Truth, predictions_of
from lightship.drill.ledger import Ledger
from lightship.drill.rows import LEAST_SURE, changed
from lightship.drill.surroundings import SCHEDULE, metric_of
from lightship.drill.timeline import HOUR, START_S, Timeline
from lightship.lambda_host import Worker
from lightship.serving import unpacked_function
from lightship_runtime.contract import Contract
from lightship_runtime.events import Request
from lightship_runtime.feedback import answer as take_labels
from lightship_runtime.manifest import read_contract
from lightship_runtime.monitor.baseline import Baseline
from lightship_runtime.monitor.performance import LEAST_DROP

MONITOR = "lightship_runtime.monitor"
ARTIFACT = "monitor"
BASELINE = "baseline.json"
# What the monitor hears about: everything that changes what its telemetry or its labels say.
HEARD = ("nulls", "new-category", "drift", "callers", "labels", "labels-stop", "bad-requests")
ROWS_AN_HOUR, ROWS_A_REQUEST = 1000, 10
QUIET_HOURS = 4
RUN_MINUTE = 15
_NEEDED = {
    "accuracy": ({"Accuracy", "MeanAbsoluteError"}, "the baseline has no labels to compare with"),
    "label-coverage": ({"LabelCoverage"}, "the baseline has no labels to compare with"),
    "estimated-accuracy": ({"EstimatedAccuracy"}, "the model gives no probabilities that were calibrated on labels"),
}
_MINUTE = re.compile(r"cron\((\d+) \* ")
RETRIES = 1
TIMEOUT_S = 120.0


@dataclass
class Monitors:
    """The monitor of one release; it has none when it was packaged without a baseline."""

    answers: Answers
    folder: Path
    contract: Contract
    baseline: Baseline | None
    _runs: dict[str, list[str]] = field(default_factory=dict)
    _documents: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    _failure: str | None = None

    @property
    def function(self) -> Resource | None:
        """The monitor as the template deploys it."""
        return next(
            (
                each
                for each in self.answers.deployment.stack.of_type(FUNCTION)
                if MONITOR in str(each.properties.get("Handler"))
            ),
            None,
        )

    def unprovable(self, begin: int) -> dict[str, str]:
        """By title, the alarms that can't sound for this release, and why: what a quiet run of its monitor doesn't
        measure. Empty where there is no monitor."""
        if self.function is None or ARTIFACT not in self.answers.release.artifacts:
            return {}
        measured = json.loads(self._once("", (), QUIET_HOURS, begin - 3600 * QUIET_HOURS)[-1])
        found = {title: why for title, (names, why) in _NEEDED.items() if not names & measured.keys()}
        if self.truth and self.truth.classes and self.truth.loss(self._usual, LEAST_SURE) < LEAST_DROP:
            found.setdefault("estimated-accuracy", "the model is right even of the rows that it is least sure of")
        return found

    @property
    def minute(self) -> int:
        """The minute of each hour at which the schedule runs it."""
        for each in self.answers.deployment.found(SCHEDULE, "monitoring"):
            if found := _MINUTE.match(str(each.properties["ScheduleExpression"])):
                return int(found[1])
        return RUN_MINUTE

    def latest(self, timeline: Timeline, minute: int) -> Mapping[str, Any] | None:
        """What the last run before the end of a minute left behind, `minute` counted from the start of the data."""
        name = timeline.incident.name
        run = (minute - timeline.lead - self.minute) // HOUR
        if timeline.incident.of_kind("monitor-dies"):
            run = min(run, -1)
        if found := self._documents.get(name):
            return found[min(max(QUIET_HOURS + run - 1, 0), len(found) - 1)]
        quiet = self._documents.get("")
        # Nothing that the monitor hears of has changed since, but for the time.
        return {**quiet[-1], "time": timeline.begin_s + 3600 * run} if quiet else None

    def record(self, timeline: Timeline, ledger: Ledger) -> list[str]:
        """Write down every run; says what was run for it."""
        if self.function is None or ARTIFACT not in self.answers.release.artifacts:
            return []
        incident = timeline.incident
        begin = timeline.begin_s - 3600 * QUIET_HOURS
        quiet = self._once("", (), QUIET_HOURS, begin)[-1]
        heard = incident.of_kind(*HEARD)
        hours = incident.lasts_minutes // HOUR
        lines = self._once(incident.name, heard, hours, begin)[QUIET_HOURS:] if heard else []
        broken = incident.of_kind("monitor-dies")
        for minute in range(self.minute, timeline.minutes, HOUR):
            if any(timeline.during(change)[minute] for change in broken):
                self._died(ledger, minute, self.function, is_scheduled=broken[0].share > 0)
                continue
            # A run is about the hour before it.
            place = (minute - timeline.lead) // HOUR - 1
            line = lines[place] if 0 <= place < len(lines) else lines[-1] if lines and place >= len(lines) else quiet
            for metric, value in embedded(line):
                ledger.add(metric, minute, value)
        told = []
        if heard:
            told.append(f"{QUIET_HOURS + hours} hours through monitor.zip, {ROWS_AN_HOUR} rows each from realtime.zip")
        if broken and broken[0].share > 0:
            told.append(f"monitor.zip, failing: {self.failure[:160]}")
        return told

    def _died(self, ledger: Ledger, minute: int, function: Resource, *, is_scheduled: bool) -> None:
        """A run that failed, and its retry; what is given up waits in the queue of failures."""
        if not is_scheduled:
            return
        if not self.failure:
            return
        for metric in self.answers.deployment.lambda_ids(function, "Errors"):
            ledger.add(metric, minute, 1.0, count=1.0 + RETRIES)
        for queue in self.answers.deployment.found("AWS::SQS::Queue", "monitoring"):
            for later in range(minute + 2, ledger.minutes):
                ledger.add(metric_of("AWS/SQS", "ApproximateNumberOfMessagesVisible", queue), later, 1.0)

    @property
    def failure(self) -> str:
        """What a run says that was deployed without its settings: the real function, failing."""
        if self._failure is None:
            release = self.answers.release
            with (
                unpacked_function(self.folder, release, use=ARTIFACT, timeout_s=TIMEOUT_S) as function,
                Worker.start(function, log=_unheard) as worker,
            ):
                done = worker.invoke(b"{}")
            document = json.loads(done.payload)
            self._failure = f"{document.get('errorType')}: {document.get('errorMessage')}" if done.error else ""
        return self._failure

    def _once(self, name: str, changes: Sequence[Change], hours: int, begin: int) -> list[str]:
        if name not in self._runs:
            with TemporaryDirectory(prefix="lightship-drill-monitor-") as store:
                self._runs[name] = self._hours(Path(store), name, changes, hours, begin)
        return self._runs[name]

    def _hours(self, store: Path, name: str, changes: Sequence[Change], hours: int, begin: int) -> list[str]:
        """The line of each run, quiet hours first, the first of which starts at `begin` (seconds since 1970)."""
        variables = variables_of(self.function) if self.function else {}
        environment = {key: text for key, text in variables.items() if key.startswith("LIGHTSHIP_")}
        environment["LIGHTSHIP_MONITORING"] = str(store)
        release, random = self.answers.release, np.random.default_rng(zlib.crc32(name.encode()))
        # Quiet hours and the incident's after each other, as many as are asked for.
        every = hours if name == "" else QUIET_HOURS + hours
        lines, documents = [], []
        with (
            unpacked_function(
                self.folder, release, use=ARTIFACT, timeout_s=TIMEOUT_S, environment=environment
            ) as function,
            Worker.start(function, log=_unheard) as worker,
        ):
            for hour in range(every):
                since = hour - QUIET_HOURS
                active = [each for each in changes if name and _is_on(each, since)]
                start = begin + 3600 * hour
                self._predicted(store, start, active, since, random)
                done = worker.invoke(json.dumps({"time": _iso(start + 3600 + 60 * self.minute)}).encode())
                if done.error:
                    raise RuntimeError(f"The monitor failed in a drill: {done.payload.decode()[:500]}")
                lines.append(next(line for line in done.logs if '"MonitorRuns"' in line))
                documents.append(json.loads((store / "results" / "latest.json").read_bytes()))
        self._documents[name] = documents
        return lines

    def _predicted(
        self, store: Path, start: int, changes: Sequence[Change], since: int, random: np.random.Generator
    ) -> None:
        """An hour's requests, their telemetry in the store, and their labels."""
        lines: list[str] = []
        labels: list[dict[str, Any]] = []
        count = ROWS_AN_HOUR // ROWS_A_REQUEST
        for number in range(count):
            rows = self._rows(changes, since, random)
            at = start + 3600 * (number + 0.5) / count
            answer = self.answers.score(rows, int(at * 1000))
            lines += answer.lines
            labels += self._labels(answer, changes, random)
        folder = store / "telemetry" / datetime.fromtimestamp(start, UTC).strftime("%Y/%m/%d/%H")
        folder.mkdir(parents=True)
        (folder / "drill.jsonl").write_text("\n".join(lines) + "\n")
        if labels and not any(each.kind == "labels-stop" for each in changes):
            _send(store, labels, start + 3600)

    def _rows(self, changes: Sequence[Change], since: int, random: np.random.Generator) -> list[Row]:
        places = random.integers(0, len(self.answers.rows), ROWS_A_REQUEST)
        rows: list[Row] = [self.answers.rows[int(place)] for place in places]
        for change in changes:
            if random.random() >= change.share:
                continue
            if change.kind == "bad-requests":
                rows = [dict(list(row.items())[1:]) for row in rows]
            elif change.kind == "callers":
                mix = changed(self.answers.rows, change, self.contract, sure=self._confidence())
                rows = [mix[int(place)] for place in places]
            else:
                hours = float(since + 1) if "over_hours" in change.options else 1e9
                rows = changed(rows, change, self.contract, hours=hours)
        return rows

    def _confidence(self) -> list[float]:
        """How sure the model is of each of the rows: its largest probability."""
        return [max(each.scores.values()) if each.scores else float(each.label) for each in self._usual]

    def _labels(
        self, answer: Answer, changes: Sequence[Change], random: np.random.Generator
    ) -> Iterator[dict[str, Any]]:
        """What came true of each prediction of an answer."""
        if answer.status != 200 or self.truth is None:
            return
        document = json.loads(answer.body)
        lost = max((each.number("accuracy_lost", 0.15) for each in changes if each.kind == "labels"), default=0.0)
        for each, told in zip(document["ids"], predictions_of(document), strict=True):
            yield {"id": each, "actual": self.truth.actual(told, lost, random)}

    @cached_property
    def truth(self) -> Truth | None:
        """Where labels come from; None where the baseline has none."""
        if self.baseline is None or not self.baseline.performance.rows:
            return None
        return Truth.of(self.baseline.performance, self.contract.output.classes, self._usual)

    @cached_property
    def _usual(self) -> list[Prediction]:
        """The predictions of the usual rows."""
        found: list[Prediction] = []
        for place in range(0, len(self.answers.rows), ROWS_AN_HOUR):
            answer = self.answers.score(self.answers.rows[place : place + ROWS_AN_HOUR], 1000 * START_S)
            found += predictions_of(json.loads(answer.body))
        return found


def _send(store: Path, labels: Sequence[Mapping[str, Any]], now: float) -> None:
    """Labels through the feedback function's own code."""

    def write(name: str, data: bytes) -> None:
        place = store / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)

    body = json.dumps({"labels": list(labels)})
    request = Request("POST", "/feedback", "", {"content-type": "application/json"}, {"body": body})
    taken = take_labels(request, now, write)
    if taken.status != 200:
        raise RuntimeError(f"The feedback function refused the drill's labels: {taken.document}")


def _is_on(change: Change, hour: int) -> bool:
    until = change.until_minute
    return change.from_minute <= 60 * hour and (until is None or 60 * hour < until)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _unheard(_line: str) -> None:
    """A run's own words are in its answer."""


@contextmanager
def monitors_of(folder: Path, answers: Answers) -> Iterator[Monitors]:
    """The monitor of a release folder; booted when the first incident needs it."""
    place = folder / BASELINE
    baseline = Baseline.from_json(place.read_bytes()) if place.is_file() else None
    yield Monitors(answers, folder, read_contract(folder), baseline)
