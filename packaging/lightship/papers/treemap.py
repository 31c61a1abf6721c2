"""Lays areas out as a squarified treemap: Bruls, Huizing and van Wijk, Squarified Treemaps, 2000."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle for the item at `index`."""

    index: int
    x: float
    y: float
    width: float
    height: float


def squarify(sizes: Sequence[float], width: float, height: float) -> list[Box]:
    """A box each, area in proportion to its size, filling `width` by `height`. Sizes are positive and descending."""
    total = sum(sizes)
    areas = [size / total * width * height for size in sizes]
    boxes: list[Box] = []
    x = y = 0.0
    start = 0
    while start < len(areas):
        side = min(width, height)
        end = start + 1
        while end < len(areas) and _worst(areas[start : end + 1], side) <= _worst(areas[start:end], side):
            end += 1
        depth = sum(areas[start:end]) / side
        at = 0.0
        for index in range(start, end):
            length = areas[index] / depth
            upright = width >= height
            boxes.append(Box(index, x, y + at, depth, length) if upright else Box(index, x + at, y, length, depth))
            at += length
        if width >= height:
            x, width = x + depth, width - depth
        else:
            y, height = y + depth, height - depth
        start = end
    return boxes


def _worst(row: Sequence[float], side: float) -> float:
    """The largest ratio of a box's sides when these areas share one side."""
    total = sum(row)
    return max(side**2 * max(row) / total**2, total**2 / (side**2 * min(row)))
