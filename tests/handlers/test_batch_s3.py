"""S3 as a store: what it answers, what it refuses, and what it loses on the way."""

import csv
import io
import json
import random
from collections.abc import Sequence
from hashlib import md5
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightship_runtime.batch.committing import commit
from lightship_runtime.batch.errors import InputChangedError
from lightship_runtime.batch.planning import Request, begin, cut, read_items, scan
from lightship_runtime.batch.records import Settings
from lightship_runtime.batch.s3 import PIECE, S3Store, backoff_s
from lightship_runtime.batch.score import Model
from lightship_runtime.batch.stores import LocalStore, Store
from lightship_runtime.batch.work import score_item
from lightship_runtime.contract import Column, Contract, Output
from lightship_runtime.engine import Outputs


class ClientError(Exception):
    """As botocore's."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.response = {"Error": {"Code": code}}


class Exceptions:
    ClientError = ClientError


class Body:
    """An answer's body, which may break off."""

    def __init__(self, data: bytes, breaks: bool) -> None:
        self._data, self._breaks = data, breaks

    def read(self) -> bytes:
        if self._breaks:
            raise ConnectionError("the connection was reset")
        return self._data


class FakeS3:
    """One bucket in memory, with S3's own answers; a share of the calls fails before its effect, or after."""

    exceptions = Exceptions

    def __init__(self, trouble: float = 0.0, seed: int = 1) -> None:
        self.objects: dict[str, bytes] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.troubles = 0
        self._trouble, self._random = trouble, random.Random(seed)  # noqa: S311 - repeatable

    def _fails(self) -> bool:
        failed = self._random.random() < self._trouble
        self.troubles += failed
        return failed

    def _maybe(self) -> None:
        if self._fails():
            raise ClientError(self._random.choice(["SlowDown", "500", "503", "InternalError"]))

    def _tag(self, key: str) -> str:
        return f'"{md5(self.objects[key], usedforsecurity=False).hexdigest()}"'

    def list_objects_v2(self, Bucket: str, Prefix: str, ContinuationToken: str = "") -> dict[str, Any]:
        self._maybe()
        names = [name for name in sorted(self.objects) if name.startswith(Prefix) and name > ContinuationToken]
        page = [{"Key": name, "Size": len(self.objects[name]), "ETag": self._tag(name)} for name in names[:3]]
        more = {"IsTruncated": True, "NextContinuationToken": names[2]} if len(names) > 3 else {"IsTruncated": False}
        return {"Contents": page, **more}

    def get_object(self, Bucket: str, Key: str, Range: str = "", IfMatch: str = "") -> dict[str, Any]:
        self._maybe()
        if Key not in self.objects:
            raise ClientError("NoSuchKey")
        if IfMatch and IfMatch != self._tag(Key):
            raise ClientError("PreconditionFailed")
        data = self.objects[Key]
        if Range:
            first, last = map(int, Range.removeprefix("bytes=").split("-"))
            data = data[first : last + 1]
        return {"Body": Body(data, self._fails()), "ETag": self._tag(Key)}

    def put_object(
        self, Bucket: str, Key: str, Body: bytes, IfNoneMatch: str = "", IfMatch: str = ""
    ) -> dict[str, Any]:
        self._maybe()
        if IfMatch and Key not in self.objects:
            raise ClientError("NoSuchKey")
        if (IfNoneMatch and Key in self.objects) or (IfMatch and self._tag(Key) != IfMatch):
            raise ClientError("PreconditionFailed")
        self.objects[Key] = Body
        self._maybe()
        return {"ETag": self._tag(Key)}

    def create_multipart_upload(self, Bucket: str, Key: str) -> dict[str, Any]:
        self._maybe()
        name = f"upload-{len(self.uploads)}"
        self.uploads[name] = {}
        return {"UploadId": name}

    def upload_part(self, Bucket: str, Key: str, UploadId: str, PartNumber: int, Body: bytes) -> dict[str, Any]:
        self._maybe()
        self.uploads[UploadId][PartNumber] = Body
        return {"ETag": f"part-{PartNumber}"}

    def complete_multipart_upload(self, Bucket: str, Key: str, UploadId: str, MultipartUpload: Any) -> None:
        self._maybe()
        parts = self.uploads.pop(UploadId)
        self.objects[Key] = b"".join(parts[each["PartNumber"]] for each in MultipartUpload["Parts"])

    def abort_multipart_upload(self, Bucket: str, Key: str, UploadId: str) -> None:
        self.uploads.pop(UploadId, None)


def store_of(client: FakeS3, prefix: str = "") -> S3Store:
    return S3Store(client, "bucket", prefix, sleep=lambda _seconds: None)


class Half:
    name = "half"

    def predict(self, columns: Sequence[Any]) -> Outputs:
        return Outputs(np.asarray(columns[0]) / 2)


MODEL = Model(Contract((Column("x", "number", "float64"),), Output("regression")), Half(), "v1")
SETTINGS = Settings(key=("id",), format="parquet", max_reject_share=0.5)


def write_inputs(store: Store) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows([["id", "x"], *([i, i if i % 9 else "bad"] for i in range(400))])
    store.write("a.csv", out.getvalue().encode())
    store.write("b.jsonl", b"".join(b'{"id": %d, "x": %d}\n' % (i, i) for i in range(400, 500)))


