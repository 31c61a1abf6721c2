"""Artifacts side by side in one run: an empty handler, Lightship, honest scikit-learn and naive scikit-learn.

    .venv/bin/python benchmarks/artifacts.py [--families logistic,forest] [--boots 5] [--markdown docs/artifacts.md]

For each model family: zip and unzipped size, start (spawn to first /next), first and warm latency of one row, peak
memory, packaging time. All four are booted by the same host under AWS's own runtime client, in turns. *Honest* is what
a careful user writes by hand: slimmed by the same rules, with bytecode, FastAPI and Mangum. *Naive* is
`pip install --target` and a handler. Prints ratios to the floor and to honest.
"""

import argparse
import json
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
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

from lightship import package
from lightship.bytecode import compile_tree
from lightship.gateway import HttpRequest
from lightship.gateway.http_api import to_event
from lightship.lambda_host import Function, Worker, python_for, unpack
from lightship.slimming import slim
from lightship.targets import make_target
from lightship.wheels import install, resolve
from lightship.zipping import TooLargeError, write_zip

PYTHON = "3.13"
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
    "isolation forest": lambda: IsolationForest(100, random_state=0),
    "network": lambda: MLPClassifier((32,), max_iter=40, random_state=0),
}

HONEST = """\
import joblib, os, pandas
from fastapi import FastAPI
from mangum import Mangum
model = joblib.load(os.path.join(os.path.dirname(__file__), "model.joblib"))
app = FastAPI()

@app.post("/predict")
def predict(body: dict):
    frame = pandas.DataFrame(body["instances"])
    return {"predictions": model.predict(frame).tolist()}

handler = Mangum(app, lifespan="off")
"""


@dataclass
class Measured:
    """One artifact of one family. Sizes in bytes, times in milliseconds, memory in MB."""

    zip_bytes: int
    unzipped_bytes: int
    root: Path
    handler: str
    package_s: float
    inits: list[float] = field(default_factory=list)
    firsts: list[float] = field(default_factory=list)
    warm: list[float] = field(default_factory=list)
    rss_mb: float = 0.0

    def row(self) -> dict[str, float]:
        """What is printed."""
        return {
            "zip MB": self.zip_bytes / 1e6,
            "unzipped MB": self.unzipped_bytes / 1e6,
            "start ms": statistics.median(self.inits),
            "first ms": statistics.median(self.firsts),
            "p50 ms": statistics.median(self.warm),
            "p99 ms": sorted(self.warm)[int(0.99 * (len(self.warm) - 1))],
            "memory MB": self.rss_mb,
            "package s": self.package_s,
        }


def main() -> None:
    options = _options()
    X, y = _flights()
    with tempfile.TemporaryDirectory(prefix="lightship-benchmark-") as folder:
        work = Path(folder)
        libraries = {kind: _libraries(work / kind, careful=kind == "honest") for kind in ("honest", "naive")}
        tables = {
            name: _family(name, X, y, libraries, work / name.replace(" ", "-"), options.boots)
            for name in options.families
        }
    text = "\n\n".join(_table(name, table) for name, table in tables.items())
    print(text)
    if options.markdown:
        options.markdown.write_text(f"{__doc__.splitlines()[0]}\n\n{text}\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--families", type=lambda text: text.split(","), default=list(FAMILIES))
    parser.add_argument("--boots", type=int, default=5)
    parser.add_argument("--markdown", type=Path)
    return parser.parse_args()


def _flights() -> tuple[pd.DataFrame, "pd.Series[bool]"]:
    """Real rows with missing values: was the flight 15 minutes late at arrival?"""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples" / "flights"))
    from data import load_flights

    frame = load_flights().sample(ROWS, random_state=0).reset_index(drop=True)
    return frame[[*NUMBERS, *TEXTS]], frame["late"] == "late"


