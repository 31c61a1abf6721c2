"""The report's other parts: performance over time, traffic, groups."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from lightship.monitoring.report.charts import Series, borders, columns, lines
from lightship.monitoring.report.history import History
from lightship.monitoring.report.words import METRICS, metric_text, number, percent
from lightship_runtime.monitor.baseline import Baseline

_PERFORMANCE = """The solid line is measured from known outcomes; its band is where the true value lies with 95%
certainty. The dashed line is an estimate for the time before outcomes are known. It trusts the model's own confidence
and can't see that the world has changed, so the solid line decides."""
_KEY = """<div class="key"><span><i style="background:var(--now)"></i>measured</span>
<span><i style="background:var(--guess)"></i>estimated</span>
<span><i style="background:var(--soft);height:2px"></i>at training</span></div>"""


def performance_section(baseline: Baseline, history: History) -> str:
    """Every metric over time, measured and estimated."""
    names = [
        name
        for name in METRICS
        if any(name in document[part] for document in history.windows for part in ("observed", "estimated"))
    ]
    if not names:
        return ""
    cards = "".join(_metric_card(baseline, history, name) for name in names)
    return f'<h2>How well it predicts</h2><p>{_PERFORMANCE}</p>{_KEY}<div class="grid">{cards}</div>'


def _metric_card(baseline: Baseline, history: History, name: str) -> str:
    series = [
        Series(css, *(history.metric(part, name, side) for side in ("value", "low", "high")))
        for css, part in (("guess", "estimated"), ("real", "observed"))
        if any(value is not None for value in history.metric(part, name, "value"))
    ]
    then = baseline.performance.metrics.get(name, {}).get("value")
    axis = [metric_text(name, border) for border in borders(series, then)]
    place = history.last_with("observed")
    text = "not measured yet"
    if place is not None and name in history.windows[place]["observed"]:
        text = _cell(history.windows[place]["observed"], name)
    training = "" if then is None else f"<small>at training {metric_text(name, then)}</small>"
    start, end = history.axis()
    return (
        f'<div class="card"><div class="head"><h3>{METRICS[name]}</h3>{training}</div><div>{text}</div>'
        f"{lines(METRICS[name] + ' over time', series, then, axis, history.marks())}"
        f'<div class="axis"><span>{start}</span><span>{end}</span></div></div>'
    )


def traffic_section(history: History) -> str:
    """Volume, label coverage, latency, and the data quality of the latest window."""
    rows = [float(document["rows"]) for document in history.windows]
    coverage = [float(document["labels"]["coverage"]) for document in history.windows]
    start, end = history.axis()
    axis = f'<div class="axis"><span>{start}</span><span>{end}</span></div>'
    marks = history.marks()
    return (
        '<h2>Traffic and data quality</h2><div class="grid">'
        f'<div class="card"><h3>Predictions a window</h3><small>at most {number(max(rows))}</small>'
        f"{columns('Predictions in each window', rows, marks)}{axis}</div>"
        f'<div class="card"><h3>Outcomes known</h3><small>at most {percent(max(coverage))} of a window</small>'
        f"{columns('Share of predictions with a known outcome', coverage, marks)}{axis}</div>"
        f"{_latency_card(history)}"
        f'<div class="card"><h3>In the latest window</h3>{_quality(history.last["quality"])}'
        f"{_requests(history)}</div></div>"
    )


def _latency_card(history: History) -> str:
    """The time of half of the requests and of 99 in 100; empty where it wasn't kept."""
    kept = [document.get("requests", {}).get("latency_ms", {}) for document in history.windows]
    if not any(kept):
        return ""
    half, most = ([quantiles.get(name) for quantiles in kept] for name in ("p50", "p99"))
    series = [Series("guess", most), Series("real", half)]
    low, high = borders(series, None)
    axis = [f"{number(border)} ms" for border in (max(low, 0.0), high)]
    last = next(quantiles for quantiles in reversed(kept) if quantiles)
    start, end = history.axis()
    return (
        '<div class="card"><div class="head"><h3>Time of a request</h3><small>dashed: 99 of 100</small></div>'
        f"<div>{number(last['p50'])} ms <small>half; 99 of 100 within {number(last['p99'])} ms</small></div>"
        f"{lines('Time of a request over time', series, None, axis, history.marks())}"
        f'<div class="axis"><span>{start}</span><span>{end}</span></div></div>'
    )


def _requests(history: History) -> str:
    """Requests of the latest window by outcome."""
    requests = history.last.get("requests")
    if not requests:
        return ""
    names = {
        "requests": "Requests",
        "refused": "Refused requests",
        "failed": "Failed requests",
        "cold_starts": "Cold starts",
    }
    rows = "".join(f"<tr><td>{name}</td><td class=num>{requests[key]:,}</td></tr>" for key, name in names.items())
    return f"<table>{rows}</table>"


def _quality(quality: Mapping[str, Any]) -> str:
    facts = [
        ("Missing values", percent(quality["missing"])),
        ("Values of the wrong type", percent(quality["invalid"])),
        ("Categories never seen at training", percent(quality["unseen"])),
        ("Values outside the range of training", percent(quality["out_of_range"])),
        ("Refused rows", f"{quality['rejected']:,}"),
    ]
    facts += [(name.replace("_", " ").capitalize(), f"{count:,}") for name, count in quality["problems"].items()]
    return (
        "<table>" + "".join(f"<tr><td>{name}</td><td class=num>{value}</td></tr>" for name, value in facts) + "</table>"
    )


def group_section(history: History) -> str:
    """The latest measured window by class and by segment."""
    place = history.last_with("observed")
    if place is None:
        return ""
    document = history.windows[place]
    parts = []
    if document.get("by_class"):
        rows = [
            (name, f"{entry['actual']:,}", _cell(entry, "precision"), _cell(entry, "recall"))
            for name, entry in document["by_class"].items()
        ]
        parts.append(_table("By class", ("class", "outcomes", "right when predicted", "found when there"), rows))
    for segment, values in document.get("by_segment", {}).items():
        metric = "accuracy" if any("accuracy" in entry for entry in values.values()) else "mae"
        lines_of = [(name, f"{entry['labels']:,}", _cell(entry, metric)) for name, entry in values.items()]
        parts.append(_table(f"By {segment}", ("value", "outcomes", METRICS[metric].lower()), lines_of))
    if not parts:
        return ""
    grid = f'<div class="grid">{"".join(parts)}</div>'
    return f'<h2>Where it does well</h2><p class="soft">Window from {history.start(place)}</p>{grid}'


def _table(title: str, heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table whose first cells are escaped here; the others are markup already."""
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "".join(
        f"<tr><td>{escape(first)}</td>{''.join(f'<td class=num>{cell}</td>' for cell in cells)}</tr>"
        for first, *cells in rows
    )
    return f'<div class="card scroll"><h3>{escape(title)}</h3><table><tr>{head}</tr>{body}</table></div>'


def _cell(entry: Mapping[str, Any], name: str) -> str:
    metric = entry.get(name)
    if metric is None:
        return "-"
    value = metric_text(name, metric["value"])
    if "low" not in metric:
        return value
    return f"{value} <small>({metric_text(name, metric['low'])} to {metric_text(name, metric['high'])})</small>"
