"""The evaluator against what AWS publishes: its tables, its examples, its limits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightship.drill.cloudwatch.alarms import Actions, Alarm, CompositeAlarm, MetricAlarm, Query, metric_alarm
from lightship.drill.cloudwatch.decide import ALARM, INSUFFICIENT_DATA, OK, RETAIN, decide
from lightship.drill.cloudwatch.errors import UnknownSemanticsError
from lightship.drill.cloudwatch.evaluate import Evaluation, evaluate_all
from lightship.drill.cloudwatch.expressions import Scope, evaluate
from lightship.drill.cloudwatch.rules import children
from lightship.drill.cloudwatch.series import Floats, MetricId, Series, statistic
from lightship.drill.cloudwatch.template import stack_of

NAN = float("nan")
METRIC = MetricId.of("Test", "Errors", {"Service": "s"})
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
PAGES = ("arn:aws:sns:r:a:pages",)

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html, both tables: 3 of 3, then
# 2 of 3, each over an evaluation range of 5, the newest point on the right. The last rows are of its text.
PUBLISHED = [
    (3, "0 - X - X", (OK, OK, OK, OK)),
    (3, "0 - - - -", (OK, OK, OK, OK)),
    (3, "- - - - -", (INSUFFICIENT_DATA, RETAIN, ALARM, OK)),
    (3, "0 X X - X", (ALARM, ALARM, ALARM, ALARM)),
    (3, "- - X - -", (ALARM, RETAIN, ALARM, OK)),
    (2, "0 - X - X", (ALARM, ALARM, ALARM, ALARM)),
    (2, "0 0 X 0 X", (ALARM, ALARM, ALARM, ALARM)),
    (2, "0 - X - -", (OK, OK, ALARM, OK)),
    (2, "- - - - 0", (OK, OK, ALARM, OK)),
    (2, "- - - X -", (ALARM, RETAIN, ALARM, OK)),
    # An earlier edition of the page has these two, as well.
    (3, "X - - - -", (ALARM, RETAIN, ALARM, OK)),
    (3, "- - - - X", (INSUFFICIENT_DATA, RETAIN, ALARM, OK)),
]


def _points(text: str) -> Floats:
    return np.array([[{"0": 0.0, "X": 1.0, "-": NAN}[each] for each in reversed(text.split())]])


@pytest.mark.parametrize(("datapoints", "text", "states"), PUBLISHED)
def test_published_tables(datapoints: int, text: str, states: tuple[int, ...]) -> None:
    found = tuple(int(decide(_points(text), 3, datapoints, each)[0]) for each in TREATMENTS)  # type: ignore[arg-type]
    assert found == states


def _alarm(values: str, **changes: object) -> Evaluation:
    """An alarm on the minute's values, which are numbers or `-`."""
    numbers = np.array([NAN if each == "-" else float(each) for each in values.split()])
    given = {
        "name": "a",
        "description": "",
        "queries": (Query("m", METRIC, "Sum", 60),),
        "comparison": "GreaterThanThreshold",
        "threshold": 3.0,
        "periods": 3,
        "datapoints": 3,
        "missing": "notBreaching",
        "ignore_low_samples": False,
        "actions": Actions(PAGES, PAGES),
    }
    alarm = MetricAlarm(**{**given, **changes})  # type: ignore[arg-type]
    return evaluate_all([alarm], {METRIC: Series.of_values(numbers)}, minutes=len(numbers))


def test_the_published_figure_of_three_of_three() -> None:
    # alarm-evaluation.html: the threshold is 3; breached from the third to the fifth period, and in the ninth alone.
    found = _alarm("1 2 4 5 4 2 1 2 5 2 1")
    assert [int(each) for each in found.states["a"]] == [OK, OK, OK, OK, ALARM, OK, OK, OK, OK, OK, OK]
    assert [(each.minute, each.after, each.told) for each in found.transitions[1:]] == [
        (4, "ALARM", PAGES),
        (5, "OK", PAGES),
    ]