def _family(
    name: str, X: pd.DataFrame, y: "pd.Series[bool]", libraries: dict[str, Path], work: Path, boots: int
) -> dict[str, dict[str, float]]:
    model = _fit(name, X, y)
    work.mkdir()
    artifacts = {"floor": _floor(work / "floor"), "lightship": _lightship(model, X.head(2_000), work / "lightship")}
    for kind, folder in libraries.items():
        try:
            artifacts[kind] = _by_hand(model, folder, work / kind)
        except TooLargeError as error:
            print(f"{name}, {kind}: {error}")
    instances = [
        {key: None if pd.isna(value) else value for key, value in row.items()}
        for row in X.head(WARM).astype(object).to_dict("records")
    ]
    for _ in range(boots):
        for artifact in artifacts.values():
            _boot(artifact, instances)
    return {kind: artifact.row() for kind, artifact in artifacts.items()}


def _fit(name: str, X: pd.DataFrame, y: "pd.Series[bool]") -> Any:
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), TEXTS),
    )
    return make_pipeline(columns, FAMILIES[name]()).fit(X, y)


def _floor(work: Path) -> Measured:
    """An empty handler: what no artifact can start faster than."""
    root = work / "task"
    root.mkdir(parents=True)
    (root / "app.py").write_text('def handler(event, context):\n    return {"statusCode": 200, "body": ""}\n')
    compile_tree(root, python_for(PYTHON))
    return _packed(root, work, "app.handler", time.perf_counter())


def _lightship(model: Any, sample: pd.DataFrame, work: Path) -> Measured:
    started = time.perf_counter()
    packaged = package(
        model, sample=sample, out=work / "out", name="benchmark", python=PYTHON, architecture=ARCHITECTURE
    )
    elapsed = time.perf_counter() - started
    artifact = packaged.release.artifacts["realtime"]
    root = unpack(packaged.path / artifact.file, work / "task")
    return Measured(artifact.zip_bytes, artifact.unzipped_bytes, root, artifact.handler, elapsed)


def _libraries(folder: Path, *, careful: bool) -> Path:
    """scikit-learn, pandas, joblib, FastAPI and Mangum, installed as either user installs them."""
    target = make_target(PYTHON, ARCHITECTURE)
    lock = resolve(("scikit-learn", "pandas", "joblib", "fastapi", "mangum"), target)
    install(lock, target, python_for(PYTHON), folder)
    if careful:
        slim(folder)
        compile_tree(folder, python_for(PYTHON))
    return folder


def _by_hand(model: Any, libraries: Path, work: Path) -> Measured:
    started = time.perf_counter()
    root = work / "task"
    shutil.copytree(libraries, root)
    (root / "app.py").write_text(HONEST)
    joblib.dump(model, root / "model.joblib")
    return _packed(root, work, "app.handler", started)


def _packed(root: Path, work: Path, handler: str, started: float) -> Measured:
    packed = write_zip(root, work / "artifact.zip")
    return Measured(packed.zip_bytes, packed.unzipped_bytes, root, handler, time.perf_counter() - started)


def _boot(artifact: Measured, instances: Sequence[dict[str, Any]]) -> None:
    with Worker.start(Function(artifact.root, artifact.handler, python=PYTHON, timeout_s=60)) as worker:
        artifact.inits.append(worker.init_ms)
        milliseconds = [_ask(worker, instance) for instance in instances]
        artifact.firsts.append(milliseconds[0])
        artifact.warm += milliseconds[1:]
        artifact.rss_mb = max(artifact.rss_mb, worker.peak_rss_mb())


def _ask(worker: Worker, instance: dict[str, Any]) -> float:
    body = json.dumps({"instances": [instance]}).encode()
    request = HttpRequest("POST", "/predict", headers=(("content-type", "application/json"),), body=body)
    answer = worker.invoke(json.dumps(to_event(request)).encode())
    if answer.error or json.loads(answer.payload)["statusCode"] != 200:
        raise SystemExit(f"an artifact failed: {answer.payload.decode()[:500]}")
    return answer.ms


def _table(name: str, table: dict[str, dict[str, float]]) -> str:
    columns = list(table["floor"])
    lines = [f"### {name}", "", f"| | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    lines += [f"| {kind} | {' | '.join(f'{row[each]:.2f}' for each in columns)} |" for kind, row in table.items()]
    for other in ("floor", "honest"):
        ratios = [
            f"{table['lightship'][each] / table[other][each]:.2f}" if table[other][each] else "" for each in columns
        ]
        lines.append(f"| lightship / {other} | {' | '.join(ratios)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
