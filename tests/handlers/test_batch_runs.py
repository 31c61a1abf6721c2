"""Planning and committing: cut anywhere, killed anywhere, delivered twice, a run ends as if nothing had happened."""

import csv
import io
import json
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightship_runtime.batch import planning
from lightship_runtime.batch.boundaries import RangeScanner, last_boundary
from lightship_runtime.batch.committing import NotCommittedError, commit, read_head
from lightship_runtime.batch.errors import BatchError, InputChangedError
from lightship_runtime.batch.ledger import Ledger, object_digest
from lightship_runtime.batch.planning import Plan, Request, begin, cut, read_items, scan
from lightship_runtime.batch.records import Chunk, Settings
from lightship_runtime.batch.score import Model
from lightship_runtime.batch.stores import LocalStore, Store, Stored
from lightship_runtime.batch.work import score_item
from lightship_runtime.contract import Column, Contract, Output
from lightship_runtime.engine import Outputs

CONTRACT = Contract((Column("x", "number", "float64"),), Output("regression"))


class Double:
    name = "double"

    def predict(self, columns: Sequence[Any]) -> Outputs:
        return Outputs(np.asarray(columns[0]) * 2)


MODEL = Model(CONTRACT, Double(), "v1")
SETTINGS = Settings(key=("id",), format="csv", max_reject_share=0.5)


def table(first: int, count: int, quoted: bool = False) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["id", "x", "note"])
    for i in range(first, first + count):
        writer.writerow([i, i / 8, f'a "note",\nno {i}' if quoted and i % 3 == 0 else "plain"])
    return out.getvalue().encode()


def write_inputs(folder: Path) -> LocalStore:
    store = LocalStore(folder)
    store.write("a.csv", table(0, 40, quoted=True))
    store.write("sub/b.csv", table(100, 25))
    store.write("c.jsonl", b"".join(b'{"id": %d, "x": %d}\n' % (i, i) for i in range(200, 230)))
    store.write("_ignored.csv", b"what")
    store.write("readme.txt", b"what")
    return store


def whole_run(
    source: Store, sink: Store, run: str = "r1", *, only_new: bool = True, chunk_bytes: int = 200
) -> dict[str, Any] | None:
    """Plan, scan, score and commit; None where the run was done before."""
    request = Request(run, SETTINGS, "v1", only_new=only_new, chunk_bytes=chunk_bytes)
    begun = begin(request, source, sink)
    if begun.done:
        return None
    for piece in json.loads((sink.read(begun.ranges) or (b"[]", ""))[0]):
        scan(piece, SETTINGS, run, source, sink)
    for number, chunks in enumerate(read_items(sink, cut(run, source, sink))):
        score_item(run, number, chunks, SETTINGS, MODEL, source, sink)
    return commit(run, sink)


def published(sink: LocalStore, run: str = "r1") -> dict[str, bytes]:
    """What readers of a run see."""
    return {each.name: sink.read(each.name)[0] for each in sink.list(f"run={run}/")}  # type: ignore[index] # it is listed


def keys(sink: LocalStore, run: str = "r1") -> list[int]:
    texts = [data.decode() for name, data in published(sink, run).items() if "/part-" in name]
    return sorted(int(row["id"]) for text in texts for row in csv.DictReader(io.StringIO(text, newline="")))


EVERY = [*range(40), *range(100, 125), *range(200, 230)]


@pytest.mark.parametrize("chunk_bytes", [37, 200, 1_000, 1 << 20])
def test_every_row_once_however_it_is_cut(tmp_path: Path, chunk_bytes: int) -> None:
    source, sink = write_inputs(tmp_path / "in"), LocalStore(tmp_path / "out")
    manifest = whole_run(source, sink, chunk_bytes=chunk_bytes)
    assert manifest is not None
    assert (manifest["rows_in"], manifest["rows_scored"], manifest["ignored"]) == (95, 95, 2)
    assert keys(sink) == EVERY


def test_row_numbers_are_those_of_the_file(tmp_path: Path) -> None:
    source, sink = LocalStore(tmp_path / "in"), LocalStore(tmp_path / "out")
    lines = table(0, 90).splitlines(keepends=True)
    for row in (7, 33, 61, 90):
        lines[row] = b"%d,bad,x\n" % row
    source.write("a.csv", b"".join(lines))
    manifest = whole_run(source, sink, chunk_bytes=150)
    assert manifest is not None
    assert len(manifest["parts"]) > 5
    rejects = [
        json.loads(line) for name in manifest["rejects"] for line in published(sink)[f"run=r1/{name}"].splitlines()
    ]
    assert sorted(each["row"] for each in rejects) == [7, 33, 61, 90]


