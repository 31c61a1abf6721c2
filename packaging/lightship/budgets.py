"""Holds a release to its budgets: over one, packaging fails and says where the weight is."""

import zipfile
from pathlib import Path

from lightship.plan import Limits
from lightship.zipping import Packed, contributors
from lightship_runtime.errors import LightshipError
from lightship_runtime.manifest import Proof


class OverBudgetError(LightshipError):
    """The release is larger or slower than its budgets allow."""


def check_budgets(limits: Limits, packed: Packed, proof: Proof, archive: Path) -> None:
    """Raises OverBudgetError with every budget that is exceeded and the five largest parts of the zip."""
    measured = {
        "zip_mb": packed.zip_bytes / 1e6,
        "unzipped_mb": packed.unzipped_bytes / 1e6,
        "init_ms": proof.init_ms,
        "p99_ms": proof.p99_ms,
    }
    over = [
        f"{name} is {value:.1f}, over {limit:g}"
        for name, value in measured.items()
        if (limit := getattr(limits, name)) is not None and value > limit
    ]
    if not over:
        return
    with zipfile.ZipFile(archive) as content:
        parts = contributors({entry.filename: entry.compress_size for entry in content.infolist()})[:5]
    largest = ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in parts)
    raise OverBudgetError(
        f"Over budget: {'; '.join(over)}. Largest in the zip: {largest}. "
        "A smaller engine (`lightship check` lists them) or a smaller model saves most; or raise [package.budgets]."
    )
