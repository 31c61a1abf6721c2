"""How often monitoring cries wolf, and how often it misses: simulations that print tables.

Run: python benchmarks/monitoring_false_alarms.py [--windows 400] [--only drift,wobble,whole,power,accuracy]
"""

import argparse
import time
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from lightship.monitoring import make_baseline, monitor
from lightship_runtime.monitor.baseline import Baseline

BASELINE_ROWS = 20_000
COLUMNS = 20

type Draw = Callable[[np.random.Generator, int], np.ndarray]


def categories(count: int, tilt: float) -> Draw:
    weights = np.exp(-tilt * np.arange(count))
    names = np.array([f"value {i}" for i in range(count)], dtype=object)
    return lambda random, rows: names[random.choice(count, rows, p=weights / weights.sum())]


def gaps(draw: Draw, share: float) -> Draw:
    def drawn(random: np.random.Generator, rows: int) -> np.ndarray:
        values = draw(random, rows).astype(np.float64)
        values[random.random(rows) < share] = np.nan
        return values

    return drawn


def zero_inflated(random: np.random.Generator, rows: int) -> np.ndarray:
    return np.where(random.random(rows) < 0.6, 0.0, random.gamma(2.0, 3.0, rows))


NUMERIC: dict[str, Draw] = {
    "normal": lambda random, rows: random.normal(10, 3, rows),
    "exponential": lambda random, rows: random.exponential(2, rows),
    "lognormal": lambda random, rows: random.lognormal(0, 1, rows),
    "uniform": lambda random, rows: random.random(rows),
    "student t, 3 df": lambda random, rows: random.standard_t(3, rows),
    "two humps": lambda random, rows: random.normal(np.where(random.random(rows) < 0.4, -2, 2), 1),
    "beta(.5,.5)": lambda random, rows: random.beta(0.5, 0.5, rows),
    "normal, 10% missing": gaps(lambda random, rows: random.normal(0, 1, rows), 0.1),
}
OTHERS: dict[str, Draw] = {
    "integers, Poisson 4": lambda random, rows: random.poisson(4, rows),
    "zero or gamma": zero_inflated,
    "boolean, 30%": lambda random, rows: random.random(rows) < 0.3,
    "boolean, 2%": lambda random, rows: random.random(rows) < 0.02,
    "3 categories": categories(3, 0.5),
    "12 categories": categories(12, 0.2),
    "60 categories": categories(60, 0.05),
}


type Moved = Callable[[np.random.Generator, int, float], np.ndarray]


def latent(deviation: float) -> Moved:
    """A normal variable, rounded to whole numbers after its mean has moved by so many standard deviations."""
    return lambda random, rows, move: np.rint(random.normal(move * deviation, deviation, rows))


def counts(mean: float) -> Moved:
    """Poisson counts whose mean has moved."""
    return lambda random, rows, move: random.poisson(max(0.0, mean + move * np.sqrt(mean)), rows)


def added(mean: float) -> Moved:
    """Poisson counts to which a fraction was added."""
    return lambda random, rows, move: random.poisson(mean, rows) + move * np.sqrt(mean)


WHOLE: dict[str, Moved] = {
    "rounded normal, sd 0.7": latent(0.7),
    "rounded normal, sd 2": latent(2),
    "Poisson 1": counts(1),
    "Poisson 4": counts(4),
    "Poisson 30": counts(30),
    "Poisson 1 + fraction": added(1),
    "Poisson 4 + fraction": added(4),
    "Poisson 10 + fraction": added(10),
    "Poisson 30 + fraction": added(30),
    "whole minutes of waiting": lambda random, rows, move: np.floor(random.exponential(3, rows) + 3 * move),
    "ratings 1 to 5": lambda random, rows, move: np.clip(np.rint(random.normal(4 + 1.2 * move, 1.2, rows)), 1, 5),
}


def mixture() -> dict[str, Draw]:
    """Twenty columns: each family in turn."""
    families = {**NUMERIC, **OTHERS}
    names = list(families)
    return {f"{i:02d} {names[i % len(names)]}": families[names[i % len(names)]] for i in range(COLUMNS)}


def frame(draws: dict[str, Draw], random: np.random.Generator, rows: int) -> pd.DataFrame:
    return pd.DataFrame({name: draw(random, rows) for name, draw in draws.items()})


