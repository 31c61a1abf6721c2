"""The live page as it is served: drift beside its baseline, and how a real browser shows it."""

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest

from lightship.loopback import LoopbackServer
from lightship.monitoring import make_baseline
from lightship.page import PATH, Drift, Live, Site
from lightship_runtime.manifest import BASELINE
from lightship_runtime.monitor.bins import column_coders, encode_row
from lightship_runtime.monitor.encode import encode_record
from lightship_runtime.telemetry import Source, request_lines

SOURCE = Source("flights", "local", "4f1c9a03bb21d0e7")
NEXT = SOURCE._replace(version="77aa01cc9d0052c1")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def failed(at: float, status: int, latency_ms: float) -> str:
    """The line of a request that wasn't answered."""
    (text,) = request_lines(
        NEXT, now_ms=round(at * 1000), status=status, latency_ms=latency_ms, predictions=0, cold=False, records=[]
    )
    return text


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
        live.take(failed(now - 3 * place, 422, 0.3))
        live.answered(422, b"{\"detail\": \"At row 0, column 'delay': expected a number, got 'soon'. <b>No</b>\"}")
    live.take(failed(now, 500, 2.0))
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
