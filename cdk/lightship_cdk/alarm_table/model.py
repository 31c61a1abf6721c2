"""The model: what goes in, what comes out, and how right it is.

The monitor judges once an hour, and says what held in two of its last three windows. So one value is enough for an
alarm, and the last one holds until it speaks again: whether it speaks at all is another alarm's concern.
"""

from lightship_cdk.alarm_table.rows import HOUR, AlarmRow, CompositeRow, MetricRef, Severity

_SHOW = ("lightship report{options}", "lightship status{options}")


def _breach(
    id: str, title: str, metric: str, unit: str, severity: Severity, meaning: str, causes: str, first_steps: str,  # noqa: A002
) -> AlarmRow:  # fmt: skip
    return AlarmRow(
        id=id,
        title=title,
        part="monitor",
        metrics={"breach": MetricRef("model", metric, "Maximum")},
        threshold=1.0,
        unit=unit,
        comparison=">=",
        period_s=HOUR,
        missing_data="ignore",
        severity=severity,
        meaning=meaning,
        causes=causes,
        first_steps=first_steps,
        commands=_SHOW,
        query=f"filter ispresent({metric}) | sort @timestamp desc",
        log="monitor",
    )


MODEL_ALARMS = (
    _breach(
        "DataQuality", "data-quality", "QualityBreaches", "columns", "page",
        "Columns arrive empty, or out of the range and categories the model was trained on: its answers are guesses.",
        "A caller or a pipeline before it changed: nulls, another unit, new codes.",
        "See which columns and since when; ask whoever fills them; stop acting on predictions meanwhile.",
    ),
    _breach(
        "Accuracy", "accuracy", "AccuracyBreach", "breach", "page",
        "Against labels that came in, the model is certainly worse than when it was accepted.",
        "The world changed; inputs changed; a release with a wrong feature.",
        "Compare with the last deployment and with drift; roll back if it came with a release, else train anew.",
    ),
    _breach(
        "Drift", "drift", "DriftBreaches", "columns", "ticket",
        "Columns are distributed otherwise than in training; accuracy may suffer, or not.",
        "Season, another mix of callers, a change before the model.",
        "See the worst columns; if the change is known and harmless, accept it: `lightship baseline accept`.",
    ),
    _breach(
        "ScoreDrift", "score-drift", "ScoreDriftBreach", "breach", "ticket",
        "The predictions themselves are distributed otherwise than on the sample.",
        "Inputs drifted, or a new release scores differently.",
        "Compare with the last deployment; then look at the columns that drift.",
    ),
    _breach(
        "EstimatedAccuracy", "estimated-accuracy", "EstimatedAccuracyBreach", "breach", "ticket",
        "By its own probabilities the model is less often right than before; labels haven't confirmed it.",
        "More inputs in regions where the model is unsure.",
        "Get labels for a sample of the last days; look at drift.",
    ),
    _breach(
        "LabelCoverage", "label-coverage", "CoverageBreach", "breach", "ticket",
        "Fewer predictions get labels than should: accuracy is judged on few, or not at all.",
        "The job that sends labels stopped, or its ids don't match.",
        "Look at that job, and at LabelsUnknown and LabelsRefused.",
    ),
)  # fmt: skip

MODEL_COMPOSITES = (
    CompositeRow(
        id="ModelWrong",
        title="model-wrong",
        part="monitor",
        any_of=(("DataQuality",), ("Accuracy",)),
        severity="page",
        meaning="The endpoint answers, but its answers can't be trusted: broken inputs, or accuracy below its floor.",
        causes="A pipeline that changed (nulls, units, codes); a bad release; a world that changed.",
        first_steps="See which columns or metric and since when; roll back if a release did it.",
        commands=("lightship report{options}", "lightship rollback{options} --now"),
        query="filter ispresent(QualityBreaches) | sort @timestamp desc",
        log="monitor",
    ),
)
