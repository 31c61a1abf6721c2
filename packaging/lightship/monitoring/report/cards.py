"""Cards of columns and outputs: then-and-now histogram, history, and what changed in a sentence."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from lightship.monitoring.report.charts import bars, strip
from lightship.monitoring.report.history import History
from lightship.monitoring.report.words import change_sentence, date_names, histogram, number, percent
from lightship_runtime.monitor.baseline import Baseline, ColumnBaseline, Track

_ORDER = {"high": 0, "warn": 1, "none": 2, "insufficient": 3}
_LABELS = {"high": "changed a lot", "warn": "changed", "none": "as at training", "insufficient": "too few rows"}
_INTRODUCTION = """Each picture shows which share of the rows had a value in which range, at training and in the latest
window. The strip below it is the history: green as at training, amber changed, red changed a lot,
grey too few rows to say."""


def output_section(baseline: Baseline, history: History) -> str:
    """The model's predictions and scores, then and now."""
    cards = []
    for track in baseline.outputs.tracks:
        if track.name in history.last:
            name = "Score" if track.name == "score" else "Prediction"
            levels = history.levels(track.name)
            entry = history.windows[history.latest(levels)][track.name]
            cards.append(_card(name, track, entry, history, levels, histogram(track, entry["counts"]["value"])))
    if not cards:
        return ""
    return f'<h2>What it predicts</h2>{_key()}<div class="grid">{"".join(cards)}</div>'


def column_section(baseline: Baseline, history: History, most: int) -> str:
    """The inputs, the most changed first; at most `most` of them with a picture."""
    ranked = []
    for column in baseline.columns:
        levels = history.levels("columns", column.name)
        entry = history.windows[history.latest(levels)]["columns"][column.name]
        drift = entry["drift"]
        ranked.append((_ORDER[drift["level"]], -drift["effect"], column, entry, levels))
    ranked.sort(key=lambda item: (item[0], item[1], item[2].name))
    drawn = [_column_card(column, entry, history, levels) for _, _, column, entry, levels in ranked[:most]]
    rest = ranked[most:]
    more = ""
    if rest:
        names = ", ".join(escape(column.name) for _, _, column, _, _ in rest)
        more = f'<p class="soft">{len(rest)} further columns changed less than these: {names}</p>'
    return f'<h2>What goes in</h2><p>{_INTRODUCTION}</p>{_key()}<div class="grid">{"".join(drawn)}</div>{more}'


def _key() -> str:
    return (
        '<div class="key"><span><i style="background:var(--then)"></i>at training</span>'
        '<span><i style="background:var(--now)"></i>latest window</span></div>'
    )


def _column_card(column: ColumnBaseline, entry: Mapping[str, Any], history: History, levels: Sequence[str]) -> str:
    track = _shown_track(column, entry)
    counts = entry["counts"].get(track.name, {})
    names = date_names(track) if column.kind == "datetime" and track.kind == "numeric" else None
    return _card(column.name, track, entry, history, levels, histogram(track, counts, names))


def _shown_track(column: ColumnBaseline, entry: Mapping[str, Any]) -> Track:
    """The track that the drift was found in; the first by default."""
    measure = entry["drift"]["measure"].removeprefix("distribution of ")
    return next((track for track in column.tracks if track.name == measure), column.tracks[0])


def _card(
    name: str,
    track: Track,
    entry: Mapping[str, Any],
    history: History,
    levels: Sequence[str],
    rows: Sequence[tuple[str, float, float]],
) -> str:
    drift = entry["drift"]
    level = drift["level"]
    start, end = history.axis()
    return (
        f'<div class="card"><div class="head"><h3>{escape(name)}</h3>'
        f'<span class="badge {level}">{_LABELS[level]}</span></div>{_sentence(track, entry)}'
        f"{bars(f'{name}: share of rows by value, at training and now', rows)}"
        f'{strip(levels, history.names())}<div class="axis"><span>{start}</span><span>{end}</span></div>'
        f"<small>Size of the change {number(drift['effect'])}, chance of seeing it without one "
        f"{_chance(drift['p_value'])}, from {drift['rows']:,} rows.</small></div>"
    )


def _sentence(track: Track, entry: Mapping[str, Any]) -> str:
    if entry["drift"]["level"] in ("warn", "high"):
        return f"<p>{escape(change_sentence(track, entry))}</p>"
    if entry["drift"]["measure"] == "calendar":
        return '<p class="soft">These dates come after those of training, as time goes on. They aren\'t judged.</p>'
    if track.name not in ("value", "score", "prediction"):
        return f'<p class="soft">By {escape(track.name)}.</p>'
    return ""


def _chance(p_value: float) -> str:
    return "under 1 in a million" if p_value < 1e-6 else percent(p_value)
