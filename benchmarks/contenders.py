"""What `artifacts.py` compares: ways to put a fitted pipeline behind `/predict`, each built and booted alike."""

import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import joblib
import pandas as pd

from lightship import package
from lightship.bytecode import compile_tree
from lightship.gateway import HttpRequest
from lightship.gateway.http_api import to_event
from lightship.lambda_host import Function, Worker, python_for, unpack
from lightship.slimming import slim
from lightship.targets import make_target
from lightship.wheels import install, resolve
from lightship.zipping import Packed, write_zip

PYTHON = "3.13"

type Instance = Mapping[str, Any]
type MakeEvent = Callable[[HttpRequest], dict[str, Any]]

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


@dataclass(frozen=True)
class Boot:
    """One start: milliseconds until requests are taken and of each request, and the peak memory in MB."""

    init_ms: float
    requests_ms: Sequence[float]
    rss_mb: float


class Contender(Protocol):
    """Something built that answers `/predict`. Sizes in bytes; `package_s` is the time to build it."""

    zip_bytes: int
    unzipped_bytes: int
    package_s: float

    def boot(self, instances: Sequence[Instance]) -> Boot: ...


@dataclass(frozen=True)
class LambdaZip:
    """An unzipped artifact, booted under AWS's own runtime client."""

    root: Path
    handler: str
    zip_bytes: int
    unzipped_bytes: int
    package_s: float
    event: MakeEvent = to_event

    def boot(self, instances: Sequence[Instance]) -> Boot:
        with Worker.start(Function(self.root, self.handler, python=PYTHON, timeout_s=60)) as worker:
            requests_ms = [self._ask(worker, instance) for instance in instances]
            return Boot(worker.init_ms, requests_ms, worker.peak_rss_mb())

    def _ask(self, worker: Worker, instance: Instance) -> float:
        body = json.dumps({"instances": [instance]}).encode()
        request = HttpRequest("POST", "/predict", headers=(("content-type", "application/json"),), body=body)
        answer = worker.invoke(json.dumps(self.event(request)).encode())
        if answer.error or json.loads(answer.payload)["statusCode"] != 200:
            raise SystemExit(f"an artifact failed: {answer.payload.decode()[:500]}")
        return answer.ms


def floor(work: Path) -> LambdaZip:
    """An empty handler: what no artifact can start faster than."""
    root = work / "task"
    root.mkdir(parents=True)
    (root / "app.py").write_text('def handler(event, context):\n    return {"statusCode": 200, "body": ""}\n')
    compile_tree(root, python_for(PYTHON))
    return zipped(root, work, "app.handler", time.perf_counter())


def lightship(model: Any, sample: pd.DataFrame, architecture: str, work: Path) -> LambdaZip:
    started = time.perf_counter()
    packaged = package(
        model, sample=sample, out=work / "out", name="benchmark", python=PYTHON, architecture=architecture
    )
    elapsed = time.perf_counter() - started
    artifact = packaged.release.artifacts["realtime"]
    root = unpack(packaged.path / artifact.file, work / "task")
    return LambdaZip(root, artifact.handler, artifact.zip_bytes, artifact.unzipped_bytes, elapsed)


def libraries(folder: Path, architecture: str, *, careful: bool) -> Path:
    """scikit-learn, pandas, joblib, FastAPI and Mangum, installed as a careful or a careless user installs them."""
    target = make_target(PYTHON, architecture)
    lock = resolve(("scikit-learn", "pandas", "joblib", "fastapi", "mangum"), target)
    install(lock, target, python_for(PYTHON), folder)
    if careful:
        slim(folder)
        compile_tree(folder, python_for(PYTHON))
    return folder


def by_hand(model: Any, installed: Path, work: Path) -> LambdaZip:
    """A handler of ten lines over what `libraries` installed. Raises TooLargeError over Lambda's limit."""
    started = time.perf_counter()
    root = work / "task"
    shutil.copytree(installed, root)
    (root / "app.py").write_text(HONEST)
    joblib.dump(model, root / "model.joblib")
    return zipped(root, work, "app.handler", started)


def zipped(root: Path, work: Path, handler: str, started: float) -> LambdaZip:
    packed: Packed = write_zip(root, work / "artifact.zip")
    return LambdaZip(root, handler, packed.zip_bytes, packed.unzipped_bytes, time.perf_counter() - started)
