"""The report: what it says, that it stands alone, and how a real browser lays it out."""

import json
import re
import shutil
import subprocess
from html import escape, unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lightship.monitoring import make_baseline, monitor, render_report
from lightship.monitoring.errors import MonitoringError
from lightship.monitoring.report.history import History
from lightship_runtime.monitor.baseline import Baseline
from lightship_runtime.monitor.results import Result, Window

DAY = 86_400
START = 1_704_067_200
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NASTY = "<script>alert('x')</script> & \"quoted\""
ROLES: dict[str, Any] = {"prediction": "predicted", "score": "p", "label": "late", "segments": ["city"]}


def frame(seed: int, rows: int, drift: bool = False) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    logit = random.normal(1.5 if drift else 0, 1.5, rows)
    score = 1 / (1 + np.exp(-logit))
    right = random.random(rows) < score
    return pd.DataFrame(
        {
            NASTY: random.exponential(3 if drift else 1, rows),
            "city": random.choice(["Oslo", "Rome", "Lima"], rows, p=[0.1, 0.1, 0.8] if drift else [0.4, 0.3, 0.3]),
            "age": np.where(random.random(rows) < (0.2 if drift else 0.01), np.nan, random.integers(18, 90, rows)),
            "stable": random.normal(size=rows),
            "note": [f"arrived late at gate {i}" for i in random.permutation(rows) % 97],
            "at": pd.Timestamp("2023-01-01") + pd.to_timedelta(random.integers(0, 300 * 24, rows), unit="h"),
            "p": score,
            "predicted": (score > 0.5).astype(int),
            "late": np.where(random.random(rows) < 0.3, ~right, right).astype(int) if drift else right.astype(int),
        }
    )


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    return make_baseline(frame(0, 6_000), **ROLES)


@pytest.fixture(scope="module")
def results(baseline: Baseline) -> list[Result]:
    found = []
    for day in range(14):
        window = Window("a1b2c3" if day < 9 else "d4e5f6", START + day * DAY, START + (day + 1) * DAY)
        rows = frame(1 + day, 900, drift=day >= 7)
        labels = rows["late"] if day < 12 else None
        found.append(monitor(baseline, rows.drop(columns="late"), labels, window=window))
    return found


@pytest.fixture(scope="module")
def page(baseline: Baseline, results: list[Result]) -> str:
    return render_report(baseline, results, title="Late & <later>")


