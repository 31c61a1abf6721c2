"""The live page: what is counted, and how a real browser shows it."""

import base64
import io
import json
import os
import shutil
import subprocess
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest

from lightship.lambda_host import Function, unpack
from lightship.loopback import LoopbackServer
from lightship.monitoring import make_baseline
from lightship.page import PATH, Drift, Live, Site
from lightship.page.live import BUCKET_S, BUCKETS, RECENT, REFUSALS, percentile, reason_of, step_of
from lightship.page.monitored import monitored_words
from lightship.rehearsal import dashboard
from lightship.serving import ModelServer
from lightship_runtime.manifest import BASELINE
from lightship_runtime.monitor.bins import column_coders, encode_row
from lightship_runtime.monitor.encode import encode_record
from lightship_runtime.telemetry import Source, request_lines

NOW = 1_800_000_000.0
SOURCE = Source("flights", "local", "4f1c9a03bb21d0e7")
NEXT = SOURCE._replace(version="77aa01cc9d0052c1")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def line(
    at: float, *, status: int = 200, latency_ms: float = 2.0, rows: int = 1, cold: bool = False,
    source: Source = SOURCE, **record: Any,
) -> str:  # fmt: skip
    records = (
        [] if status >= 400 else [json.dumps({"i": f"id{i}", "p": "late", "c": "", **record}) for i in range(rows)]
    )
    lines = request_lines(
        source, now_ms=round(at * 1000), status=status, latency_ms=latency_ms, predictions=len(records), cold=cold,
        records=records,
    )  # fmt: skip
    return lines[0]


def test_requests_are_counted_by_time_and_kind() -> None:
    live = Live(lambda: NOW)
    live.take(line(NOW - 8, rows=3, cold=True))
    live.take(line(NOW - 8, status=422, latency_ms=0.4))
    live.take(line(NOW - 1, status=500))
    live.take(line(NOW - 7))  # a worker whose line came late
    found = live.snapshot()
    counts = [
        [each[name] for name in ("requests", "predictions", "refused", "failed", "cold")] for each in found["buckets"]
    ]
    assert counts == [[3, 4, 1, 0, 1], [1, 0, 0, 1, 0]]
    assert found["total"]["requests"] == 4
    assert found["outputs"]["classes"] == [("late", 4)]
    assert found["version"] == SOURCE.version


def test_other_lines_and_old_ones_count_for_nothing() -> None:
    live = Live(lambda: NOW)
    for text in ("START RequestId", "{}", '{"_aws":{"Timestamp":"x"},"predictions":[]}', "[]", '{"_aws":'):
        live.take(text)
    live.take(line(NOW))
    live.take(line(NOW - 3600))
    assert live.snapshot()["total"]["requests"] == 1


def test_memory_is_bounded_whatever_comes() -> None:
    live = Live(lambda: NOW + 3 * BUCKETS * BUCKET_S)
    for place in range(3 * BUCKETS):
        live.take(line(NOW + place * BUCKET_S, rows=50, latency_ms=float(place + 1)))
        live.answered(422, b'{"detail":"' + b"x" * 1000 + b'"}')
    assert len(live.recent) == RECENT
    found = live.snapshot()
    assert len(found["buckets"]) <= BUCKETS
    assert len(found["refusals"]) == REFUSALS
    assert all(len(reason) <= 300 for _, _, reason in found["refusals"])
    assert live.taken == 3 * BUCKETS * 50


def test_percentiles_are_within_a_twentieth() -> None:
    values = sorted(np.random.default_rng(1).lognormal(1, 1, 4000).tolist())
    counted: dict[int, int] = {}
    for value in values:
        counted[step_of(value)] = counted.get(step_of(value), 0) + 1
    for share in (50, 90, 99):
        assert percentile(counted, share) == pytest.approx(values[40 * share - 1], rel=0.06)
    assert percentile({}, 50) is None