def flagged_windows(baseline: Baseline, windows: Iterator[pd.DataFrame]) -> tuple[int, int, int]:
    """Windows with any column flagged, columns flagged, and windows in all."""
    any_flag = flags = total = 0
    for window in windows:
        found = monitor(baseline, window).flagged
        any_flag += bool(found)
        flags += len(found)
        total += 1
    return any_flag, flags, total


def no_drift(windows: int) -> None:
    print("\nNo drift, 20 columns: share of windows that flag any column")
    print("| columns | baseline rows | n = 500 | 1,000 | 2,000 | 10,000 |\n|---|---|---|---|---|---|")
    sets = {
        "20 normal": {f"c{i}": NUMERIC["normal"] for i in range(COLUMNS)},
        "20 mixed": mixture(),
    }
    for name, draws in sets.items():
        for rows in (2_000, BASELINE_ROWS):
            random = np.random.default_rng(1)
            baseline = make_baseline(frame(draws, random, rows))
            shares = []
            for n in (500, 1_000, 2_000, 10_000):
                count = max(50, windows * 500 // n) if n > 1_000 else windows
                hit, _, total = flagged_windows(baseline, (frame(draws, random, n) for _ in range(count)))
                shares.append(f"{hit / total:.3f} ({total})")
            print(f"| {name} | {rows:,} | " + " | ".join(shares) + " |")


def wobble(windows: int) -> None:
    print("\nHarmless wobble: each numeric column's mean moves by N(0, 0.1 sd) each window, n = 10,000")
    print("| columns | windows that flag any of 20 | columns flagged |\n|---|---|---|")
    for name, draw in [*NUMERIC.items(), ("mixed numeric", None)]:
        families = list(NUMERIC.values())
        draws = {f"c{i}": draw or families[i % len(families)] for i in range(COLUMNS)}
        random = np.random.default_rng(2)
        reference = frame(draws, random, BASELINE_ROWS)
        baseline = make_baseline(reference)
        spread = reference.std()
        moved = (frame(draws, random, 10_000) + spread * random.normal(0, 0.1, COLUMNS) for _ in range(windows))
        hit, flags, total = flagged_windows(baseline, moved)
        print(f"| {name} | {hit / total:.3f} | {flags / total / COLUMNS:.4f} |")


def whole(windows: int) -> None:
    print("\nThe same wobble in columns of whole numbers; and one such column among 19 normal ones that really moved")
    print("| columns | windows of 10,000 that flag any | found at n = 500: +0.3 sd | +0.4 | +0.5 | n = 2,000: +0.4 |")
    print("|---|---|---|---|---|---|")
    for name, draw in WHOLE.items():
        random = np.random.default_rng(5)
        still = {f"c{i}": draw(random, BASELINE_ROWS, 0.0) for i in range(COLUMNS)}
        baseline = make_baseline(pd.DataFrame(still))
        moved = (
            pd.DataFrame({column: draw(random, 10_000, random.normal(0, 0.1)) for column in still})
            for _ in range(windows)
        )
        hit, _, total = flagged_windows(baseline, moved)
        found = []
        for rows, move in ((500, 0.3), (500, 0.4), (500, 0.5), (2_000, 0.4)):
            drifted = 0
            for _ in range(windows):
                window = {column: draw(random, rows, 0.0) for column in still}
                drifted += "c0" in monitor(baseline, pd.DataFrame(window | {"c0": draw(random, rows, move)})).flagged
            found.append(f"{drifted / windows:.2f}")
        print(f"| {name} | {hit / total:.3f} | " + " | ".join(found) + " |", flush=True)


def shift(column: str, amount: float) -> Callable[[pd.DataFrame, pd.DataFrame, np.random.Generator], None]:
    def change(window: pd.DataFrame, reference: pd.DataFrame, _: np.random.Generator) -> None:
        window[column] = window[column] + amount * reference[column].std()

    return change


def scale(column: str, factor: float) -> Callable[[pd.DataFrame, pd.DataFrame, np.random.Generator], None]:
    def change(window: pd.DataFrame, reference: pd.DataFrame, _: np.random.Generator) -> None:
        middle = reference[column].mean()
        window[column] = middle + factor * (window[column] - middle)

    return change


def replace_share(column: str, share: float, value: object) -> Callable[..., None]:
    def change(window: pd.DataFrame, _: pd.DataFrame, random: np.random.Generator) -> None:
        chosen = random.random(len(window)) < share
        if window[column].dtype == bool:
            window[column] = window[column].astype(object)
        window.loc[chosen, column] = value

    return change


def power(windows: int) -> None:
    print("\nOne drifted column among 19 clean ones: share of windows that find it, and clean columns flagged")
    print("| drift | n = 500 | 1,000 | 2,000 | clean columns flagged |\n|---|---|---|---|---|")
    draws = mixture()
    random = np.random.default_rng(3)
    reference = frame(draws, random, BASELINE_ROWS)
    baseline = make_baseline(reference)
    names = {name.split(" ", 1)[1]: name for name in reversed(draws)}
    cases: dict[str, tuple[str, Callable[..., None]]] = {}
    for family in ("normal", "exponential", "lognormal", "uniform"):
        for amount in (0.2, 0.3, 0.4, 0.5, 1.0):
            cases[f"{family}, mean + {amount} sd"] = (names[family], shift(names[family], amount))
    for factor in (0.5, 0.7, 1.25, 1.5, 2.0):
        cases[f"normal, sd x {factor}"] = (names["normal"], scale(names["normal"], factor))
    for share in (0.01, 0.02, 0.03, 0.05, 0.1):
        cases[f"normal, {share:.0%} become missing"] = (names["normal"], replace_share(names["normal"], share, np.nan))
        cases[f"12 categories, {share:.0%} a new one"] = (
            names["12 categories"],
            replace_share(names["12 categories"], share, "new"),
        )
    for share in (0.05, 0.1, 0.15):
        column = names["normal, 10% missing"]
        cases[f"10% missing, {share:.0%} more"] = (column, replace_share(column, share, np.nan))
    for share in (0.1, 0.2, 0.3):
        cases[f"12 categories, {share:.0%} become the first"] = (
            names["12 categories"],
            replace_share(names["12 categories"], share, "value 0"),
        )
        cases[f"boolean 30%, {share:.0%} become true"] = (
            names["boolean, 30%"],
            replace_share(names["boolean, 30%"], share, True),
        )
    for label, (column, change) in cases.items():
        shares, clean = [], 0
        for n in (500, 1_000, 2_000):
            found = 0
            for _ in range(windows):
                window = frame(draws, random, n)
                change(window, reference, random)
                flagged = monitor(baseline, window).flagged
                found += column in flagged
                clean += len(flagged) - (column in flagged)
            shares.append(f"{found / windows:.3f}")
        print(f"| {label} | " + " | ".join(shares) + f" | {clean / (windows * 3 * 19):.5f} |")


def accuracy(windows: int) -> None:
    print("\nAccuracy alarm at 200 labels: false alarms, and a drop of 10 points found")
    print("| accuracy | baseline rows | false alarms | at 1,000 labels | found | at 500 | at 1,000 |")
    print("|---|---|---|---|---|---|---|")
    random = np.random.default_rng(4)

    def outputs(rows: int, right: float) -> pd.DataFrame:
        label = random.random(rows) < 0.4
        predicted = np.where(random.random(rows) < right, label, ~label)
        return pd.DataFrame({"predicted": predicted.astype(int), "label": label.astype(int)})

    def alarms(level: float, rows: int, labels: int, drop: float) -> float:
        hits = 0
        for index in range(windows):
            if index % 20 == 0:
                baseline = make_baseline(outputs(rows, level), prediction="predicted", label="label")
            hits += monitor(baseline, outputs(labels, level - drop)).to_dict()["breach"]["level"] == "high"
        return hits / windows

    for level in (0.95, 0.9, 0.85, 0.8, 0.7):
        for rows in (2_000, BASELINE_ROWS):
            found = [
                alarms(level, rows, labels, drop)
                for labels, drop in ((200, 0), (1_000, 0), (200, 0.1), (500, 0.1), (1_000, 0.1))
            ]
            print(f"| {level} | {rows:,} | " + " | ".join(f"{share:.4f}" for share in found) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, default=400)
    parser.add_argument("--only", default="drift,wobble,whole,power,accuracy")
    arguments = parser.parse_args()
    parts = {"drift": no_drift, "wobble": wobble, "whole": whole, "power": power, "accuracy": accuracy}
    for name in arguments.only.split(","):
        start = time.perf_counter()
        parts[name](arguments.windows)
        print(f"({time.perf_counter() - start:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
