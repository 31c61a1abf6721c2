"""Which memory size makes a release's predictions cheapest on Lambda, computed from its proof.

The model: a request takes one core, as artifacts run on one thread. Lambda gives CPU in proportion to memory, one vCPU
at 1,769 MB (https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html), so that below it a request, and a
start, last 1,769/memory times as long as on the core they were measured on; above it nothing gets faster. A request is
billed by the started millisecond, and since August 2025 so is the start of the share of requests that meet one
(https://aws.amazon.com/blogs/compute/aws-lambda-standardizes-billing-for-init-phase/). Prices are the list prices of
us-east-1 (https://aws.amazon.com/lambda/pricing/), without the free tier. Lambda's cores aren't this machine's: trust
the comparison of sizes, not the dollars' second digit.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import ceil
from typing import Any

from lightship.costs import LAMBDA_DURATION, LAMBDA_REQUESTS
from lightship_runtime.manifest import Target

FULL_CORE_MB = 1769
SIZES_MB = (128, 192, 256, 320, 384, 512, 640, 768, 1024, 1280, 1536, 1769, 2048, 3008, 4096, 6144, 8192, 10240)
COLD_SHARE = 0.01
# Lambda's MB are 2**20 bytes. A request of many rows needs more than those that were measured.
HEADROOM = 1.5
# Up to this much dearer than the cheapest, more memory is worth naming: it answers sooner.
CLOSE = 1.10


@dataclass(frozen=True, slots=True)
class Size:
    """A memory size in Lambda's MB: dollars per million single-row predictions, and what a request and a start take
    there in ms."""

    memory_mb: int
    dollars: float
    request_ms: float
    start_ms: float


@dataclass(frozen=True)
class Advice:
    """`cheapest` costs least, the faster of two that cost the same; `faster` is the fastest that costs at most a tenth
    more; `sizes` is what was compared, from `floor_mb`, below which memory may run out."""

    cheapest: Size
    faster: Size
    floor_mb: int
    sizes: tuple[Size, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "memory_mb": self.cheapest.memory_mb,
            "dollars_per_million": self.cheapest.dollars,
            "faster_mb": self.faster.memory_mb,
            "floor_mb": self.floor_mb,
            "cold_share": COLD_SHARE,
            "sizes": [asdict(size) for size in self.sizes],
        }


def advise(target: Target, *, requests_ms: Sequence[float], init_ms: float, busy_rss_mb: float) -> Advice:
    """`requests_ms` are the proof's single-row requests, `busy_rss_mb` the most memory (10^6 bytes) it ever took."""
    floor = max(SIZES_MB[0], ceil(HEADROOM * busy_rss_mb * 1e6 / 2**20))
    offered = [size for size in SIZES_MB if size >= floor] or [SIZES_MB[-1]]
    sizes = tuple(_size(target, memory, requests_ms, init_ms) for memory in offered)
    least = min(size.dollars for size in sizes)
    cheapest, faster = (
        min((size for size in sizes if size.dollars <= limit), key=lambda size: (size.request_ms, size.memory_mb))
        for limit in (least, CLOSE * least)
    )
    return Advice(cheapest, faster, floor, sizes)


def sentence(advice: dict[str, Any], target: Target) -> str:
    """The advice in words."""
    by_size = {size["memory_mb"]: size for size in advice["sizes"]}
    words = f"{_words(by_size[advice['memory_mb']])} is cheapest on {target.architecture} in us-east-1"
    if advice["faster_mb"] != advice["memory_mb"]:
        words += f"; {_words(by_size[advice['faster_mb']])} is sooner for at most a tenth more"
    return f"{words}. Take at least {advice['floor_mb']} MB."


def _words(size: dict[str, Any]) -> str:
    return (
        f"{size['memory_mb']} MB (${size['dollars']:.2f} a million predictions, {size['request_ms']:.1f} ms a request, "
        f"{size['start_ms']:.0f} ms a start)"
    )


def _size(target: Target, memory: int, requests_ms: Sequence[float], init_ms: float) -> Size:
    slower = max(1.0, FULL_CORE_MB / memory)
    billed_ms = sum(ceil(each * slower) for each in requests_ms) / len(requests_ms) + COLD_SHARE * init_ms * slower
    gigabyte_seconds = billed_ms / 1000 * memory / 1024
    dollars = 1e6 * (gigabyte_seconds * LAMBDA_DURATION[target.architecture] + LAMBDA_REQUESTS)
    typical = sorted(requests_ms)[len(requests_ms) // 2] * slower
    return Size(memory, round(dollars, 4), round(typical, 2), round(init_ms * slower, 1))
