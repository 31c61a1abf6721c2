"""Replay July to December through the packaged function and the packaged monitor, labels coming a day late.

Run: python examples/flights/replay.py RELEASE [--store FOLDER] [--report report.html]

Both zips run as Lambda runs them. Flights are asked for in the hour of their scheduled departure. The function tells
its own time, today's; so the times in its lines and ids are set to the departure's before they go into the store.
Each day the labels of the day before arrive, and once a week the monitor runs, with windows of a week.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from data import FEATURES

from lightship.lambda_host import Worker
from lightship.monitoring.report.page import render_report
from lightship.monitoring.stored import read_results
from lightship.serving import unpacked_function
from lightship_runtime.batch.stores import LocalStore
from lightship_runtime.labels import check_labels, folder_of, store_labels
from lightship_runtime.manifest import Release

LATER = Path(__file__).parent / "out" / "later.parquet"
HOUR, DAY = 3600, 86_400
MOST_ROWS = 500
SHOWN = ("accuracy", "roc_auc")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("release", type=Path)
    parser.add_argument("--store", type=Path, default=Path(tempfile.gettempdir()) / "lightship-flights-store")
    parser.add_argument("--report", type=Path, default=Path("report.html"))
    parser.add_argument("--weeks", type=int, default=26)
    arguments = parser.parse_args()
    release = Release.read(arguments.release)
    store = LocalStore(arguments.store)
    flights = by_day(pd.read_parquet(LATER))
    environment = {"LIGHTSHIP_MONITORING": str(arguments.store.absolute()), "LIGHTSHIP_WINDOW_HOURS": "168"}
    with (
        unpacked_function(arguments.release, release) as predict,
        unpacked_function(arguments.release, release, use="monitor", timeout_s=900, environment=environment) as monitor,
        Worker.start(predict) as endpoint,
        Worker.start(monitor) as watcher,
    ):
        replay = Replay(store, endpoint, watcher)
        days = sorted(flights)[: 7 * arguments.weeks]
        for place, day in enumerate(days):
            replay.day(day, flights[day])
            if place % 7 == 6:
                replay.watch(day + DAY)
        replay.last_labels(days[-1] + 2 * DAY)
        replay.watch(days[-1] + DAY)
    print(f"{replay.rows:,} flights in {replay.requests:,} requests")
    found = read_results(store, days=400)
    print_weeks(found.documents)
    page = render_report(found.baseline, found.documents, title="Late flights, July to December 2013")
    arguments.report.write_text(page, encoding="utf-8")
    print(f"{arguments.report}: {len(page.encode()) / 1000:.0f} kB")


def by_day(rows: pd.DataFrame) -> dict[int, pd.DataFrame]:
    """The flights of each day (UTC)."""
    seconds = rows["scheduled"].astype("datetime64[s, UTC]").astype("int64")
    rows = rows.assign(hour_start=seconds // HOUR * HOUR)
    return {int(day) * DAY: part for day, part in rows.groupby(seconds // DAY)}


@dataclass
class Replay:
    """What was asked, and the labels that are still to come."""

    store: LocalStore
    endpoint: Worker
    watcher: Worker
    rows: int = 0
    requests: int = 0
    waiting: list[dict[str, Any]] = field(default_factory=list)

    def day(self, day: int, flights: pd.DataFrame) -> None:
        """Ask for a day's flights; then yesterday's labels arrive."""
        labels = []
        for start, part in flights.groupby("hour_start"):
            for chunk in chunks(part):
                labels += self.ask(int(start), chunk)
        self.last_labels(day + DAY)
        self.waiting = labels

    def last_labels(self, now: int) -> None:
        """The labels of the day before arrive."""
        checked = check_labels(self.waiting, now)
        store_labels(checked.labels, now, self.store.write)
        self.waiting = []

    def ask(self, start: int, rows: pd.DataFrame) -> list[dict[str, Any]]:
        """One request; its lines go into the store. The labels for its answers."""
        instances = [
            {name: None if pd.isna(value) else value for name, value in row.items()}
            for row in rows[FEATURES].to_dict("records")
        ]
        invocation = self.endpoint.invoke(json.dumps(event({"instances": instances})).encode())
        answer = json.loads(invocation.payload)
        if invocation.error or answer["statusCode"] != 200:
            raise SystemExit(f"The function answered {invocation.payload.decode()[:500]}")
        lines = [line for line in invocation.logs if line.startswith('{"_aws"')]
        dated = "".join(f"{line}\n" for line in (redated(line, start, self.requests) for line in lines))
        name = f"telemetry/{folder_of(start)}{self.requests:06d}.jsonl"
        self.store.write(name, dated.encode())
        ids = [record["i"] for line in dated.splitlines() for record in json.loads(line)["predictions"]]
        self.rows += len(rows)
        self.requests += 1
        return [{"id": each, "actual": late} for each, late in zip(ids, rows["late"], strict=True)]

    def watch(self, until: int) -> None:
        """The monitor's run, as its schedule starts it."""
        begun = time.perf_counter()
        invocation = self.watcher.invoke(json.dumps({"time": until, "settled": True}).encode())
        report = json.loads(invocation.payload)
        if invocation.error:
            raise SystemExit(f"The monitor failed: {invocation.payload.decode()[:500]}")
        on = [kind for kind, state in report["breaches"].items() if state["on"]]
        named = [column["name"] for column in report["breaches"]["drift"]["columns"]]
        print(
            f"{pd.Timestamp(until, unit='s'):%d %b}: {report['rows']:>6,} rows, breaches: {', '.join(on) or 'none'} "
            f"{named or ''} ({time.perf_counter() - begun:.1f} s)",
            flush=True,
        )


