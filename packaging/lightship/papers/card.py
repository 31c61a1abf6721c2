"""model_card.md: the user manual that comes with a release.

It holds no row of the sample or of the golden rows; of a column's values it tells what the contract says to any
caller, categories cut short and ranges rounded.
"""

import json
from collections.abc import Mapping, Sequence
from importlib import resources
from math import floor, isfinite, log10
from string import Template
from typing import Any

from lightship.advice import sentence
from lightship.baseline_note import baseline_sentence
from lightship_runtime.contract import Column, Contract
from lightship_runtime.manifest import Release
from lightship_runtime.predict import MAX_REQUEST, MAX_RESPONSE, MAX_ROWS, class_key

CARD = "model_card.md"
CATEGORIES_SHOWN = 8
CLASSES_SHOWN = 20

_TASKS = {
    "binary": "one of two classes",
    "multiclass": "one of several classes",
    "multilabel": "any of several labels",
    "regression": "a number",
    "outlier": "1 for a usual row, -1 for an outlier",
    "clustering": "the number of a cluster",
    "transform": "a row of numbers",
}
_GRADES = {
    "exact": "This very zip was booted under AWS's runtime client.",
    "equivalent": "The same locked versions were booted with the packaging machine's own wheels, as it can't run the "
    "target's.",
    "unproven": "Nothing was booted.",
}


def model_card(release: Release, contract: Contract) -> str:
    """The card of a release, as Markdown."""
    template = Template(resources.files("lightship.papers").joinpath("card.md").read_text())
    output, notes = contract.output, release.notes
    body = json.dumps({"instances": [example_row(contract)]}, ensure_ascii=False)
    count = len(contract.columns)
    return template.substitute(
        title=_text(release.name),
        version=release.version,
        python=release.target.python,
        architecture=release.target.architecture,
        columns=f"{count} column{'s' * (count != 1)}",
        predicts=f"{_TASKS[output.task]}{', with probabilities' * output.probabilities}",
        request_engine=release.engine.request,
        batch_engine=release.engine.batch,
        why=_text(notes.get("why", "")),
        contract=_contract(contract),
        scores=_scores(notes.get("scores")),
        data=_data(notes.get("data"), contract),
        baseline=_baseline(notes.get("baseline")),
        proof=_proof(release),
        running=_running(release),
        max_rows=f"{MAX_ROWS:,}",
        max_request=f"{MAX_REQUEST / 1e6:g}",
        max_response=f"{MAX_RESPONSE / 1e6:g}",
        shell_body=body.replace("'", "'\\''"),
        python_body=repr(body),
        answer=_answer(contract),
        files=_table(
            ("file", "SHA-256"), [(_code(name), f"`{digest}`") for name, digest in sorted(release.files.items())]
        ),
        digest=release.digest,
    )


def example_row(contract: Contract) -> dict[str, Any]:
    """A row that the contract accepts, made from the contract alone."""
    return {column.name: _example(column) for column in contract.columns}


def _example(column: Column) -> Any:
    middle = None
    if column.minimum is not None and column.maximum is not None:
        middle = column.minimum + (column.maximum - column.minimum) / 2
    match column.type:
        case "number":
            return 0.0 if middle is None else float(f"{middle:.3g}")
        case "integer":
            return 0 if middle is None else int(middle)
        case "boolean":
            return False
        case "category":
            return column.categories[0] if column.categories else ""
        case "text":
            return "a text"
        case "datetime":
            return "2026-01-01T00:00:00"


def _baseline(note: Mapping[str, Any] | None) -> str:
    if note is None:
        return "nothing: this release has no baseline."
    caution = ""
    if note["source"] == "sample" and note["labelled"]:
        caution = (
            "\n\nIf the model was fitted on these rows, it does better on them than it will on others: "
            "give rows that it hasn't seen with `--baseline`."
        )
    return _text(baseline_sentence(note)) + caution


def _contract(contract: Contract) -> str:
    rows = [
        (_code(column.name), column.type, "may be null" if column.nullable else "required", _values(column))
        for column in contract.columns
    ]
    text = _table(("column", "type", "", "values seen"), rows)
    if classes := contract.output.classes:
        shown = ", ".join(_code(json.dumps(each, ensure_ascii=False)) for each in classes[:CLASSES_SHOWN])
        text += f"\n\nClasses: {shown}{_more(len(classes), CLASSES_SHOWN)}."
    if contract.output.width > 1:
        text += f"\n\nA prediction has {contract.output.width} values."
    return text


def _values(column: Column) -> str:
    if column.categories is not None:
        shown = ", ".join(_code(json.dumps(each, ensure_ascii=False)) for each in column.categories[:CATEGORIES_SHOWN])
        rule = " Others are refused." if column.closed else ""
        return f"{shown}{_more(len(column.categories), CATEGORIES_SHOWN)}.{rule}"
    if column.minimum is not None and column.maximum is not None:
        return f"about {_range(column.minimum, column.maximum)}"
    return ""


