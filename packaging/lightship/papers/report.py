"""report.html: the proof and the release in pictures, one file that asks no network for anything.

It shows outputs and times, never an input: golden rows and the sample stay where they are.
"""

from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

from lightship.advice import sentence
from lightship.budgets import Weights
from lightship.papers import charts
from lightship.papers.svg import shown
from lightship.proving import Traces
from lightship_runtime.contract import Contract
from lightship_runtime.golden import Golden
from lightship_runtime.manifest import Proof, Release

REPORT = "report.html"
ROWS_SHOWN = 20
_GROUPS = {
    "model": ("the model", {"model"}),
    "runtime": ("Lightship's runtime", {"lightship_runtime"}),
    "maths": (
        "numerical libraries",
        {"numpy", "scipy", "sklearn", "pandas", "onnxruntime", "lightgbm", "xgboost", "pyarrow", "numpy.libs"}
        | {"scipy.libs", "scikit_learn.libs", "xgboost_cpu.libs", "xgboost.libs", "lib"},
    ),
    "web": ("web framework", {"fastapi", "starlette", "pydantic", "pydantic_core", "mangum", "anyio"}),
    "rest": ("the rest", set[str]()),
}

type Pairs = list[tuple[float, float]]


def render_report(
    release: Release, contract: Contract, golden: Golden, traces: Traces, archives: Mapping[str, Path]
) -> str:
    """The page of a proven release."""
    proof = release.proof
    if proof is None:
        raise ValueError("a release that wasn't proven has nothing to report")
    css = resources.files("lightship.papers").joinpath("report.css").read_text()
    weights = Weights.of(archives["realtime"])
    body = [
        _head(release, proof),
        _tiles(release, proof),
        _engines(release),
        f'<div class="grid">{_figures(release, proof, golden, contract, traces, weights)}</div>',
        _scores(release.notes.get("scores")),
        _inside(release, weights),
        _foot(release),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(release.name)} {escape(release.version)}</title>\n<style>\n{css}</style>\n</head>\n<body>\n"
        + "\n".join(part for part in body if part)
        + "\n</body>\n</html>\n"
    )


def pairs_of(golden: Golden, found: Golden, contract: Contract) -> tuple[Pairs, str]:
    """(expected, found) of every number that the model gives and HTTP carries, and what they are. Labels alone are no
    numbers."""
    if golden.probabilities is not None and found.probabilities is not None:
        # Two probabilities say the same thing twice.
        keep = slice(1, 2) if contract.output.task == "binary" else slice(None)
        sides: list[tuple[Sequence[Any], Sequence[Any]]]
        sides = [(want[keep], got[keep]) for want, got in zip(golden.probabilities, found.probabilities, strict=True)]
        unit = f"P({contract.output.classes[1]})" if contract.output.task == "binary" else "probability"
    elif contract.output.task in ("regression", "transform"):
        sides = [(_row(want), _row(got)) for want, got in zip(golden.predictions, found.predictions, strict=True)]
        unit = "prediction"
    else:
        return [], ""
    numbers = [pair for want, got in sides for pair in zip(want, got, strict=True)]
    return [(float(a), float(b)) for a, b in numbers if a is not None and b is not None], unit


def _row(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else (value,)


def _head(release: Release, proof: Proof) -> str:
    return (
        f"<header><h1>{escape(release.name)}</h1><p class=soft>Version <code>{escape(release.version)}</code> for "
        f"Python {release.python} on {release.architecture}, packaged by Lightship {escape(release.lightship)} "
        f'<span class="badge {proof.grade}">{proof.grade} proof</span></p></header>'
    )


def _tiles(release: Release, proof: Proof) -> str:
    artifact = release.artifacts["realtime"]
    tiles = {
        "zip": f"{artifact.zip_bytes / 1e6:.1f} MB",
        "unzipped": f"{artifact.unzipped_bytes / 1e6:.1f} MB",
        "start": f"{shown(proof.init_ms)} ms",
        "request p50": f"{shown(proof.p50_ms)} ms",
        "request p99": f"{shown(proof.p99_ms)} ms",
        "memory": f"{proof.peak_rss_mb:.0f} MB",
        "golden rows": f"{proof.rows:,}",
        "label flips": str(proof.label_flips),
    }
    cells = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in tiles.items())
    return f'<dl class="tiles">{cells}</dl>'


