"""A project's folder as the operating commands see it: its stage, its releases, and the CDK that deploys them."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lightship.config import Config, load_config
from lightship.lockfile import FILE as LOCK
from lightship.lockfile import Lock
from lightship.operate.assembly import Assembly
from lightship.operate.aws import OperateError
from lightship.operate.cdk import CdkProgram
from lightship.toml_reader import ConfigError
from lightship_runtime.errors import LightshipError
from lightship_runtime.manifest import Release

RELEASES = "dist"
# CodeDeploy's shift for going back, by the name that lightship.toml has for it.
AT_ONCE = "AllAtOnce"


@dataclass(frozen=True)
class Chosen:
    """A release and where it lies. `context` is what makes the project's app deploy it."""

    release: Release
    folder: Path
    context: Mapping[str, str]


def load_project(folder: Path, stage: str | None) -> Config:
    """The configuration of one stage. Raises ConfigError when there are stages and none is named."""
    config = load_config(folder, stage)
    if config.stages and stage is None:
        raise ConfigError(
            f"lightship.toml has the stages {', '.join(config.stages)}. Say which: --stage {config.stages[0]}"
        )
    return config


def locked(project: Path) -> Chosen:
    """The release that lightship.lock names. Raises LightshipError."""
    lock = Lock.read(project / LOCK)
    if lock is None:
        raise LightshipError(f"There is no {LOCK} in {project}. Run `lightship package` first.")
    folder = project / RELEASES / lock.name / lock.version
    if not folder.is_dir():
        raise LightshipError(
            f"{LOCK} names {lock.name} {lock.version}, but {folder} isn't there. "
            "Build it with `lightship package`, or fetch it with `lightship pull`."
        )
    return Chosen(Release.read(folder), folder, {})


@contextmanager
def other_release(project: Path, name: str, version: str, folder: Path | None = None) -> Iterator[Chosen]:
    """A release that isn't the locked one, with a lock of its own while the context lasts.

    Raises OperateError when it isn't on this machine, or the folder holds another.
    """
    place = folder or project / RELEASES / name / version
    if not place.is_dir():
        raise OperateError(
            f"Release {version} isn't at {place}. Fetch it with "
            f"`lightship pull s3://BUCKET/PREFIX --version {version}`, "
            "name its folder with --release, or move traffic alone with --now."
        )
    release = Release.read(place)
    if (release.name, release.version) != (name, version):
        raise OperateError(
            f"{place} holds {release.name} {release.version}, not {name} {version}. Name another folder."
        )
    with tempfile.TemporaryDirectory(prefix="lightship-lock-") as scratch:
        lock = Path(scratch) / LOCK
        Lock.of(release, {}).write(lock)
        yield Chosen(release, place, {"lock": str(lock), "release": str(place.absolute()), "shift": AT_ONCE})


def synthesise(
    cdk: CdkProgram, config: Config, chosen: Chosen, out: Path, line: Callable[[str], None] = lambda _line: None
) -> Assembly:
    """Have the project's own app make the stack of one stage and release. Raises CdkError."""
    context = {**({"stage": config.stage} if config.stage else {}), **chosen.context}
    cdk.must("synth", config.service, "--quiet", "--output", str(out), context=context, line=line)
    return Assembly(out, config.service)
