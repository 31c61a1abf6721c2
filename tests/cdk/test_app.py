"""`cdk synth` itself, as a user types it."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lightship_cdk import PackagedRelease

ROOT = Path(__file__).parents[2]
TOML = '[model]\nname = "flights"\n[stages.dev.endpoint]\nauth = "iam"\n[stages.prod.endpoint]\nmemory = 2048\n'


def cdk(project: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the pinned command line in a project that has its own cdk.json."""
    command = ROOT / "node_modules" / ".bin" / "cdk"
    if not command.is_file():
        pytest.fail("node_modules is missing; `make setup` installs the CDK's command line")
    kept = {key: value for key, value in os.environ.items() if not key.startswith("AWS_") and key != "CDK_VALIDATION"}
    environment = {**kept, "CDK_DISABLE_CLI_TELEMETRY": "1", "AWS_EC2_METADATA_DISABLED": "true", "CI": "true"}
    return subprocess.run(
        [str(command), *arguments, "--no-notices"],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    document = json.loads((ROOT / "cdk.json").read_text())
    assert document["app"] == ".venv/bin/python cdk/app.py"
    document["app"] = f"{ROOT / '.venv/bin/python'} {ROOT / 'cdk/app.py'}"
    (tmp_path / "cdk.json").write_text(json.dumps(document))
    (tmp_path / "lightship.toml").write_text(TOML)
    return tmp_path


def put_release(project: Path, made: Path) -> None:
    manifest = PackagedRelease.open(made).manifest
    place = project / "dist" / manifest.name / manifest.version
    place.parent.mkdir(parents=True)
    place.symlink_to(made)
    lock = {"schema": 1, "name": manifest.name, "version": manifest.version, "digest": manifest.digest}
    (project / "lightship.lock").write_text(json.dumps(lock))


@pytest.mark.slow
def test_synth_makes_a_stack_for_each_stage_and_writes_nowhere_else(project: Path, release_folder: Path) -> None:
    put_release(project, release_folder)
    before = {path for path in project.rglob("*") if path.is_file()}
    run = cdk(project, "synth", "--quiet")
    assert run.returncode == 0, run.stderr
    written = {path for path in project.rglob("*") if path.is_file()} - before
    assert {path.relative_to(project).parts[0] for path in written} == {"cdk.out"}
    templates = {path.name: json.loads(path.read_text()) for path in (project / "cdk.out").glob("*.template.json")}
    assert set(templates) == {"flights-dev.template.json", "flights-prod.template.json"}
    assert memory(templates["flights-prod.template.json"]) == 2048
    assert memory(templates["flights-dev.template.json"]) == 512


@pytest.mark.slow
def test_without_a_release_synth_says_what_to_run_and_no_more(project: Path) -> None:
    run = cdk(project, "synth", "--quiet", "-c", "stage=dev")
    assert run.returncode == 1
    assert "lightship: There is no lightship.lock" in run.stderr
    assert "`lightship package`" in run.stderr
    assert "Traceback" not in run.stderr
    assert "jsii" not in run.stderr.replace("JSII_", "")


def memory(template: dict[str, Any]) -> int:
    (found,) = [
        each["Properties"]["MemorySize"]
        for name, each in template["Resources"].items()
        if each["Type"] == "AWS::Lambda::Function" and "Predict" in name
    ]
    return found  # type: ignore[no-any-return]
