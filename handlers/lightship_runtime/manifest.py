"""The release manifest: what a release folder holds, and whether it is still what was sealed."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from lightship_runtime.contract import Contract
from lightship_runtime.documents import dump_document, load_document
from lightship_runtime.errors import InvalidDocumentError, LightshipError

SCHEMA = 1
MANIFEST = "release.json"
CONTRACT = "contract.json"
GOLDEN = "golden.json.gz"
BASELINE = "baseline.json"

type Grade = Literal["exact", "equivalent", "unproven"]


class NotAReleaseError(LightshipError):
    """A folder isn't a whole release: there is no manifest, or a file isn't the one that was sealed."""


@dataclass(frozen=True, slots=True)
class Target:
    """What the artifacts run on: a Python version ("3.13"), an architecture of AWS Lambda's, and the C library the
    wheels were chosen for ("2_34" on Amazon Linux 2023)."""

    python: str
    architecture: Literal["x86_64", "arm64"]
    glibc: str


@dataclass(frozen=True, slots=True)
class Artifact:
    """One zip. `handler` is the dotted name Lambda calls; sizes are in bytes."""

    file: str
    handler: str
    sha256: str
    zip_bytes: int
    unzipped_bytes: int


@dataclass(frozen=True, slots=True)
class Engines:
    """Which engine answers requests and which scores batches."""

    request: str
    batch: str


@dataclass(frozen=True, slots=True)
class Proof:
    """What booting the very zip showed. Times in milliseconds, memory in MB (10^6 bytes).

    `max_abs_diff` is the largest |zip - model| over the rows of the sample, `max_rel_diff` the largest
    |zip - model| / (1 + |model|) over all `rows` golden rows, those beyond the sample's range included; `label_flips`
    are labels that differ without being a tie, `ties` those whose two best classes lay within `tolerance`.
    """

    grade: Grade
    rows: int
    tolerance: float
    max_abs_diff: float
    label_flips: int
    ties: int
    init_ms: float
    first_ms: float
    p50_ms: float
    p99_ms: float
    peak_rss_mb: float
    max_rel_diff: float = 0.0


@dataclass(frozen=True)
class Release:
    """One immutable result of packaging. `digest` covers the sealed files, the version and the proof's grade."""

    name: str
    version: str
    lightship: str
    target: Target
    engine: Engines
    artifacts: Mapping[str, Artifact]
    files: Mapping[str, str]
    proof: Proof | None
    notes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def grade(self) -> Grade:
        return self.proof.grade if self.proof else "unproven"

    @property
    def digest(self) -> str:
        sealed = {"name": self.name, "version": self.version, "grade": self.grade, "files": dict(self.files)}
        return hashlib.sha256(dump_document(sealed)).hexdigest()

    @property
    def python(self) -> str:
        return self.target.python

    @property
    def architecture(self) -> str:
        return self.target.architecture

    def to_dict(self) -> dict[str, Any]:
        return {"schema": SCHEMA, "digest": self.digest, **asdict(self)}

    def to_json(self) -> bytes:
        return dump_document(self.to_dict())

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read a release and check every sealed file against its digest.

        Raises NotAReleaseError, InvalidDocumentError or UnknownSchemaError.
        """
        release = cls.from_json(_manifest_bytes(folder))
        for name, digest in release.files.items():
            if file_digest(folder / name) != digest:
                raise NotAReleaseError(
                    f"{name} in {folder} is not the file that was sealed. "
                    "Package the model again, or fetch the release anew."
                )
        return release

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        document = load_document(data, what="The release manifest", schema=SCHEMA)
        try:
            proof = document["proof"]
            release = cls(
                name=document["name"],
                version=document["version"],
                lightship=document["lightship"],
                target=Target(**document["target"]),
                engine=Engines(**document["engine"]),
                artifacts={use: Artifact(**artifact) for use, artifact in document["artifacts"].items()},
                files=document["files"],
                proof=None if proof is None else Proof(**proof),
                notes=document["notes"],
            )
            sealed = document["digest"]
        except (KeyError, TypeError, AttributeError) as error:
            raise InvalidDocumentError(
                f"The release manifest lacks or misnames a key ({error}). Package the model again."
            ) from error
        if release.digest != sealed:
            raise NotAReleaseError(
                f"The manifest says its digest is {sealed}, but its content gives {release.digest}. "
                "Package the model again."
            )
        return release


def read_contract(folder: Path) -> Contract:
    """The contract of a release folder."""
    return Contract.from_json((folder / CONTRACT).read_bytes())


def file_digest(path: Path) -> str:
    """The SHA-256 of a file's bytes, or an empty string where there is no file."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _manifest_bytes(folder: Path) -> bytes:
    try:
        return (folder / MANIFEST).read_bytes()
    except OSError as error:
        raise NotAReleaseError(
            f"{folder} is not a release: it has no {MANIFEST}. "
            "`lightship package` makes one; name the folder it printed."
        ) from error
