"""The runbooks: a page for each row of the alarm table, for docs/runbooks and for the dashboard that alarms link to.

`python -m lightship_cdk.runbooks` writes docs/runbooks and the tables in docs/alarms.md anew.
"""

import re
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

from lightship_cdk.alarm_table import (
    ALARMS,
    COMPOSITES,
    ROWS,
    SILENT,
    AlarmRow,
    CompositeRow,
    MetricRef,
    Part,
    Row,
    Setting,
)
from lightship_cdk.alarm_table.rows import Family
from lightship_cdk.settings import Objectives
from lightship_cdk.watched import objective_percents

STAGE = " --stage STAGE"
DOCS = "docs"
BEGIN, END = "<!-- rows of the alarm table -->", "<!-- end of the rows -->"
BY_ID: Mapping[str, Row] = {row.id: row for row in ROWS}

PARTS: Mapping[Part, str] = {
    "endpoint": "always",
    "traffic": "unless `quiet_hours = 0`",
    "rollout": "always",
    "comparison": "with `[endpoint.compare] share`",
    "disagreement": "with `share`, and no `shadow`",
    "batch": "with `[batch] schedule`",
    "expected": "with a schedule that runs at least weekly",
    "monitor": "with a baseline, and `capture`",
    "feedback": "with a baseline, and `capture`",
    "notifier": "always",
}
FAMILIES: Mapping[Family, str] = {
    "api": "of the API",
    "function": "of the alias that callers reach",
    "version": "of the newest version alone",
    "release": "as the newest release's own lines count it",
    "model": "our own metric of service and stage",
    "concurrency": "of the function where it has reserved some, else of the account",
    "topic": "of the {of} topic",
    "queue": "of the {of} queue of failures",
    "helper": "of the {of} function",
    "run": "of the state machine",
    "rule": "of the EventBridge rule over CodeDeploy's failures",
    "stream": "of the stream that delivers telemetry",
}
# What isn't a number of the table, as people read it: with lightship.toml's defaults.
_WORDS: Mapping[Setting, str] = {
    "latency_ms": "`latency_ms` (500)",
    "half_timeout_ms": "half of `timeout` (5,000)",
    "disagreement_percent": "`compare.limit` (5)",
    "quiet_hours": "`quiet_hours` (24)",
    "batch_hours": "`expected_every_h`",
    "batch_late_s": "half of `expected_every_h`, in",
    "reject_percent": "half of `max_reject_share` (0.5)",
}


def pages() -> dict[str, str]:
    """Every page by its file's name, and README.md, which lists them."""
    found = {f"{row.title}.md": page(row) for row in ROWS}
    return {**found, "README.md": _index()}


def page(row: Row, options: str = STAGE, *, level: int = 1, links: bool = True) -> str:
    """One alarm's page in Markdown. `options` stand behind the commands; headings begin at `level`."""
    heading, below = "#" * level, "#" * (level + 1)
    commands = [command.format(options=options) for command in row.commands]
    parts = [
        f"{heading} {row.title}",
        f"**{row.severity.capitalize()}.** {row.meaning}",
        f"**Likely:** {row.causes}",
        f"**First:** {row.first_steps}",
    ]
    if commands:
        parts.append("```sh\n" + "\n".join(commands) + "\n```")
    if row.query:
        parts.append(f"In Logs Insights, over the log of `{row.log}`:\n\n```\n{row.query}\n```")
    parts.append(f"{below} When it sounds")
    parts.append(_composition(row, links=links) if isinstance(row, CompositeRow) else _condition(row))
    if owner := _owner(row):
        parts.append(f"It tells nobody itself: it is part of {_link(owner, links=links)}.")
    parts.append(f"{below} Besides")
    parts.append(
        f"```sh\nlightship rollback{options} --now    # undo the last deployment, within seconds\n"
        f'lightship mute{options} --for 2h --reason "why"\n```'
    )
    return "\n\n".join(parts) + "\n"


def rows_there(parts: Collection[Part]) -> list[Row]:
    """The rows of a service with these parts that have something to say: windows of burn rates speak by another."""
    return [row for row in ROWS if row.part in parts and (row.id not in SILENT or row.commands or row.query)]


