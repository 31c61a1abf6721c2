"""What the reader should know first, in sentences."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lightship.monitoring.report.history import History
from lightship.monitoring.report.words import METRICS, change_sentence, metric_text
from lightship_runtime.monitor.baseline import Baseline

MOST_COLUMNS = 12


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about one subject. `level` is `warn` or `high` where it asks for attention, else `none`."""

    level: str
    subject: str
    text: str
    since: str = ""


def findings(baseline: Baseline, history: History) -> list[Finding]:
    """Accuracy first, then outputs, inputs and traffic; what needs attention before what doesn't."""
    found = [*_breaches(history), *_outputs(baseline, history), *_columns(baseline, history), *_volume(history)]
    return sorted(found, key=lambda finding: {"high": 0, "warn": 1}.get(finding.level, 2))


def _breaches(history: History) -> list[Finding]:
    found = []
    for part, source, subject in (("breach", "observed", ""), ("estimated_breach", "estimated", "Estimated ")):
        levels = [str(document[part]["level"]) for document in history.windows]
        place = history.latest(levels)
        if levels[place] == "insufficient":
            continue
        entry = history.windows[place][part]
        name = entry["metric"]
        metric = history.windows[place][source][name]
        began = history.since(levels)
        text = _compared(name, metric, entry["baseline"])
        title = subject + (METRICS[name].lower() if subject else METRICS[name])
        found.append(Finding(levels[place], title, text, "" if began is None else history.start(began)))
    if not any(finding.subject in ("Accuracy", METRICS["mae"]) for finding in found):
        labels = sum(document["labels"]["rows"] for document in history.windows)
        found.append(Finding("none", "Outcomes", f"{labels:,} are known; accuracy is judged from 200 in a window."))
    return found


def _compared(name: str, now: Mapping[str, float], then: Mapping[str, float]) -> str:
    value, low, high = (metric_text(name, now[side]) for side in ("value", "low", "high"))
    return f"{value} (between {low} and {high}), at training {metric_text(name, then['value'])}."


def _outputs(baseline: Baseline, history: History) -> list[Finding]:
    found = []
    for track in baseline.outputs.tracks:
        levels = history.levels(track.name)
        began = history.since(levels)
        if began is not None:
            entry = history.windows[history.latest(levels)][track.name]
            subject = "The scores changed" if track.name == "score" else "The predictions changed"
            text = change_sentence(track, entry)
            found.append(Finding(entry["drift"]["level"], subject, text, history.start(began)))
    return found


def _columns(baseline: Baseline, history: History) -> list[Finding]:
    flagged: list[tuple[float, Finding]] = []
    judged = 0
    for column in baseline.columns:
        levels = history.levels("columns", column.name)
        place = history.latest(levels)
        judged += levels[place] != "insufficient"
        began = history.since(levels)
        if began is None:
            continue
        entry = history.windows[place]["columns"][column.name]
        measure = entry["drift"]["measure"].removeprefix("distribution of ")
        track = next((track for track in column.tracks if track.name == measure), column.tracks[0])
        text = _column_text(entry, change_sentence(track, entry), column.kind, measure)
        finding = Finding(entry["drift"]["level"], column.name, text, history.start(began))
        flagged.append((-entry["drift"]["effect"], finding))
    flagged.sort(key=lambda item: (item[0], item[1].subject))
    found = [finding for _, finding in flagged[:MOST_COLUMNS]]
    if len(flagged) > MOST_COLUMNS:
        found.append(
            Finding("warn", f"{len(flagged) - MOST_COLUMNS} more columns", "changed too; they are shown below.")
        )
    if judged:
        found.append(
            Finding("none", "Inputs", f"{judged - len(flagged)} of {judged} judged columns are as at training.")
        )
    else:
        found.append(
            Finding("none", "Inputs", "There are too few rows to judge any column; 500 in a window are needed.")
        )
    return found


def _column_text(entry: Mapping[str, Any], sentence: str, kind: str, measure: str) -> str:
    if kind == "datetime" and measure == "distribution":
        return "The dates lie in other periods than at training."
    return f"By {measure}: {sentence}" if measure in entry["counts"] and measure != "value" else sentence


def _volume(history: History) -> list[Finding]:
    volume = history.last["quality"]["volume"]
    if volume["level"] != "warn":
        return []
    text = (
        f"{volume['rows']:,} predictions in the last window, {volume['last_week']:,} in the same hours a week before."
    )
    return [Finding("warn", "Traffic", text)]
