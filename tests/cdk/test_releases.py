"""Which release may be deployed: the locked one, whole and proven."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lightship_cdk import PackagedRelease, locked_release
from lightship_cdk.function import memory_for
from lightship_cdk.releases import NoReleaseError, RefusedReleaseError
from lightship_runtime.errors import UnknownSchemaError
from lightship_runtime.manifest import NotAReleaseError, Proof

type MakeRelease = Callable[..., Path]


def lock(project: Path, release: PackagedRelease, **changes: object) -> None:
    manifest = release.manifest
    document = {"schema": 1, "name": manifest.name, "version": manifest.version, "digest": manifest.digest}
    (project / "lightship.lock").write_text(json.dumps({**document, **changes}))


@pytest.fixture
def project(tmp_path: Path, make_release: MakeRelease) -> Path:
    """A project with a release in its place, and the lock that names it."""
    release = PackagedRelease.open(make_release(tmp_path / "made"))
    place = tmp_path / "dist" / release.manifest.name / release.manifest.version
    place.parent.mkdir(parents=True)
    (tmp_path / "made").rename(place)
    lock(tmp_path, release)
    return tmp_path


def test_the_locked_release_is_found_in_dist(project: Path) -> None:
    release = locked_release(project)
    assert release.folder.parent == project / "dist" / "flights"
    assert release.manifest.name == "flights"


def test_nothing_packaged_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(NoReleaseError, match=r"`lightship package` \(or `make demo`"):
        locked_release(tmp_path)


def test_a_lock_without_its_release_says_what_to_run(project: Path) -> None:
    (project / "dist").rename(project / "elsewhere")
    with pytest.raises(NoReleaseError, match=r"isn't there\. Run `lightship package`"):
        locked_release(project)


def test_a_release_may_lie_in_another_folder(project: Path) -> None:
    folder = locked_release(project).folder
    folder.rename(project / "fetched")
    assert locked_release(project, folder="fetched").folder == project / "fetched"


def test_an_earlier_lock_names_an_earlier_release(project: Path, make_release: MakeRelease) -> None:
    first = locked_release(project)
    (project / "lightship.lock").rename(project / "earlier.lock")
    other = PackagedRelease.open(
        make_release(project / "other", handler_source="def handler(event, context): return 1")
    )
    lock(project, other)
    assert locked_release(project, lock="earlier.lock") == first
    assert locked_release(project, folder="other") == other


def test_another_release_in_the_locked_ones_place_is_refused(project: Path, make_release: MakeRelease) -> None:
    """A whole folder may be exchanged, with digests that agree among themselves."""
    folder = locked_release(project).folder
    make_release(folder, handler_source="def handler(event, context): return 'mine'")
    with pytest.raises(RefusedReleaseError, match="tampered"):
        locked_release(project)


def test_a_changed_file_is_refused(project: Path) -> None:
    folder = locked_release(project).folder
    (folder / "realtime.zip").write_bytes(b"other")
    with pytest.raises(NotAReleaseError, match=r"realtime\.zip"):
        locked_release(project)


@pytest.mark.parametrize(
    ("changes", "error"), [({"schema": 9}, UnknownSchemaError), ({"digest": "0"}, RefusedReleaseError)]
)
def test_a_lock_that_says_otherwise_is_refused(
    project: Path, changes: dict[str, object], error: type[Exception]
) -> None:
    lock(project, locked_release(project), **changes)
    with pytest.raises(error):
        locked_release(project)


def test_a_lock_that_lacks_a_key_says_which(project: Path) -> None:
    (project / "lightship.lock").write_text('{"schema": 1, "name": "flights"}')
    with pytest.raises(RefusedReleaseError, match="'version'"):
        locked_release(project)


def test_an_unproven_release_is_refused_unless_allowed(tmp_path: Path, make_release: MakeRelease) -> None:
    import aws_cdk as cdk

    from lightship_cdk import ModelService, ServiceSettings

    folder = make_release(tmp_path / "release", proof=None)
    stack = cdk.Stack(cdk.App(outdir=str(tmp_path / "out")), "Stack")
    with pytest.raises(RefusedReleaseError, match="unproven"):
        ModelService(stack, "Refused", release=folder)
    service = ModelService(stack, "Allowed", release=str(folder), settings=ServiceSettings(allow_unproven=True))
    assert service.release.manifest.proof is None


@pytest.mark.parametrize(("peak", "memory"), [(None, 512), (82.0, 512), (700.0, 1152), (1000.0, 1536)])
def test_memory_follows_from_the_proof(
    tmp_path: Path, make_release: MakeRelease, peak: float | None, memory: int
) -> None:
    proof = None if peak is None else Proof("exact", 3, 1e-6, 0.0, 0, 0, 41.0, 6.0, 1.5, 3.0, peak)
    assert memory_for(PackagedRelease.open(make_release(tmp_path, proof=proof))) == memory


@pytest.mark.parametrize(("advised", "memory"), [(128, 512), (768, 768), (3008, 3008)])
def test_memory_follows_the_proofs_advice(
    make_release: Callable[..., Path], tmp_path: Path, advised: int, memory: int
) -> None:
    folder = make_release(tmp_path, notes={"memory": {"memory_mb": advised}})
    assert memory_for(PackagedRelease.open(folder)) == memory