def test_windows_slide_by_the_minute() -> None:
    # alarm-evaluation.html: a period of 5 minutes is looked at anew each minute, over minutes 2 to 6 at minute 6.
    found = _alarm("0 0 0 0 0 4 0 0 0 0 0", queries=(Query("m", METRIC, "Sum", 300),), periods=1, datapoints=1)
    assert [int(each) for each in found.states["a"]].count(ALARM) == 5
    assert found.states["a"][5] == ALARM


def test_alarms_over_more_than_a_day_are_evaluated_on_the_hour() -> None:
    # alarm-evaluation.html, the example of a multi-day alarm: failing at 10:02 it is told after 11:00.
    minutes = 3 * 60
    values = np.zeros(minutes)
    values[62] = 5
    alarm = MetricAlarm(
        "a",
        "",
        (Query("m", METRIC, "Maximum", 86_400),),
        "GreaterThanThreshold",
        3.0,
        2,
        1,
        "notBreaching",
        False,
        Actions(),
    )
    found = evaluate_all([alarm], {METRIC: Series.of_values(values)}, minutes=minutes)
    assert [each.minute for each in found.transitions if each.after == "ALARM"] == [119]


@pytest.mark.parametrize(("samples", "state"), [(99, OK), (100, ALARM)])
def test_few_samples_leave_the_state_of_a_percentile_alarm(samples: int, state: int) -> None:
    # percentiles-with-low-samples.html: 10 / (1 - p), which for p90 is 100.
    counts = np.array([[1000.0, 0.0], [0.0, float(samples)]])
    alarm = MetricAlarm(
        "a", "", (Query("m", METRIC, "p90", 60),), "GreaterThanThreshold", 3.0, 1, 1, "missing", True, Actions()
    )
    found = evaluate_all([alarm], {METRIC: Series(np.array([1.0, 9.0]), counts)}, minutes=2)
    assert [int(each) for each in found.states["a"]] == [OK, state]


@given(st.lists(st.integers(0, 50), min_size=1, max_size=60), st.sampled_from([0.1, 0.5, 0.9, 0.99]))
@settings(derandomize=True, max_examples=50, deadline=None)
def test_statistics_agree_with_the_raw_samples(values: list[int], share: float) -> None:
    series = Series.of_table(np.array(values, dtype=float), np.ones((1, len(values))))
    raw = np.sort(values)
    found = {
        name: float(statistic(series, name, 60)[0])
        for name in ("Sum", "Average", "Minimum", "Maximum", "SampleCount", f"p{share * 100:g}", "TC(10:20)", "PR(:20)")
    }
    # Statistics-definitions.html: ranges exclude their lower bound and include the upper one.
    expected = {
        "Sum": raw.sum(),
        "Average": raw.mean(),
        "Minimum": raw[0],
        "Maximum": raw[-1],
        "SampleCount": len(raw),
        f"p{share * 100:g}": raw[max(int(np.ceil(share * len(raw) - 1e-9)) - 1, 0)],
        "TC(10:20)": ((raw > 10) & (raw <= 20)).sum(),
        "PR(:20)": 100 * (raw <= 20).mean(),
    }
    assert found == pytest.approx(expected)


def _math(expression: str, **series: list[float]) -> list[float]:
    arrays = {name: np.array(values, dtype=float) for name, values in series.items()}
    length = len(next(iter(arrays.values())))
    scope = Scope(arrays, tuple(arrays), dict.fromkeys(arrays, 60), 60 * np.arange(length, dtype=np.float64))
    return [float(each) for each in evaluate(expression, scope)]


