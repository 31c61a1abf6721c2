"""The second artifact of a release, batch.zip: no web framework, the engine for batches, and Arrow."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lightship.assembly import BATCH_HANDLER, PACKED, PACKED_HANDLER, Included, assemble, pack, surroundings
from lightship.batch.proving import prove_batch, try_batch
from lightship.binaries import check_binaries
from lightship.healing import PutBack, heal
from lightship.lambda_host import InitError
from lightship.lending import Lent
from lightship.plan import Plan
from lightship.proving import ProofError
from lightship.study import Study
from lightship.targets import bootable_here
from lightship.wheels import resolve
from lightship.zipping import Packed, TooLargeError, write_zip
from lightship_runtime.errors import LightshipError
from lightship_runtime.manifest import Artifact, file_digest
from lightship_runtime.monitor.bins import BINS

ARCHIVE = "batch.zip"
REQUIREMENTS = "batch-requirements.lock"
LIBRARIES = ("numpy", "orjson", PACKED)

type Say = Callable[[str], None]


@dataclass(frozen=True)
class BatchBuild:
    """The artifact under its use, its sealed files by name, and what its proof measured; nothing but a reason in the
    notes where it doesn't fit into Lambda."""

    artifacts: dict[str, Artifact]
    files: dict[str, str]
    notes: dict[str, Any]
    lent: tuple[Lent, ...]
    put_back: tuple[PutBack, ...] = ()


def batch_requirements(plan: Plan, studied: Study, *, locked: str = "") -> str:
    """The locked wheels of batch.zip: those of an earlier packaging, or else the versions that Lightship pins, and
    always those that the engine demands."""
    return resolve(tuple(dict.fromkeys((*LIBRARIES, *studied.batch.requirements))), plan.target, locked=locked)


@dataclass(frozen=True)
class _Made:
    """An archive's size, what was lent in it, and the name that Lambda calls."""

    size: Packed
    lent: tuple[Lent, ...]
    handler: str


@dataclass(frozen=True)
class _Parts:
    """What batch.zip is made of."""

    plan: Plan
    studied: Study
    requirements: str
    version: str
    include: Sequence[Included]
    folder: Path

    @property
    def exact(self) -> bool:
        return bootable_here(self.plan.target)

    def assemble(self, archive: Path, keep: Sequence[PutBack], *, host: bool) -> _Made:
        """Write `archive`, with Arrow packed where it doesn't fit otherwise. Raises TooLargeError, BinaryError,
        IncludeError and MissingImportError."""
        root = self.folder / ".batch"
        try:
            assembled = assemble(
                root,
                contract=self.studied.contract,
                candidate=self.studied.batch,
                lock=self.requirements,
                target=self.plan.target,
                name=self.plan.name,
                version=self.version,
                include=self.include,
                around=surroundings(self.studied, self.plan.module),
                files={BINS: self.studied.baseline.to_bins(outputs=True)},
                host=host,
                use="batch",
                keep=[each.file for each in keep],
            )
            if not host:
                check_binaries(root, self.plan.target)
            if assembled.packed:
                return _Made(write_zip(root, archive, assembled.libraries), assembled.lent, PACKED_HANDLER)
            try:
                return _Made(write_zip(root, archive, assembled.libraries), assembled.lent, BATCH_HANDLER)
            except TooLargeError:
                # The libraries alone fit, and with the model they don't.
                pack(root)
                return _Made(write_zip(root, archive), assembled.lent, PACKED_HANDLER)
        finally:
            shutil.rmtree(root, ignore_errors=True)

    @contextmanager
    def bootable(self, keep: Sequence[PutBack]) -> Iterator[Path]:
        """The artifact, or where this host can't boot it the same with this host's wheels."""
        if self.exact:
            yield self.folder / ARCHIVE
            return
        archive = self.folder / ".batch-host.zip"
        self.assemble(archive, keep, host=True)
        try:
            yield archive
        finally:
            archive.unlink()


def build_batch(
    plan: Plan,
    studied: Study,
    requirements: str,
    version: str,
    include: Sequence[Included],
    folder: Path,
    say: Say,
) -> BatchBuild:
    """Assemble and prove batch.zip in `folder`, or leave it out where it is over Lambda's limit: requests can be
    answered all the same. What slimming left out and is needed is put back. Raises ProofError, InitError, BinaryError
    and what assembling raises."""
    say("assembling batch.zip")
    archive = folder / ARCHIVE
    parts = _Parts(plan, studied, requirements, version, include, folder)
    put_back: tuple[PutBack, ...] = ()
    try:
        made = parts.assemble(archive, put_back, host=False)
        try:
            notes = _proven(parts, made.handler, put_back, say)
        except (ProofError, InitError) as failure:
            put_back = _healed(parts, made.handler, failure, say)
            made = parts.assemble(archive, put_back, host=False)
            notes = _proven(parts, made.handler, put_back, say)
    except TooLargeError as error:
        archive.unlink(missing_ok=True)
        say("leaving batch.zip out, as it is over Lambda's limit")
        return BatchBuild({}, {}, {"refused": str(error)}, ())
    (folder / REQUIREMENTS).write_text(requirements)
    notes["grade"] = "exact" if parts.exact else "equivalent"
    notes["packed"] = [PACKED] if made.handler == PACKED_HANDLER else []
    size = made.size
    artifact = Artifact(ARCHIVE, made.handler, file_digest(archive), size.zip_bytes, size.unzipped_bytes)
    files = {name: file_digest(folder / name) for name in (ARCHIVE, REQUIREMENTS)}
    return BatchBuild({"batch": artifact}, files, notes, made.lent, put_back)


def _proven(parts: _Parts, handler: str, put_back: Sequence[PutBack], say: Say) -> dict[str, Any]:
    with parts.bootable(put_back) as archive:
        say("replaying the golden rows through batch.zip")
        return prove_batch(archive, handler=handler, **_subject(parts))


def _healed(parts: _Parts, handler: str, failure: LightshipError, say: Say) -> tuple[PutBack, ...]:
    with parts.bootable(()) as archive:
        return heal(
            archive,
            lock=parts.requirements,
            target=parts.plan.target,
            host=not parts.exact,
            trial=partial(try_batch, handler=handler, **_subject(parts)),
            failure=failure,
            say=say,
        )


def _subject(parts: _Parts) -> dict[str, Any]:
    studied = parts.studied
    return {
        "contract": studied.contract,
        "golden": studied.golden,
        "tolerance": studied.tolerance,
        "target": parts.plan.target,
    }
