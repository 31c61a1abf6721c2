"""Which alarms there are follows from what there is, and their numbers from what was promised."""

from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import pytest

from lightship_cdk import Alarms, Notifications, Objectives, Watched, WatchedBatch, create_custody
from lightship_cdk.settings import ComparisonSettings, CustodySettings, FunctionSettings, ServiceSettings
from lightship_cdk.watched import objective_percents

RUNBOOKS = "https://example.com/flights/runbooks/"


@pytest.fixture(scope="module")
def chosen(synthesise: Callable[..., Any]) -> Any:
    """A stack with other settings than the default wherever they matter to alarms."""
    return synthesise(
        ServiceSettings(
            stage="prod",
            function=FunctionSettings(reserved_concurrency=20, timeout_s=4),
            comparison=ComparisonSettings(share=0.1, limit=0.02),
            objectives=Objectives(availability=0.95, latency_ms=250, quiet_hours=0),
            monitoring=None,
            runbooks=RUNBOOKS,
        )
    )


def alarms(stack: Any) -> dict[str, dict[str, Any]]:
    found = {}
    for kind in ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"):
        for each in stack.of_type(kind).values():
            name = each["Properties"]["AlarmName"]
            name = name if isinstance(name, str) else name["Fn::Join"][1][0].removesuffix("-v")
            found[name.removeprefix("flights-")] = each["Properties"]
    return found


def test_what_isnt_there_isnt_watched(chosen: Any) -> None:
    found = alarms(chosen)
    assert not {"traffic-stopped", "monitor-silent", "drift", "model-wrong", "feedback-errors", "batch-down"} & set(
        found
    )
    assert {"uncompared-samples", "new-version-disagreement", "notifier-errors", "endpoint-down"} <= set(found)


def test_numbers_follow_what_was_promised(chosen: Any) -> None:
    found = alarms(chosen)
    assert found["availability-fast-1h"]["Threshold"] == 50  # 14.4 times 5% is more than anybody puts up with
    assert found["availability-slow-6h"]["Threshold"] == 25
    assert found["api-5xx"]["Threshold"] == 50
    assert found["new-version-latency"]["Threshold"] == 250
    assert found["function-near-timeout"]["Threshold"] == 2000
    assert found["new-version-disagreement"]["Threshold"] == 2
    assert "PR(:250)" in str(found["latency-fast-5m"]["Metrics"])


def test_reserved_concurrency_is_the_functions_own_quota(chosen: Any, closed: Any) -> None:
    used = str(alarms(chosen)["concurrency-near-quota"]["Metrics"])
    assert "100 * used / 20" in used
    assert "FunctionName" in used
    account = str(alarms(closed)["concurrency-near-quota"]["Metrics"])
    assert "100 * used / SERVICE_QUOTA(used)" in account
    assert "Dimensions" not in account


def test_runbooks_elsewhere_are_linked_to_and_not_made_again(chosen: Any) -> None:
    (board,) = chosen.of_type("AWS::CloudWatch::Dashboard").values()
    assert board["Properties"]["DashboardName"] == "flights"
    for title, page in (
        ("endpoint-down", "endpoint-down"),
        ("api-5xx", "endpoint-down"),
        ("cold-starts", "cold-starts"),
    ):
        assert f"Runbook: {RUNBOOKS}{page}.md\n" in str(alarms(chosen)[title]["AlarmDescription"]).replace("\\n", "\n")
    assert "lightship rollback --stage prod" in str(alarms(chosen)["cold-starts"]["AlarmDescription"])


def test_batches_can_be_watched_alone() -> None:
    stack = cdk.Stack(cdk.App(), "nightly")
    custody = create_custody(stack, CustodySettings())
    told = Notifications(stack, "Notifications", service="nightly", custody=custody)
    watched = Watched(
        service="nightly",
        model="flights",
        stage="prod",
        notifications=told,
        batch=WatchedBatch("arn:aws:states:eu-central-1:123456789012:stateMachine:nightly", None, 0.04),
        queues={"batch": "nightly-failures"},
    )
    made = Alarms(stack, "Alarms", watched=watched).by_id
    # Without a time between runs none can be missed, and the composite is over what is left.
    assert set(made) == {"BatchRunFailed", "BatchRunNotStarted", "BatchRejects", "BatchDown"}
    assert watched.settings() == {"reject_percent": 2.0}


def test_thresholds_of_an_ordinary_objective() -> None:
    assert objective_percents(Objectives(availability=0.999)) == {
        "fast_burn_percent": 1.44,
        "slow_burn_percent": 0.6,
        "budget_percent": 0.1,
        "outage_percent": 5.0,
        "fast_slow_percent": 50.0,
        "latency_budget_percent": 10.0,
    }
