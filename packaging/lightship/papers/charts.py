"""The report's pictures, each from numbers to an SVG."""

from collections.abc import Mapping, Sequence
from math import ceil, floor, log10
from typing import Any

from lightship.papers.svg import (
    BOTTOM,
    LEFT,
    TOP,
    WIDTH,
    decades,
    dot,
    line,
    picture,
    rect,
    shown,
    text,
    ticks,
)
from lightship.papers.treemap import squarify

GRID = 80
LEAST_SHARE = 0.004
CHARACTER = 7.6


def size_map(sizes: Mapping[str, int], kind: Mapping[str, str]) -> str:
    """Bytes in the zip by part, as areas. `kind` gives each part's class; what is tiny is put together."""
    total = sum(sizes.values())
    parts = [(name, size, kind.get(name, "rest")) for name, size in sizes.items() if size >= LEAST_SHARE * total]
    if small := total - sum(size for _, size, _ in parts):
        parts.append((f"{len(sizes) - len(parts)} small parts", small, "rest"))
    parts.sort(key=lambda part: -part[1])
    height = 250.0
    body = []
    for box in squarify([size for _, size, _ in parts], WIDTH, height):
        name, size, group = parts[box.index]
        told = f"{size / 1e6:.2f} MB" if size >= 1e5 else f"{size / 1e3:.0f} kB"
        body.append(rect(box.x + 1, box.y + 1, box.width - 2, box.height - 5, f"part {group}", f"{name}: {told}"))
        fits = int((box.width - 10) / CHARACTER)
        if box.height >= 20 and fits >= 4:
            body.append(text(box.x + 6, box.y + 16, _cut(name, fits), "on"))
            if box.height >= 36 and fits >= len(told):
                body.append(text(box.x + 6, box.y + 31, told, "on small"))
    return picture(height, f"The zip's {total / 1e6:.1f} MB by part", "".join(body))


