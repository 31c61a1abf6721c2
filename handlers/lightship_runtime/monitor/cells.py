"""From records and labels to hour cells: one profile for each model version and hour, each prediction counted once.

Memory stays bounded however many lines there are: records are spread over partition files by their id, labels with
them, and one partition at a time is read, freed of duplicates, joined with its labels and counted. Two lines with one
id can't land in different partitions, and neither the order of lines nor their grouping into files changes a count.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from zlib import crc32

import numpy as np

from lightship_runtime.monitor.accumulate import Batch, add_batch
from lightship_runtime.monitor.baseline import Baseline
from lightship_runtime.monitor.profile import Profile, all_tracks
from lightship_runtime.monitor.records import decode_label, decode_line

HOUR = 3600
PARTITIONS = 64
_BLOCK = 100
_LABEL_LENGTH = 3

type CellKey = tuple[str, int]
"""A model version, and the start of an hour in seconds since 1970."""


@dataclass
class Cells:
    """Profiles by version and hour, and what was wrong with the input.

    `problems` counts: `lines_skipped` (not telemetry: half written, corrupt), `records_skipped` (broken records inside
    good lines), `duplicates`, `conflicts` (one id with different contents; the first in byte order was kept),
    `labels_skipped`, `labels_replaced` (corrected or repeated) and `labels_waiting` (their prediction isn't there yet).
    """

    profiles: dict[CellKey, Profile] = field(default_factory=dict)
    rejected: dict[CellKey, int] = field(default_factory=dict)
    problems: dict[str, int] = field(default_factory=dict)

    def count(self, problem: str, more: int = 1) -> None:
        if more:
            self.problems[problem] = self.problems.get(problem, 0) + more


class _Spread:
    """Items spread over partition files by id, a block of them to a line."""

    def __init__(self, files: Sequence[IO[str]]) -> None:
        self._files = files
        self._blocks: list[list[Any]] = [[] for _ in files]

    def put(self, identifier: str, item: list[Any]) -> None:
        part = crc32(identifier.encode(errors="surrogatepass")) % len(self._files)
        block = self._blocks[part]
        block.append(item)
        if len(block) >= _BLOCK:
            self._write(part)

    def _write(self, part: int) -> None:
        self._files[part].write(json.dumps(self._blocks[part], separators=(",", ":")) + "\n")
        self._blocks[part] = []

    def partitions(self) -> Iterator[Iterator[list[Any]]]:
        """The items of each partition, once everything was put."""
        for part, file in enumerate(self._files):
            self._write(part)
            file.seek(0)
            yield (item for line in file for item in json.loads(line))


def fill_cells(
    baseline: Baseline,
    lines: Iterable[str | bytes],
    labels: Iterable[str | bytes],
    scratch: Path,
    partitions: int = PARTITIONS,
) -> Cells:
    """Count all telemetry lines and labels. `scratch` is an empty folder for partition files, which are removed.

    The disk taken is about the size of the records and labels in the input; the memory, that of one partition's.
    """
    cells = Cells()
    paths = [scratch / f"{part:04d}" for part in range(partitions)]
    with ExitStack() as stack:
        spread = _Spread([stack.enter_context(path.open("w+", encoding="ascii")) for path in paths])
        _spread_records(cells, baseline, lines, spread)
        _spread_labels(cells, labels, spread)
        for items in spread.partitions():
            _count_partition(cells, baseline, items)
    for path in paths:
        path.unlink()
    return cells


def _spread_records(cells: Cells, baseline: Baseline, lines: Iterable[str | bytes], spread: _Spread) -> None:
    width = len(all_tracks(baseline)) - len(baseline.outputs.tracks)
    scored = len(baseline.outputs.calibration)
    for text in lines:
        line = decode_line(text, width)
        if line is None:
            cells.count("lines_skipped")
            continue
        cells.count("records_skipped", line.broken)
        if line.rejected and line.version is not None and line.time is not None:
            key = (line.version, _hour(line.time))
            cells.rejected[key] = cells.rejected.get(key, 0) + line.rejected
        for record in line.records:
            score = record.score
            if score is not None and len(score) != scored:
                cells.count("records_skipped")
                continue
            item = [record.id, record.version, _hour(record.time), record.predicted, score, record.codes]
            spread.put(record.id, item)


def _spread_labels(cells: Cells, labels: Iterable[str | bytes], spread: _Spread) -> None:
    for text in labels:
        label = decode_label(text)
        if label is None:
            cells.count("labels_skipped")
        else:
            spread.put(label.id, [label.id, label.time, label.actual])


def _hour(time: float) -> int:
    return int(time // HOUR) * HOUR


def _count_partition(cells: Cells, baseline: Baseline, items: Iterable[list[Any]]) -> None:
    predictions: dict[str, list[Any]] = {}
    labels: dict[str, list[Any]] = {}
    for item in items:
        if len(item) == _LABEL_LENGTH:
            _keep_label(cells, labels, item)
        else:
            _keep_prediction(cells, predictions, item)
    cells.count("labels_waiting", len(labels.keys() - predictions.keys()))
    groups: dict[CellKey, list[list[Any]]] = {}
    for identifier, (_, version, hour, predicted, score, codes) in predictions.items():
        label = labels.get(identifier)
        group = groups.setdefault((version, hour), [])
        group.append([codes, predicted, score, None if label is None else label[2]])
    for key, group in groups.items():
        _count_group(cells, baseline, key, group)


def _keep_prediction(cells: Cells, kept: dict[str, list[Any]], item: list[Any]) -> None:
    known = kept.setdefault(item[0], item)
    if known is item:
        return
    cells.count("duplicates")
    if known != item:
        cells.count("conflicts")
        kept[item[0]] = min(known, item, key=json.dumps)


def _keep_label(cells: Cells, kept: dict[str, list[Any]], item: list[Any]) -> None:
    """The latest label holds; of two with one time, the one whose text is larger, so that order doesn't matter."""
    known = kept.setdefault(item[0], item)
    if known is not item:
        cells.count("labels_replaced")
        kept[item[0]] = max(known, item, key=lambda label: (label[1], json.dumps(label[2])))


def _count_group(cells: Cells, baseline: Baseline, key: CellKey, group: list[list[Any]]) -> None:
    profile = cells.profiles.get(key)
    if profile is None:
        profile = cells.profiles[key] = Profile.empty(baseline)
    columns = [list(column) for column in zip(*group, strict=True)]
    codes = np.frombuffer("".join(columns[0]).encode("ascii"), np.uint8).reshape(len(group), -1)
    add_batch(profile, baseline, Batch(codes, columns[1], _scores(baseline, columns[2]), columns[3]))


def _scores(baseline: Baseline, values: list[Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    width = len(baseline.outputs.calibration)
    gap = [np.nan] * width
    rows = [gap if value is None else value for value in values]
    return np.array(rows, np.float64).reshape(len(values), width)


def merge_cells(parts: Iterable[Mapping[CellKey, Profile]], baseline: Baseline) -> dict[CellKey, Profile]:
    """Cells of disjoint sets of predictions, added up."""
    merged: dict[CellKey, Profile] = {}
    for part in parts:
        for key, profile in part.items():
            merged.setdefault(key, Profile.empty(baseline)).add(profile)
    return merged