@pytest.mark.parametrize(
    ("expression", "series", "expected"),
    [
        # using-metric-math.html, its tables of comparisons and of IF.
        ("metric1 < metric2", {"metric1": [30, 20, 0, 0], "metric2": [20, NAN, 20, NAN]}, [0, 0, 1, 0]),
        ("metric1 >= 30", {"metric1": [30, 20, 0, 0]}, [1, 0, 0, 0]),
        ("metric1 > 15 AND metric2 > 15", {"metric1": [30, 20, 0, 0], "metric2": [20, NAN, 20, NAN]}, [1, 0, 0, 0]),
        (
            "IF(a, b, c)",
            {"a": [1, 1, 0, 0, NAN], "b": [30, NAN, 0, 0, 30], "c": [0, 0, 20, NAN, 20]},
            [30, 0, 20, NAN, NAN],
        ),
        ("IF(a, 5, c)", {"a": [1, 1, 0, 0, NAN], "c": [0, 0, 20, NAN, 20]}, [5, 5, 20, NAN, NAN]),
        ("IF(a, b, 5)", {"a": [1, 1, 0, 0, NAN], "b": [30, NAN, 0, 0, 30]}, [30, 0, 5, 5, NAN]),
        # Its sentences: a missing value is 0 beside one that isn't, and a division by zero drops the point.
        ("a + b", {"a": [1, NAN, NAN], "b": [2, 3, NAN]}, [3, 3, NAN]),
        ("a / b", {"a": [1, 1, 1], "b": [2, 0, NAN]}, [0.5, NAN, NAN]),
        ("IF(all > 0, 100 * FILL(bad, 0) / all, 0)", {"all": [200, 0, NAN], "bad": [10, NAN, NAN]}, [5, 0, NAN]),
        ("FILL(a, REPEAT)", {"a": [NAN, 1, NAN, 2]}, [NAN, 1, 1, 2]),
        ("SUM([a, b]) - MAX([a, b]) + MIN([a, b])", {"a": [1, NAN], "b": [4, 2]}, [2, 2]),
        ("SUM(METRICS())", {"a": [1], "b": [2]}, [3]),
        ("-a ^ 2 + 2 * 3", {"a": [3]}, [-3]),
        ("a * PERIOD(a) + TIME_SERIES(1)", {"a": [2]}, [121]),
        ("HOUR(a)", {"a": [1] * 61}, [0] * 60 + [1]),
    ],
)
def test_published_metric_math(expression: str, series: dict[str, list[float]], expected: list[float]) -> None:
    assert _math(expression, **series) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    "expression", ["AVG(a)", "RATE(a)", "SEARCH(a)", "ANOMALY_DETECTION_BAND(a)", "1 + 2", "a +", "b", "a $ 1", "[a]"]
)
def test_what_an_alarm_cannot_rely_on_is_refused(expression: str) -> None:
    with pytest.raises(UnknownSemanticsError):
        _math(expression, a=[1.0, 2.0])


def test_properties_that_are_not_modelled_are_refused() -> None:
    given = {"ComparisonOperator": "LessThanLowerThreshold", "EvaluationPeriods": 1, "Threshold": 1}
    with pytest.raises(UnknownSemanticsError, match="LessThanLowerThreshold"):
        metric_alarm("A", given)
    with pytest.raises(UnknownSemanticsError, match="ThresholdMetricId"):
        metric_alarm("A", {**given, "ThresholdMetricId": "x"})


def _composite(rule: str, suppressor: str = "", wait_s: int = 0, extension_s: int = 0) -> CompositeAlarm:
    return CompositeAlarm("c", "", rule, Actions(PAGES, PAGES), suppressor, wait_s, extension_s)


def _on(name: str, values: str) -> tuple[MetricAlarm, MetricId, Series]:
    """An alarm that sounds in the minutes of a 1, and what it looks at."""
    metric = MetricId.of("Test", name, {})
    query = Query("m", metric, "Maximum", 60)
    alarm = MetricAlarm(
        name, "", (query,), "GreaterThanOrEqualToThreshold", 1.0, 1, 1, "missing", False, Actions(PAGES)
    )
    return alarm, metric, Series.of_values(np.array([float(each) for each in values.split()]))


def _evaluate(composite: Alarm, **minutes: str) -> Evaluation:
    made = [_on(name, values) for name, values in minutes.items()]
    length = len(next(iter(minutes.values())).split())
    return evaluate_all([composite, *(each[0] for each in made)], {each[1]: each[2] for each in made}, minutes=length)