class Audit(HTMLParser):
    """Collects text, tags that were left open, and everything that would load from elsewhere."""

    VOID = frozenset({"meta", "br", "link", "img", "input", "hr"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.outside: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        if tag in {"script", "link", "img", "iframe", "object"}:
            self.outside.append(tag)
        self.outside += [
            f"{tag} {name}" for name, _ in attrs if name in {"src", "href", "srcset"} or name.startswith("on")
        ]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def text_of(page: str) -> str:
    audit = Audit()
    audit.feed(re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL))
    return re.sub(r"\s+", " ", "".join(audit.text))


def test_a_month_of_hours_stays_small(baseline: Baseline, results: list[Result]) -> None:
    """The words tell of all windows, the pictures of those in which most has changed, and of the last."""
    random = np.random.default_rng(0)
    documents = []
    for hour in range(720):
        document = results[random.integers(0, 14) if hour < 719 else 13].to_dict()
        start = START + hour * 3_600
        documents.append({**document, "window": {"version": "a1b2c3", "start": start, "end": start + 3_600}})
    page = render_report(baseline, documents)
    assert len(page.encode()) < 490_000
    assert "720" in text_of(page)
    assert re.search(r"The pictures show \d+ of the 720 windows", text_of(page))
    history = History.of(documents)
    thin = history.thinned(100)
    assert (len(thin.windows), thin.last) == (100, history.last)
    assert all(window["columns"]["city"]["drift"]["level"] == "high" for window in thin.windows[-50:])
    assert history.thinned(720) is history


def test_it_stands_alone(page: str) -> None:
    audit = Audit()
    audit.feed(page)
    assert audit.open == []
    assert audit.outside == []
    assert "url(" not in page
    assert "@import" not in page
    assert len(page.encode()) < 500_000


def test_it_says_what_changed_and_since_when(page: str) -> None:
    text = text_of(page)
    assert "things to look at" in text
    assert re.search(r"age: Missing values went from 1\.\d% to \d+% of the rows\. Since 8 Jan 2024", text)
    assert re.search(r"city: The mix changed: Lima went from 3\d% to \d+% of the rows", text)
    assert "Values are higher" in text
    assert "Accuracy" in text
    assert "stable" in text
    assert NASTY in text
    assert "Late & <later>" in text


def test_it_marks_versions_and_gives_accuracy_with_its_interval(page: str) -> None:
    text = text_of(page)
    assert "a1b2c3, d4e5f6" in text
    assert re.search(r"Accuracy: \d+\.\d% \(between \d+\.\d% and \d+\.\d%\), at training \d+\.\d%", text)
    assert "Oslo" in text


def test_quiet_times_are_called_quiet(baseline: Baseline) -> None:
    text = text_of(render_report(baseline, [monitor(baseline, frame(99, 2_000))]))
    assert "Nothing needs attention" in text
    assert "6 of 6 judged columns are as at training" in text


def test_too_few_rows_are_said_to_be_too_few(baseline: Baseline) -> None:
    text = text_of(render_report(baseline, [monitor(baseline, frame(99, 50).drop(columns="late"))]))
    assert "too few rows to judge any column" in text


def test_documents_and_their_order_give_the_same_page(baseline: Baseline, results: list[Result], page: str) -> None:
    documents = [result.to_dict() for result in reversed(results)]
    assert render_report(baseline, documents, title="Late & <later>") == page


def test_inputs_alone_make_a_page() -> None:
    inputs = frame(0, 2_000)[["stable"]]
    assert "Nothing needs attention" in text_of(
        render_report(make_baseline(inputs), [monitor(make_baseline(inputs), inputs)])
    )


def test_many_columns_and_windows_stay_under_half_a_megabyte() -> None:
    random = np.random.default_rng(0)
    wide = pd.DataFrame({f"column {i}": random.normal(size=2_000) for i in range(250)})
    baseline = make_baseline(wide)
    result = monitor(baseline, wide)
    documents = [
        {**result.to_dict(), "window": {"version": "v", "start": START + i * DAY, "end": START + (i + 1) * DAY}}
        for i in range(120)
    ]
    page = render_report(baseline, documents)
    assert len(page.encode()) < 500_000
    assert "further columns changed less" in page


def test_nothing_to_report_is_an_error(baseline: Baseline) -> None:
    with pytest.raises(MonitoringError, match="0 results"):
        render_report(baseline, [])


PROBE = """<!doctype html><title></title><body style="margin:0"><iframe style="border:0" width="WIDTH" height="900"
srcdoc="PAGE"></iframe><script>addEventListener('load',()=>{const w=document.querySelector('iframe').contentWindow;
const d=w.document,all=q=>[...d.querySelectorAll(q)],box=e=>e.getBoundingClientRect(),style=e=>w.getComputedStyle(e);
const report={wide:d.documentElement.scrollWidth-w.innerWidth,width:w.innerWidth,
loaded:w.performance.getEntriesByType('resource').length,drawn:all('svg').length,
flat:all('svg').filter(e=>box(e).height<4).length,
over:all('.card,.card *').filter(e=>!e.closest('svg,.scroll')&&box(e).right>w.innerWidth+1).length,
tiny:all('p,li,td,small,text').filter(e=>parseFloat(style(e).fontSize)<11.5).length,
back:style(d.body).backgroundColor};document.title=JSON.stringify(report)})</script>"""


def browse(page: str, folder: Path, width: int, *flags: str) -> dict[str, Any]:
    """Load the page in headless Chromium, in a frame of this width, and read the probe's findings from the title."""
    source = folder / "page.html"
    source.write_text(PROBE.replace("WIDTH", str(width)).replace("PAGE", escape(page)), encoding="utf-8")
    command = [
        str(CHROMIUM),
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1440,900"),
        *(f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=3000", *flags, "--dump-dom", source.as_uri()),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    title = re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)
    assert title is not None
    return dict(json.loads(unescape(title.group(1))))


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("dark", [False, True])
def test_a_browser_lays_it_out(page: str, tmp_path: Path, width: int, dark: bool) -> None:
    found = browse(page, tmp_path, width, f"--blink-settings=preferredColorScheme={0 if dark else 1}")
    assert found["width"] == width
    assert found["wide"] <= 0
    assert (found["loaded"], found["flat"], found["over"], found["tiny"]) == (0, 0, 0, 0)
    assert found["drawn"] > 20
    assert found["back"] == ("rgb(20, 24, 28)" if dark else "rgb(251, 251, 249)")
