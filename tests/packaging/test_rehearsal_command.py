"""`lightship rehearse` end to end: the real CDK command line, a real app, real processes."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

from lightship.lockfile import Lock
from lightship.rehearsal.workspace import workspace_of
from lightship_runtime.contract import Column, Contract, Output
from lightship_runtime.errors import LightshipError
from lightship_runtime.golden import Golden, read_golden
from lightship_runtime.manifest import (
    CONTRACT,
    GOLDEN,
    MANIFEST,
    Artifact,
    Engines,
    Proof,
    Release,
    Target,
    file_digest,
)

REPOSITORY = Path(__file__).parents[2]
MODEL = Contract(columns=(Column("x", "number", "float64"),), output=Output("regression"))
ROWS = Golden(((1.0,), (2.5,), (-3.0,)), (3.0, 6.0, -5.0), None, None, 3)
HANDLER = """
import json

def predict(rows):
    return {"predictions": [2 * row["x"] + 1 for row in rows]}

def handler(event, context):
    if "lightship" in event:
        return predict(event["lightship"]["replay"])
    body = predict(json.loads(event["body"])["instances"]) if event.get("body") else {"status": "ok"}
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": json.dumps(body)}
"""


BATCH = """
[model]
name = "signs"
[endpoint]
hook_latency_ms = 20000  # whatever else this machine does
[batch]
schedule = "cron(0 3 * * ? *)"
timezone = "Europe/Berlin"
input = "s3://rehearsed/in/"
output = "s3://rehearsed/scored/"
key = ["id"]
format = "csv"
input_format = "csv"
delimiter = ";"
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the repository's own app and a release of a model that is a line."""
    folder = tmp_path_factory.mktemp("project")
    release = write_release(folder / "dist" / "line" / "0123456789abcdef")
    write_project(folder, release, '[model]\nname = "line"\n[endpoint]\nauth = "iam"\n')
    return folder


def write_project(folder: Path, release: Release, toml: str) -> None:
    Lock.of(release, {}).write(folder / "lightship.lock")
    (folder / "lightship.toml").write_text(toml)
    settings = json.loads((REPOSITORY / "cdk.json").read_text())
    settings["app"] = f"{sys.executable} {REPOSITORY / 'cdk' / 'app.py'}"
    (folder / "cdk.json").write_text(json.dumps(settings))
    if (REPOSITORY / "node_modules").is_dir():
        (folder / "node_modules").symlink_to(REPOSITORY / "node_modules")


def write_release(folder: Path) -> Release:
    folder.mkdir(parents=True)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("app.py")
        info.external_attr = 0o644 << 16
        archive.writestr(info, HANDLER)
    files = {"realtime.zip": buffer.getvalue(), CONTRACT: MODEL.to_json(), GOLDEN: ROWS.to_bytes()}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    digests = {name: file_digest(folder / name) for name in files}
    size = len(files["realtime.zip"])
    release = Release(
        name="line",
        version=folder.name,
        lightship="0.1.0",
        target=Target("3.13", "x86_64", "2_34"),
        engine=Engines("pure", "pure"),
        artifacts={"realtime": Artifact("realtime.zip", "app.handler", digests["realtime.zip"], size, len(HANDLER))},
        files=digests,
        proof=Proof("exact", 3, 1e-9, 0.0, 0, 0, 30.0, 1.0, 0.2, 0.3, 16.0),
    )
    (folder / MANIFEST).write_bytes(release.to_json())
    return release


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from lightship.cli.rehearse import rehearse_command as c; c()", *arguments]


def test_a_workspace_shows_the_project_and_leaves_it_alone(project: Path) -> None:
    before = sorted(path.name for path in project.iterdir())
    lock = (project / "lightship.lock").read_bytes()
    with workspace_of(project) as workspace:
        release = workspace.lock(project / "dist" / "line" / "0123456789abcdef")
        assert (workspace.folder / "lightship.toml").samefile(project / "lightship.toml")
        assert (workspace.folder / "dist" / "line" / release.version / MANIFEST).is_file()
        shutil.rmtree(workspace.folder / "dist")
    assert not workspace.folder.exists()
    assert sorted(path.name for path in project.iterdir()) == before
    assert (project / "lightship.lock").read_bytes() == lock


def test_a_project_without_an_app_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(LightshipError, match="lightship init"), workspace_of(tmp_path):
        pass


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_whole_rehearsal(signs: Any, tmp_path: Path) -> None:
    write_project(tmp_path, Release.read(signs.release), BATCH)
    arguments = ("--project", str(tmp_path), "--release", str(signs.release), "--json")
    done = subprocess.run(command(*arguments), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:] + done.stdout[-2000:]
    told = json.loads(done.stdout)
    results = {step["name"]: step["result"] for step in told["steps"]}
    assert "checks read back" in results["first deployment"]
    assert "live version 2" in results["update with a good release"]
    refused = results["update with a release whose predictions differ"]
    assert refused.startswith("refused, live version stays 2")
    assert "row 0" in refused
    rows = len(read_golden(signs.release / GOLDEN).rows)
    assert f"{rows} golden rows agree" in results["calls"]
    assert "2 runs, each of what was new, the second failed and redriven; " in results["batch"]
    assert f"{rows} rows in: {rows} scored, 0 rejected" in results["batch"]
    assert "a time delivered twice changed nothing" in results["batch"]
    assert "labels without iam: 403; 600 labels accepted; the hourly run judged" in results["monitoring"]
    assert 'the page, then "PAGE ' in results["an alarm, set off by hand"]
    assert told["not_proven"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_kept_rehearsal_can_be_used_and_ends_with_its_signal(project: Path, tmp_path: Path) -> None:
    # The whole rehearsal has the CDK check its template, which takes seconds.
    environment = {**os.environ, "TMPDIR": str(tmp_path), "CDK_VALIDATION": "false"}
    with subprocess.Popen(
        command("--project", str(project), "--keep", "--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdout
        told: dict[str, Any] = json.loads(process.stdout.readline())
        assert {"endpoint_url", "api_url", "stack"} <= told.keys()
        assert httpx.post(f"{told['api_url']}/predict", json={}, trust_env=False).status_code == 403
        shown = httpx.get(f"{told['dashboard_url']}/data", trust_env=False, timeout=30).json()
        assert [refusal[1] for refusal in shown["refusals"]] == [403]
        assert {alarm["state"] for alarm in shown["alarms"]} == {"OK"}
        client = boto3.client(
            "cloudformation",
            endpoint_url=told["endpoint_url"],
            region_name=told["region"],
            aws_access_key_id=told["access_key_id"],
            aws_secret_access_key=told["secret_access_key"],
        )
        stacks = {stack["StackName"]: stack["StackStatus"] for stack in client.describe_stacks()["Stacks"]}
        assert stacks[told["stack"]] == "CREATE_COMPLETE"
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(told["endpoint_url"], trust_env=False)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("lightship-")] == []
