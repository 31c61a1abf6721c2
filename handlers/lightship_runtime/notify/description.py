"""What an alarm's description says, part by part. It is one text, because CloudWatch has one place for it."""

import re
from dataclasses import dataclass

# The names before the lines, as the alarms' construct writes them.
LIKELY, FIRST, RUNBOOK, GRAPHS, LOGS = "Likely: ", "First: ", "Runbook: ", "Graphs: ", "Logs: "


@dataclass(frozen=True, slots=True)
class Description:
    """`meaning`, `likely` and `first` are always filled; the others are empty where the description lacks them."""

    meaning: str
    likely: str
    first: str
    runbook: str
    dashboard: str
    logs: str


def read_description(text: str) -> Description:
    """The parts; words of our own for what is missing."""
    lines = text.splitlines()
    meaning = re.sub(r"^\[\w+\] (?:[\w.-]+: )?", "", lines[0] if lines else "").strip()
    return Description(
        meaning=meaning or "an alarm without a description. Look at its metric in CloudWatch.",
        likely=_after(lines, LIKELY) or "the alarm's description names no cause.",
        first=_after(lines, FIRST) or "open the dashboard and the logs below.",
        runbook=_after(lines, RUNBOOK),
        dashboard=_after(lines, GRAPHS),
        logs=_after(lines, LOGS),
    )


def _after(lines: list[str], name: str) -> str:
    return next((line.removeprefix(name).strip() for line in lines if line.startswith(name)), "")
