"""Incidents as files, what they are laid out into, and how what they fire is judged."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightship.drill.cloudwatch.series import MetricId, statistic
from lightship.drill.cloudwatch.template import stack_of
from lightship.drill.deployment import Deployment, deployment_of
from lightship.drill.incident import KINDS, Change, Incident, IncidentError, built_in, parse_incident, read_incident
from lightship.drill.ledger import Ledger
from lightship.drill.mutations import is_noticed, mutations_of
from lightship.drill.outcome import Outcome, judge
from lightship.drill.report import Report
from lightship.drill.rows import applies, changed
from lightship.drill.timeline import Timeline
from lightship_runtime.contract import Column, Contract, Output
from lightship_runtime.errors import LightshipError

ERRORS = MetricId.of("Test", "Errors", {"Service": "s"})
QUIET = MetricId.of("Test", "Runs", {"Service": "s"})
CONTRACT = Contract(
    columns=(
        Column("carrier", "category", "object", categories=("AA", "UA")),
        Column("distance", "number", "float64", nullable=True),
        Column("hour", "integer", "int64"),
    ),
    output=Output("binary", classes=("late", "on time"), probabilities=True),
)
ROWS = [{"carrier": "AA", "distance": float(place), "hour": place} for place in range(4)]


def _alarm(metric: MetricId, topic: str | None, **properties: Any) -> dict[str, Any]:
    given = {
        "ComparisonOperator": "GreaterThanThreshold",
        "Dimensions": [{"Name": key, "Value": value} for key, value in metric.dimensions],
        "EvaluationPeriods": 1,
        "MetricName": metric.name,
        "Namespace": metric.namespace,
        "Period": 60,
        "Statistic": "Sum",
        "Threshold": 2,
        "TreatMissingData": "notBreaching",
        **({"AlarmActions": [{"Ref": topic}], "OKActions": [{"Ref": topic}]} if topic else {}),
        **properties,
    }
    return {"Type": "AWS::CloudWatch::Alarm", "Properties": given}


@pytest.fixture
def deployment() -> Deployment:
    """Two alarms, one of which only speaks through a composite."""
    sounds = {"Fn::Join": ["", ['ALARM("', {"Fn::GetAtt": ["Part", "Arn"]}, '")']]}
    composite = {"AlarmName": "s-down", "AlarmRule": sounds, "AlarmActions": [{"Ref": "Pages"}]}
    template = {
        "Resources": {
            "Pages": {"Type": "AWS::SNS::Topic"},
            "Tickets": {"Type": "AWS::SNS::Topic"},
            "Part": _alarm(ERRORS, None, AlarmName="s-errors"),
            "Silent": _alarm(
                QUIET, "Tickets", AlarmName="s-silent", ComparisonOperator="LessThanThreshold", Threshold=1,
                Period=3600, EvaluationPeriods=2, TreatMissingData="breaching",
            ),
            "Down": {"Type": "AWS::CloudWatch::CompositeAlarm", "Properties": composite},
        },
        "Outputs": {"PagesTopic": {"Value": {"Ref": "Pages"}}, "TicketsTopic": {"Value": {"Ref": "Tickets"}}},
    }  # fmt: skip
    return deployment_of(stack_of(template), "s", "model")


def _incident(must: str = '"down", "errors"', more: str = "") -> Incident:
    return parse_incident("i", f'must_fire = [{must}]\n{more}\n[[change]]\nkind = "model-raises"\n')


def _judge(deployment: Deployment, incident: Incident, *, wrong: float, runs: bool = True) -> tuple[Outcome, Any]:
    timeline = Timeline.of(incident, deployment.reach_minutes)
    ledger = Ledger(timeline.minutes)
    ledger.gauge(ERRORS, np.where(timeline.during(incident.changes[0]), wrong, 0.0))
    for minute in range(5, timeline.minutes if runs else timeline.lead, 60):
        ledger.add(QUIET, minute, 1.0)
    metrics = ledger.series()
    return judge(timeline, deployment, metrics), (timeline, metrics)


def test_what_must_fire_fires_and_what_must_not_stays_silent(deployment: Deployment) -> None:
    outcome, _ = _judge(deployment, _incident(more="pages = 1"), wrong=3.0)
    assert outcome.passed
    assert [(each.title, each.seconds, each.told) for each in outcome.fired] == [
        ("errors", 60, ()),
        ("down", 60, ("pages",)),
    ]
    assert (outcome.silent, outcome.pages) == (("silent",), 1)


@pytest.mark.parametrize(
    ("must", "more", "wrong", "runs", "failed"),
    [
        ('"down", "errors"', "", 2.0, True, ["down stayed silent", "errors stayed silent"]),
        ('"errors"', "", 3.0, True, ["down sounded, though the incident doesn't allow it"]),
        ('"down"', 'may_fire = ["errors"]\npages = 0', 3.0, True, ["1 pages for one incident, over 0"]),
        (
            '"down", "errors"',
            "lasts_minutes = 360",
            3.0,
            False,
            ["silent sounded, though the incident doesn't allow it"],
        ),
    ],
)
def test_anything_else_fails_the_drill(
    deployment: Deployment, must: str, more: str, wrong: float, runs: bool, failed: list[str]
) -> None:
    outcome, _ = _judge(deployment, _incident(must, more), wrong=wrong, runs=runs)
    report = Report(deployment, {"i": outcome}, (), (), whole=False)
    assert list(report.failed) == [f"i: {line}" for line in failed]


def test_a_report_names_the_alarms_that_no_drill_fires(deployment: Deployment) -> None:
    outcome, _ = _judge(deployment, _incident(), wrong=3.0)
    document = Report(deployment, {"i": outcome}, (), (), whole=True).to_dict()
    assert document["alarms"]["s-down"]["fired_by"] == ["i"]
    assert document["alarms"]["s-down"]["seconds_to_fire"] == 60
    assert (document["healthy"]["fired"], document["passed"]) == ([], False)
    assert document["failed"] == ["s-silent is fired by no drill"]


def test_every_way_to_break_an_alarm_is_noticed(deployment: Deployment) -> None:
    fires, first = _judge(deployment, _incident(), wrong=3.0)
    stops, second = _judge(deployment, _incident('"silent"', "lasts_minutes = 360"), wrong=0.0, runs=False)
    assert fires.passed
    assert stops.passed
    outcomes, replayed = {"fires": fires, "stops": stops}, {"fires": first, "stops": second}
    found = {
        (alarm.name, each.what): is_noticed(each, deployment, replayed, outcomes)
        for alarm in deployment.stack.alarms
        for each in mutations_of(alarm)
    }
    assert not [mutation for mutation, noticed in found.items() if not noticed]
    assert {name for name, _ in found} == {"s-errors", "s-silent", "s-down"}


def test_the_incidents_that_come_with_it_are_whole() -> None:
    known = built_in()
    assert len(known) > 20
    for incident in known:
        assert incident.title != incident.name
        assert not set(incident.must_fire) & set(incident.may_fire), incident.name
    # One at least of each kind of change there is.
    assert {change.kind for incident in known for change in incident.changes} == set(KINDS)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "changes nothing"),
        ("[[change]", "isn't valid TOML"),
        ('[[change]]\nkind = "model-rises"', "Did you mean 'model-raises'"),
        ('[[change]]\nkind = "slow"\nobjective = 2', "Did you mean 'objectives'"),
        ('must_fires = []\n[[change]]\nkind = "slow"', "Did you mean 'must_fire'"),
        ('must_fire = "x"\n[[change]]\nkind = "slow"', "write a list"),
        ('[[change]]\nkind = "slow"\nshare = 2', "lies in 0 to 1"),
        ('lasts_minutes = "long"\n[[change]]\nkind = "slow"', "write a number"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_by_its_key(tmp_path: Path, text: str, said: str) -> None:
    place = tmp_path / "mine.toml"
    place.write_text(text)
    with pytest.raises(IncidentError, match=said):
        read_incident(place)


def test_a_stack_of_another_service_is_refused(deployment: Deployment) -> None:
    with pytest.raises(LightshipError, match="named other-"):
        deployment_of(deployment.stack, "other", "model")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (Change("nulls"), {"carrier": "AA", "distance": None, "hour": 3}),
        (Change("nulls", options={"columns": ["hour"]}), {"carrier": "AA", "distance": 3.0, "hour": None}),
        (Change("new-category"), {"carrier": "introduced by the drill", "distance": 3.0, "hour": 3}),
        # Deviations of 0, 1, 2 and 3 are sqrt(1.25); half way through two hours' drift of two of them.
        (
            Change("drift", options={"deviations": 2.0, "over_hours": 2}),
            {"carrier": "AA", "distance": 3.0 + 1.25**0.5, "hour": 4},
        ),
        (Change("callers", options={"kept": 0.25}), {"carrier": "AA", "distance": 2.0, "hour": 2}),
    ],
)
def test_rows_are_changed_as_the_incident_says(change: Change, expected: dict[str, Any]) -> None:
    assert changed(ROWS, change, CONTRACT, hours=1.0, sure=[0.9, 0.8, 0.6, 0.7])[3] == expected


def test_without_numbers_drift_narrows_the_rows() -> None:
    rows = [{"carrier": each} for each in "DACB"]
    contract = Contract(columns=CONTRACT.columns[:1], output=CONTRACT.output)
    change = Change("drift", options={"over_hours": 4})
    found = [[row["carrier"] for row in changed(rows, change, contract, hours=hours)] for hours in (0.0, 2.0, 4.0)]
    assert found == [["D", "A", "C", "B"], ["A", "B", "C", "B"], ["A", "B", "A", "B"]]
    assert applies(Change("new-category"), contract)
    assert not applies(Change("new-category"), Contract(columns=CONTRACT.columns[1:], output=CONTRACT.output))


def test_an_alarm_that_cannot_sound_is_excused(deployment: Deployment) -> None:
    outcome, _ = _judge(deployment, _incident(), wrong=3.0)
    excused = Report(deployment, {"i": outcome}, (), (), whole=True, unprovable={"silent": "there are no runs"})
    assert not excused.failed
    assert excused.to_dict()["unprovable"] == {"silent": "there are no runs"}


def test_single_samples_and_tables_add_up() -> None:
    ledger = Ledger(3, wanted={ERRORS})
    ledger.add(ERRORS, 1, 4.0, count=2)
    ledger.add(ERRORS, 7, 4.0)
    ledger.add(QUIET, 1, 4.0)
    ledger.spread({ERRORS: np.array([1.0, np.nan])}, np.array([[0.0, 5.0], [3.0, 5.0], [1.0, 0.0]]))
    assert list(ledger.series()) == [ERRORS]
    found = ledger.series()[ERRORS]
    assert statistic(found, "Sum", 60)[1:].tolist() == [11.0, 1.0]
    assert np.isnan(statistic(found, "Sum", 60)[0])
    assert statistic(found, "SampleCount", 180)[2] == 6.0