def whole_run(source: Store, sink: Store) -> dict[str, Any]:
    begun = begin(Request("r1", SETTINGS, "v1", only_new=True, chunk_bytes=700), source, sink)
    for piece in json.loads((sink.read(begun.ranges) or (b"[]", ""))[0]):
        scan(piece, SETTINGS, "r1", source, sink)
    for number, chunks in enumerate(read_items(sink, cut("r1", source, sink))):
        score_item("r1", number, chunks, SETTINGS, MODEL, source, sink)
    return commit("r1", sink)


@pytest.mark.parametrize("seed", range(4))
def test_a_run_over_a_failing_s3_gives_what_a_calm_one_gives(tmp_path: Path, seed: int) -> None:
    calm_source, calm_sink = LocalStore(tmp_path / "in"), LocalStore(tmp_path / "out")
    write_inputs(calm_source)
    wanted = whole_run(calm_source, calm_sink)
    client = FakeS3()
    write_inputs(store_of(client, "in/"))
    client._trouble, client._random = 0.12, random.Random(seed)  # noqa: S311 - repeatable
    found = whole_run(store_of(client, "in/"), store_of(client, "out/"))
    assert client.troubles > 20
    assert found == wanted
    assert (found["rows_in"], found["rows_rejected"]) == (500, 45)
    for each in calm_sink.list("run=r1/"):
        assert client.objects[f"out/{each.name}"] == (calm_sink.read(each.name) or (None, ""))[0]


def test_listing_goes_over_pages() -> None:
    client = FakeS3()
    for number in range(8):
        client.objects[f"in/{number}.csv"] = b"x"
    client.objects["in/folder/"] = b""
    client.objects["other/1.csv"] = b""
    assert [each.name for each in store_of(client, "in/").list()] == [f"{number}.csv" for number in range(8)]


def test_a_rewritten_object_is_noticed_and_a_removed_one() -> None:
    client = FakeS3()
    store = store_of(client)
    store.write("a", b"first")
    (stored,) = store.list()
    store.write("a", b"other")
    with pytest.raises(InputChangedError), store.open(stored) as stream:
        stream.read()
    del client.objects["a"]
    with pytest.raises(InputChangedError), store.open(stored) as stream:
        stream.read()


def test_ranges_seek_as_files_do() -> None:
    store = store_of(FakeS3())
    data = random.Random(3).randbytes(50_000)  # noqa: S311 - repeatable
    store.write("a", data)
    (stored,) = store.list()
    with store.open(stored, 1_000, 40_000) as stream:
        assert stream.read(10) == data[1_000:1_010]
        stream.seek(-5, io.SEEK_END)
        assert stream.read() == data[39_995:40_000]
        stream.seek(7)
        assert stream.tell() == 7
        assert stream.read() == data[1_007:40_000]


def test_large_objects_are_sent_in_parts_and_appear_at_once() -> None:
    client = FakeS3(trouble=0.2)
    store = store_of(client)
    data = random.Random(3).randbytes(PIECE * 3 + 11)  # noqa: S311 - repeatable
    with store.writer("a") as sink:
        for start in range(0, len(data), 1_000_003):
            sink.write(data[start : start + 1_000_003])
        assert "a" not in client.objects
    assert client.objects["a"] == data
    with pytest.raises(RuntimeError):
        _write_half(store, "b", data)
    assert "b" not in client.objects
    assert client.uploads == {}


def test_only_one_creates_and_only_the_known_is_replaced() -> None:
    store = store_of(FakeS3())
    assert store.create("a", b"1")
    assert not store.create("a", b"2")
    data, tag = store.read("a") or (b"", "")
    assert data == b"1"
    assert store.replace("a", b"3", tag)
    assert not store.replace("a", b"4", tag)
    assert not store.replace("b", b"4", tag)
    assert store.read("b") is None


def test_a_write_whose_answer_was_lost_counts() -> None:
    class Lossy(FakeS3):
        lost = False

        def put_object(self, **arguments: Any) -> dict[str, Any]:  # type: ignore[override] # the same by keywords
            answer = super().put_object(**arguments)
            if not self.lost:
                self.lost = True
                raise ClientError("503")
            return answer

    assert store_of(Lossy()).create("a", b"1")


def test_what_is_forbidden_is_not_tried_again() -> None:
    class Forbidding(FakeS3):
        calls = 0

        def get_object(self, **_arguments: Any) -> dict[str, Any]:  # type: ignore[override] # the same by keywords
            self.calls += 1
            raise ClientError("AccessDenied")

    client = Forbidding()
    with pytest.raises(ClientError, match="AccessDenied"):
        store_of(client).read("a")
    assert client.calls == 1


def test_waits_grow_with_jitter_up_to_a_bound() -> None:
    assert [backoff_s(attempt, lambda: 1.0) for attempt in (0, 1, 3, 20)] == [0.2, 0.4, 1.6, 20.0]
    assert backoff_s(5, lambda: 0.0) == 0.0


def _write_half(store: S3Store, name: str, data: bytes) -> None:
    with store.writer(name) as sink:
        sink.write(data)
        raise RuntimeError
