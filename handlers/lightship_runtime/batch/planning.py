"""Finds what is to be scored and cuts it into items of work.

`begin` lists the objects; large CSV and JSON Lines objects become ranges, which `scan` counts, each for itself. `cut`
sums their counts, so that chunks begin and end where records do, and writes the plan. The first plan of a run stays:
whoever starts the run again finds it and goes on.
"""

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import IO, Any, Self

from lightship_runtime.batch.ahead import ahead
from lightship_runtime.batch.boundaries import RangeScan, RangeScanner
from lightship_runtime.batch.committing import Head, finish_head, is_done, read_head
from lightship_runtime.batch.counting import Monitoring
from lightship_runtime.batch.errors import BatchError, UnreadableError
from lightship_runtime.batch.ledger import Ledger, object_digest
from lightship_runtime.batch.places import books, ledger_name, plan_name, scan_name
from lightship_runtime.batch.records import Chunk, Format, Settings, format_of
from lightship_runtime.batch.stores import Store, Stored
from lightship_runtime.batch.streams import GZIP
from lightship_runtime.documents import dump_document, load_document

SCHEMA = 1
CHUNK = 64 << 20
"""Bytes of input that one item takes, about: half a minute of work, and well within an invocation's time."""
MAX_ITEMS = 10_000
"""Items of a run; beyond this they grow instead, so that results stay countable in one commit."""
MAX_WHOLE = 2 << 30
"""The largest object that is scored in one piece."""
MAX_ITEM_BYTES = 200_000
"""An item goes through a state, which holds 256 KB with the settings beside it."""
PIECE = 4 << 20
_ASCII = ("utf-8", "ascii", "latin-1", "iso8859-1", "cp1252")


@dataclass(frozen=True)
class Request:
    """A run: its id, whether it takes all objects below the prefix or those that no committed run took, and how.

    `format` overrides what the objects' names say. `prefix` is below the input store.
    """

    run: str
    settings: Settings
    version: str
    model: str = "model"
    only_new: bool = False
    prefix: str = ""
    format: Format | None = None
    chunk_bytes: int = CHUNK

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "settings": self.settings.to_dict()}

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> Self:
        return cls(**{**document, "settings": Settings.from_dict(document["settings"])})


@dataclass(frozen=True)
class Plan:
    """What a run will do. `items` names the list of items; `head` is the tag of the last commit it builds on."""

    request: Request
    items: str
    item_count: int
    objects: int
    total_bytes: int
    ignored: int
    head: str | None
    digests: str

    def to_bytes(self) -> bytes:
        return dump_document({"schema": SCHEMA, **asdict(self), "request": self.request.to_dict()})

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        document = load_document(data, what="The plan", schema=SCHEMA)
        del document["schema"]
        return cls(**{**document, "request": Request.from_dict(document["request"])})


def read_plan(sink: Store, run: str) -> Plan | None:
    found = sink.read(plan_name(run))
    return None if found is None else Plan.from_bytes(found[0])


def read_items(sink: Store, plan: Plan) -> list[list[Chunk]]:
    found = sink.read(plan.items)
    if found is None:
        raise BatchError(f"The run {plan.request.run} lacks {plan.items}. Start another run.")
    return [[Chunk.from_dict(each) for each in item["chunks"]] for item in json.loads(found[0])]


@dataclass(frozen=True, slots=True)
class Begun:
    """`done`: the run was committed before. `scans`: ranges to be scanned before `cut`, listed in `ranges`."""

    run: str
    done: bool
    scans: int
    ranges: str


def begin(request: Request, source: Store, sink: Store, monitoring: Monitoring | None = None) -> Begun:
    """List the objects, once the last run is wholly published.

    Raises BatchError when the run was planned for other settings or another release.
    """
    finish_head(sink, monitoring)
    ranges = f"{books(request.run)}/ranges.json"
    if is_done(sink, request.run):
        return Begun(request.run, done=True, scans=0, ranges=ranges)
    found = sink.read(f"{books(request.run)}/begun.json")
    if found is None:
        _list(request, source, sink, ranges)
        found = sink.read(f"{books(request.run)}/begun.json")
    document = json.loads(found[0]) if found else {}
    if document.get("request") != json.loads(dump_document(request.to_dict())):
        raise BatchError(
            f"The run {request.run} was begun with another release or other settings. Give this one another id."
        )
    return Begun(request.run, done=False, scans=document["scans"], ranges=document["ranges"])