def _engines(release: Release) -> str:
    uses: dict[str, list[str]] = {name: [] for name in release.notes.get("engines", {})}
    for use, name in (("requests", release.engine.request), ("batches", release.engine.batch)):
        uses.setdefault(name, []).append(use)
    rows = []
    for name, verdict in release.notes.get("engines", {}).items():
        held = verdict["accepted"]
        rows.append(
            f'<tr><td class="name"><strong>{escape(name)}</strong>{_used(uses[name])}</td>'
            f'<td class="{"yes" if held else "no"}">{"holds" if held else "refused"}</td>'
            f"{_cell(verdict.get('row_us'), 'us')}{_cell(verdict.get('batch_rows_per_s'), '')}"
            f"{_cell(verdict.get('max_abs_diff'), '')}"
            f'<td class="reason">{escape(str(verdict["reason"]))}</td></tr>'
        )
    return (
        f"<section><h2>Why this engine</h2><p>{escape(str(release.notes.get('why', '')))}</p>"
        '<div class="scroll"><table><thead><tr><th>engine</th><th></th><th class="number">a row</th>'
        '<th class="number">rows/s in a batch</th><th class="number">largest difference</th><th>reason</th></tr>'
        "</thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div></section>"
    )


def _used(uses: Sequence[str]) -> str:
    return f" for {' and '.join(uses)}" if uses else ""


def _cell(value: float | None, unit: str) -> str:
    told = "" if value is None else f"{shown(value)} {unit}".strip()
    return f'<td class="number">{told}</td>'


def _figures(
    release: Release, proof: Proof, golden: Golden, contract: Contract, traces: Traces, weights: Weights
) -> str:
    kind = {name: group for name in weights.zipped for group, (_, names) in _GROUPS.items() if name in names}
    used = [group for group in _GROUPS if group in {kind.get(name, "rest") for name in weights.zipped}]
    legend = "".join(f'<span><i class="{group}"></i>{escape(_GROUPS[group][0])}</span>' for group in used)
    figures = [
        _figure(
            "Where the zip's bytes are",
            charts.size_map(weights.zipped, kind) + f'<div class="legend">{legend}</div>',
            "Areas are compressed sizes.",
        ),
        _figure(
            "From nothing to an answer",
            charts.start_steps(traces.inits_ms, traces.first_ms, proof.p50_ms),
            "A start runs from a new process to its first question for an event, as AWS's runtime client asks it.",
        ),
    ]
    pairs, unit = pairs_of(golden, traces.found, contract)
    sampled, _ = pairs_of(golden.select(range(golden.sampled)), traces.found.select(range(golden.sampled)), contract)
    if sampled:
        figures += [
            _figure(
                "The zip against the model",
                charts.parity(sampled, unit),
                f"{len(sampled):,} values of the {golden.sampled:,} golden rows that {_source(release)}.",
            ),
            _figure(
                "How far apart they are",
                charts.differences(pairs, proof.tolerance),
                f"{len(pairs):,} values, of rows made to find errors too. The largest is {shown(proof.max_rel_diff)}, "
                f"where {proof.tolerance:g} is let pass. {proof.label_flips} labels differ and {proof.ties} were ties.",
            ),
        ]
    figures.append(
        _figure(
            "How long a request takes",
            charts.latencies(traces.singles_ms, proof.p50_ms, proof.p99_ms),
            f"{len(traces.singles_ms)} requests of one row, one after another, on the machine that packaged.",
        )
    )
    if memory := release.notes.get("memory"):
        figures.append(
            _figure("Which memory size is cheapest", charts.memory_costs(memory), sentence(memory, release.target))
        )
    return "".join(figures)