def test_parquet_is_cut_by_row_groups(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    (tmp_path / "in").mkdir()
    rows = pa.table({"id": list(range(1_000)), "x": [float(i) if i != 777 else None for i in range(1_000)]})
    parquet.write_table(rows, tmp_path / "in" / "a.parquet", row_group_size=100)
    sink = LocalStore(tmp_path / "out")
    manifest = whole_run(LocalStore(tmp_path / "in"), sink, chunk_bytes=2_000)
    assert manifest is not None
    assert len(manifest["parts"]) > 2
    assert keys(sink) == [i for i in range(1_000) if i != 777]
    (name,) = manifest["rejects"]
    assert json.loads(published(sink)[f"run=r1/{name}"])["row"] == 778


TEXTS = st.lists(
    st.lists(st.text('ab",\n', max_size=6), min_size=3, max_size=3), min_size=0, max_size=12
)  # fmt: skip


@settings(max_examples=300, deadline=None, derandomize=True)
@given(rows=TEXTS, width=st.integers(1, 40), stray=st.booleans())
def test_boundaries_are_where_a_csv_parser_has_them(rows: list[list[str]], width: int, stray: bool) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_MINIMAL).writerows([["h", "i", "j"], *rows])
    data = out.getvalue().encode() + (b'5" pipe,x,y\nz,z,z\n' if stray else b"")
    ends = {0}
    for end in range(1, len(data) + 1):
        if data[end - 1 : end] == b"\n" and not _open(data[:end].decode()):
            ends.add(end)
    for end in range(0, len(data) + 1, 3):
        assert last_boundary(data[:end], ",") == max(each for each in ends if each <= end)
    scans = []
    for start in range(0, len(data), width):
        scanner = RangeScanner(start, ",", data[max(0, start - 1) : start])
        for place in range(start, min(start + width, len(data)), 7):
            scanner.feed(data[place : min(place + 7, start + width)])
        scans.append(scanner.finish(data[start + width : start + width + 1]))
    chunks = planning._text_chunks(Chunk(0, "a.csv", "t", len(data), "csv"), scans)
    assert chunks[0].start == 0
    assert {chunk.start for chunk in chunks} <= ends
    if stray:
        assert len(chunks) == 1
    for chunk in chunks[1:]:
        before = list(csv.reader(io.StringIO(data[: chunk.start].decode(), newline="")))
        assert chunk.first_row == len(before)


def _open(text: str) -> bool:
    """Whether Python's own parser is inside quotes after `text`."""
    try:
        list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        return "unexpected end of data" in str(error)
    return False


class Killed(BaseException):
    """The process is gone."""


class Mortal:
    """A store whose process dies at a given operation: before it, or just after its effect."""

    def __init__(self, store: LocalStore, life: int, after: bool) -> None:
        self.store, self.life, self.after = store, life, after

    def _do(self, action: Callable[[], Any]) -> Any:
        self.life -= 1
        if self.life == 0 and not self.after:
            raise Killed
        result = action()
        if self.life == 0:
            raise Killed
        return result

    def list(self, prefix: str = "") -> Iterator[Stored]:
        return iter(self._do(lambda: list(self.store.list(prefix))))

    def open(self, stored: Stored, start: int = 0, end: int | None = None) -> Any:
        return self._do(lambda: self.store.open(stored, start, end))

    def read(self, name: str) -> tuple[bytes, str] | None:
        found: tuple[bytes, str] | None = self._do(lambda: self.store.read(name))
        return found

    def write(self, name: str, data: bytes) -> None:
        self._do(lambda: self.store.write(name, data))

    def create(self, name: str, data: bytes) -> bool:
        return bool(self._do(lambda: self.store.create(name, data)))

    def replace(self, name: str, data: bytes, tag: str | None) -> bool:
        return bool(self._do(lambda: self.store.replace(name, data, tag)))

    @contextmanager
    def writer(self, name: str) -> Iterator[IO[bytes]]:
        self._do(lambda: None)
        with self.store.writer(name) as sink:
            yield sink
        self._do(lambda: None)


