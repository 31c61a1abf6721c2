"""What the monitor wrote down at its last run, in words for the page."""

import json
from datetime import datetime

from lightship_runtime.notify.gather import LATEST, monitored_of
from lightship_runtime.notify.units import number, plural

__all__ = ["LATEST", "clock", "monitored_words"]
NEVER = {"Monitor": "hasn't run yet"}


def monitored_words(text: bytes | None) -> dict[str, str]:
    """By subject: what holds, and accuracy by labels with its interval where it is known. None is no run so far."""
    if text is None:
        return dict(NEVER)
    document = json.loads(text)
    found = monitored_of(document)
    holds = ", ".join(each.kind for each in found.breaches) or "nothing wrong"
    told = {"Monitor": f"{holds}, by {plural(found.windows, 'window')}, at {clock(found.time)}"}
    accuracy = document["breaches"].get("accuracy", {})
    if accuracy.get("value") is not None:
        name = str(accuracy.get("metric") or "accuracy").replace("mae", "mean absolute error")
        told[f"{name.capitalize()}, by labels"] = (
            f"{number(accuracy['value'])} (95%: {accuracy['low']:.3f} to {accuracy['high']:.3f}), n = {accuracy['n']:,}"
        )
    return told


def clock(time: datetime) -> str:
    """The time of day here."""
    return f"{time.astimezone():%H:%M:%S}"
