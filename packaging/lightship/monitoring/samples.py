"""A small monitoring store as a deployed model would fill it, made from a baseline: what the monitor's zip is tried on.

The rows' codes are drawn from the baseline's own counts, so that nothing in them has drifted.
"""

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from lightship_runtime.batch.stores import Store
from lightship_runtime.labels import check_labels, folder_of, store_labels
from lightship_runtime.monitor.baseline import Baseline, Track
from lightship_runtime.monitor.cells import HOUR
from lightship_runtime.monitor.encode import encode_record
from lightship_runtime.telemetry import Source, request_lines

START = 1_767_225_600
"""The first hour of 2026, in seconds since 1970."""
HOURS = 2
_LINE_ROWS = 50


def fill_store(store: Store, baseline: Baseline, version: str, *, rows: int = 600, labelled: int = 400) -> None:
    """Two hours of so many predictions each, with labels for some of them that came a day later."""
    draw = random.Random(version)  # noqa: S311 - the same rows each time, and no secret
    row = _rows(baseline, draw)
    for place in range(HOURS):
        hour = START + place * HOUR
        ids = [f"{hour * 1000 + each:012x}{draw.getrandbits(56):014x}{0:06x}" for each in range(rows)]
        lines = list(_lines(ids, row, hour, version))
        store.write(f"telemetry/{folder_of(hour)}sample.jsonl", "".join(f"{line}\n" for line in lines).encode())
        labels = [{"id": each, "actual": next(row)[0]} for each in ids[:labelled]]
        checked = check_labels([each for each in labels if each["actual"] is not None], hour + 24 * HOUR)
        store_labels(checked.labels, hour + 24 * HOUR, store.write)


def _lines(ids: list[str], row: Iterator[tuple[Any, Any, str]], hour: int, version: str) -> Iterator[str]:
    source = Source("sample", "local", version)
    for start in range(0, len(ids), _LINE_ROWS):
        part = ids[start : start + _LINE_ROWS]
        records = [json.dumps(encode_record(each, *next(row)), separators=(",", ":")) for each in part]
        yield from request_lines(
            source, now_ms=hour * 1000 + start, status=200, latency_ms=5 + start / 100, predictions=len(part),
            records=records,
        )  # fmt: skip


def _rows(baseline: Baseline, draw: random.Random) -> Iterator[tuple[Any, Any, str]]:
    """Predictions, scores and codes, without end."""
    coders = [_codes(track, draw) for column in baseline.columns for track in column.tracks]
    predicted, score = _predicted(baseline, draw), _score(baseline, draw)
    while True:
        yield predicted(), score(), "".join(code() for code in coders)


def _codes(track: Track, draw: random.Random) -> Callable[[], str]:
    codes, counts = list(track.counts), list(track.counts.values())
    return lambda: draw.choices(codes, counts)[0]


def _predicted(baseline: Baseline, draw: random.Random) -> Callable[[], Any]:
    tracks = {track.name: track for track in baseline.outputs.tracks}
    track = tracks.get("prediction")
    if baseline.outputs.classes:
        return lambda: draw.choice(baseline.outputs.classes)
    if track is not None and track.kind == "numeric":
        return lambda: draw.uniform(track.minimum, track.maximum)
    return lambda: draw.choice(track.values) if track is not None and track.values else None


def _score(baseline: Baseline, draw: random.Random) -> Callable[[], Any]:
    scored = len(baseline.outputs.calibration)
    if not scored:
        return lambda: None
    return lambda: draw.random() if scored == 1 else [draw.random() for _ in range(scored)]
