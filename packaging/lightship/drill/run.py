"""`lightship drill`: synthesise, boot, replay every incident, simulate the healthy months, and judge."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from lightship.config import Config
from lightship.drill.cloudwatch.evaluate import Metrics
from lightship.drill.cloudwatch.template import Stack, read_stack
from lightship.drill.deployment import deployment_of
from lightship.drill.healthy import LEVELS, Month, healthy_months
from lightship.drill.incident import Incident, IncidentError, built_in, read_incident
from lightship.drill.messages import Messages, messages_of
from lightship.drill.outcome import Outcome, judge
from lightship.drill.report import Report
from lightship.drill.rows import applies
from lightship.drill.timeline import Timeline
from lightship.drill.world import World, world_of
from lightship.operate.cdk import CdkProgram
from lightship.operate.project import Chosen, load_project, locked, other_release, synthesise
from lightship.rehearsal.node import cdk_tool
from lightship_runtime.errors import LightshipError
from lightship_runtime.manifest import Release

REGION = "us-east-1"

type Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What to drill: a project's stage, its release (the locked one unless given), and a template (synthesised unless
    given). `only` names incidents of the built-in ones, `files` are the caller's own; neither runs all of them."""

    project: Path
    stage: str | None = None
    release: Path | None = None
    template: Path | None = None
    only: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    healthy: bool = True

    @property
    def is_whole(self) -> bool:
        """Whether everything is run, so that an alarm which no incident fires is a failure."""
        return not self.only and not self.files


@dataclass
class Drilled:
    """A world that incidents were replayed in. `replayed` keeps what was measured, for who wants to look again."""

    world: World
    messages: Messages
    replayed: dict[str, tuple[Timeline, Metrics]] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    @cached_property
    def unprovable(self) -> dict[str, str]:
        """By title, the alarms that can't sound for this release, and why."""
        begin = Timeline.of(built_in()[0], self.world.deployment.reach_minutes).begin_s
        titles = self.world.deployment.titles
        return {title: why for title, why in self.world.monitor.unprovable(begin).items() if title in titles}

    def fitting(self, incident: Incident) -> Incident | None:
        """The incident without alarms that can't sound here; None where it is about nothing that is here."""
        contract = self.world.answers.contract
        titles = set(self.world.deployment.titles) - self.unprovable.keys()
        must = tuple(title for title in incident.must_fire if title in titles)
        if (incident.must_fire and not must) or not all(applies(each, contract) for each in incident.changes):
            return None
        return replace(incident, must_fire=must, may_fire=(*incident.may_fire, *self.unprovable))

    def missing(self, incident: Incident) -> str:
        """What stands against an incident that was asked for; empty when nothing does."""
        titles = self.world.deployment.titles
        if not incident.must_fire or set(titles) & set(incident.must_fire):
            return ""
        return (
            f"The template has none of the alarms that {incident.name} must fire: {', '.join(incident.must_fire)}. "
            f"It has {', '.join(sorted(titles))}."
        )

    def drill(self, incident: Incident) -> Outcome:
        """Replay one incident and judge it."""
        timeline, metrics = self.world.replay(incident)
        outcome = judge(timeline, self.world.deployment, metrics)
        self.replayed[incident.name] = (timeline, metrics)
        self.outcomes[incident.name] = replace(
            outcome,
            executed=self.world.executed[incident.name],
            messages=self.messages.received(timeline, outcome, self.world.monitor.latest),
        )
        return self.outcomes[incident.name]


def drill(plan: Plan, say: Say = lambda _text: None) -> Report:
    """Run the plan. Raises LightshipError when something can't be synthesised, booted or read."""
    incidents = incidents_of(plan)
    config = load_project(plan.project, plan.stage)
    with _chosen(plan) as chosen, _template(plan, config, chosen, say) as template:
        stack = read_stack(template)
        with drilled(stack, config, chosen.folder, template.parent, say) as running:
            skipped = _drill_all(running, incidents, plan, say)
            unprovable = running.unprovable if plan.is_whole else {}
            months: tuple[Month, ...] = ()
            if plan.healthy and plan.is_whole:
                availability = config.monitoring.availability
                months = healthy_months(running.world, availability=availability, levels=LEVELS, say=say)
    return Report(running.world.deployment, running.outcomes, skipped, months, plan.is_whole, unprovable)


@contextmanager
def drilled(
    stack: Stack, config: Config, release: Path, assets: Path, say: Say = lambda _text: None
) -> Iterator[Drilled]:
    """A stack's alarms and a release's functions, ready for incidents: also for one that is deployed in a rehearsal.

    `assets` is the folder that the template's assets are named from.
    """
    say("booting the release")
    deployment = deployment_of(stack, config.service, Release.read(release).name)
    with world_of(release, deployment, config.monitoring.latency_ms) as world:
        yield Drilled(world, messages_of(deployment, assets))


def incidents_of(plan: Plan) -> tuple[Incident, ...]:
    """The incidents of a plan. Raises IncidentError for a name or file that isn't one."""
    known = {each.name: each for each in built_in()}
    if unknown := [name for name in plan.only if name not in known]:
        raise IncidentError(f"There is no incident {unknown[0]!r}. Known are {', '.join(known)}.")
    own = tuple(read_incident(path) for path in plan.files)
    if plan.only or own:
        return (*(known[name] for name in plan.only), *own)
    return tuple(known.values())


def _drill_all(running: Drilled, incidents: Sequence[Incident], plan: Plan, say: Say) -> tuple[str, ...]:
    """Run each; what is about nothing that this stack and release have is skipped, unless it was asked for."""
    skipped = []
    for number, incident in enumerate(incidents, 1):
        if not plan.is_whole and (missing := running.missing(incident)):
            raise IncidentError(missing)
        fitting = running.fitting(incident) if plan.is_whole else incident
        if fitting is None:
            skipped.append(incident.name)
            continue
        say(f"{number} of {len(incidents)}: {incident.name}")
        running.drill(fitting)
    return tuple(skipped)


@contextmanager
def _chosen(plan: Plan) -> Iterator[Chosen]:
    if plan.release is None:
        yield locked(plan.project)
        return
    release = Release.read(plan.release)
    with other_release(plan.project, release.name, release.version, plan.release) as chosen:
        yield chosen


@contextmanager
def _template(plan: Plan, config: Config, chosen: Chosen, say: Say) -> Iterator[Path]:
    """The template to read, with its assets beside it while the context lasts."""
    if plan.template is not None:
        yield plan.template
        return
    say("synthesising the project")
    with tempfile.TemporaryDirectory(prefix="lightship-drill-cdk-") as out:
        cdk = CdkProgram(cdk_tool(plan.project), plan.project, config.deploy.region or REGION)
        synthesise(cdk, config, chosen, Path(out))
        found = Path(out) / f"{config.service}.template.json"
        if not found.is_file():
            raise LightshipError(f"`cdk synth` made no {found.name}. Name the stack after the service.")
        yield found
