"""What the steps of packaging hand on to each other."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from lightship.healing import PutBack
from lightship.lending import Lent
from lightship.loading import LoadedModel
from lightship.lockfile import Lock
from lightship.plan import Plan
from lightship.proving import Proven
from lightship.scoring import Labels
from lightship.study import Study
from lightship.targets import bootable_here
from lightship_runtime.manifest import Artifact, Release, file_digest

type Say = Callable[[str], None]
type Live = tuple[LoadedModel, pd.DataFrame, Labels | None]


@dataclass
class Build:
    """One packaging under way, in the draft `folder` that becomes the release.

    `live` is a model, a sample and its labels from Python, in place of the plan's files, and so is
    `baseline`. Fields without a default are
    there once the step that is named beside them has run: reading one too early raises AttributeError.
    """

    plan: Plan
    folder: Path
    say: Say
    live: Live | None = None
    locked: Lock | None = None
    baseline: pd.DataFrame | None = None

    studied: Study = field(init=False)  # study
    requirements: dict[str, str] = field(default_factory=dict)  # resolve: the locked wheels of each zip, by its use
    inputs: dict[str, Any] = field(default_factory=dict)  # whatever can change an answer: the version digests it
    version: str = field(init=False)  # identify
    proven: Proven = field(init=False)  # realtime
    put_back: dict[str, tuple[PutBack, ...]] = field(default_factory=dict)  # what slimming must leave, by use
    artifacts: dict[str, Artifact] = field(default_factory=dict)  # by use
    files: dict[str, str] = field(default_factory=dict)  # the digests of sealed files, by name
    notes: dict[str, Any] = field(default_factory=dict)  # told in the manifest, outside of its digest
    lent: list[Lent] = field(default_factory=list)  # system libraries that one wheel lends another
    release: Release = field(init=False)  # seal

    @property
    def exact(self) -> bool:
        """Whether this host can boot the target's own zips."""
        return bootable_here(self.plan.target)

    def locked_wheels(self, use: str) -> str:
        """What an earlier packaging settled for a zip, to keep to; nothing where there was none."""
        return self.locked.requirements.get(use, "") if self.locked else ""

    @property
    def locks(self) -> str:
        """The locked wheels of all zips."""
        return "".join(self.requirements.values())

    def seal(self, *names: str) -> None:
        """These files of the folder are part of the release, as they are now."""
        self.files.update({name: file_digest(self.folder / name) for name in names})

    def write(self, name: str, data: bytes) -> None:
        """Write a file of the release, and seal it."""
        (self.folder / name).write_bytes(data)
        self.seal(name)