def chunks(rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    for start in range(0, len(rows), MOST_ROWS):
        yield rows[start : start + MOST_ROWS]


def event(document: dict[str, Any]) -> dict[str, Any]:
    """A request as API Gateway hands it on."""
    return {
        "version": "2.0",
        "requestContext": {"http": {"method": "POST"}, "stage": "$default"},
        "rawPath": "/predict",
        "headers": {"content-type": "application/json"},
        "body": json.dumps(document),
        "isBase64Encoded": False,
    }


def redated(line: str, start: int, request: int) -> str:
    """The line as the function would have printed it in that hour: the time in it and in its ids is another one."""
    document = json.loads(line)
    moment = start * 1000 + request % 3_600_000
    if "_aws" in document:
        document["_aws"]["Timestamp"] = moment
    else:
        document["time"] = moment / 1000
    for record in document["predictions"]:
        record["i"] = f"{moment:012x}{record['i'][12:]}"
    return json.dumps(document, separators=(",", ":"))


def print_weeks(documents: Any) -> None:
    """A line a week: what drifted, and the estimates beside the truth."""
    for document in documents:
        drifted = [
            f"{name} {column['drift']['effect']:.2f}"
            for name, column in document["columns"].items()
            if column["drift"]["level"] in ("warn", "high")
        ]
        cells = []
        for name in SHOWN:
            real, guess = document["observed"].get(name), document["estimated"].get(name)
            cells.append(f"{name} {real['value']:.3f} (estimated {guess['value']:.3f})" if real and guess else name)
        start = pd.Timestamp(document["window"]["start"], unit="s")
        score = document["score"]["drift"]
        print(
            f"{start:%d %b} {document['rows']:>6,} rows, {document['labels']['coverage']:.0%} labelled, "
            f"{', '.join(cells)}, score {score['effect']:.2f} {score['level']}, breach {document['breach']['level']}, "
            f"estimated breach {document['estimated_breach']['level']}; {', '.join(drifted) or 'no drift'}"
        )


if __name__ == "__main__":
    main()
