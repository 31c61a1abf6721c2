"""The operating commands against an emulated AWS with the real CDK: the life of one stage."""

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lightship.lockfile import Lock
from lightship.rehearsal.aws import EmulatedAws
from lightship.rehearsal.clients import clients_of
from lightship.rehearsal.front.server import front_of
from lightship.rehearsal.node import cdk_tool
from lightship_runtime.contract import Column, Contract, Output
from lightship_runtime.golden import Golden
from lightship_runtime.manifest import CONTRACT, GOLDEN, MANIFEST, Artifact, Engines, Proof, Release, Target

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

ROOT = Path(__file__).resolve().parents[2]
NAME = "planes"
CONTRACT_OF_ONE = Contract(
    columns=(Column("distance", "number", "float64"),),
    output=Output("binary", classes=("late", "on time"), probabilities=True),
)
GOLDEN_ROWS = Golden(
    rows=((100.0,), (2475.0,), (733.0,)),
    predictions=(1, 0, 1),
    probabilities=((0.25, 0.75), (0.75, 0.25), (0.25, 0.75)),
    scores=None,
    sampled=3,
)
# The CDK's own checks of a template take seconds; the first synth of the service has passed them.
TEMPLATE_CHECKED = {"CDK_VALIDATION": "false"}
# Answers direct replays and HTTP requests alike.
HANDLER = """\
import json

def answer(rows):
    late = [0.75 if row["distance"] > {limit} else 0.25 for row in rows]
    return {{
        "predictions": ["late" if share > 0.5 else "on time" for share in late],
        "probabilities": [{{"late": share, "on time": 1 - share}} for share in late],
    }}

def handler(event, context):
    if "lightship" in event:
        return answer(event["lightship"]["replay"])
    found = answer(json.loads(event["body"])["instances"])
    return {{"statusCode": 200, "headers": {{"content-type": "application/json"}}, "body": json.dumps(found)}}
"""


def write_release(project: Path, note: str, limit: float = 1000.0, start_s: int = 0) -> Release:
    """A release whose function really answers; with another limit it gives other predictions than its golden rows.

    It takes `start_s` seconds to start, for which the gate of a first deployment waits.
    """
    source = f"# {note}\nimport time\ntime.sleep({start_s})\n" + HANDLER.format(limit=limit)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo("app.py")
        entry.external_attr = 0o644 << 16
        archive.writestr(entry, source)
    files = {"realtime.zip": buffer.getvalue(), CONTRACT: CONTRACT_OF_ONE.to_json(), GOLDEN: GOLDEN_ROWS.to_bytes()}
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    artifact = Artifact("realtime.zip", "app.handler", digests["realtime.zip"], len(buffer.getvalue()), len(source))
    release = Release(
        name=NAME,
        version=hashlib.sha256(source.encode()).hexdigest()[:16],
        lightship="0.1.0",
        target=Target("3.13", "x86_64", "2_34"),
        engine=Engines("pure", "array"),
        artifacts={"realtime": artifact},
        files=digests,
        proof=Proof("exact", 3, 1e-6, 0.0, 0, 0, 41.0, 6.0, 1.5, 3.0, 82.0),
    )
    folder = project / "dist" / NAME / release.version
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    (folder / MANIFEST).write_bytes(release.to_json())
    return release


