"""A short drill in a rehearsal: over the alarms as they were deployed, with the functions of the release."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightship.config import Config
from lightship.drill.cloudwatch.template import stack_of
from lightship.drill.incident import built_in
from lightship.drill.outcome import Outcome
from lightship.drill.report import problems
from lightship.drill.run import drilled
from lightship_runtime.errors import LightshipError

# One that callers notice, one that only Lambda does, and one that nobody has to hear of.
REHEARSED = ("model-raises", "throttled", "traffic-tenfold-harmless")


class DrillFailedError(LightshipError):
    """An alarm that has to sound stayed silent, or the other way round."""


def drill_deployed(
    template: Mapping[str, Any], config: Config, release: Path, assets: Path, names: Sequence[str] = REHEARSED
) -> tuple[Outcome, ...]:
    """Replay a few built-in incidents over a template as CloudFormation has it. Raises DrillFailedError.

    `assets` is the folder that the template's assets are named from.
    """
    incidents = [each for each in built_in() if each.name in names]
    with drilled(stack_of(template), config, release, assets) as running:
        outcomes = tuple(running.drill(each) for each in incidents)
    if wrong := [line for each in outcomes for line in problems(each.incident.name, each)]:
        raise DrillFailedError(f"The alarms don't do what they have to: {'; '.join(wrong)}. See `lightship drill`.")
    return outcomes


def in_words(outcomes: Sequence[Outcome]) -> str:
    """What a rehearsal tells of it: each incident with its page, and how soon that came."""
    return "; ".join(f"{each.incident.name}: {_page(each)}" for each in outcomes)


def _page(outcome: Outcome) -> str:
    pages = [fired for fired in outcome.fired if "pages" in fired.told]
    if pages:
        return f"{pages[0].title} paged after {pages[0].seconds // 60} min"
    return f"{len(outcome.fired)} alarms, no page" if outcome.fired else "silent"
