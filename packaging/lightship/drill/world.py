"""Everything that an incident is replayed in: the functions that are run for it, and what is derived around them."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lightship.drill import batches, endpoint, hooks, monitors, surroundings
from lightship.drill.answers import Answers, answers_of
from lightship.drill.cloudwatch.series import MetricId, Series
from lightship.drill.deployment import Deployment
from lightship.drill.incident import Incident
from lightship.drill.ledger import Ledger
from lightship.drill.timeline import Timeline

DERIVED = (
    "what AWS counts of the answers: API Gateway's and Lambda's metrics, concurrency by Little's law",
    "queues, topics, streams, rules and runs: nothing wrong, but for what the incident says",
)


def derived(incident: Incident) -> tuple[str, ...]:
    """What of an incident's metrics wasn't measured: what is derived in every drill, and what its file states."""
    stated = [
        f"as the incident states: {each.options['namespace']} {each.options['name']} of "
        f"{each.options.get('of') or 'the account'} is {each.number('value', 1.0):g}"
        for each in incident.of_kind("metric")
    ]
    return (*DERIVED, *stated)


@dataclass
class World:
    """The functions of one release, deployed as a template says."""

    deployment: Deployment
    answers: Answers
    monitor: monitors.Monitors
    batch: batches.Batches
    hook: hooks.Hooks
    executed: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def replay(self, incident: Incident) -> tuple[Timeline, Mapping[MetricId, Series]]:
        """The metrics that CloudWatch would have of an incident. `executed` then says what was run for it."""
        timeline = Timeline.of(incident, self.deployment.reach_minutes)
        ledger = Ledger(timeline.minutes, self.deployment.watched)
        told = [
            endpoint.record(timeline, self.answers, ledger),
            *self.monitor.record(timeline, ledger),
            *self.batch.record(timeline, ledger),
            *self.hook.record(timeline, ledger),
        ]
        surroundings.record(timeline, self.deployment, ledger)
        self.executed[incident.name] = tuple(told)
        return timeline, ledger.series()


@contextmanager
def world_of(folder: Path, deployment: Deployment, objective_ms: float) -> Iterator[World]:
    """Boot what a release folder holds. Everything ends with the context."""
    with ExitStack() as stack:
        answers = stack.enter_context(answers_of(folder, deployment, objective_ms))
        monitor = stack.enter_context(monitors.monitors_of(folder, answers))
        batch = stack.enter_context(batches.batches_of(folder, answers))
        yield World(deployment, answers, monitor, batch, hooks.Hooks(folder, answers))
