"""The last steps: the bill of materials, the manifest, and the papers for people."""

from importlib.metadata import version as installed_version

from lightship.papers import write_papers
from lightship.sbom import SBOM, Subject, make_sbom
from lightship.steps.build import Build
from lightship_runtime.manifest import Engines, Release


def write_bill(build: Build) -> None:
    """The software bill of materials of all artifacts."""
    subject = Subject(
        name=build.plan.name,
        version=build.version,
        lightship=installed_version("lightship"),
        target=build.plan.target,
        engines=_engines(build),
        contract=build.studied.contract,
        lent=tuple(build.lent),
    )
    archives = {use: build.folder / artifact.file for use, artifact in build.artifacts.items()}
    build.write(SBOM, make_sbom(subject, archives, build.locks))
    build.notes["lent"] = [each.to_dict() for each in build.lent]


def make_release(build: Build) -> None:
    """The manifest, over everything that was sealed."""
    build.notes["put_back"] = [
        {"use": use, **each.to_dict()} for use, found in build.put_back.items() for each in found
    ]
    build.release = Release(
        name=build.plan.name,
        version=build.version,
        lightship=installed_version("lightship"),
        target=build.plan.target,
        engine=_engines(build),
        artifacts=build.artifacts,
        files=build.files,
        proof=build.proven.proof,
        notes=build.notes,
    )


def write_cards(build: Build) -> None:
    """The model card and the report."""
    studied = build.studied
    write_papers(build.folder, build.release, studied.contract, studied.golden, build.proven.traces)


def _engines(build: Build) -> Engines:
    return Engines(build.studied.request.engine, build.studied.batch.engine)
