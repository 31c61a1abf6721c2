"""What the planner and the commit cost where there are a million objects, and a hundred thousand chunks."""

import json
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from lightship_runtime.batch.committing import NotCommittedError, commit
from lightship_runtime.batch.ledger import Ledger
from lightship_runtime.batch.places import result_name
from lightship_runtime.batch.planning import MAX_ITEMS, Request, begin, cut
from lightship_runtime.batch.records import ChunkResult, Settings
from lightship_runtime.batch.stores import LocalStore, Stored
from lightship_runtime.documents import dump_document

OBJECTS = 1_000_000
FAILING = 0.3
CHUNKS = 100_000
PLANNER_MB = 700
"""What the listing of a million objects may take: a third of the function's default memory."""
SETTINGS = Settings(key=("id",), max_reject_share=0.5)


class Listing:
    """A bucket of many objects whose content nobody asks for."""

    def __init__(self, objects: int) -> None:
        self.objects = objects

    def list(self, prefix: str = "") -> Iterator[Stored]:
        return (Stored(f"2026/{i:09d}.csv", 100_000, f'"{i:032x}"') for i in range(self.objects))

    @contextmanager
    def open(self, stored: Stored, start: int = 0, end: int | None = None) -> Iterator[IO[bytes]]:
        raise AssertionError("small objects aren't opened to plan them")
        yield

    def read(self, name: str) -> tuple[bytes, str] | None:
        raise AssertionError

    write = create = replace = writer = read  # nobody writes to the input


def plan_a_million(folder: Path) -> None:
    """What the test below runs in a process of its own, to see that process's memory."""
    sink: Any = LocalStore(folder)
    source: Any = Listing(OBJECTS)
    begin(Request("r", SETTINGS, "v1", only_new=True), source, sink)
    plan = cut("r", source, sink)
    # Not ru_maxrss, which a process inherits from the one that started it.
    peak = int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1])  # type: ignore[index]
    print(json.dumps({"objects": plan.objects, "items": plan.item_count, "list": plan.items, "peak_kb": peak}))  # noqa: T201


@pytest.mark.slow
def test_a_million_objects_are_planned_within_memory(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, __file__, str(tmp_path)], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["objects"] == OBJECTS
    assert found["items"] <= MAX_ITEMS
    assert found["peak_kb"] < PLANNER_MB * 1_000
    with (tmp_path / found["list"]).open() as lines:
        items = [line.rstrip(",\n") for line in lines if line.startswith("{")]
    assert max(map(len, items)) < 256 * 1024
    assert sum(item.count('"number"') for item in items) == OBJECTS


def test_an_item_never_outgrows_a_state(tmp_path: Path) -> None:
    """Many tiny objects with long names would fill an item by bytes of input alone much later than 256 KB."""

    class Tiny(Listing):
        def list(self, prefix: str = "") -> Iterator[Stored]:
            return (Stored(f"{'long' * 200}/{i}.csv", 10, f'"{i:032x}"') for i in range(3_000))

    sink, source = LocalStore(tmp_path), Tiny(0)
    begin(Request("r", SETTINGS, "v1"), source, sink)  # type: ignore[arg-type] # it only lists
    plan = cut("r", source, sink)  # type: ignore[arg-type] # likewise
    items = json.loads((sink.read(plan.items) or (b"", ""))[0])
    assert max(len(json.dumps(each)) for each in items) < 256 * 1024


class Memory:
    """A sink in memory, whose parts are there as soon as a result names them."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.parts: dict[str, int] = {}

    def list(self, prefix: str = "") -> Iterator[Stored]:
        return (Stored(name, size, "t") for name, size in self.parts.items() if name.startswith(prefix))

    def read(self, name: str) -> tuple[bytes, str] | None:
        return (self.objects[name], str(hash(self.objects[name]))) if name in self.objects else None

    def write(self, name: str, data: bytes) -> None:
        self.objects[name] = data

    def create(self, name: str, data: bytes) -> bool:
        return self.objects.setdefault(name, data) is data

    def replace(self, name: str, data: bytes, tag: str | None) -> bool:
        found = self.read(name)
        if (found[1] if found else None) != tag:
            return False
        self.objects[name] = data
        return True

    @contextmanager
    def writer(self, name: str) -> Iterator[IO[bytes]]:
        import io

        out = io.BytesIO()
        yield out
        self.objects[name] = out.getvalue()


def test_a_hundred_thousand_chunks_with_failures_end_in_exact_counts() -> None:
    """The map, simulated: items fail at random, are retried, come twice and out of order."""
    draw = random.Random(11)  # noqa: S311 - repeatable
    sink: Any = Memory()
    source: Any = Listing(CHUNKS)
    begin(Request("r", SETTINGS, "v1", only_new=True), source, sink)
    plan = cut("r", source, sink)
    items = json.loads(sink.read(plan.items)[0])
    work = [*items, *draw.sample(items, len(items) // 10)]
    failures = 0
    while work:
        draw.shuffle(work)
        failed = []
        for item in work:
            if draw.random() < FAILING:
                failed.append(item)
            else:
                _finish(sink, item)
        failures += len(failed)
        work = failed
        if any(sink.read(result_name("r", item["item"])) is None for item in items):
            with pytest.raises(NotCommittedError, match="have no result"):
                commit("r", sink)
    assert failures > 50
    manifest = commit("r", sink)
    expected = {
        "rows_in": sum(1_000 + i % 7 for i in range(CHUNKS)),
        "rows_rejected": sum(i % 3 for i in range(CHUNKS)),
    }
    assert {name: manifest[name] for name in expected} == expected
    assert manifest["rows_scored"] == expected["rows_in"] - expected["rows_rejected"]
    assert len(manifest["parts"]) == CHUNKS
    assert len(Ledger.from_bytes(sink.read("_lightship/ledger/r.bin")[0])) == CHUNKS


def _finish(sink: Any, item: dict[str, Any]) -> None:
    """What scoring an item leaves behind."""
    results = []
    for chunk in item["chunks"]:
        rows, rejected = 1_000 + chunk["number"] % 7, chunk["number"] % 3
        part = f"part-{chunk['number']:06d}.parquet"
        sink.parts[f"run=r/{part}"] = rows
        results.append(ChunkResult(chunk["number"], chunk["file"], rows, rows - rejected, rejected, part, rows))
    sink.write(result_name("r", item["item"]), dump_document({"results": [each.to_dict() for each in results]}))


if __name__ == "__main__":
    plan_a_million(Path(sys.argv[1]))
