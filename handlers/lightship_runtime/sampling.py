"""The line that a sampled request prints, so that another version can be asked the same and compared.

The request path makes no call: the line leaves with the log, and a function subscribed to the log replays it.
"""

import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from lightship_runtime.telemetry import MAX_LINE

KEY = "lightshipCompare"
BUCKETS = 1 << 32


def is_sampled(identifier: str, share: float) -> bool:
    """Whether a request is in the share. By its id rather than a random generator, whose state a snapshot repeats."""
    return zlib.crc32(identifier.encode()) < share * BUCKETS


def sample_line(executed: str, instances: Sequence[Any], document: Mapping[str, Any]) -> str | None:
    """The line for one answered request, or None where it would be cut on its way.

    `executed` is the Lambda version that answered; `document` has its `predictions` and perhaps `probabilities`.
    """
    answer = {key: document[key] for key in ("predictions", "probabilities") if key in document}
    line = json.dumps({KEY: {"executed": executed, "instances": instances, **answer}}, separators=(",", ":"))
    return line if len(line.encode()) < MAX_LINE else None
