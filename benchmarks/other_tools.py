"""Chalice and Zappa packages, BentoML and MLflow servers, each in an environment of its own with its newest version.

Chalice and Zappa make zips for Lambda, booted here as every other zip; BentoML and MLflow make HTTP servers, started by
their own commands with one worker. Their size is the environment's, deflated as a zip would be.
"""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import joblib
from contenders import PYTHON, Boot, Contender, Instance, LambdaZip

from lightship.gateway import HttpRequest, rest_api
from lightship.gateway.context import GatewayContext
from lightship.lambda_host import find_uv, python_for

PINS = {
    "chalice": ("chalice==1.34.0",),
    "zappa": ("zappa==0.63.0", "flask==3.1.3"),
    "bentoml": ("bentoml==1.4.39",),
    "mlflow": ("mlflow==3.17.2",),
}
NEEDED = tuple(f"{name}=={version(name)}" for name in ("scikit-learn", "pandas", "joblib"))
START_TIMEOUT_S = 120

LOAD = 'model = joblib.load(os.path.join(os.path.dirname(os.path.abspath(__file__)), "model.joblib"))'
CHALICE = f"""\
import os, joblib, pandas
from chalice import Chalice
app = Chalice(app_name="benchmark")
{LOAD.replace('"model.joblib"', '"chalicelib", "model.joblib"')}

@app.route("/predict", methods=["POST"])
def predict():
    frame = pandas.DataFrame(app.current_request.json_body["instances"])
    return {{"predictions": model.predict(frame).tolist()}}
"""
ZAPPA = f"""\
import os, joblib, pandas
from flask import Flask, request
app = Flask(__name__)
{LOAD}

@app.post("/predict")
def predict():
    frame = pandas.DataFrame(request.get_json()["instances"])
    return {{"predictions": model.predict(frame).tolist()}}
"""
BENTOML = f"""\
import os, joblib, pandas, bentoml

@bentoml.service(name="benchmark", workers=1)
class Benchmark:
    def __init__(self) -> None:
        {LOAD}
        self.model = model

    @bentoml.api
    def predict(self, instances: list[dict]) -> dict:
        return {{"predictions": self.model.predict(pandas.DataFrame(instances)).tolist()}}
"""
MLFLOW = """\
import sys, joblib, mlflow.sklearn
model = joblib.load(sys.argv[1])
mlflow.sklearn.save_model(model, sys.argv[2], pip_requirements=["scikit-learn"], serialization_format="cloudpickle")
"""


