"""What is told to hold: two of three windows that could be judged, and since when."""

from typing import Any

import pytest

from lightship_runtime.monitor.breaches import Acceptance, breaches, read_acceptances, two_of_three
from lightship_runtime.monitor.traffic import AGES

HOUR = 3600
NOW = 200 * HOUR


@pytest.mark.parametrize(
    ("flags", "on", "since"),
    [
        ("", False, None),
        ("x", False, None),
        ("xx", True, 0),
        (".xx", True, 1),
        ("x.x", True, 0),
        ("x..x", False, None),
        ("xx.", True, 0),
        ("xx..", False, None),
        ("xx.x.", False, None),
        ("xx.xx", True, 0),
        ("xx..xx", True, 4),
        ("...xxxxx.x", True, 3),
    ],
)
def test_two_of_three_successive_windows(flags: str, on: bool, since: int | None) -> None:
    assert two_of_three((place, flag == "x") for place, flag in enumerate(flags)) == (on, since)


def entry(start: int, **parts: Any) -> dict[str, Any]:
    """A window of an hour in which nothing is wrong, but for `parts`."""
    labels = {"rows": 0, "expected": 600, "within": {}}
    return {
        "start": start * HOUR,
        "end": (start + 1) * HOUR,
        "rows": 600,
        "judged": True,
        "worst": 0.0,
        "drift": {},
        "quality": {},
        "rejected": "none",
        "score": {"level": "none", "effect": 0.0},
        "accuracy": None,
        "estimated": None,
        "labels": labels,
        **parts,
    }


def accuracy(level: str, value: float, n: int = 600) -> dict[str, Any]:
    return {"level": level, "metric": "accuracy", "n": n, "value": value, "low": value - 0.03, "high": value + 0.03}


def test_windows_that_could_not_be_judged_are_passed_over() -> None:
    x = {"x": {"level": "warn", "effect": 0.2}}
    thin = entry(1, judged=False)
    state = breaches([entry(0, drift=x), thin, entry(2, drift=x)], version="v", now=NOW)["drift"]
    assert (state["on"], state["since"]) == (True, 0)


def test_accuracy_is_told_from_the_windows_that_have_labels() -> None:
    windows = [
        entry(0, accuracy=accuracy("high", 0.7)),
        entry(1, accuracy=accuracy("high", 0.71)),
        entry(2, accuracy=accuracy("insufficient", 0.9, 50)),
        entry(3),
    ]
    state = breaches(windows, version="v", now=NOW)["accuracy"]
    assert (state["on"], state["since"], state["value"], state["n"]) == (True, 0, 0.71, 600)


def test_a_floor_is_a_breach_whatever_the_baseline_was() -> None:
    windows = [entry(place, accuracy=accuracy("none", 0.8)) for place in range(3)]
    assert not breaches(windows, version="v", now=NOW)["accuracy"]["on"]
    assert not breaches(windows, version="v", now=NOW, floor=0.82)["accuracy"]["on"]
    assert breaches(windows, version="v", now=NOW, floor=0.84)["accuracy"]["on"]


def test_the_worst_five_columns_are_named_and_all_are_counted() -> None:
    drift = {f"c{place}": {"level": "high", "effect": place / 10} for place in range(8)}
    state = breaches([entry(0, drift=drift), entry(1, drift=drift)], version="v", now=NOW)["drift"]
    assert state["count"] == 8
    assert [column["name"] for column in state["columns"]] == ["c7", "c6", "c5", "c4", "c3"]


def test_refused_rows_are_a_breach_of_quality() -> None:
    windows = [entry(0, rejected="high"), entry(1, rejected="high")]
    (refused,) = breaches(windows, version="v", now=NOW)["quality"]["columns"]
    assert (refused["name"], refused["n"]) == ("(refused rows)", windows[-1]["rows"])


def test_acceptances_hold_for_their_column_version_and_time() -> None:
    accepted = Acceptance("x", "v", 100.0)
    assert accepted.holds("x", "v", 99.0)
    assert not accepted.holds("x", "v", 100.0)
    assert not accepted.holds("x", "w", 99.0)
    assert not accepted.holds("y", "v", 99.0)
    assert Acceptance("x").holds("x", "w", 1e10)


def test_accepted_scores_are_no_breach() -> None:
    windows = [entry(place, score={"level": "high", "effect": 1.0}) for place in range(2)]
    assert breaches(windows, version="v", now=NOW)["score"]["on"]
    assert not breaches(windows, version="v", now=NOW, accepted=[Acceptance("score")])["score"]["on"]


@pytest.mark.parametrize(
    "data", [None, b"", b"{", b"{}", b"[5, {}, {'column': 5}]", b'[{"column": "x", "until": "soon"}]']
)
def test_what_is_no_acceptance_is_passed_over(data: bytes | None) -> None:
    assert read_acceptances(data) == ()


def covered(start: int, share: float, delay: int, outage: bool = False) -> dict[str, Any]:
    rows = 0 if outage else round(600 * share)
    within = {str(age): rows if age >= delay else 0 for age in AGES}
    return entry(start, labels={"rows": rows, "expected": 600, "within": within})


def test_labels_that_stop_are_a_breach_once_they_are_due() -> None:
    """They come within 24 hours: the first window of the outage is due a day after it ended."""
    windows = [covered(place, 0.6, 24, outage=place >= 100) for place in range(124)]
    found = {now: breaches(windows, version="v", now=now * HOUR)["coverage"] for now in (124, 125, 126)}
    assert [state["on"] for state in found.values()] == [False, False, True]
    last = found[126]
    assert (last["since"], last["hours"], last["value"], last["usual"]) == (
        100 * HOUR,
        24,
        0.0,
        pytest.approx(0.6, abs=0.01),
    )


def test_labels_that_come_once_a_night_are_none() -> None:
    windows = []
    for place in range(24 * 12):
        delay = next(age for age in AGES if age >= 26 - place % 24)
        windows.append(covered(place, 0.5, delay))
    for now in range(24 * 6, 24 * 12):
        assert not breaches(windows[:now], version="v", now=now * HOUR)["coverage"]["on"], now


def test_labels_may_take_weeks() -> None:
    """A window a day, labelled within two weeks, until they stop."""
    windows = []
    for day in range(60):
        late = covered(24 * day, 0.4, 336, outage=day >= 30)
        windows.append({**late, "end": 24 * (day + 1) * HOUR})
    found = [breaches(windows[:day], version="v", now=24 * day * HOUR)["coverage"] for day in range(25, 61)]
    began = next(place for place, state in enumerate(found) if state["on"])
    assert began + 25 == 30 + 14 + 2
    assert (found[began]["since"], found[began]["hours"]) == (24 * 30 * HOUR, 336)


def test_without_labels_ever_there_is_nothing_to_miss() -> None:
    windows = [entry(place) for place in range(60)]
    assert not breaches(windows, version="v", now=NOW)["coverage"]["on"]