def _list(request: Request, source: Store, sink: Store, ranges: str) -> None:
    head = read_head(sink)
    taken = _taken_before(head, sink) if request.only_new else Ledger.from_bytes(b"")
    nonce = f"{time.time_ns():x}"
    objects, digests_name = f"{books(request.run)}/objects-{nonce}.jsonl", f"{books(request.run)}/objects-{nonce}.bin"
    ranges = ranges.replace(".json", f"-{nonce}.json")
    digests = bytearray()
    count = total = ignored = scans = 0
    with sink.writer(objects) as listed, _JsonList(sink, ranges) as ranged:

        def fresh() -> Iterator[tuple[Stored, Format]]:
            nonlocal ignored
            for stored in source.list(request.prefix):
                kind = request.format or format_of(stored.name)
                if kind is None or _hidden(stored.name):
                    ignored += 1
                elif (digest := object_digest(stored)) not in taken:
                    digests.extend(digest)
                    yield stored, kind

        def is_large_text(item: tuple[Stored, Format]) -> bool:
            return item[1] != "parquet" and item[0].size > request.chunk_bytes

        for (stored, kind), splits in ahead(
            lambda item: _splits(source, item[0], request.settings), fresh(), is_large_text
        ):
            count += 1
            total += stored.size
            pieces = 0
            if splits:
                pieces = -(-stored.size // request.chunk_bytes)
                for piece in range(pieces):
                    start = piece * request.chunk_bytes
                    end = min(start + request.chunk_bytes, stored.size)
                    ranged.add({"number": scans, "file": stored.name, "etag": stored.etag, "size": stored.size,
                                "format": kind, "start": start, "end": end})  # fmt: skip
                    scans += 1
            line = {"file": stored.name, "size": stored.size, "etag": stored.etag, "format": kind, "pieces": pieces}
            listed.write(json.dumps(line).encode() + b"\n")
    sink.write(digests_name, bytes(digests))
    document = {
        "request": request.to_dict(), "objects": objects, "digests": digests_name, "ranges": ranges, "scans": scans,
        "count": count, "bytes": total, "ignored": ignored, "head": head.tag if head and request.only_new else None,
        "time": time.time(),
    }  # fmt: skip
    sink.create(f"{books(request.run)}/begun.json", dump_document(document))


def _taken_before(head: Head | None, sink: Store) -> Ledger:
    """The objects of committed runs."""
    if head is None:
        return Ledger.from_bytes(b"")
    found = sink.read(ledger_name(head.run))
    if found is None:
        raise BatchError(f"The ledger of the committed run {head.run} is gone. Restore it, or score everything.")
    return Ledger.from_bytes(found[0])


def _hidden(name: str) -> bool:
    return any(part.startswith(("_", ".")) for part in name.split("/"))


def _splits(source: Store, stored: Stored, settings: Settings) -> bool:
    """Whether text can be cut at newline bytes: not when it is compressed or of wide characters."""
    with source.open(stored) as stream:
        start = stream.read(2)
    return not start.startswith((GZIP, b"\xff\xfe", b"\xfe\xff")) and settings.encoding.lower() in _ASCII


def scan(piece: dict[str, Any], settings: Settings, run: str, source: Store, sink: Store) -> None:
    """Count one range. Raises InputChangedError."""
    stored = Stored(piece["file"], piece["size"], piece["etag"])
    start, end = piece["start"], piece["end"]
    first, last = max(0, start - 1), min(stored.size, end + 1)
    delimiter = settings.delimiter if piece["format"] == "csv" else None
    with source.open(stored, first, last) as stream:
        scanner = RangeScanner(start, delimiter, stream.read(start - first))
        left = end - start
        while left:
            data = stream.read(min(PIECE, left))
            if not data:
                raise BatchError(f"{stored.name} ended before its size of {stored.size} bytes. Start another run.")
            scanner.feed(data)
            left -= len(data)
        counted = scanner.finish(stream.read(1) if last > end else b"")
    sink.write(scan_name(run, piece["number"]), json.dumps(counted.to_list()).encode())


def cut(run: str, source: Store, sink: Store) -> Plan:
    """Write the plan, or return the one that is there."""
    planned = read_plan(sink, run)
    if planned is not None:
        return planned
    found = sink.read(f"{books(run)}/begun.json")
    if found is None:
        raise BatchError(f"The run {run} wasn't begun. Start it anew.")
    begun = json.loads(found[0])
    request = Request.from_dict(begun["request"])
    target = max(request.chunk_bytes, -(-begun["bytes"] // MAX_ITEMS))
    items = f"{books(run)}/items-{time.time_ns():x}.json"
    with _JsonList(sink, items) as out:
        for number, chunks in enumerate(_packed(_chunks(begun, request, source, sink), target)):
            out.add({"item": number, "run": run, "version": request.version, "chunks": chunks})
    plan = Plan(
        request=request,
        items=items,
        item_count=out.count,
        objects=begun["count"],
        total_bytes=begun["bytes"],
        ignored=begun["ignored"],
        head=begun["head"],
        digests=begun["digests"],
    )
    sink.create(plan_name(run), plan.to_bytes())
    settled = read_plan(sink, run)
    return plan if settled is None else settled


def _chunks(begun: dict[str, Any], request: Request, source: Store, sink: Store) -> Iterator[Chunk]:
    """Every object's chunks, numbered through the run."""
    listed = sink.read(begun["objects"])
    number = 0

    def objects() -> Iterator[tuple[Chunk, int]]:
        for line in (listed[0] if listed else b"").splitlines():
            entry = json.loads(line)
            yield Chunk(0, entry["file"], entry["etag"], entry["size"], entry["format"]), entry["pieces"]

    def is_large_parquet(item: tuple[Chunk, int]) -> bool:
        return item[0].format == "parquet" and item[0].size > request.chunk_bytes

    scans = _scans(sink, request.run, begun["scans"])
    for (whole, pieces), groups in ahead(
        lambda item: _parquet_chunks(item[0], source, request.chunk_bytes), objects(), is_large_parquet
    ):
        for chunk in _text_chunks(whole, list(islice(scans, pieces))) if pieces else groups or [whole]:
            if chunk.end is None and chunk.start == 0 and chunk.format != "parquet" and chunk.size > MAX_WHOLE:
                raise UnreadableError(
                    chunk.file,
                    f"it has {chunk.size >> 20} MB and can't be split (gzip, a wide encoding, or quotes within "
                    f"unquoted fields); at most {MAX_WHOLE >> 20} MB are scored in one piece. Write smaller files.",
                )
            yield replace(chunk, number=number)
            number += 1


def _scans(sink: Store, run: str, count: int) -> Iterator[RangeScan]:
    """What the scan of every range wrote, in order."""
    for number, read in ahead(lambda number: sink.read(scan_name(run, number)), range(count)):
        if read is None:
            raise BatchError(f"The range {number} of the run {run} wasn't scanned. Redrive the run.")
        yield RangeScan.from_list(json.loads(read[0]))


def _text_chunks(whole: Chunk, scans: list[RangeScan]) -> list[Chunk]:
    """A chunk for each range that has a boundary, from there to the next; the object whole where quotes can't tell."""
    inside = 0
    records = 0
    starts: list[tuple[int, int]] = [(0, 1)]
    header = 1 if whole.format == "csv" else 0
    for place, scanned in enumerate(scans):
        state = inside if whole.format == "csv" else 0
        if not scanned.exact[state]:
            return [whole]
        boundary = scanned.first[state]
        if place and 0 <= boundary < whole.size:
            starts.append((boundary, records + 2 - header))
        records += scanned.records[state]
        inside = (inside + scanned.quotes) % 2
    ends = [start for start, _ in starts[1:]] + [whole.size]
    return [replace(whole, start=start, end=end, first_row=row) for (start, row), end in zip(starts, ends, strict=True)]


def _parquet_chunks(whole: Chunk, source: Store, target: int) -> list[Chunk]:
    """Runs of row groups of about `target` compressed bytes; the object whole where its footer can't be read, which
    scoring then says."""
    from lightship_runtime.batch.parquet_reader import ParquetSource

    try:
        with source.open(Stored(whole.file, whole.size, whole.etag)) as stream:
            metadata = ParquetSource(stream, whole.file).metadata
            sizes = [(metadata.row_group(i).num_rows, _compressed(metadata.row_group(i)))
                     for i in range(metadata.num_row_groups)]  # fmt: skip
    except UnreadableError:
        return [whole]
    chunks: list[Chunk] = []
    start = row = held = rows = 0
    for group, (count, size) in enumerate(sizes):
        held += size
        rows += count
        if held >= target or group == len(sizes) - 1:
            chunks.append(replace(whole, start=start, end=group + 1, first_row=row + 1))
            start, row, held, rows = group + 1, row + rows, 0, 0
    return chunks or [whole]


def _compressed(group: Any) -> int:
    return sum(group.column(i).total_compressed_size for i in range(group.num_columns))


def _packed(chunks: Iterable[Chunk], target: int) -> Iterator[list[dict[str, Any]]]:
    """Successive chunks together, as documents, while their input stays below the target and they within an item."""
    held: list[dict[str, Any]] = []
    size = room = 0
    for chunk in chunks:
        weight = chunk.size if chunk.end is None or chunk.format == "parquet" else chunk.end - chunk.start
        document = chunk.to_dict()
        text = len(json.dumps(document)) + 2
        if held and (size + weight > target or room + text > MAX_ITEM_BYTES):
            yield held
            held, size, room = [], 0, 0
        held.append(document)
        size += weight
        room += text
    if held:
        yield held


class _JsonList:
    """A JSON array of objects, written as they come."""

    def __init__(self, sink: Store, name: str) -> None:
        self._context = sink.writer(name)
        self._stream: IO[bytes] | None = None
        self.count = 0

    def __enter__(self) -> Self:
        self._stream = self._context.__enter__()
        self._stream.write(b"[")
        return self

    def add(self, document: dict[str, Any]) -> None:
        if self._stream is not None:
            self._stream.write((b",\n" if self.count else b"\n") + json.dumps(document).encode())
            self.count += 1

    def __exit__(self, *error: Any) -> None:
        if self._stream is not None and error[0] is None:
            self._stream.write(b"\n]\n")
        self._context.__exit__(*error)