@dataclass
class Stage:
    """A project and the emulated AWS it is deployed to. `settings` go into the environment of the commands."""

    project: Path
    aws: EmulatedAws
    settings: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clients = clients_of(self.aws)

    def lock(self, release: Release) -> None:
        Lock.of(release, {}).write(self.project / "lightship.lock")

    def run(self, *arguments: str, code: int = 0) -> str:
        """What a command prints on stdout, or on stderr where it has to fail."""
        with self.start(*arguments) as process:
            out, errors = process.communicate()
        assert process.returncode == code, f"{arguments}: {out}\n{errors}"
        return errors if code else out

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        hidden = ("AWS_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
        kept = {name: text for name, text in os.environ.items() if not name.startswith(hidden)}
        program = [sys.executable, "-c", "from lightship.cli.main import main; main()"]
        return subprocess.Popen(
            [*program, *arguments],
            cwd=self.project,
            env={**kept, **self.aws.environment, **self.settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            stdin=subprocess.DEVNULL,
        )

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json"))

    @property
    def live(self) -> str:
        """The version that callers reach, as AWS says and not as the tool does."""
        outputs = self.clients("cloudformation").describe_stacks(StackName=NAME)["Stacks"][0]["Outputs"]
        (function,) = (each["OutputValue"] for each in outputs if each["OutputKey"] == "FunctionName")
        return str(self.clients("lambda").get_alias(FunctionName=function, Name="live")["FunctionVersion"])

    @property
    def updated(self) -> Any:
        return self.clients("cloudformation").describe_stacks(StackName=NAME)["Stacks"][0].get("LastUpdatedTime")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    project = tmp_path_factory.mktemp("project")
    (project / "lightship.toml").write_text(f'[model]\nname = "{NAME}"\n')
    settings = json.loads((ROOT / "cdk.json").read_text())
    (project / "cdk.json").write_text(json.dumps({**settings, "app": f"{sys.executable} {ROOT / 'cdk' / 'app.py'}"}))
    if (ROOT / "node_modules").is_dir():
        (project / "node_modules").symlink_to(ROOT / "node_modules", target_is_directory=True)
    with EmulatedAws.start() as aws:
        tool = cdk_tool(project)
        environment = {**os.environ, **aws.environment, "PATH": tool.path, "CDK_DISABLE_CLI_TELEMETRY": "1"}
        command = [*tool.command, "bootstrap", f"aws://{aws.account}/{aws.region}", "--no-notices"]
        subprocess.run(command, cwd=aws_free(tmp_path_factory), env=environment, check=True, capture_output=True)
        yield Stage(project, aws)


def aws_free(factory: pytest.TempPathFactory) -> Path:
    """A folder without an app, which bootstrapping would run."""
    return factory.mktemp("bootstrap")


@dataclass(frozen=True)
class Releases:
    """Two that answer alike from different bytes, and one that doesn't answer as its golden rows say."""

    first: Release
    second: Release
    differing: Release


def test_a_stage_from_its_first_deployment_to_its_end(stage: Stage) -> None:
    releases = Releases(
        first=write_release(stage.project, "first"),
        second=write_release(stage.project, "second"),
        differing=write_release(stage.project, "differing", limit=500.0),
    )
    function = deploy_first(stage, releases)
    call(stage)
    update(stage, releases)
    go_back(stage, releases)
    refuse(stage, releases)
    prune(stage, function)
    destroy(stage)


def deploy_first(stage: Stage, releases: Releases) -> str:
    stage.lock(releases.first)
    assert "There is no stack planes" in stage.run("status", code=1)
    asked = stage.run("deploy", code=1)
    assert "permissions" in asked
    assert "--yes" in asked
    stage.settings.update(TEMPLATE_CHECKED)
    assert [each["StackName"] for each in stage.clients("cloudformation").describe_stacks()["Stacks"]] == ["CDKToolkit"]
    deployed = stage.json("deploy", "--yes", "--traffic", "2000000")
    assert deployed["outputs"]["ReleaseVersion"] == releases.first.version
    assert deployed["cost"]["dollars_a_month"] > 5
    assert any("lambda:UpdateAlias" in grant for grant in deployed["permissions_added"])
    before = stage.updated
    assert stage.json("deploy")["unchanged"]
    assert stage.updated == before
    return str(deployed["outputs"]["FunctionName"])


def call(stage: Stage) -> None:
    front = front_of(stage.clients, stage.aws.credentials, NAME)
    try:
        answer = json.loads(stage.run("call", "--url", front.url))
        assert answer["predictions"] == ["on time"]
        answer = json.loads(stage.run("call", "--url", front.url, "--data", '{"distance": 2000}'))
        assert answer["predictions"] == ["late"]
    finally:
        front.close()


def update(stage: Stage, releases: Releases) -> None:
    """A new release widens nothing, hence asks nothing."""
    stage.lock(releases.second)
    updated = stage.json("deploy")
    assert updated["permissions_added"] == []
    assert "add" in {change["kind"] for change in updated["changes"] if change["type"] == "AWS::Lambda::Version"}
    assert stage.live == "2"
    status = stage.json("status")
    assert (status["live"]["release"], status["previous"]["release"]) == (
        releases.second.version,
        releases.first.version,
    )
    assert status["traffic"] == {"2": 1.0}
    assert status["deployment"]["status"] == "Succeeded"
    assert status["findings"] == []


def go_back(stage: Stage, releases: Releases) -> None:
    """At once, and then through CloudFormation, whose books need to be set right first."""
    assert "version 1" in stage.run("rollback", "--now", "--yes")
    assert stage.live == "1"
    assert any("moved by hand" in finding for finding in stage.json("status")["findings"])
    back = stage.json("rollback", "--yes")
    assert back["alias_moved_by_hand"]
    assert back["shift"] == "AllAtOnce"
    status = stage.json("status")
    assert status["live"]["release"] == releases.first.version
    assert status["findings"] == []


def refuse(stage: Stage, releases: Releases) -> None:
    stage.lock(releases.differing)
    live = stage.live
    refused = stage.run("deploy", code=1)
    assert "The hook refused the release" in refused
    assert "The worst is row 2" in refused
    assert stage.live == live
    assert any("undone" in finding for finding in stage.json("status")["findings"])


def prune(stage: Stage, function: str) -> None:
    pruned = stage.json("prune", "--keep", "1", "--yes")
    assert pruned["deleted"]
    assert int(stage.live) in pruned["kept"]
    left = stage.clients("lambda").list_versions_by_function(FunctionName=function)["Versions"]
    assert {each["Version"] for each in left} == {"$LATEST", *map(str, pruned["kept"])}


def destroy(stage: Stage) -> None:
    kept = stage.json("destroy", "--yes")["left"]
    groups = {each["logGroupName"] for each in stage.clients("logs").describe_log_groups()["logGroups"]}
    named = {each["id"] for each in kept if each["type"] == "AWS::Logs::LogGroup"}
    assert named
    assert named <= groups
    assert "There is no stack planes" in stage.run("status", code=1)


def test_ctrl_c_takes_a_first_deployment_back_whole(stage: Stage) -> None:
    # Without the gate's wait, a quick machine has deployed all of it before the first line is read.
    stage.lock(write_release(stage.project, "interrupted", start_s=8))
    stage.settings.update(TEMPLATE_CHECKED)
    groups = {each["logGroupName"] for each in stage.clients("logs").describe_log_groups()["logGroups"]}
    told = []
    with stage.start("deploy", "--yes") as process:
        assert process.stderr is not None
        for line in process.stderr:
            told.append(line)
            if line.startswith("5 of "):
                process.send_signal(signal.SIGINT)
    assert process.returncode == 130, "".join(told)
    assert "what was begun is removed" in "".join(told)
    assert [each["StackName"] for each in stage.clients("cloudformation").describe_stacks()["Stacks"]] == ["CDKToolkit"]
    assert {each["logGroupName"] for each in stage.clients("logs").describe_log_groups()["logGroups"]} == groups


def test_a_release_travels_through_s3(stage: Stage, tmp_path: Path) -> None:
    release = write_release(tmp_path, "shelved")
    stage.clients("s3").create_bucket(Bucket="shelf")
    folder = tmp_path / "dist" / NAME / release.version
    assert stage.json("push", str(folder), "s3://shelf/releases")["uploaded"]
    assert not stage.json("push", str(folder), "s3://shelf/releases")["uploaded"]
    pulled = stage.json("pull", "s3://shelf/releases", "--version", release.version[:6], "--out", str(tmp_path / "out"))
    assert Release.read(Path(pulled["release"])) == Release.read(folder)