@pytest.mark.parametrize(
    ("rule", "sounds"),
    [
        ("ALARM(x) AND ALARM(y)", [0, 0, 0, 1]),
        ('ALARM("x") OR ALARM(y)', [0, 1, 1, 1]),
        ("ALARM(x) AND NOT ALARM(y)", [0, 1, 0, 0]),
        ("(ALARM(x) OR ALARM(y)) AND OK(x)", [0, 0, 1, 0]),
        ("ALARM(x) OR ALARM(y) AND OK(x)", [0, 1, 1, 1]),
        ("INSUFFICIENT_DATA(arn:aws:cloudwatch:r:1:alarm:x) OR TRUE", [1, 1, 1, 1]),
    ],
)
def test_rules_of_composites(rule: str, sounds: list[int]) -> None:
    found = _evaluate(_composite(rule), x="0 1 0 1", y="0 0 1 1")
    assert [int(each == ALARM) for each in found.states["c"]] == sounds


def test_a_rule_about_no_alarm_is_refused() -> None:
    assert children('ALARM("x") OR OK(y)') == ("x", "y")
    with pytest.raises(UnknownSemanticsError, match="nobody"):
        _evaluate(_composite("ALARM(nobody)"), x="0")


@pytest.mark.parametrize(
    ("suppressor", "told"),
    [
        # Create_Composite_Alarm_Suppression.html: it waits for the suppressor, then acts;
        ("0 0 0 0 0 0 0 0 0 0", [(2, 4)]),
        # suppressed within the wait, it acts only after the suppressor's end and the extension,
        ("0 0 0 1 1 0 0 0 0 0", [(2, 8)]),
        # and not at all while the suppressor lasts.
        ("0 1 1 1 1 1 1 1 1 1", []),
    ],
)
def test_a_suppressor_withholds_actions(suppressor: str, told: list[tuple[int, int]]) -> None:
    composite = _composite("ALARM(x)", "s", 120, 180)
    found = _evaluate(composite, x="0 0 1 1 1 1 1 1 1 1", s=suppressor)
    of_composite = [each for each in found.transitions if each.alarm == "c" and each.after == "ALARM"]
    assert [(each.minute, each.told_at) for each in of_composite if each.told] == told
    assert len(of_composite) == 1


def test_a_template_is_read_with_its_intrinsics() -> None:
    template = {
        "Resources": {
            "Topic": {"Type": "AWS::SNS::Topic", "Properties": {}},
            "Alarm": {
                "Type": "AWS::CloudWatch::Alarm",
                "Properties": {
                    "AlarmActions": [{"Ref": "Topic"}],
                    "AlarmName": "s-pages",
                    "ComparisonOperator": "GreaterThanThreshold",
                    "Dimensions": [{"Name": "TopicName", "Value": {"Fn::GetAtt": ["Topic", "TopicName"]}}],
                    "EvaluationPeriods": 2,
                    "MetricName": "NumberOfNotificationsFailed",
                    "Namespace": "AWS/SNS",
                    "Period": 60,
                    "Statistic": "Sum",
                    "Threshold": 0,
                },
            },
            "Both": {
                "Type": "AWS::CloudWatch::CompositeAlarm",
                "Properties": {
                    "AlarmName": "s-all",
                    "AlarmRule": {"Fn::Join": ["", ['ALARM("', {"Fn::GetAtt": ["Alarm", "Arn"]}, '")']]},
                },
            },
        }
    }
    stack = stack_of(template)
    alarm, composite = stack.alarms
    assert isinstance(alarm, MetricAlarm)
    assert alarm.metrics[0].dimensions == (("TopicName", "Topic"),)
    assert (alarm.datapoints, alarm.missing) == (2, "missing")
    metrics = {alarm.metrics[0]: Series.of_values(np.array([0.0, 1.0, 1.0, 0.0]))}
    found = evaluate_all(stack.alarms, metrics, minutes=4)
    assert [int(each) for each in found.states[composite.name]] == [OK, OK, ALARM, OK]
    assert alarm.actions.alarm == ("arn:aws:sns:us-east-1:000000000000:Topic",)
