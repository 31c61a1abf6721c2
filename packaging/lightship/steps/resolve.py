"""Settles the wheels of every zip, so that the version can name them."""

from lightship.assembly import WEB
from lightship.batch.building import batch_requirements
from lightship.steps.build import Build
from lightship.wheels import resolve

REQUIREMENTS = "requirements.lock"


def resolve_wheels(build: Build) -> None:
    """The locked wheels of each zip, by its use. Raises ResolutionError."""
    build.say("resolving wheels")
    asked = (*WEB, *build.studied.request.requirements)
    build.requirements["realtime"] = resolve(asked, build.plan.target, locked=build.locked_wheels("realtime"))
    build.requirements["batch"] = batch_requirements(build.plan, build.studied, locked=build.locked_wheels("batch"))
    build.write(REQUIREMENTS, build.requirements["realtime"].encode())
