"""A tiny release, and the templates made of it: one synth for each auth mode and session."""

import hashlib
import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from lightship_runtime.contract import Column, Contract, Output
from lightship_runtime.golden import Golden
from lightship_runtime.manifest import CONTRACT, GOLDEN, MANIFEST, Artifact, Engines, Proof, Release, Target

CONTRACT_OF_TWO = Contract(
    columns=(Column("distance", "number", "float64"), Column("carrier", "category", "object", categories=("AA", "UA"))),
    output=Output("binary", classes=("late", "on time"), probabilities=True),
)
GOLDEN_ROWS = Golden(
    rows=((100.0, "AA"), (2475.0, "UA"), (733.0, "AA")),
    predictions=(1, 0, 1),
    probabilities=((0.25, 0.75), (0.875, 0.125), (0.375, 0.625)),
    scores=None,
    sampled=3,
)
PROOF = Proof("exact", 3, 1e-6, 0.0, 0, 0, 41.0, 6.0, 1.5, 3.0, 82.0)


def write_release(folder: Path, *, handler_source: str = "def handler(event, context): ...", **overrides: Any) -> Path:
    """A whole release folder with consistent digests; `overrides` are fields of Release."""
    folder.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("app.py"), handler_source)
    files = {"realtime.zip": buffer.getvalue(), CONTRACT: CONTRACT_OF_TWO.to_json(), GOLDEN: GOLDEN_ROWS.to_bytes()}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    artifact = Artifact("realtime.zip", "app.handler", digests["realtime.zip"], len(files["realtime.zip"]), 30)
    release = Release(
        name="flights",
        version=hashlib.sha256(handler_source.encode()).hexdigest(),
        lightship="0.1.0",
        target=Target("3.13", "x86_64", "2_34"),
        engine=Engines("pure", "array"),
        artifacts={"realtime": artifact},
        files=digests,
        proof=PROOF,
    )
    release = replace(release, **overrides)
    (folder / MANIFEST).write_bytes(release.to_json())
    return folder


@pytest.fixture(scope="session")
def release_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_release(tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="session")
def make_release() -> Callable[..., Path]:
    return write_release


@dataclass(frozen=True)
class Synthesised:
    """One synthesised stack: its template, its annotations and where the assembly lies."""

    template: dict[str, Any]
    warnings: tuple[str, ...]
    errors: tuple[str, ...]
    folder: Path

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """The resources of a CloudFormation type, by logical id."""
        return {name: each for name, each in self.template["Resources"].items() if each["Type"] == kind}

    def only(self, kind: str) -> dict[str, Any]:
        """The properties of the only resource of a type."""
        (resource,) = self.of_type(kind).values()
        return resource["Properties"]


@pytest.fixture(scope="session", autouse=True)
def _quiet_node() -> Iterator[None]:
    """Node warns of its own age on stderr; the template checks of the CDK cost seconds and run in the slow test."""
    patch = pytest.MonkeyPatch()
    patch.setenv("JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION", "1")
    patch.setenv("CDK_VALIDATION", "false")
    yield
    patch.undo()


@pytest.fixture(scope="session")
def synthesise(release_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Synthesised]:
    """Synthesise LightshipStack with these settings, and nag it where asked."""
    from lightship_cdk import LightshipStack, ServiceSettings

    def run(settings: ServiceSettings | None = None, *, release: Path | None = None) -> Synthesised:
        import aws_cdk as cdk

        folder = tmp_path_factory.mktemp("cdk.out")
        app = cdk.App(outdir=str(folder), context=feature_flags(), analytics_reporting=False)
        LightshipStack(app, "flights", release=release or release_folder, settings=settings)
        return read_assembly(app)

    return run


@cache
def feature_flags() -> dict[str, Any]:
    import json

    root = Path(__file__).parents[2]
    return json.loads((root / "cdk.json").read_text())["context"]  # type: ignore[no-any-return]


def read_assembly(app: Any) -> Synthesised:
    assembly = app.synth()
    (artifact,) = assembly.stacks
    said = {"aws:cdk:warning": [], "aws:cdk:error": []}
    for message in artifact.messages:
        kind = "aws:cdk:warning" if str(message.level).endswith("WARNING") else "aws:cdk:error"
        said[kind].append(str(message.entry.data))
    return Synthesised(
        artifact.template, tuple(said["aws:cdk:warning"]), tuple(said["aws:cdk:error"]), Path(assembly.directory)
    )