@dataclass(frozen=True)
class Server:
    """An HTTP server started by a tool's own command. `key` is what it calls the list of rows."""

    command: Sequence[str]
    folder: Path
    environment: dict[str, str]
    port: int
    path: str
    key: str
    zip_bytes: int
    unzipped_bytes: int
    package_s: float
    log: Path = field(default=Path(os.devnull))

    def boot(self, instances: Sequence[Instance]) -> Boot:
        started = time.perf_counter()
        with self.log.open("w") as log:
            process = subprocess.Popen(
                self.command, cwd=self.folder, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )
        try:
            self._await_port(process)
            init_ms = 1000 * (time.perf_counter() - started)
            requests_ms = self._ask(instances)
            return Boot(init_ms, requests_ms, _session_rss_mb(process.pid))
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def _await_port(self, process: "subprocess.Popen[bytes]") -> None:
        """Until it answers anything at all, even 404. Raises SystemExit when it ends or takes two minutes."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while process.poll() is None and time.monotonic() < deadline:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_TIMEOUT_S)
                connection.request("GET", "/ping")
                connection.getresponse().read()
            except OSError:
                time.sleep(0.02)
            else:
                return
            finally:
                connection.close()
        raise SystemExit(f"{self.command[0]} didn't start:\n{self.log.read_text()[-2000:]}")

    def _ask(self, instances: Sequence[Instance]) -> list[float]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        times = []
        for instance in instances:
            body = json.dumps({self.key: [instance]})
            started = time.perf_counter()
            connection.request("POST", self.path, body, {"content-type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
            times.append(1000 * (time.perf_counter() - started))
            if answer.status != 200:
                raise SystemExit(f"{self.command[0]} answered {answer.status}: {text.decode()[:500]}")
        connection.close()
        return times


def environments(folder: Path) -> dict[str, Path]:
    """A virtual environment for each tool; its folder."""
    uv, python = find_uv(), str(python_for(PYTHON))
    for name, pins in PINS.items():
        subprocess.run([uv, "venv", "--quiet", "--python", python, folder / name], check=True)
        where = ["--python", folder / name / "bin" / "python"]
        subprocess.run([uv, "pip", "install", "--quiet", *where, *pins, *NEEDED], check=True)
    return {name: folder / name for name in PINS}


def build(tool: str, model: Any, environment: Path, work: Path) -> Contender:
    """The model as `tool` ships it."""
    work.mkdir(parents=True)
    return {"chalice": _chalice, "zappa": _zappa, "bentoml": _bentoml, "mlflow": _mlflow}[tool](
        model, environment, work
    )


def _chalice(model: Any, environment: Path, work: Path) -> LambdaZip:
    started = time.perf_counter()
    (work / ".chalice").mkdir()
    (work / "chalicelib").mkdir()
    (work / "app.py").write_text(CHALICE)
    (work / "requirements.txt").write_text("\n".join(NEEDED))
    config = {"version": "2.0", "app_name": "benchmark", "stages": {"dev": {"api_gateway_stage": "api"}}}
    (work / ".chalice" / "config.json").write_text(json.dumps(config))
    joblib.dump(model, work / "chalicelib" / "model.joblib")
    _run(environment, "chalice", "package", "--stage", "dev", "out", folder=work)
    return _unzipped(work / "out" / "deployment.zip", work, "app.app", time.perf_counter() - started)


def _zappa(model: Any, environment: Path, work: Path) -> LambdaZip:
    started = time.perf_counter()
    project = work / "project"
    project.mkdir()
    (project / "app.py").write_text(ZAPPA)
    settings = {
        "app_function": "app.app",
        "aws_region": "us-east-1",
        "project_name": "benchmark",
        "runtime": f"python{PYTHON}",
        "s3_bucket": "none",
        "slim_handler": False,
    }
    (project / "zappa_settings.json").write_text(json.dumps({"dev": settings}))
    joblib.dump(model, project / "model.joblib")
    _run(environment, "zappa", "package", "dev", "-o", "out.zip", folder=project)
    return _unzipped(project / "out.zip", work, "handler.lambda_handler", time.perf_counter() - started)


def _bentoml(model: Any, environment: Path, work: Path) -> Server:
    started = time.perf_counter()
    (work / "service.py").write_text(BENTOML)
    joblib.dump(model, work / "model.joblib")
    port = _free_port()
    arguments = ["serve", "service:Benchmark", "--host", "127.0.0.1", "--port", str(port)]
    return _server(environment, "bentoml", arguments, work, port, ("/predict", "instances"), started)


def _mlflow(model: Any, environment: Path, work: Path) -> Server:
    started = time.perf_counter()
    (work / "save.py").write_text(MLFLOW)
    joblib.dump(model, work / "model.joblib")
    _run(environment, "python", "save.py", "model.joblib", "model", folder=work)
    port = _free_port()
    arguments = ["models", "serve", "-m", "model", "--env-manager", "local", "-h", "127.0.0.1", "-p", str(port)]
    return _server(environment, "mlflow", arguments, work, port, ("/invocations", "dataframe_records"), started)


def _server(
    environment: Path,
    tool: str,
    arguments: Sequence[str],
    work: Path,
    port: int,
    shape: tuple[str, str],
    started: float,
) -> Server:
    built_s = time.perf_counter() - started
    zip_bytes, unzipped_bytes = _environment_size(environment)
    return Server(
        [str(environment / "bin" / tool), *arguments],
        work,
        _variables(environment, work),
        port,
        *shape,
        zip_bytes,
        unzipped_bytes,
        built_s,
        log=work / "log.txt",
    )


def _run(environment: Path, command: str, *arguments: str, folder: Path) -> None:
    done = subprocess.run(
        [environment / "bin" / command, *arguments],
        cwd=folder,
        env=_variables(environment, folder),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{command} {' '.join(arguments)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def _variables(environment: Path, home: Path) -> dict[str, str]:
    return {
        **os.environ,
        "VIRTUAL_ENV": str(environment),
        "PATH": f"{environment / 'bin'}:{os.environ['PATH']}",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "benchmark",
        "AWS_SECRET_ACCESS_KEY": "benchmark",
        "BENTOML_DO_NOT_TRACK": "True",
        "BENTOML_HOME": str(home / ".bentoml"),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "OMP_NUM_THREADS": "1",
    }


def _unzipped(archive: Path, work: Path, handler: str, elapsed_s: float) -> LambdaZip:
    root = work / "task"
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(root)
        size = sum(each.file_size for each in packed.infolist())
    if size > 262_144_000:
        print(f"{archive}: {size / 1e6:.0f} MB unzipped, over Lambda's 262; booted all the same", file=sys.stderr)
    return LambdaZip(root, handler, archive.stat().st_size, size, elapsed_s, _rest_event)


def _rest_event(request: HttpRequest) -> dict[str, Any]:
    return rest_api.to_event(request, GatewayContext(resource="/predict"))


def _environment_size(environment: Path) -> tuple[int, int]:
    """Bytes of the environment's libraries: deflated at level 6, and as they lie, bytecode left out of both."""
    (packages,) = (environment / "lib").glob("python*/site-packages")
    archive = Path(shutil.make_archive(str(environment.parent / f"{environment.name}-size"), "zip", packages))
    size = sum(each.stat().st_size for each in packages.rglob("*") if each.is_file() and each.suffix != ".pyc")
    with zipfile.ZipFile(archive) as packed:
        deflated = sum(each.compress_size for each in packed.infolist() if not each.filename.endswith(".pyc"))
    archive.unlink()
    return deflated, size


def _session_rss_mb(leader: int) -> float:
    """Resident memory of every process of the session, so that a supervisor and its worker count both."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            session = int((folder / "stat").read_text().rpartition(")")[2].split()[3])
            pages = int((folder / "statm").read_text().split()[1])
        except OSError:
            continue
        total += pages * os.sysconf("SC_PAGE_SIZE") if session == leader else 0
    return total / 1e6


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
