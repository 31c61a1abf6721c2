"""A release that predicts otherwise, before the real hook's judgement."""

import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from lightship.drill.answers import Answers, embedded
from lightship.drill.deployment import FUNCTION, variables_of
from lightship.drill.incident import IncidentError
from lightship.drill.ledger import Ledger
from lightship.drill.surroundings import metric_of
from lightship.drill.timeline import Timeline
from lightship.lambda_host import Worker
from lightship.rehearsal.variants import differing
from lightship.serving import unpacked_function
from lightship_runtime.golden import read_golden
from lightship_runtime.hook import Limits, RefusedError, judge, refusal_line
from lightship_runtime.manifest import GOLDEN, Release, read_contract

HOOK = "lightship_runtime.hook"


class Hooks:
    """The hook of one deployment. What it says of the differing release is found out once."""

    def __init__(self, folder: Path, answers: Answers) -> None:
        self._folder = folder
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
        return told

    @cached_property
    def refusal(self) -> str:
        """The line that the hook's code prints about a release whose predictions differ."""
        contract, golden = read_contract(self._folder), read_golden(self._folder / GOLDEN)
        variables = next(
            (
                variables_of(each)
                for each in self._deployment.stack.of_type(FUNCTION)
                if HOOK in str(each.properties.get("Handler"))
            ),
            None,
        )
        if variables is None:
            raise IncidentError("The template has no hook, so that no release can be refused.")
        with tempfile.TemporaryDirectory(prefix="lightship-drill-") as scratch:
            variant = differing(self._folder, Path(scratch) / "differing", contract.output.classes)
            with unpacked_function(variant, Release.read(variant)) as function, Worker.start(function) as worker:

                def invoke(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
                    payload = json.dumps({"lightship": {"replay": list(rows)}}).encode()
                    document: Mapping[str, Any] = json.loads(worker.invoke(payload).payload)
                    return document

                try:
                    judge(invoke, golden, contract, Limits.from_environment(variables), time.perf_counter)
                except RefusedError as error:
                    line = refusal_line(f"{type(error).__name__}: {error}", variables, now_ms=0)
                    return json.dumps(line)
        raise IncidentError("The hook accepted a release whose predictions differ.")
