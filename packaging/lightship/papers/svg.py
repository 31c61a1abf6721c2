"""The little that the report's pictures share: numbers, text and shapes of inline SVG."""

from html import escape
from math import ceil, floor, log10

WIDTH = 440
# Room left of a plot for the numbers of its axis, and below it.
LEFT, BOTTOM, TOP = 46, 40, 12


def picture(height: float, label: str, body: str) -> str:
    """An SVG of WIDTH by `height` that scales with the page, with `label` for who can't see it."""
    return (
        f'<svg viewBox="0 0 {WIDTH} {number(height)}" role="img" aria-label="{escape(label)}">'
        f"<title>{escape(label)}</title>{body}</svg>"
    )


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    """Words with their baseline at (x, y)."""
    return f'<text x="{number(x)}" y="{number(y)}" text-anchor="{anchor}" class="{kind}">{escape(words)}</text>'


def rect(x: float, y: float, width: float, height: float, kind: str, tip: str = "") -> str:
    inside = f"<title>{escape(tip)}</title>" if tip else ""
    return (
        f'<rect x="{number(x)}" y="{number(y)}" width="{number(max(width, 0.5))}" height="{number(max(height, 0.5))}" '
        f'rx="1.5" class="{kind}">{inside}</rect>'
    )


def line(x1: float, y1: float, x2: float, y2: float, kind: str = "axis") -> str:
    return f'<line x1="{number(x1)}" y1="{number(y1)}" x2="{number(x2)}" y2="{number(y2)}" class="{kind}"/>'


def dot(x: float, y: float, radius: float, kind: str) -> str:
    return f'<circle cx="{number(x)}" cy="{number(y)}" r="{number(radius)}" class="{kind}"/>'


def number(value: float) -> str:
    """A coordinate: two decimals are finer than a screen."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def shown(value: float) -> str:
    """A measured number with the digits that matter."""
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1e6:
        return f"{value:.2g}".replace("e+", "e")
    if size >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if size >= 1e-3 else f"{value:.1e}"


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers within [low, high], at steps of 1, 2 or 5 times a power of ten."""
    span = high - low
    if span <= 0:
        return [low]
    raw = span / most
    power = 10.0 ** floor(log10(raw))
    step = next(each * power for each in (1, 2, 5, 10) if each * power >= raw)
    first = ceil(low / step - 1e-9)
    return [round(each * step, 12) for each in range(first, floor(high / step + 1e-9) + 1)]


def decades(low: float, high: float) -> list[float]:
    """Numbers for a logarithmic axis: powers of ten, with their doubles and halves where the axis is short."""
    first, last = floor(log10(low)), ceil(log10(high))
    steps = (1, 2, 5) if last - first <= 3 else (1,)
    return [value for power in range(first, last + 1) for each in steps if low <= (value := each * 10.0**power) <= high]
