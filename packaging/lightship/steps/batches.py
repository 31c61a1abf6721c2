"""Makes and proves batch.zip, the artifact that scores batches."""

from lightship.assembly import included
from lightship.batch.building import build_batch
from lightship.steps.build import Build


def make_batch(build: Build) -> None:
    """Build, prove and seal the artifact, or note why there is none."""
    made = build_batch(
        build.plan,
        build.studied,
        build.requirements["batch"],
        build.version,
        included(build.plan.code),
        build.folder,
        build.say,
    )
    build.artifacts.update(made.artifacts)
    build.files.update(made.files)
    build.put_back["batch"] = made.put_back
    build.notes["batch"] = made.notes
    build.lent += [each for each in made.lent if each not in build.lent]
