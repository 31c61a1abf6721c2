"""Replays sampled requests on another version, and counts where the two disagree.

CloudWatch Logs hands over the lines that `sampling` made. While traffic shifts, each is asked of the version that
didn't answer it; in shadow mode, of a candidate that callers never reach.
"""

import base64
import gzip
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from lightship_runtime.sampling import KEY
from lightship_runtime.telemetry import metrics_document

type Answer = Mapping[str, Any]
type Ask = Callable[[str, Sequence[Any]], Answer]


@dataclass(frozen=True, slots=True)
class Settings:
    """Who is compared with whom. `candidate` is the qualified ARN of the version under judgement, `alias` the ARN of
    the alias that shifts to it, empty in shadow mode. Numbers agree within `tolerance * (1 + |number|)`."""

    candidate: str
    alias: str
    tolerance: float
    service: str
    stage: str
    version: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        return cls(
            candidate=environment["LIGHTSHIP_CANDIDATE"],
            alias=environment["LIGHTSHIP_ALIAS"],
            tolerance=float(environment["LIGHTSHIP_TOLERANCE"]),
            service=environment["LIGHTSHIP_SERVICE"],
            stage=environment["LIGHTSHIP_STAGE"],
            version=environment["LIGHTSHIP_RELEASE"],
        )


@dataclass(slots=True)
class Count:
    """Rows, and what became of them; milliseconds of the replays."""

    compared: int = 0
    disagreed: int = 0
    failed: int = 0
    latencies: list[float] = field(default_factory=list)


def handler(event: Mapping[str, Any], _context: Any) -> None:
    """What CloudWatch Logs calls. A replay that fails is counted; anything else raises, for Lambda to try again."""
    settings = Settings.from_environment(os.environ)
    client = _client()
    count = compare_samples(
        list(samples(event)), settings, _ask(client), _shifting(client, settings), time.perf_counter
    )
    if count.compared or count.failed:
        print(metrics_line(count, settings, time.time_ns() // 1_000_000), flush=True)  # noqa: T201


def samples(event: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The samples in one delivery of a log subscription, which is gzipped JSON in base64."""
    delivery = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
    for entry in delivery["logEvents"]:
        if entry["message"].startswith(f'{{"{KEY}"'):
            yield json.loads(entry["message"])[KEY]


def compare_samples(
    found: Sequence[Mapping[str, Any]],
    settings: Settings,
    ask: Ask,
    versions: Sequence[str],
    clock: Callable[[], float],
) -> Count:
    """Ask the other version for each sample. `versions` are the numbers that the alias sends traffic to."""
    count = Count()
    for sample in found:
        other = other_version(sample["executed"], settings, versions)
        if other is None:
            continue
        start = clock()
        try:
            answer = ask(other, sample["instances"])
        except ReplayError:
            count.failed += len(sample["instances"])
            continue
        count.latencies.append((clock() - start) * 1000)
        count.compared += len(sample["instances"])
        count.disagreed += disagreements(sample, answer, settings.tolerance)
    return count


def other_version(executed: str, settings: Settings, versions: Sequence[str]) -> str | None:
    """The ARN to ask about a request that version number `executed` answered, or None when there is no other."""
    if not settings.alias:
        return settings.candidate
    function, _, candidate = settings.candidate.rpartition(":")
    if candidate not in versions:
        return None
    if executed != candidate:
        return settings.candidate
    others = [number for number in versions if number != candidate]
    return f"{function}:{others[0]}" if others else None


def disagreements(sample: Answer, answer: Answer, tolerance: float) -> int:
    """In how many rows the predictions differ. Labels differ or not; numbers beyond the tolerance."""
    pairs = zip(sample["predictions"], answer["predictions"], strict=True)
    return sum(not _agree(ours, theirs, tolerance) for ours, theirs in pairs)


def _agree(ours: Any, theirs: Any, tolerance: float) -> bool:
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(_agree(a, b, tolerance) for a, b in zip(ours, theirs, strict=True))
    if isinstance(ours, float) and isinstance(theirs, float | int) and not isinstance(theirs, bool):
        return abs(ours - theirs) <= tolerance * (1 + abs(ours))
    return ours == theirs and type(ours) is type(theirs)


class ReplayError(Exception):
    """The other version failed on a sample."""


def _ask(client: Any) -> Ask:
    def ask(version: str, instances: Sequence[Any]) -> Answer:
        payload = json.dumps({"lightship": {"replay": instances}}).encode()
        reply = client.invoke(FunctionName=version, Payload=payload)
        document = json.loads(reply["Payload"].read())
        if "FunctionError" in reply or "predictions" not in document:
            raise ReplayError(version)
        return document  # type: ignore[no-any-return]

    return ask


def _shifting(client: Any, settings: Settings) -> list[str]:
    """The version numbers that the alias sends traffic to at this moment."""
    if not settings.alias:
        return []
    function, _, name = settings.alias.rpartition(":")
    alias = client.get_alias(FunctionName=function, Name=name)
    return [alias["FunctionVersion"], *alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})]


def metrics_line(count: Count, settings: Settings, now_ms: int) -> str:
    """The counts as CloudWatch's Embedded Metric Format, by the candidate's release."""
    metrics: dict[str, float | Sequence[float]] = {
        "Compared": count.compared,
        "Disagreed": count.disagreed,
        "CompareFailed": count.failed,
    }
    if count.latencies:
        metrics["CompareLatency"] = count.latencies[:100]
    dimensions = {"Service": settings.service, "Stage": settings.stage, "Version": settings.version}
    document = metrics_document(dimensions, now_ms, metrics, {"CompareLatency": "Milliseconds"})
    return json.dumps(document, separators=(",", ":"))


def _client() -> Any:
    import boto3

    return boto3.client("lambda")