def test_killed_anywhere_and_started_again_the_output_is_the_same(tmp_path: Path) -> None:
    source, calm = write_inputs(tmp_path / "in"), LocalStore(tmp_path / "calm")
    whole_run(source, calm)
    wanted = published(calm)
    draw = random.Random(5)  # noqa: S311 - repeatable
    deaths = 0
    for life in [*range(1, 40, 3), *(draw.randrange(40, 200) for _ in range(8))]:
        sink = LocalStore(tmp_path / f"out-{life}-{deaths}")
        for attempt in range(100):
            try:
                whole_run(source, Mortal(sink, life + attempt, after=draw.random() < 0.5))
                break
            except Killed:
                deaths += 1
        assert published(sink) == wanted
    assert deaths > 40


def test_nothing_is_published_before_everything_is(tmp_path: Path) -> None:
    source, sink = write_inputs(tmp_path / "in"), LocalStore(tmp_path / "out")
    life = 0
    done = False
    while not done:
        life += 7
        try:
            whole_run(source, Mortal(sink, life, after=True))
        except Killed:
            if "run=r1/_SUCCESS" in published(sink):
                assert keys(sink) == EVERY
                done = True
        else:
            done = True


def test_items_in_any_order_and_twice(tmp_path: Path) -> None:
    source, sink = write_inputs(tmp_path / "in"), LocalStore(tmp_path / "out")
    request = Request("r1", SETTINGS, "v1", chunk_bytes=200)
    begun = begin(request, source, sink)
    pieces = json.loads((sink.read(begun.ranges) or (b"", ""))[0])
    for piece in [*pieces[::-1], *pieces]:
        scan(piece, SETTINGS, "r1", source, sink)
    items = list(enumerate(read_items(sink, cut("r1", source, sink))))
    for number, chunks in [*items[::-1], *items]:
        score_item("r1", number, chunks, SETTINGS, MODEL, source, sink)
    first = commit("r1", sink)
    assert commit("r1", sink) == first
    assert keys(sink) == EVERY


def test_a_run_that_succeeded_does_nothing_again(tmp_path: Path) -> None:
    source, sink = write_inputs(tmp_path / "in"), LocalStore(tmp_path / "out")
    whole_run(source, sink)
    before = published(sink)
    source.write("new.csv", table(900, 5))
    assert whole_run(source, sink) is None
    assert published(sink) == before


def test_new_objects_are_found_exactly_once(tmp_path: Path) -> None:
    source, sink = write_inputs(tmp_path / "in"), LocalStore(tmp_path / "out")
    whole_run(source, sink, "r1")
    source.write("d.csv", table(300, 10))
    source.write("sub/b.csv", table(400, 7))
    whole_run(source, sink, "r2")
    assert keys(sink, "r2") == [*range(300, 310), *range(400, 407)]
    manifest = whole_run(source, sink, "r3")
    assert manifest is not None
    assert (manifest["objects"], manifest["rows_in"]) == (0, 0)
    assert "run=r3/_SUCCESS" in published(sink, "r3")


def test_of_two_runs_over_the_same_objects_one_is_committed(tmp_path: Path) -> None:
    source, sink = write_inputs(tmp_path / "in"), LocalStore(tmp_path / "out")
    for run in ("r1", "r2"):
        request = Request(run, SETTINGS, "v1", only_new=True, chunk_bytes=1 << 20)
        begin(request, source, sink)
        for number, chunks in enumerate(read_items(sink, cut(run, source, sink))):
            score_item(run, number, chunks, SETTINGS, MODEL, source, sink)
    commit("r2", sink)
    with pytest.raises(NotCommittedError, match="r2 was committed since r1 was planned"):
        commit("r1", sink)
    assert "run=r1/_SUCCESS" not in published(sink, "r1")
    head = read_head(sink)
    assert head is not None
    assert head.run == "r2"


def test_a_commit_cut_short_is_finished_by_the_next_run(tmp_path: Path) -> None:
    source, sink = write_inputs(tmp_path / "in"), LocalStore(tmp_path / "out")
    whole_run(source, sink, "r1")
    for name in ("_SUCCESS", "_manifest.json"):
        (sink.root / "run=r1" / name).unlink()
    whole_run(source, sink, "r2")
    assert "run=r1/_SUCCESS" in published(sink, "r1")
    assert keys(sink, "r2") == []