def start_steps(inits_ms: Sequence[float], first_ms: float, warm_ms: float) -> str:
    """Each start, the first request after it and a warm one, along one axis of time from when the process begins."""
    init = sorted(inits_ms)[len(inits_ms) // 2]
    steps = [(f"start {place}", 0.0, value, "init") for place, value in enumerate(inits_ms, 1)]
    steps += [("first request", init, first_ms, "first"), ("warm request", init + first_ms, warm_ms, "warm")]
    end = max(*inits_ms, init + first_ms + warm_ms) * 1.02
    left, right, row = 122.0, WIDTH - 76.0, 30.0
    height = TOP + row * len(steps) + BOTTOM
    body = []
    for tick in ticks(0, end):
        x = left + tick / end * (right - left)
        body.append(line(x, TOP, x, height - BOTTOM + 4, "grid"))
        body.append(text(x, height - BOTTOM + 18, shown(tick), "tick", "middle"))
    for place, (name, begin, length, kind) in enumerate(steps):
        y = TOP + place * row
        x, width = left + begin / end * (right - left), length / end * (right - left)
        body.append(text(left - 8, y + 19, name, "", "end"))
        body.append(rect(x, y + 6, max(width, 2), row - 12, f"bar {kind}", f"{name}: {shown(length)} ms"))
        body.append(text(x + max(width, 2) + 6, y + 19, f"{shown(length)} ms"))
    body.append(text((left + right) / 2, height - 5, "ms since the process began", "tick", "middle"))
    return picture(height, f"A start takes {shown(init)} ms, then a request {shown(warm_ms)} ms", "".join(body))


def parity(pairs: Sequence[tuple[float, float]], unit: str) -> str:
    """What the model says against what the zip says. Near points are drawn as one, larger for more of them."""
    values = [value for pair in pairs for value in pair]
    low, high = min(values), max(values)
    margin = (high - low or abs(high) or 1.0) * 0.04
    low, high = low - margin, high + margin
    size = 250.0
    right = LEFT + size + 60
    height = TOP + size + BOTTOM

    def place(value: float) -> float:
        return (value - low) / (high - low)

    cells: dict[tuple[int, int], int] = {}
    for expected, found in pairs:
        cell = (round(place(expected) * GRID), round(place(found) * GRID))
        cells[cell] = cells.get(cell, 0) + 1
    body = [line(LEFT, TOP + size, right, TOP, "ideal")]
    for tick in ticks(low, high):
        x, y = LEFT + place(tick) * (right - LEFT), TOP + size - place(tick) * size
        body += [line(LEFT, y, right, y, "grid"), line(x, TOP, x, TOP + size, "grid")]
        body += [
            text(LEFT - 6, y + 4, shown(tick), "tick", "end"),
            text(x, TOP + size + 15, shown(tick), "tick", "middle"),
        ]
    most = max(cells.values())
    for (across, up), count in cells.items():
        radius = 1.6 + 3.4 * (count / most) ** 0.5
        body.append(dot(LEFT + across / GRID * (right - LEFT), TOP + size - up / GRID * size, radius, "mark"))
    unit = _cut(unit, 11)
    body.append(text((LEFT + right) / 2, height - 5, f"the model's {unit}", "tick", "middle"))
    body.append(text(right + 8, TOP + 12, "the zip's", "tick"))
    body.append(text(right + 8, TOP + 26, unit, "tick"))
    return picture(height, f"{len(pairs):,} values: the model's against the zip's", "".join(body))


def differences(pairs: Sequence[tuple[float, float]], tolerance: float) -> str:
    """How many values differ by which power of ten, as they are weighed against the tolerance: see golden.compare."""
    apart = [abs(found - expected) / (1 + abs(expected)) for expected, found in pairs]
    powers = sorted({floor(log10(each)) for each in apart if each > 0})
    limit = floor(log10(tolerance))
    first = min([*powers, limit, -17])
    columns = [("0", sum(each == 0 for each in apart))]
    columns += [
        (f"1e{power}", sum(each > 0 and floor(log10(each)) == power for each in apart))
        for power in range(first, max([*powers, limit]) + 1)
    ]
    step = (WIDTH - LEFT - 8) / len(columns)
    height, floor_y = 200.0, 200.0 - BOTTOM
    most = max(count for _, count in columns)
    body = [line(LEFT, floor_y, WIDTH - 8, floor_y)]
    every = ceil(len(columns) / 8)
    for place, (name, count) in enumerate(columns):
        x = LEFT + place * step
        tall = count / most * (floor_y - TOP - 18)
        if count:
            body.append(rect(x + 1, floor_y - tall, step - 2, tall, "bar warm", f"{count:,} values, from {name}"))
            body.append(text(x + step / 2, floor_y - tall - 4, f"{count:,}", "tick", "middle"))
        if place == 0 or (place > 1 and (len(columns) - place) % every == 0):
            body.append(text(x + step / 2, floor_y + 15, name, "tick", "middle"))
    edge = LEFT + (limit - first + 1) * step + (log10(tolerance) - limit) * step
    body += [line(edge, TOP, edge, floor_y, "limit"), text(edge - 5, TOP + 12, "tolerance", "tick", "end")]
    body.append(
        text((LEFT + WIDTH) / 2, height - 5, "|zip - model| / (1 + |model|), by powers of ten", "tick", "middle")
    )
    return picture(height, f"Differences of {len(apart):,} values from the model's", "".join(body))


def latencies(requests_ms: Sequence[float], p50_ms: float, p99_ms: float) -> str:
    """How long single-row requests took, on a logarithmic axis."""
    low, high = min(requests_ms) * 0.95, max(requests_ms) * 1.05
    bins = 36
    counts = [0] * bins
    for each in requests_ms:
        counts[min(bins - 1, int((log10(each) - log10(low)) / (log10(high) - log10(low)) * bins))] += 1
    height, floor_y, right = 200.0, 200.0 - BOTTOM, WIDTH - 10.0
    step = (right - LEFT) / bins

    def across(value: float) -> float:
        return LEFT + (log10(value) - log10(low)) / (log10(high) - log10(low)) * (right - LEFT)

    body = [line(LEFT, floor_y, right, floor_y)]
    for tick in ticks(0, max(counts), 4):
        y = floor_y - tick / max(counts) * (floor_y - TOP - 16)
        body += [line(LEFT, y, right, y, "grid"), text(LEFT - 6, y + 4, f"{tick:.0f}", "tick", "end")]
    for place, count in enumerate(counts):
        tall = count / max(counts) * (floor_y - TOP - 16)
        if count:
            body.append(
                rect(LEFT + place * step + 0.5, floor_y - tall, step - 1, tall, "bar warm", f"{count} requests")
            )
    body += [text(across(each), floor_y + 15, shown(each), "tick", "middle") for each in decades(low, high)]
    near = across(p99_ms) - across(p50_ms) < 110
    for name, value, anchor in (
        ("p50", p50_ms, "end" if near else "start"),
        ("p99", p99_ms, "end" if not near else "start"),
    ):
        x = across(value)
        body.append(line(x, TOP, x, floor_y, "limit"))
        body.append(text(x + (4 if anchor == "start" else -4), TOP + 8, f"{name} {shown(value)}", "tick", anchor))
    body.append(text((LEFT + right) / 2, height - 5, "ms a request of one row", "tick", "middle"))
    return picture(height, f"{len(requests_ms)} requests: half within {shown(p50_ms)} ms", "".join(body))


def memory_costs(advice: Mapping[str, Any]) -> str:
    """Dollars per million predictions by memory size, the cheapest marked."""
    sizes = advice["sizes"][:12]
    most = max(size["dollars"] for size in sizes)
    row, left, right = 21.0, 92.0, WIDTH - 138.0
    height = TOP + row * len(sizes) + 6
    body = []
    for place, size in enumerate(sizes):
        y = TOP + place * row
        chosen = size["memory_mb"] == advice["memory_mb"]
        told = f"${size['dollars']:.2f}, {shown(size['request_ms'])} ms"
        body.append(text(left - 8, y + 14, f"{size['memory_mb']:,} MB", "strong" if chosen else "", "end"))
        width = size["dollars"] / most * (right - left)
        body.append(rect(left, y + 3, width, row - 6, "bar first" if chosen else "bar init", told))
        body.append(text(left + width + 6, y + 14, told, "strong" if chosen else "tick"))
    return picture(height, f"Cheapest at {advice['memory_mb']} MB of memory", "".join(body))


def _cut(words: str, length: int) -> str:
    return words if len(words) <= length else words[: length - 1] + "…"
