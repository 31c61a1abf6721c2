"""The model of a release's batch.zip, opened on this machine."""

import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from lightship.assembly import CODE
from lightship.verifying import verify_model
from lightship_runtime.batch.counting import Counter
from lightship_runtime.batch.errors import BatchError
from lightship_runtime.batch.score import Model
from lightship_runtime.contract import Contract
from lightship_runtime.loader import CONTRACT, open_engine, read_model_document
from lightship_runtime.manifest import Release
from lightship_runtime.monitor.bins import BINS

MODEL = "model/"


@dataclass(frozen=True)
class BatchModel:
    """A release's name and version, and the folder its model was unpacked into."""

    name: str
    version: str
    folder: Path

    def open(self, *, counted: bool = False) -> Model:
        """`counted` for the monitor, where the release has bins."""
        document = read_model_document(self.folder)
        if (self.folder / CODE).exists():
            sys.path.append(str(self.folder / CODE))
        contract = self._contract()
        engine = open_engine(self.folder, contract, document["engine"], document)
        return Model(contract, engine, self.version, Counter.open(self.folder, contract) if counted else None)

    def counter(self) -> Counter:
        """Raises BatchError for a release without bins."""
        found = Counter.open(self.folder, self._contract())
        if found is None:
            raise BatchError(f"The release {self.version} has no {BINS} in its batch.zip. Package the model again.")
        return found

    def _contract(self) -> Contract:
        return Contract.from_json((self.folder / CONTRACT).read_bytes())


def unpack_model(release_folder: Path, scratch: Path) -> BatchModel:
    """Raises NotAReleaseError, BatchError for a release without a batch artifact, or InvalidProgramError."""
    release = Release.read(release_folder)
    artifact = release.artifacts.get("batch")
    if artifact is None:
        reason = release.notes.get("batch", {}).get("refused", "")
        raise BatchError(f"{release_folder} has no batch.zip. {reason or 'Package the model again.'}")
    with zipfile.ZipFile(release_folder / artifact.file) as archive:
        for name in archive.namelist():
            if name.startswith(MODEL) and ".." not in name:
                archive.extract(name, scratch)
    verify_model(scratch / MODEL)
    return BatchModel(release.name, release.version, scratch / MODEL)
