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
from lightship_runtime.monitor.records import Label, decode_label, decode_line

HOUR = 3600
PARTITIONS = 64
BATCH_ROWS = 20_000

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


def fill_cells(baseline: Baseline, lines: Iterable[str | bytes], labels: Iterable[str | bytes], scratch: Path) -> Cells:
    """Count all telemetry lines and labels. `scratch` is an empty folder for partition files, which are removed.

    The disk taken is about the size of the records and labels in the input.
    """
    cells = Cells()
    with ExitStack() as stack:
        files = [
            stack.enter_context((scratch / f"{part:02d}").open("w+", encoding="utf-8")) for part in range(PARTITIONS)
        ]
        _spread_records(cells, baseline, lines, files)
        _spread_labels(cells, labels, files)
        for file in files:
            file.seek(0)
            _count_partition(cells, baseline, file)
    for part in range(PARTITIONS):
        (scratch / f"{part:02d}").unlink()
    return cells


def _spread_records(cells: Cells, baseline: Baseline, lines: Iterable[str | bytes], files: Sequence[IO[str]]) -> None:
    width = len(all_tracks(baseline)) - len(baseline.outputs.tracks)
    scored = len(baseline.outputs.calibration)
    dump = json.JSONEncoder(separators=(",", ":")).encode
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
            if score is not None and len(score if isinstance(score, tuple) else (score,)) != scored:
                cells.count("records_skipped")
                continue
            packed = [record.id, record.version, _hour(record.time), record.predicted, score, record.codes]
            files[_part(record.id)].write("P" + dump(packed) + "\n")


def _spread_labels(cells: Cells, labels: Iterable[str | bytes], files: Sequence[IO[str]]) -> None:
    dump = json.JSONEncoder(separators=(",", ":")).encode
    for text in labels:
        label = decode_label(text)
        if label is None:
            cells.count("labels_skipped")
        else:
            files[_part(label.id)].write("L" + dump([label.id, label.time, label.actual]) + "\n")


def _part(identifier: str) -> int:
    return crc32(identifier.encode(errors="surrogatepass")) % PARTITIONS


def _hour(time: float) -> int:
    return int(time // HOUR) * HOUR


def _count_partition(cells: Cells, baseline: Baseline, file: Iterator[str]) -> None:
    predictions: dict[str, str] = {}
    labels: dict[str, tuple[float, str, Label]] = {}
    for packed in file:
        if packed[0] == "P":
            _keep_prediction(cells, predictions, packed[1:])
        else:
            _keep_label(cells, labels, packed[1:])
    cells.count("labels_waiting", sum(identifier not in predictions for identifier in labels))
    groups: dict[CellKey, list[list[Any]]] = {}
    for identifier, packed in predictions.items():
        _, version, hour, predicted, score, codes = json.loads(packed)
        label = labels.get(identifier)
        group = groups.setdefault((version, hour), [])
        group.append([codes, predicted, score, None if label is None else label[2]])
        if len(group) >= BATCH_ROWS:
            _count_group(cells, baseline, (version, hour), groups.pop((version, hour)))
    for key, group in groups.items():
        _count_group(cells, baseline, key, group)


def _keep_prediction(cells: Cells, kept: dict[str, str], packed: str) -> None:
    identifier = json.JSONDecoder().raw_decode(packed, 1)[0]
    known = kept.setdefault(identifier, packed)
    if known is packed:
        return
    cells.count("duplicates")
    if known != packed:
        cells.count("conflicts")
        kept[identifier] = min(known, packed)


def _keep_label(cells: Cells, kept: dict[str, tuple[float, str, Label]], packed: str) -> None:
    """The latest label holds; of two with one time, the one whose text is larger, so that order doesn't matter."""
    identifier, time, actual = json.loads(packed)
    entry = (time, json.dumps(actual), actual)
    known = kept.get(identifier)
    if known is None:
        kept[identifier] = entry
        return
    cells.count("labels_replaced")
    if entry[:2] > known[:2]:
        kept[identifier] = entry


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
    rows = [gap if value is None else value if isinstance(value, list) else [value] for value in values]
    return np.array(rows, np.float64).reshape(len(values), width)


def merge_cells(parts: Iterable[Mapping[CellKey, Profile]], baseline: Baseline) -> dict[CellKey, Profile]:
    """Cells of disjoint sets of predictions, added up."""
    merged: dict[CellKey, Profile] = {}
    for part in parts:
        for key, profile in part.items():
            merged.setdefault(key, Profile.empty(baseline)).add(profile)
    return merged
