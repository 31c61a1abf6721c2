"""What comes with a release for people to read: the model card and the report.

Both tell of times that were measured, so that no two packagings write the same bytes: they lie in the release folder
outside of what its digest covers, and say so. The bill of materials tells of none, and is sealed.
"""

from pathlib import Path

from lightship.papers.card import CARD, model_card
from lightship.papers.report import REPORT, render_report
from lightship.proving import Traces
from lightship_runtime.contract import Contract
from lightship_runtime.golden import Golden
from lightship_runtime.manifest import Release

__all__ = ["CARD", "REPORT", "model_card", "render_report", "write_papers"]


def write_papers(folder: Path, release: Release, contract: Contract, golden: Golden, traces: Traces) -> None:
    """Write the card and the report into a release folder, whose zips are there already."""
    archives = {use: folder / artifact.file for use, artifact in release.artifacts.items()}
    (folder / CARD).write_text(model_card(release, contract))
    (folder / REPORT).write_text(render_report(release, contract, golden, traces, archives))
