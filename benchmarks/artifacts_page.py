"""docs/artifacts.md and its picture, made from docs/artifacts.json as `artifacts.py` left it.

.venv/bin/python benchmarks/artifacts_page.py
"""

import json
from collections.abc import Mapping
from html import escape
from math import log10
from pathlib import Path

type Rows = Mapping[str, Mapping[str, float]]

DOCS = Path(__file__).resolve().parents[1] / "docs"
INTRO = """# Artifacts side by side

Written by `benchmarks/artifacts.py --tools "logistic,hist boosting" --out docs` on two x86-64 cores that had other work
to do: everything of one family is booted in turns, so read the ratios, not the milliseconds. The rows are real flights
(six numbers with gaps, two texts), the pipelines impute, scale and encode before the model that names the family.

- **floor**: an empty handler. **lightship**: `realtime.zip`. **honest**: scikit-learn slimmed by the same rules, with
  bytecode, FastAPI and Mangum. **naive**: `pip install --target` and a handler. All under AWS's own runtime client.
- **chalice**, **zappa**: the zips that their own `package` commands make, booted in the same way. Zappa imports the
  model with the first request, so add start and first together.
- **bentoml**, **mlflow**: their own serve commands with one worker, asked over HTTP. Their size is the environment's,
  their memory that of all their processes. They aren't Lambda functions: an image would have to carry them.
- start: spawn until requests are taken. p50, p99: a warm request with one row. memory: the peak.

![Start, warm latency, memory and size by model family, on logarithmic axes](artifacts.svg)
"""
PANELS = (("start ms", "start, ms"), ("p50 ms", "one warm row, ms"), ("memory MB", "memory, MB"), ("zip MB", "zip, MB"))
COMPARED = (
    *("zip MB", "start / floor", "p50 over the floor", "memory / floor"),
    *("zip / honest", "start / honest", "p50 / honest", "memory / honest"),
)
SHOWN = ("floor", "lightship", "honest", "naive")
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #333 } .quiet { fill: #777 } .grid { stroke: #ddd }
.floor { fill: #999 } .lightship { fill: #0a7d5a } .honest { fill: #d98200 } .naive { fill: #b3302b }
@media (prefers-color-scheme: dark) { text { fill: #ddd } .quiet { fill: #999 } .grid { stroke: #444 } }
"""
LEFT, PANEL, GAP, ROW, TOP = 120, 210, 30, 24, 64


def main() -> None:
    write(DOCS)


def write(folder: Path) -> None:
    """artifacts.md and artifacts.svg beside the artifacts.json in `folder`."""
    tables: Mapping[str, Rows] = json.loads((folder / "artifacts.json").read_text())
    parts = [INTRO, summary(tables), *(table(name, rows) for name, rows in tables.items())]
    (folder / "artifacts.md").write_text("\n".join(parts))
    (folder / "artifacts.svg").write_text(picture(tables))


def summary(tables: Mapping[str, Rows]) -> str:
    """One line a family: what Lightship adds to the floor, and its share of honest scikit-learn."""
    lines = [
        "## Lightship against the floor and against honest scikit-learn",
        "",
        f"| | {' | '.join(COMPARED)} |",
        "|---" * (len(COMPARED) + 1) + "|",
    ]
    for name, rows in tables.items():
        ours, floor, honest = rows["lightship"], rows["floor"], rows["honest"]
        cells = [
            f"{ours['zip MB']:.1f}",
            f"{ours['start ms'] / floor['start ms']:.2f}",
            f"{ours['p50 ms'] - floor['p50 ms']:.2f} ms",
            f"{ours['memory MB'] / floor['memory MB']:.2f}",
            *(f"{ours[each] / honest[each]:.2f}" for each in ("zip MB", "start ms", "p50 ms", "memory MB")),
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def table(name: str, rows: Rows) -> str:
    """Everything measured of one family, and Lightship's share of each other's."""
    columns = list(rows["floor"])
    lines = [f"### {name}", "", f"| | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    lines += [f"| {kind} | {' | '.join(f'{row[each]:.2f}' for each in columns)} |" for kind, row in rows.items()]
    for other in rows:
        if other != "lightship":
            ratios = [_ratio(rows["lightship"][each], rows[other][each]) for each in columns]
            lines.append(f"| lightship / {other} | {' | '.join(ratios)} |")
    return "\n".join(lines) + "\n"


def _ratio(ours: float, theirs: float) -> str:
    return f"{ours / theirs:.3g}" if theirs > 0.01 else ""


def picture(tables: Mapping[str, Rows]) -> str:
    """A dot plot of four panels, a row a family, every axis logarithmic."""
    width = LEFT + len(PANELS) * (PANEL + GAP)
    height = TOP + ROW * len(tables) + 30
    body = [_legend()]
    body += [
        f'<text x="{LEFT - 12}" y="{TOP + ROW * row + 16}" text-anchor="end">{escape(name)}</text>'
        for row, name in enumerate(tables)
    ]
    for place, (column, title) in enumerate(PANELS):
        body.append(_panel(tables, column, title, LEFT + place * (PANEL + GAP)))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">'
        f"<title>Lightship, an empty handler, honest and naive scikit-learn</title><style>{STYLE}</style>"
        f"{''.join(body)}</svg>\n"
    )


def _legend() -> str:
    return "".join(
        f'<circle cx="{LEFT + 110 * place}" cy="16" r="5" class="{kind}"/>'
        f'<text x="{LEFT + 110 * place + 10}" y="20">{kind}</text>'
        for place, kind in enumerate(SHOWN)
    )


def _panel(tables: Mapping[str, Rows], column: str, title: str, left: float) -> str:
    values = [rows[kind][column] for rows in tables.values() for kind in SHOWN if kind in rows]
    positive = [value for value in values if value > 0.01]
    low, high = log10(min(positive)) - 0.1, log10(max(positive)) + 0.1

    def x(value: float) -> float:
        return left + PANEL * (log10(value) - low) / (high - low)

    bottom = TOP + ROW * len(tables)
    marks = [f'<text x="{left}" y="{TOP - 14}">{escape(title)}</text>']
    for power in range(-2, 6):
        if low <= power <= high:
            at = x(10.0**power)
            marks.append(f'<line x1="{at:.1f}" y1="{TOP}" x2="{at:.1f}" y2="{bottom}" class="grid"/>')
            marks.append(
                f'<text x="{at:.1f}" y="{bottom + 16}" text-anchor="middle" class="quiet">{10.0**power:g}</text>'
            )
    for row, (name, rows) in enumerate(tables.items()):
        for kind in SHOWN:
            if kind in rows and rows[kind][column] > 0.01:
                tip = f"{name}, {kind}: {rows[kind][column]:.3g} {column.rpartition(' ')[2]}"
                marks.append(
                    f'<circle cx="{x(rows[kind][column]):.1f}" cy="{TOP + ROW * row + 12}" r="5" class="{kind}">'
                    f"<title>{escape(tip)}</title></circle>"
                )
    return "".join(marks)


if __name__ == "__main__":
    main()
