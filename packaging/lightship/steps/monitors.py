"""Makes and proves monitor.zip, the artifact that compares what comes in with the baseline."""

from lightship.assembly import NO_ENGINE, runtime_digest
from lightship.monitoring.building import ARCHIVE, REQUIREMENTS, USE, build_monitor, monitor_requirements
from lightship.steps.build import Build


def resolve_monitor(build: Build) -> None:
    """The wheels of the artifact, and its code, which the version names."""
    build.requirements[USE] = monitor_requirements(build.plan.target, locked=build.locked_wheels(USE))
    build.inputs["monitor"] = runtime_digest(NO_ENGINE, USE)
    build.write(REQUIREMENTS, build.requirements[USE].encode())


def make_monitor(build: Build) -> None:
    """Build, prove and seal the artifact."""
    made = build_monitor(
        build.folder,
        build.studied.baseline,
        name=build.plan.name,
        version=build.version,
        lock=build.requirements[USE],
        target=build.plan.target,
        say=build.say,
    )
    build.artifacts[USE] = made.artifact
    build.seal(ARCHIVE)
    build.notes[USE] = made.notes
    build.lent += [each for each in made.lent if each not in build.lent]
