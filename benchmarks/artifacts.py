"""Artifacts side by side in one run: an empty handler, Lightship, honest scikit-learn, naive, and other tools.

    .venv/bin/python benchmarks/artifacts.py [--families logistic,forest] [--tools logistic] [--boots 5] [--out docs]

For each model family: zip and unzipped size, start (spawn until requests are taken), first and warm latency of one row,
memory, packaging time. The zips are booted by the same host under AWS's own runtime client, in turns. *Honest* is what
a careful user writes by hand: slimmed by the same rules, with bytecode, FastAPI and Mangum. *Naive* is
`pip install --target` and a handler. Families named by `--tools` are built with Chalice, Zappa, BentoML and MLflow too.
Prints ratios; `--out` writes artifacts.json, and from it the page and its picture (`artifacts_page.py`).
"""

import argparse
import json
import platform
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import artifacts_page
import other_tools
import pandas as pd
from artifacts_page import Rows
from contenders import Boot, Contender, by_hand, floor, libraries, lightship
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from lightship.zipping import TooLargeError

ARCHITECTURE = "arm64" if platform.machine() == "aarch64" else "x86_64"
ROWS = 20_000
NUMBERS = ["hour", "distance", "temp", "humid", "wind_speed", "visib"]
TEXTS = ["carrier", "origin"]
WARM = 200

FAMILIES: dict[str, Callable[[], Any]] = {
    "logistic": lambda: LogisticRegression(max_iter=300),
    "ridge": Ridge,
    "naive bayes": GaussianNB,
    "forest": lambda: RandomForestClassifier(100, max_depth=12, random_state=0),
    "boosting": lambda: GradientBoostingClassifier(n_estimators=100, random_state=0),
    "hist boosting": lambda: HistGradientBoostingClassifier(max_iter=200, random_state=0),
    "isolation forest": lambda: IsolationForest(n_estimators=100, random_state=0),
    "network": lambda: MLPClassifier((32,), max_iter=40, random_state=0),
}


def main() -> None:
    options = _options()
    X, y = _flights()
    with tempfile.TemporaryDirectory(prefix="lightship-benchmark-") as folder:
        work = Path(folder)
        installed = {
            kind: libraries(work / kind, ARCHITECTURE, careful=kind == "honest") for kind in ("honest", "naive")
        }
        tools = other_tools.environments(work / "tools") if options.tools else {}
        for name in options.families:
            place = work / name.replace(" ", "-")
            contenders = _contenders(name, X, y, installed, place)
            if name in options.tools:
                model = _fit(name, X, y)
                contenders |= {
                    tool: other_tools.build(tool, model, where, place / tool) for tool, where in tools.items()
                }
            rows = _measure(contenders, X, options.boots)
            print(artifacts_page.table(name, rows), flush=True)
            if options.out:
                _keep(options.out, name, rows)


def _keep(folder: Path, name: str, rows: Rows) -> None:
    """Put one family's measurements into artifacts.json, beside those of the others, and write the page anew."""
    file = folder / "artifacts.json"
    known = json.loads(file.read_text()) if file.exists() else {}
    known[name] = rows
    ordered = {family: known[family] for family in FAMILIES if family in known}
    file.write_text(json.dumps(ordered, indent=1) + "\n")
    artifacts_page.write(folder)


def _options() -> argparse.Namespace:
    def names(text: str) -> list[str]:
        return text.split(",")

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--families", type=names, default=list(FAMILIES))
    parser.add_argument("--tools", type=names, default=[])
    parser.add_argument("--boots", type=int, default=5)
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def _flights() -> tuple[pd.DataFrame, "pd.Series[bool]"]:
    """Real rows with missing values: was the flight 15 minutes late at arrival?"""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples" / "flights"))
    from data import load_flights

    frame = load_flights().sample(ROWS, random_state=0).reset_index(drop=True)
    return frame[[*NUMBERS, *TEXTS]], frame["late"] == "late"


def _fit(name: str, X: pd.DataFrame, y: "pd.Series[bool]") -> Any:
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), TEXTS),
    )
    return make_pipeline(columns, FAMILIES[name]()).fit(X, y)


def _contenders(
    name: str, X: pd.DataFrame, y: "pd.Series[bool]", installed: dict[str, Path], work: Path
) -> dict[str, Contender]:
    model = _fit(name, X, y)
    work.mkdir()
    contenders: dict[str, Contender] = {
        "floor": floor(work / "floor"),
        "lightship": lightship(model, X.head(2_000), ARCHITECTURE, work / "lightship"),
    }
    for kind, folder in installed.items():
        try:
            contenders[kind] = by_hand(model, folder, work / kind)
        except TooLargeError as error:
            print(f"{name}, {kind}: {error}")
    return contenders


def _measure(contenders: dict[str, Contender], X: pd.DataFrame, boots: int) -> Rows:
    instances = [
        {key: None if pd.isna(value) else value for key, value in row.items()}
        for row in X.head(WARM).astype(object).to_dict("records")
    ]
    measured: dict[str, list[Boot]] = {kind: [] for kind in contenders}
    for _ in range(boots):
        for kind, contender in contenders.items():
            measured[kind].append(contender.boot(instances))
    return {kind: _row(contenders[kind], each) for kind, each in measured.items()}


def _row(contender: Contender, boots: Sequence[Boot]) -> dict[str, float]:
    warm = sorted(value for boot in boots for value in boot.requests_ms[1:])
    return {
        "zip MB": contender.zip_bytes / 1e6,
        "unzipped MB": contender.unzipped_bytes / 1e6,
        "start ms": statistics.median(boot.init_ms for boot in boots),
        "first ms": statistics.median(boot.requests_ms[0] for boot in boots),
        "p50 ms": statistics.median(warm),
        "p99 ms": warm[int(0.99 * (len(warm) - 1))],
        "memory MB": max(boot.rss_mb for boot in boots),
        "package s": contender.package_s,
    }


if __name__ == "__main__":
    main()
