"""The main job, end to end, on real data: train, package, prove, serve, ask, watch, synthesise.

Every step is the command a user would type. The first that fails ends the demo with its exit code.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
from data import FEATURES
from sklearn.metrics import log_loss, roc_auc_score

ROOT = Path(__file__).resolve().parents[2]
OUT = Path(__file__).resolve().parent / "out"
STORE = OUT / "telemetry"
BIN = Path(sys.executable).parent
SHOWN = 8
JULY_ROWS = 2_000
BATCH = 100


@contextmanager
def step(title: str) -> Iterator[None]:
    """Say what begins, and how long it took."""
    print(f"\n== {title}", flush=True)
    started = time.perf_counter()
    yield
    print(f"   ({time.perf_counter() - started:.1f} s)", flush=True)


def main() -> None:
    os.chdir(ROOT)
    with step("Train on January to June"):
        run(sys.executable, "examples/flights/train.py")
    with step("Package and prove"):
        release = package()
    rows = july(pd.read_parquet(OUT / "later.parquet"))
    with step("Serve the very zip, and send it July"), served(release) as url:
        ids = ask(url, rows)
    with step("Tell it what happened, and watch"):
        watch(release, ids, rows)
    with step("Synthesise the stack that deploys it"):
        synthesise()
    print(f"\nAll of it worked. The release is {release}; `lightship serve {release}` keeps it answering.")


def run(*command: object) -> None:
    """Run one command in the open."""
    subprocess.run([str(part) for part in command], check=True)


def package() -> str:
    """`lightship package`, as lightship.toml says."""
    done = subprocess.run([BIN / "lightship", "package", "--json"], check=True, stdout=subprocess.PIPE, text=True)
    document = json.loads(done.stdout)
    realtime, proof = document["artifacts"]["realtime"], document["proof"]
    print(f"   {os.path.relpath(document['release'])}")
    print(f"   engine      {document['engine']['request']} for requests, {document['engine']['batch']} for batches")
    print(f"   size        {realtime['zip_bytes'] / 1e6:.1f} MB zipped, "
          f"{realtime['unzipped_bytes'] / 1e6:.1f} MB unzipped")  # fmt: skip
    print(f"   proof       {proof['grade']}: {proof['rows']} golden rows, "
          f"largest difference {proof['max_abs_diff']:.1g}, {proof['label_flips']} label flips")  # fmt: skip
    print(f"   start       {proof['init_ms']:.0f} ms, then {proof['p50_ms']:.2f} ms a request (p50), "
          f"{proof['peak_rss_mb']:.0f} MB of memory")  # fmt: skip
    return os.path.relpath(document["release"])


@contextmanager
def served(release: str) -> Iterator[str]:
    """`lightship serve` on a free port, until the block ends."""
    shutil.rmtree(STORE, ignore_errors=True)
    command = [BIN / "lightship", "serve", release, "--port", "0", "--json", "--telemetry", STORE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        try:
            line = process.stdout.readline()
            if not line:
                sys.exit("lightship serve ended before it was ready")
            yield json.loads(line)["url"]
        finally:
            process.terminate()


def july(later: pd.DataFrame) -> pd.DataFrame:
    """Flights spread over the month."""
    month = later[later["scheduled"].dt.month == 7]
    return month.iloc[:: max(1, len(month) // JULY_ROWS)].head(JULY_ROWS)


def ask(url: str, rows: pd.DataFrame) -> list[str]:
    """Send the rows, set the answers beside what happened, and return the predictions' ids."""
    instances = [as_instance(row) for row in rows[FEATURES].astype(object).to_dict("records")]
    with httpx.Client(base_url=url, timeout=30) as client:
        answers = [ask_batch(client, instances[start : start + BATCH]) for start in range(0, len(instances), BATCH)]
        single_ms = [milliseconds_of(client, instance) for instance in instances[:100]]
    late = [each["late"] for answer in answers for each in answer["probabilities"]]
    print("   flight                 scheduled        P(late)  said      happened")
    for position in range(0, len(rows), max(1, len(rows) // SHOWN)):
        row, probability = rows.iloc[position], late[position]
        said = "late" if probability > 0.5 else "on_time"
        print(f"   {row['flight']:7}{row['origin']} to {row['dest']}     {row['scheduled']:%d %B %H:%M}"
              f"{probability:10.2f}     {said:8}  {row['late']}")  # fmt: skip
    actual = (rows["late"] == "late").to_numpy()
    base = actual.mean()
    print(f"   {len(rows)} flights of July: ROC AUC {roc_auc_score(actual, late):.3f} (base rate 0.500), "
          f"log loss {log_loss(actual, late):.3f} (base rate {log_loss(actual, [base] * len(rows)):.3f})")  # fmt: skip
    print(f"   one row a request over HTTP: p50 {statistics.median(single_ms):.1f} ms")
    return [identifier for answer in answers for identifier in answer["ids"]]


def watch(release: str, ids: list[str], rows: pd.DataFrame) -> None:
    """Labels, the monitor and its report, over what serving left behind. The hour isn't over, so it is said to be."""
    labels = OUT / "outcomes.csv"
    pd.DataFrame({"id": ids, "actual": rows["late"].to_numpy()}).to_csv(labels, index=False)
    quietly("feedback", labels, "--store", STORE, "--json")
    later = datetime.now(UTC) + timedelta(hours=1)
    quietly("monitor", STORE, "--until", f"{later:%Y-%m-%dT%H:%M:%SZ}", "--json")
    report = os.path.relpath(OUT / "monitoring.html")
    quietly("report", STORE, "--out", report, "--json")
    newest = max((STORE / "results" / Path(release).name).glob("*.json"))
    document = json.loads(newest.read_text())
    drifted = {
        name: column["drift"]["effect"]
        for name, column in document["columns"].items()
        if column["drift"]["level"] in ("warn", "high")
    }
    named = ", ".join(f"{name} {effect:.2f}" for name, effect in sorted(drifted.items(), key=lambda each: -each[1]))
    print(f"   of {document['rows']} rows, drifted since training: {named or 'nothing'}")
    for kind in ("observed", "estimated"):
        value = document[kind]["accuracy"]
        print(f"   accuracy {kind:10} {value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]")
    print(f"   {report}")


def quietly(*arguments: object) -> None:
    """One lightship command, whose answer nobody reads."""
    subprocess.run([str(part) for part in (BIN / "lightship", *arguments)], check=True, stdout=subprocess.DEVNULL)


def as_instance(row: dict[str, Any]) -> dict[str, Any]:
    """A row as JSON has it: null for missing."""
    return {name: None if pd.isna(value) else value for name, value in row.items()}


def milliseconds_of(client: httpx.Client, instance: dict[str, Any]) -> float:
    """How long one row takes, there and back."""
    started = time.perf_counter()
    ask_batch(client, [instance])
    return (time.perf_counter() - started) * 1000


def ask_batch(client: httpx.Client, instances: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """The answer to a request of several rows."""
    answer = client.post("/predict", json={"instances": instances})
    answer.raise_for_status()
    return dict(answer.json())


def synthesise() -> None:
    """`cdk synth`, and what is in the template."""
    run(ROOT / "node_modules/.bin/cdk", "synth", "--quiet", "--no-notices")
    for template in sorted((ROOT / "cdk.out").glob("*.template.json")):
        resources = json.loads(template.read_text())["Resources"].values()
        kinds = [each["Type"].removeprefix("AWS::") for each in resources]
        print(f"   {template.relative_to(ROOT)}: {len(kinds)} resources, {kinds.count('CloudWatch::Alarm')} alarms")


if __name__ == "__main__":
    main()