def test_outputs_of_every_kind_are_shown() -> None:
    live = Live(lambda: NOW)
    for value in (1.5, 2.5, 9.0):
        live.take(line(NOW, p=value))
    numbers = live.snapshot()["outputs"]
    assert (numbers["numbers"]["low"], numbers["numbers"]["high"], sum(numbers["numbers"]["counts"])) == (1.5, 9.0, 3)
    many = Live(lambda: NOW)
    for value in range(20):
        many.take(line(NOW, p=value, s=[0.2, 0.8]))
    found = many.snapshot()["outputs"]
    assert found["classes"][-1] == ("8 others", 8)
    assert found["scores"]["counts"][16] == 20


def test_a_reason_is_what_the_answer_says() -> None:
    assert reason_of(b'{"title": "Unprocessable", "detail": "At row 0"}') == "At row 0"
    assert reason_of(b'{"message": "Service Unavailable"}') == "Service Unavailable"
    for body in (b"", b"[1]", b"\xff", b"{}"):
        assert reason_of(body) == "The answer has no reason."


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the baseline of two columns."""
    folder = tmp_path_factory.mktemp("release")
    draw = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"delay": draw.normal(size=3000), "a column with quite a long name": draw.choice(list("abc"), 3000)}
    )
    frame["prediction"] = np.where(frame["delay"] > 0, "late", "on time")
    frame["score"] = 1 / (1 + np.exp(-frame["delay"]))
    (folder / BASELINE).write_bytes(make_baseline(frame, prediction="prediction", score="score").to_json())
    return folder


def fed(release: Path, rows: int, *, shift: float = 0.0) -> tuple[Live, Drift]:
    """A live picture of so many predictions, as the runtime records them, over the last minutes."""
    now = time.time()
    live, draw = Live(), np.random.default_rng(1)
    drift = Drift(live, release)
    coders = column_coders(drift.baseline) if drift.baseline else ()
    for place in range(rows):
        delay = draw.normal() + shift
        codes = encode_row(coders, {"delay": delay, "a column with quite a long name": "a"})
        score = 1 / (1 + np.exp(-delay))
        record = encode_record(f"{place:032}", "late" if delay > 0 else "on time", float(score), codes)
        at = now - 500 * (1 - place / rows)
        text = request_lines(
            SOURCE if place < rows / 2 else NEXT, now_ms=round(at * 1000),
            status=200, latency_ms=float(draw.lognormal(1.2, 0.8)), predictions=1,
            cold=place % 400 == 0, records=[json.dumps(record)],
        )  # fmt: skip
        live.take(text[0])
    return live, drift


def test_what_the_monitor_last_saw_is_told_in_words() -> None:
    accuracy = {"on": False, "since": None, "metric": "mae", "value": 3.25, "low": 3.0, "high": 3.5, "n": 1400}
    drift = {"on": True, "since": NOW, "count": 1, "columns": []}
    document = {"time": NOW, "windows": 12, "breaches": {"accuracy": accuracy, "drift": drift}}
    told = monitored_words(json.dumps(document).encode())
    assert told["Monitor"].startswith("drift, by 12 windows, at ")
    assert told["Mean absolute error, by labels"] == "3.25 (95%: 3.000 to 3.500), n = 1,400"
    assert monitored_words(None) == {"Monitor": "hasn't run yet"}


def test_drift_is_judged_as_the_monitor_judges_a_window(release: Path, tmp_path: Path) -> None:
    live, drift = fed(release, 300)
    assert drift.snapshot()["state"] == "waiting"
    assert "300 of the 500 predictions" in drift.snapshot()["why"]
    live, drift = fed(release, 700, shift=1.0)
    found = drift.snapshot()
    assert found["state"] == "judged"
    assert {name: level for name, _, level in found["columns"]}["delay"] == "high"
    assert found["estimated"] is None  # the baseline had no labels
    assert drift.snapshot() is found  # nothing has come since
    assert "no baseline" in Drift(live, tmp_path).snapshot()["why"]


@pytest.fixture(scope="module")
def site(release: Path) -> Site:
    live, drift = fed(release, 900, shift=0.4)
    now = time.time()
    for place in range(12):
        live.take(line(now - 3 * place, status=422, latency_ms=0.3, source=NEXT))
        live.answered(422, b"{\"detail\": \"At row 0, column 'delay': expected a number, got 'soon'. <b>No</b>\"}")
    live.take(line(now, status=500, source=NEXT))
    live.answered(500, b'{"title": "The model failed on this request."}')
    alarms = [{"name": "flights-endpoint-down", "state": "ALARM", "since": now - 90, "reason": "Threshold Crossed"}]
    names = [f"flights-alarm-with-a-long-name-{i}" for i in range(30)]
    alarms += [{"name": name, "state": "OK", "since": now, "reason": ""} for name in names]
    stack = {"Live": "version 7", "Last batch run": "SUCCEEDED, begun 15:32:01"}
    return Site("flights", live, drift, objectives=(20.0, 0.999), alarms=lambda: alarms, stack=lambda: stack)


@pytest.fixture(scope="module")
def served(site: Site) -> Iterator[str]:
    pages = site.pages
    with LoopbackServer(lambda request: pages[request.method, request.path](request)) as server:
        yield server.url


def test_the_pages_are_guarded_and_whole(served: str) -> None:
    with httpx.Client(base_url=served, trust_env=False) as client:
        for path in (PATH, f"{PATH}/page.css", f"{PATH}/page.js", f"{PATH}/data"):
            answer = client.get(path)
            assert answer.status_code == 200
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert client.get(f"{PATH}/data", headers={"host": "elsewhere.example"}).status_code == 403
        assert client.get(f"{PATH}/data", headers={"origin": "https://elsewhere.example"}).status_code == 403


class Logs:
    """CloudWatch Logs with the events that were put into it."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def get_paginator(self, _name: str) -> "Logs":
        return self

    def paginate(self, **given: Any) -> list[dict[str, Any]]:
        return [{"events": [each for each in self.events if each["timestamp"] >= given["startTime"]]}]


