"""The report page."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from lightship.monitoring.errors import MonitoringError
from lightship.monitoring.report.cards import column_section, output_section
from lightship.monitoring.report.history import History
from lightship.monitoring.report.sections import group_section, performance_section, traffic_section
from lightship.monitoring.report.style import CSS
from lightship.monitoring.report.verdict import Finding, findings
from lightship.monitoring.report.words import percent
from lightship_runtime.monitor.baseline import Baseline
from lightship_runtime.monitor.results import Result

LARGEST_PAGE = 490_000
"""Bytes of a page. Where it would be larger, fewer of the least changed columns get a picture."""
_PICTURES = (200, 100, 70, 50, 30, 15)
_DRAWN = (240, 120, 60, 30)
"""Windows that are drawn, where there are more."""

_GLOSSARY = """<h2>How to read this</h2><div class="card">
<p><b>At training</b> is the data the model was made or tested with. Everything is compared with it.</p>
<p><b>Changed</b> means two things at once: the difference is too large to be chance, with all columns and rows
taken into account, and it is large enough to matter. A size of 0.11 is as if every value had moved by a third of the
usual spread; at 0.25, by half of it. Smaller moves happen every day and are left alone.</p>
<p><b>A changed input is not an error.</b> It says that the model now sees other cases than it learned from. Whether it
still predicts well is told by the measured lines.</p>
<p><b>Too few rows</b> means under 500 in the window: no verdict either way.</p></div>"""


def render_report(
    baseline: Baseline, results: Sequence[Result | Mapping[str, Any]], *, title: str = "Model monitoring"
) -> str:
    """One self-contained HTML page from the result documents of successive windows, in any order.

    The same documents give the same page. Raises MonitoringError without any.
    """
    if not results:
        raise MonitoringError("There are 0 results to report on. Let the monitor run first, or give it a frame.")
    history = History.of([result.to_dict() if isinstance(result, Result) else result for result in results])
    for windows in _DRAWN:
        for most in _PICTURES:
            page = _page(baseline, history, history.thinned(windows), title, most)
            if len(page.encode()) < LARGEST_PAGE:
                return page
    return page


def _page(baseline: Baseline, history: History, drawn: History, title: str, most: int) -> str:
    """The words tell of the whole history, the pictures show what is drawn of it."""
    sections = [
        _header(history, title),
        _verdict(findings(baseline, history)),
        _thinning(history, drawn),
        performance_section(baseline, drawn),
        output_section(baseline, drawn),
        column_section(baseline, drawn, most),
        traffic_section(drawn),
        group_section(drawn),
        _GLOSSARY,
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{CSS}</style></head>"
        f"<body><main>{''.join(sections)}</main></body></html>\n"
    )


def _header(history: History, title: str) -> str:
    versions = history.versions()
    start, end = history.axis()
    rows = sum(document["rows"] for document in history.windows)
    labels = sum(document["labels"]["rows"] for document in history.windows)
    facts = [
        (f"{rows:,}", "predictions"),
        (percent(labels / rows if rows else 0.0), "with a known outcome"),
        (str(len(history.windows)), "time windows"),
        (", ".join(versions) or "not given", "model version" if len(versions) < 2 else "model versions"),
    ]
    cells = "".join(f"<div><b>{escape(value)}</b><small>{escape(name)}</small></div>" for value, name in facts)
    period = start if start == end else f"{start} to {end}"
    return f'<h1>{escape(title)}</h1><p class="soft">{escape(period)} (UTC)</p><div class="facts">{cells}</div>'


def _thinning(history: History, drawn: History) -> str:
    if drawn is history:
        return ""
    return (
        f'<p class="soft">The pictures show {len(drawn.windows)} of the {len(history.windows)} windows: of neighbours '
        "the one in which most has changed.</p>"
    )


def _verdict(found: Sequence[Finding]) -> str:
    serious = [finding.level for finding in found if finding.level in ("warn", "high")]
    level = "high" if "high" in serious else "warn" if serious else "none"
    things = "1 thing" if len(serious) == 1 else f"{len(serious)} things"
    heading = f"{things} to look at" if serious else "Nothing needs attention"
    items = "".join(
        f"<li><b>{escape(finding.subject)}</b>: {escape(finding.text)}"
        + (f' <span class="soft">Since {escape(finding.since)}.</span>' if finding.since else "")
        + "</li>"
        for finding in found
    )
    return f'<section class="card verdict {level}"><h2>{heading}</h2><ul>{items}</ul></section>'
