"""The model card and the report of releases that are made here, read as text and in a browser."""

import ast
import json
import re
import shutil
import subprocess
import zipfile
from dataclasses import replace
from html import escape, unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightship.advice import advise
from lightship.papers import CARD, REPORT, model_card, render_report, write_papers
from lightship.papers.card import example_row
from lightship.papers.report import pairs_of
from lightship.papers.svg import decades, ticks
from lightship.papers.treemap import squarify
from lightship.proving import Traces
from lightship.targets import make_target
from lightship_runtime.contract import Column, Contract, Output
from lightship_runtime.golden import Golden
from lightship_runtime.manifest import Artifact, Engines, Proof, Release
from lightship_runtime.validation import Validator

COLUMNS = (
    Column("age", "number", "float64", nullable=True, minimum=18.04, maximum=97.93),
    Column("visits", "integer", "int64", minimum=-3, maximum=40),
    Column("member", "boolean", "bool"),
    Column("city", "category", "str", categories=tuple(f"city {i}" for i in range(30)), closed=True),
    Column("level", "category", "int64", categories=(1, 2, 3)),
    Column("note", "text", "str"),
    Column("seen", "datetime", "datetime64[ns]"),
)
BINARY = Contract(COLUMNS, Output("binary", ("late", "on time"), probabilities=True))
PRIVATE = "Ada Lovelace 1815"


def golden_of(contract: Contract, rows: int = 300) -> Golden:
    rng = np.random.default_rng(1)
    inputs = tuple((PRIVATE,) * len(contract.columns) for _ in range(rows))
    classes = len(contract.output.classes)
    if contract.output.task == "regression":
        return Golden(inputs, tuple(rng.normal(size=rows).tolist()), None, None, rows)
    labels = tuple(rng.integers(0, max(classes, 2), rows).tolist())
    if not contract.output.probabilities:
        return Golden(inputs, labels, None, None, rows)
    shares = rng.dirichlet([1.0] * classes, rows)
    return Golden(inputs, labels, tuple(map(tuple, shares.tolist())), None, rows)


def with_edges(golden: Golden) -> Golden:
    """The same, of which the last ten rows are no part of the sample and far beyond it."""
    sampled = len(golden.rows) - 10
    return replace(golden, predictions=golden.predictions[:sampled] + (-3.21e13,) * 10, sampled=sampled)


def traces_of(golden: Golden) -> Traces:
    times = np.random.default_rng(2).lognormal(-1, 0.5, 300).tolist()
    return Traces((81.0, 75.5, 79.2), 1.4, tuple(times), 19.4, 24.0, golden)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "realtime.zip"
    with zipfile.ZipFile(path, "w") as out:
        for name, size in {
            "numpy": 900,
            "pydantic_core": 700,
            "model": 300,
            "lightship_runtime": 40,
            "x" * 60: 30,
        }.items():
            out.writestr(f"{name}/data", b"x" * size * 1000)
        for number in range(40):
            out.writestr(f"small{number}.pyc", b"x" * 100)
    return path


def release_of(contract: Contract, **notes: Any) -> Release:
    target = make_target("3.13", "arm64")
    advice = advise(target, requests_ms=[0.4, 0.5], init_ms=80.0, busy_rss_mb=24.0).to_dict()
    return Release(
        name="delay",
        version="0123456789abcdef",
        lightship="0.1.0",
        target=target,
        engine=Engines("pure", "array"),
        artifacts={"realtime": Artifact("realtime.zip", "h", "00", 4_100_000, 9_500_000)},
        files={"contract.json": "ab" * 32},
        proof=Proof("exact", 300, 1e-9, 0.0, 0, 1, 79.2, 1.4, 0.36, 1.2, 19.4),
        notes={
            "why": "pure comes first.",
            "engines": {
                "pure": {
                    "accepted": True,
                    "reason": "holds",
                    "row_us": 36.0,
                    "batch_rows_per_s": 9e3,
                    "max_abs_diff": 0.0,
                },
                "onnx": {"accepted": False, "reason": "can't <convert> it", "row_us": None, "max_abs_diff": None},
            },
            "scores": {
                "rows": 5000,
                "of": 9000,
                "missing": "",
                "metrics": [
                    {"name": "accuracy", "value": 0.81, "low": 0.8, "high": 0.82, "guess": 0.73, "better": "higher"},
                    {"name": "R2", "value": 0.5, "low": None, "high": None, "guess": 0.0, "better": "higher"},
                ],
            },
            "data": {"rows": 9000, "missing": [0.25, 0, 0, 0, 0, 0, 0]},
            "memory": advice,
            "binaries": {"files": 3, "glibc": "2.28", "libraries": ["libc.so.6"]},
            "lent": [
                {
                    "file": "lib/libgomp.so.1",
                    "original": "libgomp-1.so",
                    "requirement": "scikit-learn==1",
                    "wanted_by": "l.so",
                }
            ],
            "slimmed": {"tests": 12_000_000},
            **notes,
        },
    )