def test_a_log_is_read_on_without_counting_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboard, "PAUSE_S", 0.0)
    logs, live = Logs(), Live()
    tail = dashboard.Tail(lambda _service: logs, "group", live)  # type: ignore[arg-type]
    now = time.time() + 1

    def put(identifier: str, milliseconds: int) -> None:
        at = round(now * 1000) + milliseconds
        logs.events.append({"eventId": identifier, "timestamp": at, "message": line(at / 1000) + "\n"})

    counts = []
    for identifiers in (["a", "b"], ["c"], [], ["d"]):
        for place, identifier in enumerate(identifiers):
            # A later look finds another event of a millisecond that was seen already.
            put(identifier, 5 if identifier in "bc" else 9 if identifier == "d" else place)
        tail()
        counts.append(live.snapshot()["total"]["requests"])
    assert counts == [2, 3, 3, 4]


class Browser:
    """Chromium over its own pipe: commands, and everything that it complains about. A context manager."""

    def __init__(self, folder: Path) -> None:
        theirs, self._out = os.pipe()
        self._in, ours = os.pipe()
        # Chromium reads commands from descriptor 3 and writes to 4.
        command = (
            f'exec "$0" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --hide-scrollbars '
            f"--disable-background-networking --disable-component-update --disable-sync --remote-debugging-pipe "
            f"--user-data-dir={folder} about:blank 3<&{theirs} 4>&{ours}"
        )
        self._process = subprocess.Popen(
            ["bash", "-c", command, str(CHROMIUM)], pass_fds=(theirs, ours), stderr=subprocess.DEVNULL
        )
        os.close(theirs)
        os.close(ours)
        self._rest = b""
        self._count = 0
        self.complaints: list[str] = []
        self._session: str | None = None
        target = self("Target.createTarget", url="about:blank")["targetId"]
        self._session = self("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Accessibility"):
            self(f"{domain}.enable")

    def __call__(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._count:
                assert "error" not in answer, answer
                return dict(answer["result"])
            self._note(answer)

    def run(self, script: str) -> Any:
        """The value of an expression, which may be a promise."""
        found = self("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def open(self, url: str) -> None:
        """Go there and wait until all of it is loaded."""
        self("Page.navigate", url=url)
        self.run("new Promise(done => document.readyState === 'complete' ? done() : addEventListener('load', done))")

    def press(self, key: str, code: int) -> None:
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if key == "Enter" and kind == "keyDown" else {}
            self("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **text)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            data = os.read(self._in, 1 << 16)
            assert data, "Chromium ended"
            self._rest += data
        text, _, self._rest = self._rest.partition(b"\0")
        return dict(json.loads(text))

    def _note(self, event: dict[str, Any]) -> None:
        match event.get("method"):
            case "Log.entryAdded" if event["params"]["entry"]["level"] in ("error", "warning"):
                self.complaints.append(event["params"]["entry"]["text"])
            case "Runtime.exceptionThrown" | "Runtime.consoleAPICalled":
                self.complaints.append(json.dumps(event["params"]))

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: object) -> None:
        self._session = None
        os.write(self._out, b'{"id": 0, "method": "Browser.close"}\0')
        self._process.wait(20)
        os.close(self._out)
        os.close(self._in)


MEASURE = """(async () => {
  for (let i = 0; i < 100 && document.getElementById("status").textContent !== "Live"; i++)
    await new Promise(done => setTimeout(done, 50));
  const all = (query) => [...document.querySelectorAll(query)], box = (each) => each.getBoundingClientRect();
  const visible = (each) => each.checkVisibility() && box(each).width > 0;
  const light = (text) => { const [r, g, b] = text.match(/\\d+/g).map(Number).map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const contrast = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
  const card = getComputedStyle(document.querySelector("section")).backgroundColor;
  const texts = all("svg text");
  return {
    width: innerWidth, needed: document.documentElement.scrollWidth,
    status: document.getElementById("status").textContent,
    charts: all(".chart svg").filter(visible).map(each => each.getAttribute("aria-label")),
    marks: all("svg rect, svg path").length,
    outside: texts.filter(each => { const i = box(each), o = box(each.ownerSVGElement);
      return i.left < o.left - 1 || i.right > o.right + 1 || i.bottom > o.bottom + 1; }).map(each => each.textContent),
    collide: texts.filter((each, place) => texts.some((other, at) => at > place
      && other.ownerSVGElement === each.ownerSVGElement
      && !other.classList.contains("limit") && !each.classList.contains("limit")
      && box(each).left < box(other).right - 1 && box(other).left < box(each).right - 1
      && box(each).top < box(other).bottom - 2 && box(other).top < box(each).bottom - 2)).map(each => each.textContent),
    over: all("section, section :not(svg *)").filter(each => visible(each) && !each.closest(".scroll, svg")
      && box(each).right > innerWidth + 1).map(each => each.tagName),
    smallest: Math.min(...texts.map(each => parseFloat(getComputedStyle(each).fontSize))),
    faintest: Math.min(...all("p, td, th, dt, dd, small, summary, li, button").filter(visible)
        .map(each => contrast(getComputedStyle(each).color, card)),
      ...texts.map(each => contrast(getComputedStyle(each).fill, card))),
    page: getComputedStyle(document.body).backgroundColor, refused: document.getElementById("refused").textContent,
    releases: texts.map(each => each.textContent).filter(text => text.startsWith("release")),
    bold: all("#refused b").length, sounding: all("#alarm-list li").length, title: document.title,
    loaded: performance.getEntriesByType("resource").filter(each => !each.name.startsWith(location.origin)).length,
  };
})()"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, which isn't installed here")
@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_it(browser: Browser, served: str, tmp_path: Path, width: int, scheme: str) -> None:
    browser("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 500)
    browser("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.open(served + PATH)
    found = browser.run(MEASURE)
    picture = browser("Page.captureScreenshot", captureBeyondViewport=True)["data"]
    folder = Path(os.environ.get("LIGHTSHIP_SCREENSHOTS", tmp_path))
    (folder / f"dashboard-{width}-{scheme}.png").write_bytes(base64.b64decode(picture))
    assert browser.complaints == []
    assert found["status"] == "Live"
    assert found["width"] == width
    assert found["needed"] <= width
    assert (found["outside"], found["collide"], found["over"], found["loaded"]) == ([], [], [], 0)
    assert len(found["charts"]) == 4
    assert all(found["charts"])
    assert found["marks"] > 60
    assert found["smallest"] >= 12
    assert found["faintest"] >= 4.5
    assert "got 'soon'. <b>No</b>" in found["refused"]
    assert found["bold"] == 0
    assert found["sounding"] == 1
    assert found["releases"] == ["release 77aa01cc"]
    assert found["title"] == "flights: Lightship dashboard"
    bright = sum(int(part) for part in found["page"].removeprefix("rgb(").rstrip(")").split(",")) > 380
    assert bright == (scheme == "light")


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, which isn't installed here")
def test_it_is_used_by_keyboard_and_named_for_screen_readers(browser: Browser, served: str) -> None:
    browser.open(served + PATH)
    browser.run(MEASURE)
    browser.press("Tab", 9)
    assert browser.run("document.activeElement.id") == "pause"
    assert browser.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    browser.press("Enter", 13)
    assert browser.run("[document.activeElement.textContent, document.getElementById('status').textContent]") == [
        "Go on",
        "Paused",
    ]
    browser.press("Enter", 13)
    assert browser.run("document.activeElement.getAttribute('aria-pressed')") == "false"
    browser.press("Tab", 9)
    assert browser.run("document.activeElement.tagName") == "SUMMARY"
    browser.press("Enter", 13)
    assert browser.run("document.activeElement.parentElement.open") is True
    nodes = browser("Accessibility.getFullAXTree")["nodes"]
    roles = ("button", "image", "region", "heading", "table", "DisclosureTriangle")
    named = [
        (node["role"]["value"], node["name"]["value"]) for node in nodes if node.get("role", {}).get("value") in roles
    ]
    assert {role for role, _ in named} >= {"button", "image", "region", "heading", "table"}
    assert [role for role, name in named if not name.strip()] == []
    assert browser.complaints == []


TELLING = """
import json, os, time
def handler(event, context):
    status = 422 if event["rawPath"] == "/refused" else 200
    metrics = {"Requests": 1, "Predictions": 1, "Refused": int(status == 422), "Failed": 0, "Latency": 1.5}
    print(json.dumps({"_aws": {"Timestamp": time.time_ns() // 1_000_000, "CloudWatchMetrics": []}, "version": "v1",
                      "status": status, **metrics, "predictions": []}, separators=(",", ":")))
    return {"statusCode": status, "body": json.dumps({"detail": "At row 0"})}
"""


def test_what_a_served_function_prints_reaches_the_page(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("app.py")
        info.external_attr = 0o644 << 16
        archive.writestr(info, TELLING)
    live = Live()
    site = Site("tiny", live, Drift(live, tmp_path), objectives=(500.0, 0.999))
    function = Function(unpack(buffer.getvalue(), tmp_path / "task"), "app.handler", name="tiny")
    with (
        ModelServer(function, workers=1, log=live.take, pages=site.pages, answered=live.answered) as server,
        httpx.Client(base_url=server.url, trust_env=False) as client,
    ):
        assert [client.post(path).status_code for path in ("/predict", "/predict", "/refused")] == [200, 200, 422]
        told = client.get(f"{PATH}/data").json()
    total = told["total"]
    assert (total["requests"], total["refused"], total["p50"]) == (3, 1, pytest.approx(1.5, rel=0.06))
    assert [refusal[1:] for refusal in told["refusals"]] == [[422, "At row 0"]]
    assert told["drift"]["state"] == "absent"
