"""One partition of predictions, labels and requests: duplicates removed, labels joined, counted into cells."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lightship_runtime.monitor.accumulate import Batch, add_batch
from lightship_runtime.monitor.baseline import Baseline
from lightship_runtime.monitor.profile import Profile, add_counts
from lightship_runtime.monitor.traffic import label_age, request_notes

if TYPE_CHECKING:
    from lightship_runtime.monitor.cells import CellKey, Cells

PREDICTION, LABEL, REQUEST = 0, 1, 2
"""What an item is, its first place. The second is its id, or a request's digest."""


def count_partition(cells: "Cells", baselines: Callable[[str], Baseline | None], items: Iterable[list[Any]]) -> None:
    """Add the partition to the cells.

    Items are [PREDICTION, id, version, hour, predicted, score, codes], [LABEL, id, time, actual, hour] and
    [REQUEST, digest, version, hour, rejected, metrics].
    """
    predictions: dict[str, list[Any]] = {}
    labels: dict[str, list[Any]] = {}
    first: dict[str, float] = {}
    requests: dict[str, list[Any]] = {}
    for item in items:
        match item[0]:
            case 0:
                _keep_prediction(cells, predictions, item)
            case 1:
                first[item[1]] = min(first.get(item[1], item[2]), item[2])
                _keep_label(cells, labels, item)
            case _:
                _keep_request(cells, requests, item)
    for identifier in labels.keys() - predictions.keys():
        cells.count("labels_waiting", labels[identifier][4])
    groups: dict[CellKey, list[list[Any]]] = {}
    for identifier, (_, _, version, hour, predicted, score, codes) in predictions.items():
        label = labels.get(identifier)
        actual = None if label is None else label[3]
        age = "" if label is None else label_age(identifier, hour, first[identifier])
        groups.setdefault((version, hour), []).append([codes, predicted, score, actual, age])
    for key, group in groups.items():
        _count_group(cells, baselines, key, group)
    for _, _, version, hour, rejected, metrics in requests.values():
        profile = _profile(cells, baselines, (version, hour))
        if profile is not None:
            add_counts(profile.notes, request_notes(rejected, metrics))


def _keep_prediction(cells: "Cells", kept: dict[str, list[Any]], item: list[Any]) -> None:
    known = kept.setdefault(item[1], item)
    if known is item:
        return
    cells.count("duplicates", item[3])
    if known != item:
        cells.count("conflicts", item[3])
        kept[item[1]] = min(known, item, key=json.dumps)


def _keep_label(cells: "Cells", kept: dict[str, list[Any]], item: list[Any]) -> None:
    """The latest label holds; of two with one time, the one whose text is larger, so that order doesn't matter."""
    known = kept.setdefault(item[1], item)
    if known is not item:
        cells.count("labels_replaced", item[4])
        kept[item[1]] = max(known, item, key=lambda label: (label[2], json.dumps(label[3])))


def _keep_request(cells: "Cells", kept: dict[str, list[Any]], item: list[Any]) -> None:
    """A repeated line that held predictions is told by them."""
    known = kept.setdefault(item[1], item)
    if known is not item and item[4]:
        cells.count("duplicates", item[3])


def _count_group(
    cells: "Cells", baselines: Callable[[str], Baseline | None], key: "CellKey", group: Sequence[list[Any]]
) -> None:
    baseline, profile = baselines(key[0]), _profile(cells, baselines, key)
    if baseline is None or profile is None:
        return
    strings, predicted, scores, actual, ages = (list(column) for column in zip(*group, strict=True))
    codes = np.frombuffer("".join(strings).encode("ascii"), np.uint8).reshape(len(group), -1)
    add_batch(profile, baseline, Batch(codes, predicted, _scores(baseline, scores), actual))
    for age in ages:
        if age:
            profile.notes[age] = profile.notes.get(age, 0) + 1


def _profile(cells: "Cells", baselines: Callable[[str], Baseline | None], key: "CellKey") -> Profile | None:
    profile = cells.profiles.get(key)
    if profile is None:
        baseline = baselines(key[0])
        if baseline is None:
            return None
        profile = cells.profiles[key] = Profile.empty(baseline)
    return profile


def _scores(baseline: Baseline, values: list[Any]) -> NDArray[np.float64]:
    width = len(baseline.outputs.calibration)
    gap = [np.nan] * width
    rows = [gap if value is None else value for value in values]
    return np.array(rows, np.float64).reshape(len(values), width)