def test_the_example_row_is_one_that_the_contract_accepts() -> None:
    row = example_row(BINARY)
    assert set(row) == set(BINARY.names)
    columns = Validator(BINARY).columns([json.loads(json.dumps(row))])
    assert [len(values) for values in columns] == [1] * len(COLUMNS)


def test_the_card_tells_contract_scores_data_proof_and_limits() -> None:
    card = model_card(release_of(BINARY), BINARY)
    assert "| `age` | number | may be null | about 18 to 98 |" in card
    assert '`"city 7"` and 22 more. Others are refused.' in card
    assert "city 8" not in card
    assert "| accuracy | 0.81 | 0.8 to 0.82 | 0.73 | higher is better |" in card
    assert "evenly spaced among 9,000" in card
    assert "Values were missing in `age` 25.0%." in card
    assert "300 golden rows" in card
    assert "is cheapest on arm64" in card
    assert "$" not in re.sub(r"\$(ENDPOINT|AWS_[A-Z_]+|[0-9])", "", card)


def test_a_card_without_labels_says_that_nothing_is_known() -> None:
    assert "No labels were given at packaging" in model_card(release_of(BINARY, scores=None, data=None), BINARY)


def test_the_cards_python_and_shell_carry_the_same_row() -> None:
    contract = replace_columns(BINARY, Column('it\'s "odd" $x', "category", "str", categories=("l'été\\n",)))
    card = model_card(release_of(contract, data=None), contract)
    expected = {"instances": [example_row(contract)]}
    python = re.search(r"^body = (.*)$", card, re.MULTILINE)
    assert python is not None
    assert json.loads(ast.literal_eval(python[1])) == expected
    shell = re.search(r"^(curl -s http.*)$", card, re.MULTILINE)
    assert shell is not None
    printed = subprocess.run(
        ["sh", "-c", shell[1].replace("curl", "printf '%s\\n'")], capture_output=True, text=True, check=True
    )
    assert json.loads(printed.stdout.splitlines()[-1]) == expected


def replace_columns(contract: Contract, *columns: Column) -> Contract:
    return Contract(columns, contract.output, contract.layout)


def test_names_and_categories_cannot_break_out_of_the_card() -> None:
    odd = Column("a|b`c\n## no", "category", "str", categories=("x|y", "<script>alert(1)</script>", "`"))
    contract = replace_columns(BINARY, odd)
    card = model_card(release_of(contract, data=None), contract)
    (line,) = [each for each in card.splitlines() if each.startswith("| `a")]
    assert line.count("|") - line.count("\\|") == 5
    assert "\n## no" not in card


