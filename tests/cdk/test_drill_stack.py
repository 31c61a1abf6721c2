"""Drills over the synthesised stack, with functions that are booted for real."""

import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from lightship.assembly import runtime_files
from lightship.compile import compile_model
from lightship.config import Config, ModelConfig
from lightship.drill.cloudwatch.template import Stack, stack_of
from lightship.drill.healthy import ERROR_SHARE_OF_BUDGET, healthy_month
from lightship.drill.incident import built_in
from lightship.drill.mutations import is_noticed, mutations_of
from lightship.drill.rehearsed import DrillFailedError, drill_deployed, in_words
from lightship.drill.report import Report
from lightship.drill.run import Drilled, drilled
from lightship.drill.text import told
from lightship_runtime.contract import Contract
from lightship_runtime.loader import CONTRACT, MODEL, model_document
from lightship_runtime.manifest import MANIFEST, Release, file_digest

INCIDENTS = {each.name: each for each in built_in()}
OF_REQUESTS = (
    "model-raises",
    "model-raises-some",
    "function-dies",
    "throttled",
    "bad-callers",
    "traffic-stops",
    "traffic-tenfold",
    "nulls",
)


def _rows(count: int) -> tuple[pd.DataFrame, Any]:
    random = np.random.default_rng(0)
    rows = pd.DataFrame({"distance": random.normal(700, 300, count), "carrier": random.choice(["AA", "UA"], count)})
    late = rows["distance"] / 300 + (rows["carrier"] == "UA") + random.normal(size=count) > 3
    return rows, np.where(late, "late", "on time")


def _model(rows: pd.DataFrame, labels: Any) -> Pipeline:
    columns = make_column_transformer(
        (StandardScaler(), ["distance"]), (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["carrier"])
    )
    return make_pipeline(columns, LogisticRegression()).fit(rows, labels)


def _of_endpoint(made: Any) -> Stack:
    """The stack without the alarm that is right about these releases: they have no monitor that runs."""
    stack = stack_of(made.template)
    return replace(stack, alarms=tuple(each for each in stack.alarms if each.name != "flights-monitor-silent"))


