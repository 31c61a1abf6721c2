"""When a run began and was committed, and what it took: written once, so that who commits again says the same."""

import json
import platform
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Self

from lightship_runtime.batch.places import books
from lightship_runtime.batch.stores import Store
from lightship_runtime.documents import dump_document

# List prices of us-east-1 in USD, 2026-11: a GB-second by architecture, a state transition, a write to S3.
# https://aws.amazon.com/lambda/pricing/ https://aws.amazon.com/step-functions/pricing/ https://aws.amazon.com/s3/pricing/
GB_SECOND: Mapping[str, float] = {"x86_64": 0.0000166667, "aarch64": 0.0000133334}
TRANSITION = 0.000025
S3_WRITE = 0.000005
TRANSITIONS_OF_RUN = 8
TRANSITIONS_OF_ITEM = 3


@dataclass(frozen=True, slots=True)
class Account:
    """Times are seconds since 1970; `work_s` is the time spent on chunks, over all machines; `calls` the items and
    scanned ranges; `writes` the objects written."""

    begun: float
    committed: float
    work_s: float
    calls: int
    writes: int

    @property
    def seconds(self) -> float:
        return max(0.0, self.committed - self.begun)

    def lag_s(self, run: str) -> float | None:
        """Seconds from the schedule's time, which named the run, to its commit; None for runs named otherwise."""
        try:
            scheduled = datetime.strptime(run, "%Y-%m-%dT%H-%M-%S%z").timestamp()
        except ValueError:
            return None
        return max(0.0, self.committed - scheduled)

    def cost_usd(self, memory_mb: int) -> float:
        """An estimate from list prices; reading, storage and the free tier are left out."""
        price = GB_SECOND.get(platform.machine(), GB_SECOND["x86_64"])
        transitions = TRANSITIONS_OF_RUN + TRANSITIONS_OF_ITEM * self.calls
        return self.work_s * memory_mb / 1024 * price + transitions * TRANSITION + self.writes * S3_WRITE

    @classmethod
    def settle(cls, run: str, sink: Store, *, work_s: float, items: int, writes: int) -> Self:
        """The run's account: the first one that was written."""
        name = f"{books(run)}/account.json"
        found = sink.read(name)
        if found is None:
            begun = json.loads((sink.read(f"{books(run)}/begun.json") or (b"{}", ""))[0])
            now = time.time()
            calls = items + begun.get("scans", 0)
            account = cls(begun.get("time", now), now, round(work_s, 3), calls, writes + 2 * items)
            sink.create(name, dump_document(asdict(account)))
            found = sink.read(name)
        document: dict[str, Any] = json.loads(found[0]) if found else {}
        return cls(**document)

    @classmethod
    def read(cls, run: str, sink: Store) -> Self | None:
        """None where there is none."""
        found = sink.read(f"{books(run)}/account.json")
        return None if found is None else cls(**json.loads(found[0]))