def _scores(scores: Mapping[str, Any] | None) -> str:
    if scores is None:
        return "No labels were given at packaging (`--labels`), so nothing is known of how well it predicts."
    if not scores["metrics"]:
        return str(scores["missing"])
    rows = [
        (
            metric["name"],
            _number(metric["value"]),
            "" if metric["low"] is None else f"{_number(metric['low'])} to {_number(metric['high'])}",
            "" if metric["guess"] is None else _number(metric["guess"]),
            f"{metric['better']} is better",
        )
        for metric in scores["metrics"]
    ]
    of = "" if scores["rows"] == scores["of"] else f", evenly spaced among {scores['of']:,}"
    table = _table(("metric", "value", "95% interval", "a constant guess", ""), rows)
    return (
        f"On {scores['rows']:,} labelled rows given at packaging{of}. Whether the model was trained on them isn't\n"
        f"known here: only rows that it never saw tell how it will do.\n\n{table}"
    )


def _data(data: Mapping[str, Any] | None, contract: Contract) -> str:
    if data is None:
        return "Nothing was recorded of the sample."
    shares = zip(contract.names, data["missing"], strict=True)
    missing = sorted(((share, name) for name, share in shares if share), key=lambda pair: -pair[0])
    text = f"Described from a sample of {data['rows']:,} rows, of which none is in the zips."
    if missing:
        shown = ", ".join(f"{_code(name)} {_share(share)}" for share, name in missing[:CATEGORIES_SHOWN])
        text += f" Values were missing in {shown}{_more(len(missing), CATEGORIES_SHOWN)}."
    return text


def _share(share: float) -> str:
    return "under 0.1%" if share < 0.001 else f"{share:.1%}"


def _proof(release: Release) -> str:
    proof = release.proof
    if proof is None:
        return _GRADES["unproven"]
    synthetic = release.notes.get("golden") == "synthetic"
    of = "made up from the contract" if synthetic else "of the sample"
    return (
        f"{_GRADES[proof.grade]} It answered {proof.rows:,} golden rows (rows {of}, and rows made to find\n"
        f"errors) as the original model does: {proof.label_flips} labels differ, {proof.ties} were ties. The largest "
        f"difference of a\nvalue is {proof.max_abs_diff:.2g} over the first of these; weighed as |zip - model| / "
        f"(1 + |model|) it is {proof.max_rel_diff:.2g} over\nall, where {proof.tolerance:g} is let pass."
    )


def _running(release: Release) -> str:
    artifact, proof = release.artifacts["realtime"], release.proof
    sizes = [
        f"{_code(each.file)} has {each.zip_bytes / 1e6:.1f} MB, unzipped {each.unzipped_bytes / 1e6:.1f} MB"
        for each in sorted(release.artifacts.values(), key=lambda each: each.file != artifact.file)
    ]
    text = f"{'; '.join(sizes)}."
    if proof is not None:
        text += (
            f" On the machine that packaged, {_code(artifact.file)}\nstarted in "
            f"{proof.init_ms:.0f} ms, answered its first request in "
            f"{proof.first_ms:.1f} ms and then half of them within {proof.p50_ms:.2f} ms, 99 of 100 within\n"
            f"{proof.p99_ms:.2f} ms, in {proof.peak_rss_mb:.0f} MB of memory. Lambda's cores are others: trust ratios."
        )
    if memory := release.notes.get("memory"):
        text += f"\n\nMemory: {sentence(memory, release.target)} Set it with `[endpoint] memory` in lightship.toml."
    return text


def _answer(contract: Contract) -> str:
    output = contract.output
    answer: dict[str, Any] = {"predictions": [output.classes[0] if output.classes and not output.width else "..."]}
    if output.probabilities:
        keys = [class_key(each) for each in output.classes[:3]]
        answer["probabilities"] = [dict.fromkeys(keys, "...")]
    answer |= {"ids": ["..."], "model": {"name": "...", "version": "..."}}
    return json.dumps(answer, ensure_ascii=False)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _more(count: int, shown: int) -> str:
    return f" and {count - shown:,} more" if count > shown else ""


def _range(low: float, high: float) -> str:
    """Both ends to a tenth of the range's leading digit: what a column is like, not whose the extremes are."""
    span = high - low
    if not isfinite(span) or span <= 0:
        return f"{low:g} to {high:g}"
    digits = 1 - floor(log10(span))
    return " to ".join(f"{round(end, digits):.{max(digits, 0)}f}" for end in (low, high))


def _number(value: float) -> str:
    return f"{value:.4g}"


def _text(text: str) -> str:
    """Text that Markdown and HTML leave alone, on one line."""
    plain = " ".join(str(text).split())
    return "".join(f"\\{each}" if each in "\\`*_[]|#" else each for each in plain.replace("<", "&lt;"))


def _code(text: str) -> str:
    """The same as code. A backtick can't stand in it, nor a bar in a table."""
    plain = " ".join(str(text).split()).replace("`", "'").replace("|", "\\|")
    return f"`{plain}`" if plain else "(empty)"