@pytest.fixture(scope="module")
def bootable(closed: Any, release_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stack's release, with a realtime.zip that answers: a compiled model in the runtime that ships."""
    folder, files = tmp_path_factory.mktemp("bootable"), tmp_path_factory.mktemp("compiled")
    release = Release.read(release_folder)
    contract = Contract.from_json((release_folder / CONTRACT).read_bytes())
    compile_model(_model(*_rows(400)), contract, files)
    (files / CONTRACT).write_bytes(contract.to_json())
    (files / MODEL).write_bytes(model_document(name=release.name, version=release.version, engine="pure"))
    for name in release.files:
        (folder / name).write_bytes((release_folder / name).read_bytes())
    with zipfile.ZipFile(folder / "realtime.zip", "w") as archive:
        for name, path in runtime_files("pure").items():
            archive.write(path, name)
        for path in files.iterdir():
            archive.write(path, f"model/{path.name}")
    digest = file_digest(folder / "realtime.zip")
    handler = "lightship_runtime.realtime.handler"
    artifact = replace(release.artifacts["realtime"], handler=handler, sha256=digest)
    target = replace(release.target, python=f"{sys.version_info.major}.{sys.version_info.minor}")
    files_now = {**release.files, "realtime.zip": digest}
    manifest = replace(release, artifacts={"realtime": artifact}, target=target, files=files_now)
    (folder / MANIFEST).write_bytes(manifest.to_json())
    assert closed.template["Outputs"]["ReleaseVersion"]["Value"] == release.version
    return folder


@pytest.fixture(scope="module")
def running(closed: Any, bootable: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drilled]:
    config = Config(model=ModelConfig(name="flights"), folder=tmp_path_factory.mktemp("project"))
    with drilled(_of_endpoint(closed), config, bootable, closed.folder) as world:
        for name in OF_REQUESTS:
            world.drill(INCIDENTS[name])
        yield world


@pytest.mark.parametrize("name", [name for name in OF_REQUESTS if name != "nulls"])
def test_an_incident_fires_what_it_must_and_nothing_else(running: Drilled, name: str) -> None:
    outcome = running.outcomes[name]
    assert outcome.passed, (outcome.missing, outcome.unexpected, outcome.pages, outcome.lacking)
    assert {each.title for each in outcome.fired} >= set(outcome.incident.must_fire)


def test_a_tenth_failing_is_one_page_within_ten_minutes_and_says_what_to_do(running: Drilled) -> None:
    outcome = running.outcomes["model-raises"]
    (page,) = [each for each in outcome.messages if each.to == "pages" and each.subject.startswith("PAGE")]
    assert page.seconds <= 600
    assert page.subject.startswith("PAGE flights")
    assert "lightship rollback --now --to 1" in page.text
    assert outcome.executed[0].startswith("57 answers by realtime.zip")


def test_a_report_is_a_timeline_for_people(running: Drilled) -> None:
    outcomes = {name: running.outcomes[name] for name in ("throttled", "traffic-stops")}
    short, whole = (
        "\n".join(told(Report(running.world.deployment, outcomes, (), (), whole=False), messages=messages))
        for messages in (False, True)
    )
    assert "ok      throttled: Lambda turns a quarter of the invocations away" in short
    assert "        +00:00:00    it begins" in short
    assert "endpoint-down sounds, told to pages" in short
    assert "to tickets: TICKET flights: traffic-stopped" in short
    assert "Undo" not in short
    assert "lightship rollback --now --to 1" in whole
    assert "silent, as they should be" in short


def test_an_api_with_keys_is_drilled_alike(by_auth: Callable[[str], Any], bootable: Path, tmp_path: Path) -> None:
    made = by_auth("api_key")
    config = Config(model=ModelConfig(name="flights"), folder=tmp_path)
    with drilled(_of_endpoint(made), config, bootable, made.folder) as world:
        outcome = world.drill(INCIDENTS["traffic-tenfold"])
    assert outcome.passed
    assert in_words([outcome]) == "traffic-tenfold: 1 alarms, no page"


def test_a_rehearsal_ends_where_an_alarm_sounds_that_must_not(closed: Any, bootable: Path, tmp_path: Path) -> None:
    config = Config(model=ModelConfig(name="flights"), folder=tmp_path)
    with pytest.raises(DrillFailedError, match="monitor-silent sounded"):
        drill_deployed(closed.template, config, bootable, closed.folder, ("traffic-tenfold-harmless",))


def test_nulls_are_refused_by_the_real_function(running: Drilled) -> None:
    # The contract of this release has no nullable column, so that nulls are 422 and not a matter of drift.
    assert [each.title for each in running.outcomes["nulls"].fired] == ["api-4xx"]


def test_breaking_an_alarm_of_requests_is_noticed(running: Drilled) -> None:
    deployment = running.world.deployment
    proved = {each.title for name in OF_REQUESTS for each in running.outcomes[name].fired}
    wanted = {title for name in OF_REQUESTS for title in INCIDENTS[name].must_fire} & proved
    missed = [
        (alarm.name, mutation.what)
        for alarm in deployment.stack.alarms
        if deployment.title(alarm.name) in wanted
        for mutation in mutations_of(alarm)
        if not is_noticed(mutation, deployment, running.replayed, running.outcomes)
    ]
    assert not missed


def test_a_healthy_month_fires_nothing(running: Drilled) -> None:
    month = healthy_month(running.world, 1000, availability=0.999, budget=ERROR_SHARE_OF_BUDGET)
    assert (month.fired, month.pages) == ((), 0)
    assert month.requests > 500_000
    assert month.failed > 100


@pytest.mark.slow
def test_every_alarm_of_a_whole_service_is_proved_and_every_mutation_noticed(
    synthesise: Callable[..., Any], tmp_path: Path
) -> None:
    from lightship import package
    from lightship_cdk import BatchSettings, ComparisonSettings, ServiceSettings

    rows, labels = _rows(4000)
    built = package(_model(rows, labels), sample=rows, labels=pd.Series(labels), out=tmp_path / "out", name="flights")
    batch = BatchSettings(
        schedule="cron(0 3 * * ? *)", input="s3://flights-in/new/", output="s3://flights-out/scores/", key=("id",)
    )
    settings = ServiceSettings(batch=batch, comparison=ComparisonSettings(share=0.1))
    made = synthesise(settings, release=built.path)
    config = Config(model=ModelConfig(name="flights"), folder=tmp_path)
    with drilled(stack_of(made.template), config, built.path, made.folder) as running:
        for incident in INCIDENTS.values():
            running.drill(incident)
        deployment = running.world.deployment
        report = Report(deployment, running.outcomes, (), (), whole=True)
        assert not report.failed
        missed = [
            (alarm.name, mutation.what)
            for alarm in deployment.stack.alarms
            for mutation in mutations_of(alarm)
            if not is_noticed(mutation, deployment, running.replayed, running.outcomes)
        ]
    assert not missed