class Page(HTMLParser):
    """What a page's tags ask for, and whether they are closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.asks: list[str] = []
        self.words = ""
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "line", "circle"):
            self.open.append(tag)
        self.asks += [f"{tag} {name}" for name, _ in attrs if name in ("src", "href", "xlink:href", "style", "onload")]
        if tag in ("script", "link", "img", "iframe", "image", "use"):
            self.asks.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag that closes itself."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


TASKS = {
    "binary": BINARY,
    "multiclass": Contract(COLUMNS, Output("multiclass", ("a", "b", "c"), probabilities=True)),
    "labels": Contract(COLUMNS, Output("binary", (False, True))),
    "regression": Contract(COLUMNS, Output("regression")),
    "clustering": Contract(COLUMNS, Output("clustering")),
}


@pytest.mark.parametrize("contract", TASKS.values(), ids=TASKS.keys())
def test_the_report_is_whole_small_and_asks_for_nothing(archive: Path, contract: Contract) -> None:
    golden = golden_of(contract, 10_000)
    page = render_report(release_of(contract), contract, golden, traces_of(golden), {"realtime": archive})
    read = Page(page)
    assert read.asks == []
    assert not re.search(r"https?://|url\(|@import", page)
    assert len(page.encode()) < 500_000
    assert "nan" not in page.lower().split()
    assert "can't <convert> it" in read.words
    assert read.words.count("The zip against the model") == (
        contract.output.probabilities or contract.output.task == "regression"
    )


def test_papers_hold_no_input_of_any_row(archive: Path) -> None:
    golden = golden_of(BINARY)
    write_papers(archive.parent, release_of(BINARY), BINARY, golden, traces_of(golden))
    for name in (CARD, REPORT):
        text = (archive.parent / name).read_text()
        assert PRIVATE not in text
        assert "0123456789abcdef" in text


def test_rows_beyond_the_sample_do_not_flatten_the_picture_of_it(archive: Path) -> None:
    contract = TASKS["regression"]
    golden = with_edges(golden_of(contract))
    page = render_report(release_of(contract), contract, golden, traces_of(golden), {"realtime": archive})
    assert "290 values of the 290 golden rows" in page
    assert "300 values, of rows made to find errors too" in page
    assert "e13" not in page


def test_differences_are_of_the_values_that_the_zip_gave() -> None:
    golden = golden_of(BINARY, 5)
    assert golden.probabilities is not None
    found = replace(golden, probabilities=tuple((a + 0.25, b - 0.25) for a, b in golden.probabilities))
    pairs, unit = pairs_of(golden, found, BINARY)
    assert unit == "P(on time)"
    assert [expected - got for expected, got in pairs] == pytest.approx([0.25] * 5)


@settings(derandomize=True, deadline=None)
@given(st.lists(st.floats(0.001, 1000), min_size=1, max_size=40), st.floats(10, 1000), st.floats(10, 1000))
def test_a_treemap_fills_its_frame_in_proportion(sizes: list[float], width: float, height: float) -> None:
    sizes.sort(reverse=True)
    boxes = squarify(sizes, width, height)
    assert [box.index for box in boxes] == list(range(len(sizes)))
    for box, size in zip(boxes, sizes, strict=True):
        assert box.width * box.height == pytest.approx(size / sum(sizes) * width * height, rel=1e-6)
        assert box.x >= -1e-6
        assert box.x + box.width <= width * (1 + 1e-6)
        assert box.y >= -1e-6
        assert box.y + box.height <= height * (1 + 1e-6)
    for place, one in enumerate(boxes):
        for other in boxes[place + 1 :]:
            across = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
            down = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
            assert min(across, down) <= 1e-6 * max(width, height)


@settings(derandomize=True, deadline=None)
@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_few_round_and_within(low: float, span: float) -> None:
    found = ticks(low, low + span)
    assert len(found) <= 7
    assert all(low - 1e-6 * span <= tick <= low + span + 1e-6 * max(span, abs(low)) for tick in found)


def test_an_axis_of_powers_has_doubles_where_it_is_short() -> None:
    assert decades(0.3, 3) == pytest.approx([0.5, 1, 2])
    assert decades(1e-3, 1e3) == pytest.approx([10.0**power for power in range(-3, 4)])


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MEASURE = """<script>addEventListener("load", () => {
  const outside = [...document.querySelectorAll("svg text")].filter(each => {
    const inner = each.getBoundingClientRect(), outer = each.ownerSVGElement.getBoundingClientRect();
    return inner.left < outer.left - 1 || inner.right > outer.right + 1 || inner.bottom > outer.bottom + 1;
  }).map(each => each.textContent);
  const found = {
    width: innerWidth, needed: document.documentElement.scrollWidth, outside,
    loaded: performance.getEntriesByType("resource").length,
    page: getComputedStyle(document.body).backgroundColor, ink: getComputedStyle(document.body).color,
    smallest: Math.min(...[...document.querySelectorAll("svg text")].map(each =>
      parseFloat(getComputedStyle(each).fontSize) * each.ownerSVGElement.getBoundingClientRect().width / 440)),
  };
  parent.document.getElementById("found").textContent = JSON.stringify(found);
})</script>"""


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, which isn't installed here")
@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize(("scheme", "task"), [("light", "regression"), ("dark", "binary")])
def test_a_browser_shows_the_report_whole(archive: Path, tmp_path: Path, width: int, scheme: str, task: str) -> None:
    contract = TASKS[task]
    golden = golden_of(contract)
    golden = with_edges(golden) if task == "regression" else golden
    page = render_report(release_of(contract), contract, golden, traces_of(golden), {"realtime": archive})
    inner = escape(page.replace("</body>", MEASURE + "</body>"))
    path = tmp_path / "frame.html"
    # A window can't be as narrow as a telephone, a frame can.
    path.write_text(
        '<!doctype html><meta charset="utf-8"><style>:root { color-scheme: light dark }</style><pre id="found"></pre>'
        f'<iframe srcdoc="{inner}" style="width: {width}px; height: 2000px; border: 0"></iframe>'
    )
    preferred = "1" if scheme == "light" else "0"
    done = subprocess.run(
        [
            str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--dump-dom",
            f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1600,1200",
            f"--blink-settings=preferredColorScheme={preferred}", path.as_uri(),
        ],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    shown = re.search(r'<pre id="found">(.+?)</pre>', done.stdout)
    assert shown is not None, done.stderr
    found = json.loads(unescape(shown[1]))
    assert found["width"] == width
    assert found["needed"] <= width
    assert found["outside"] == []
    assert found["loaded"] == 0
    assert found["smallest"] >= 9
    bright = [sum(map(int, re.findall(r"\d+", found[name])[:3])) > 380 for name in ("page", "ink")]
    assert bright == ([True, False] if scheme == "light" else [False, True])