def row_of_table(row: Row) -> str:
    """One line of the table in docs/alarms.md."""
    link = f"[{row.title}](runbooks/{row.title}.md)"
    if isinstance(row, CompositeRow):
        groups = [" and ".join(BY_ID[member].title for member in group) for group in row.any_of]
        return f"| {link} | {row.severity} | {'; or '.join(groups)} | {PARTS[row.part]} |"
    who = f"part of {owner.title}" if (owner := _owner(row)) else row.severity
    return f"| {link} | {who} | {_short_condition(row)} | {PARTS[row.part]} |"


def table() -> str:
    head = "| alarm | severity | sounds when | there |\n|---|---|---|---|"
    return "\n".join([head, *(row_of_table(row) for row in ROWS)])


def with_table(document: str) -> str:
    """The document with the table between its marks. Raises ValueError where the marks are missing."""
    before, mark, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not mark or not end:
        raise ValueError(f"docs/alarms.md lacks the marks {BEGIN} and {END}.")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _composition(row: CompositeRow, *, links: bool) -> str:
    groups = [" and ".join(_link(BY_ID[member], links=links) for member in group) for group in row.any_of]
    text = "While one of these sounds, or all that are joined by an *and*:\n\n" + "\n".join(
        f"- {each}" for each in groups
    )
    if row.unless:
        text += f"\n\nBut not while {', '.join(_link(BY_ID[other], links=links) for other in row.unless)} does."
    return text


def _condition(row: AlarmRow) -> str:
    lines = [f"When {_short_condition(row)}.", ""]
    lines += [f"- `{name}` is {_measured(ref)}." for name, ref in row.metrics.items()]
    lines.append(f"- Missing data: {_MISSING[row.missing_data]}.")
    if row.rolls_back:
        lines.append("- While traffic shifts to a new version, it undoes the shift.")
    return "\n".join(lines)


def _measured(ref: MetricRef) -> str:
    statistic = re.sub(r"[{}]", "", ref.statistic)
    what = FAMILIES[ref.family].format(of=ref.of)
    return f"the {statistic} of `{ref.name}`{f', {what}' if what else ''}"


_MISSING = {"notBreaching": "all is well", "breaching": "it sounds", "ignore": "it stays as it is"}


def _short_condition(row: AlarmRow) -> str:
    measured = f"`{row.expression}`" if row.expression else f"`{next(iter(row.metrics.values())).name}`"
    periods, datapoints = (
        "`quiet_hours`" if each == "quiet_hours" else "`expected_every_h`" if each == "batch_hours" else str(each)
        for each in (row.periods, row.datapoints)
    )
    often = "" if periods == datapoints == "1" else f", {datapoints} of {periods} times"
    return f"{measured} {row.comparison} {threshold_text(row)} {row.unit} in {_length(row.period_s)}{often}"


def threshold_text(row: AlarmRow) -> str:
    if not isinstance(row.threshold, str):
        return f"{row.threshold:g}"
    percents = objective_percents(Objectives())
    return f"{percents[row.threshold]:g}" if row.threshold in percents else _WORDS[row.threshold]


def _length(seconds: int) -> str:
    for size, name in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds % size == 0:
            return f"{seconds // size} {name}"
    return f"{seconds} s"


def _owner(row: Row) -> CompositeRow | None:
    return next((each for each in COMPOSITES if row.id in each.members), None)


def _link(row: Row, *, links: bool) -> str:
    return f"[{row.title}]({row.title}.md)" if links else f"`{row.title}`"


def _index() -> str:
    """The list of all pages, those that tell somebody first."""
    lines = ["# Runbooks", "", "A page for each alarm; docs/alarms.md has them as a table.", ""]
    told: list[Row] = [row for row in ROWS if row.id not in SILENT]
    lines += [f"- [{row.title}]({row.title}.md): {row.meaning}" for row in told]
    lines += ["", "Parts of these, which tell nobody themselves:", ""]
    lines += [f"- [{row.title}]({row.title}.md)" for row in ALARMS if row.id in SILENT]
    return "\n".join(lines) + "\n"


def write(docs: Path) -> None:
    """Write every page, delete those of alarms that are gone, and renew the table."""
    folder = docs / "runbooks"
    folder.mkdir(parents=True, exist_ok=True)
    made = pages()
    for old in folder.glob("*.md"):
        if old.name not in made:
            old.unlink()
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8")
    overview = docs / "alarms.md"
    overview.write_text(with_table(overview.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else DOCS))