def test_a_plan_stays_the_first_one(tmp_path: Path) -> None:
    source, sink = write_inputs(tmp_path / "in"), LocalStore(tmp_path / "out")
    request = Request("r1", SETTINGS, "v1", chunk_bytes=1 << 20)
    begin(request, source, sink)
    first = cut("r1", source, sink)
    source.write("later.csv", table(900, 5))
    begin(request, source, sink)
    assert cut("r1", source, sink) == first
    with pytest.raises(BatchError, match="another release or other settings"):
        begin(Request("r1", SETTINGS, "v2", chunk_bytes=1 << 20), source, sink)


def test_an_input_that_changes_during_the_run_is_noticed(tmp_path: Path) -> None:
    source, sink = write_inputs(tmp_path / "in"), LocalStore(tmp_path / "out")
    begin(Request("r1", SETTINGS, "v1", chunk_bytes=1 << 20), source, sink)
    items = read_items(sink, cut("r1", source, sink))
    source.write("a.csv", table(0, 41))
    with pytest.raises(InputChangedError, match=r"a\.csv was rewritten"):
        score_item("r1", 0, items[0], SETTINGS, MODEL, source, sink)


def tampered(tmp_path: Path, change: Callable[[LocalStore, Plan], None]) -> str:
    """What commit says after a change to what a run wrote."""
    source, sink = write_inputs(tmp_path / "in"), LocalStore(tmp_path / "out")
    begin(Request("r1", SETTINGS, "v1", chunk_bytes=1 << 20), source, sink)
    plan = cut("r1", source, sink)
    for number, chunks in enumerate(read_items(sink, plan)):
        score_item("r1", number, chunks, SETTINGS, MODEL, source, sink)
    change(sink, plan)
    with pytest.raises(NotCommittedError) as error:
        commit("r1", sink)
    seen = published(sink)
    assert "run=r1/_SUCCESS" not in seen
    assert "run=r1/_manifest.json" not in seen
    assert json.loads(seen["run=r1/_FAILED.json"])["reason"] == str(error.value)
    return str(error.value)


def test_commit_misses_a_result(tmp_path: Path) -> None:
    def remove(sink: LocalStore, _plan: Plan) -> None:
        (sink.root / "_lightship/runs/r1/results/000000.json").unlink()

    assert "1 of 1 items of the run r1 have no result (0)" in tampered(tmp_path, remove)


def test_commit_misses_a_part(tmp_path: Path) -> None:
    def shorten(sink: LocalStore, _plan: Plan) -> None:
        sink.write("run=r1/part-000000.csv", b"")

    assert "1 parts of the run r1 aren't what was written" in tampered(tmp_path, shorten)


def test_commit_counts(tmp_path: Path) -> None:
    def lose(sink: LocalStore, _plan: Plan) -> None:
        name = "_lightship/runs/r1/results/000000.json"
        document = json.loads(sink.read(name)[0])  # type: ignore[index] # it was written
        document["results"][0]["rows_scored"] -= 1
        sink.write(name, json.dumps(document).encode())

    assert "don't add up" in tampered(tmp_path, lose)


def test_unreadable_objects_and_too_many_rejects_fail_the_run(tmp_path: Path) -> None:
    source, sink = LocalStore(tmp_path / "in"), LocalStore(tmp_path / "out")
    source.write("a.parquet", b"no")
    with pytest.raises(NotCommittedError, match=r"a\.parquet: it isn't whole Parquet"):
        whole_run(source, sink, "r1")
    (source.root / "a.parquet").unlink()
    source.write("a.csv", b"id,x\n1,one\n2,two\n3,3\n")
    with pytest.raises(NotCommittedError, match=r"2 of 3 rows of the run r2 were rejected, over the limit of 50\.00%"):
        whole_run(source, sink, "r2")
    assert "run=r2/part-000000.csv" in published(sink, "r2")


def test_the_ledger_is_a_set() -> None:
    names = [object_digest(Stored(f"n{i}", i, "e")) for i in range(500)]
    odd, even = Ledger.of(names[1::2]), Ledger.of([*names[::2], *names[::4]])
    both = odd.union(even).union(odd)
    assert len(both) == 500
    assert all(each in both for each in names)
    assert names[0] not in odd
    assert object_digest(Stored("n1", 1, "other")) not in both
    assert Ledger.from_bytes(both.to_bytes()).union(Ledger.of([])).to_bytes() == both.to_bytes()
    assert len(Ledger.of([]).union(Ledger.of([]))) == 0