def _figure(title: str, drawing: str, caption: str) -> str:
    return f"<figure><h2>{escape(title)}</h2>{drawing}<figcaption>{escape(caption)}</figcaption></figure>"


def _scores(scores: Mapping[str, Any] | None) -> str:
    if not scores or not scores["metrics"]:
        return ""
    rows = [
        (
            metric["name"],
            f"{metric['value']:.4g}",
            "" if metric["low"] is None else f"{metric['low']:.4g} to {metric['high']:.4g}",
            "" if metric["guess"] is None else f"{metric['guess']:.4g}",
        )
        for metric in scores["metrics"]
    ]
    return (
        f"<section><h2>Scores on {scores['rows']:,} labelled rows</h2><p class=soft>Whether the model was trained on "
        "them isn't known here: only rows that it never saw tell how it will do.</p>"
        + _table(("metric", "value", "95% interval", "a constant guess"), rows)
        + "</section>"
    )


def _source(release: Release) -> str:
    synthetic = release.notes.get("golden") == "synthetic"
    return "were made up from the contract" if synthetic else "come from the sample"


def _inside(release: Release, weights: Weights) -> str:
    notes = release.notes
    folded = _folded(weights)
    parts = [(name, f"{size / 1e3:,.0f} kB", f"{zipped / 1e3:,.0f} kB") for name, (size, zipped) in folded.items()]
    text = "<section><h2>What is inside</h2>"
    if binaries := notes.get("binaries"):
        text += (
            f"<p>Machine code: {binaries['files']} files, checked against Amazon Linux 2023"
            f"{'; the newest glibc wanted is ' + escape(binaries['glibc']) if binaries['glibc'] else ''}.</p>"
        )
    for lent in notes.get("lent", ()):
        text += (
            f"<p><code>{escape(lent['file'])}</code> is a copy of {escape(lent['original'])} from "
            f"{escape(lent['requirement'])}, because <code>{escape(lent['wanted_by'])}</code> needs it.</p>"
        )
    text += _table(("part", "unzipped", "in the zip"), parts)
    if slimmed := notes.get("slimmed"):
        text += "<h2>What was left out</h2>" + _table(
            ("rule", "unzipped"), [(rule, f"{size / 1e3:,.0f} kB") for rule, size in sorted(slimmed.items())]
        )
    if put_back := notes.get("put_back"):
        text += (
            "<h2>What was put back</h2><p>The proof showed that the artifact needs these files, which a rule names.</p>"
        )
        text += _table(("file", "rule", "artifact"), [(each["file"], each["rule"], each["use"]) for each in put_back])
    return text + "</section>"


def _folded(weights: Weights) -> dict[str, tuple[int, int]]:
    """(unzipped, zipped) bytes of each part, the largest first; metadata as one, and what is beyond ROWS_SHOWN too."""
    found: dict[str, tuple[int, int]] = {}
    for place, (name, size) in enumerate(weights.unzipped.items()):
        part = name
        if name.endswith(".dist-info"):
            part = "licences and metadata"
        elif place >= ROWS_SHOWN:
            part = "smaller parts"
        before = found.get(part, (0, 0))
        found[part] = (before[0] + size, before[1] + weights.zipped[name])
    return dict(sorted(found.items(), key=lambda item: -item[1][0]))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    numbers = ["" if place == 0 else ' class="number"' for place in range(len(head))]
    top = "".join(f"<th{kind}>{escape(name)}</th>" for kind, name in zip(numbers, head, strict=True))
    lines = "".join(
        "<tr>" + "".join(f"<td{kind}>{escape(cell)}</td>" for kind, cell in zip(numbers, row, strict=True)) + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table></div>'


def _foot(release: Release) -> str:
    return (
        f"<footer><p>Sealed as <code>{release.digest}</code>. This page tells of measured times and lies outside of "
        "that digest, as the model card does. It shows outputs and times, and no input.</p></footer>"
    )
