"""The main job, end to end, on real data: train, package, prove, serve, ask, synthesise.

Every step is the command a user would type. The first that fails ends the demo with its exit code.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
from data import FEATURES
from sklearn.metrics import log_loss, roc_auc_score

ROOT = Path(__file__).resolve().parents[2]
OUT = Path(__file__).resolve().parent / "out"
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
    with step("Serve the very zip, and send it July"), served(release) as url:
        ask(url, pd.read_parquet(OUT / "later.parquet"))
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
    command = [BIN / "lightship", "serve", release, "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        try:
            line = process.stdout.readline()
            if not line:
                sys.exit("lightship serve ended before it was ready")
            yield json.loads(line)["url"]
        finally:
            process.terminate()


def ask(url: str, later: pd.DataFrame) -> None:
    """Send rows of July, spread over the month, and set the answers beside what happened."""
    july = later[later["scheduled"].dt.month == 7]
    rows = july.iloc[:: max(1, len(july) // JULY_ROWS)].head(JULY_ROWS)
    instances = [as_instance(row) for row in rows[FEATURES].astype(object).to_dict("records")]
    with httpx.Client(base_url=url, timeout=30) as client:
        single_ms = [milliseconds_of(client, instance) for instance in instances[:100]]
        late = [
            each["late"]
            for start in range(0, len(instances), BATCH)
            for each in ask_batch(client, instances[start : start + BATCH])
        ]
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


def as_instance(row: dict[str, Any]) -> dict[str, Any]:
    """A row as JSON has it: null for missing."""
    return {name: None if pd.isna(value) else value for name, value in row.items()}


def milliseconds_of(client: httpx.Client, instance: dict[str, Any]) -> float:
    """How long one row takes, there and back."""
    started = time.perf_counter()
    ask_batch(client, [instance])
    return (time.perf_counter() - started) * 1000


def ask_batch(client: httpx.Client, instances: list[dict[str, Any]]) -> list[dict[str, float]]:
    """The probabilities of each row."""
    answer = client.post("/predict", json={"instances": instances})
    answer.raise_for_status()
    return list(answer.json()["probabilities"])


def synthesise() -> None:
    """`cdk synth`, and what is in the template."""
    run(ROOT / "node_modules/.bin/cdk", "synth", "--quiet", "--no-notices")
    for template in sorted((ROOT / "cdk.out").glob("*.template.json")):
        resources = json.loads(template.read_text())["Resources"].values()
        kinds = [each["Type"].removeprefix("AWS::") for each in resources]
        print(f"   {template.relative_to(ROOT)}: {len(kinds)} resources, {kinds.count('CloudWatch::Alarm')} alarms")


if __name__ == "__main__":
    main()
