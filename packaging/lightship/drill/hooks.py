"""A release that predicts otherwise: before the real hook's judgement, and compared on live requests."""

import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from lightship.drill.answers import ROWS_A_REQUEST, Answers, embedded
from lightship.drill.deployment import FUNCTION, variables_of
from lightship.drill.incident import IncidentError
from lightship.drill.ledger import Ledger
from lightship.drill.surroundings import metric_of
from lightship.drill.timeline import Timeline
from lightship.lambda_host import Worker
from lightship.rehearsal.variants import differing
from lightship.serving import unpacked_function
from lightship_runtime.compare import Settings, compare_samples, metrics_line
from lightship_runtime.golden import read_golden
from lightship_runtime.hook import Limits, RefusedError, judge, refusal_line
from lightship_runtime.manifest import GOLDEN, Release, read_contract
from lightship_runtime.sampling import KEY, sample_line

HOOK, COMPARE = "lightship_runtime.hook", "lightship_runtime.compare"
COMPARED = 24


class Hooks:
    """The hook of one deployment. What it says of the differing release is found out once."""

    def __init__(self, folder: Path, answers: Answers) -> None:
        self._folder = folder
        self._answers = answers
        self._deployment = answers.deployment

    def record(self, timeline: Timeline, ledger: Ledger) -> list[str]:
        """Write down what a refused deployment leaves; says what was run for it."""
        told = []
        for change in timeline.incident.of_kind("release-differs"):
            minute = timeline.lead + change.from_minute
            for metric, value in embedded(self.refusal):
                ledger.add(metric, minute, value)
            # CodeDeploy's event about a deployment that a hook failed is what the rule counts.
            for rule in self._deployment.found("AWS::Events::Rule", "rollout"):
                ledger.add(metric_of("AWS/Events", "TriggeredRules", rule), minute, 1.0)
            told.append(f"the hook, over a release that differs: {json.loads(self.refusal)['reason'][:160]}")
        for change in timeline.incident.of_kind("versions-disagree"):
            for place in np.flatnonzero(timeline.during(change)):
                for metric, value in embedded(self.comparison):
                    ledger.add(metric, int(place), value)
            counted = json.loads(self.comparison)
            told.append(f"the comparing code: {counted['Disagreed']} of {counted['Compared']} rows differ")
        return told

    @cached_property
    def refusal(self) -> str:
        """The line that the hook's code prints about a release whose predictions differ."""
        contract, golden = read_contract(self._folder), read_golden(self._folder / GOLDEN)
        variables = self._variables(HOOK)
        with self._differing() as worker:

            def invoke(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
                return _replayed(worker, rows)

            try:
                judge(invoke, golden, contract, Limits.from_environment(variables), time.perf_counter)
            except RefusedError as error:
                return json.dumps(refusal_line(f"{type(error).__name__}: {error}", variables, now_ms=0))
        raise IncidentError("The hook accepted a release whose predictions differ.")

    @cached_property
    def comparison(self) -> str:
        """The line that the comparing function's code prints while traffic shifts to such a release."""
        settings = Settings.from_environment(self._variables(COMPARE))
        # Version 1 answers the callers, 2 is the candidate that is asked the same.
        shifting = replace(settings, candidate="function:2", alias="function:live")
        samples = []
        for answer, rows in self._answers.asked(COMPARED // ROWS_A_REQUEST):
            line = sample_line("1", rows, json.loads(answer.body))
            samples.append(json.loads(line or "{}")[KEY])
        with self._differing() as worker:
            count = compare_samples(
                samples, shifting, lambda _version, rows: _replayed(worker, rows), ["1", "2"], time.perf_counter
            )
        return metrics_line(count, shifting, 0)

    def _variables(self, handler: str) -> dict[str, str]:
        for each in self._deployment.stack.of_type(FUNCTION):
            if handler in str(each.properties.get("Handler")):
                return variables_of(each)
        raise IncidentError(f"The template has no function of {handler}, which this incident is about.")

    @contextmanager
    def _differing(self) -> Iterator[Worker]:
        """A worker of a release that changes one prediction of each replay."""
        classes = read_contract(self._folder).output.classes
        with tempfile.TemporaryDirectory(prefix="lightship-drill-") as scratch:
            variant = differing(self._folder, Path(scratch) / "differing", classes)
            with unpacked_function(variant, Release.read(variant)) as function, Worker.start(function) as worker:
                yield worker


def _replayed(worker: Worker, rows: Sequence[Any]) -> Mapping[str, Any]:
    payload = json.dumps({"lightship": {"replay": list(rows)}}).encode()
    document: Mapping[str, Any] = json.loads(worker.invoke(payload).payload)
    return document
