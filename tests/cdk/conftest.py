"""A tiny release, and the templates made of it: one synth for each auth mode and session."""

import hashlib
import io
import json
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
    files = {
        "realtime.zip": zipped(handler_source),
        "monitor.zip": zipped("def handle(event, context): ..."),
        CONTRACT: CONTRACT_OF_TWO.to_json(),
        GOLDEN: GOLDEN_ROWS.to_bytes(),
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    artifacts = {
        use: Artifact(f"{use}.zip", f"app.{call}", digests[f"{use}.zip"], len(files[f"{use}.zip"]), 30)
        for use, call in (("realtime", "handler"), ("monitor", "handle"))
    }
    release = Release(
        name="flights",
        version=hashlib.sha256(handler_source.encode()).hexdigest(),
        lightship="0.1.0",
        target=Target("3.13", "x86_64", "2_34"),
        engine=Engines("pure", "array"),
        artifacts=artifacts,
        files=digests,
        proof=PROOF,
    )
    release = replace(release, **overrides)
    (folder / MANIFEST).write_bytes(release.to_json())
    return folder


def zipped(source: str) -> bytes:
    """A zip with app.py."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("app.py"), source)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def release_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_release(tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="session")
def make_release() -> Callable[..., Path]:
    return write_release


@dataclass(frozen=True)
class Synthesised:
    """One synthesised stack: its template, what synth said of it, and where the assembly lies."""

    template: dict[str, Any]
    said: tuple[str, ...]
    folder: Path

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """The resources of a CloudFormation type, by logical id."""
        return {name: each for name, each in self.template["Resources"].items() if each["Type"] == kind}

    def only(self, kind: str) -> dict[str, Any]:
        """The properties of the only resource of a type."""
        (resource,) = self.of_type(kind).values()
        return dict(resource["Properties"])


@pytest.fixture(scope="session", autouse=True)
def _quiet_node() -> Iterator[None]:
    """Node warns of its own age on stderr; the CDK's own template checks cost seconds and run in the slow test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION", "1")
        patch.setenv("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "18,20")
        patch.setenv("CDK_VALIDATION", "false")
        yield


@pytest.fixture(scope="session")
def synthesise(release_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Synthesised]:
    """Synthesise LightshipStack with these settings, under cdk-nag; it raises where a finding isn't accepted."""
    import aws_cdk as cdk

    from lightship_cdk import LightshipStack, ServiceSettings, add_checks

    flags = json.loads((Path(__file__).parents[2] / "cdk.json").read_text())["context"]

    def run(
        settings: ServiceSettings | None = None, *, release: Path | None = None, env: cdk.Environment | None = None
    ) -> Synthesised:
        app = cdk.App(outdir=str(tmp_path_factory.mktemp("cdk.out")), context=flags, analytics_reporting=False)
        LightshipStack(app, "flights", release=release or release_folder, settings=settings, env=env)
        add_checks(app)
        assembly = app.synth()
        (stack,) = assembly.stacks
        said = tuple(str(message.entry.data) for message in stack.messages)
        return Synthesised(stack.template, said, Path(assembly.directory))

    return run


@pytest.fixture(scope="session")
def by_auth(synthesise: Callable[..., Synthesised]) -> Callable[[str], Synthesised]:
    """The stack in each of the four auth modes, synthesised once."""
    from lightship_cdk import EndpointSettings, Jwt, ServiceSettings

    @cache
    def run(auth: str) -> Synthesised:
        jwt = Jwt("https://issuer.example.com", ("predictors",)) if auth == "jwt" else None
        return synthesise(ServiceSettings(endpoint=EndpointSettings(auth=auth, jwt=jwt)))  # type: ignore[arg-type]

    return run


@pytest.fixture(scope="session")
def closed(by_auth: Callable[[str], Synthesised]) -> Synthesised:
    """The stack by default."""
    return by_auth("iam")
